"""index.invalid on real servers: sick, cured by the printed remedy, near misses, partitioned tables."""

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest

from monitor.advisors.index.invalid import Invalid
from monitor.errors import Needs
from monitor.model import Confidence, Finding, NoVerdict
from monitor.rules.evaluate import advise
from probes.shape import PROBE
from tests.database import Database
from tests.looking import book_of
from tests.standby import until

FILLED = """
    create table people (id bigint primary key, email text);
    insert into people select g, 'p' || g % 999 || '@example.com' from generate_series(1, 1000) g;
"""


async def verdicts(database: Database) -> Sequence[Finding | NoVerdict]:
    """What the rule says after one reading by the monitor's own role."""
    monitor = await database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        return (await advise(Invalid(), book_of(database.name, await eye.look()))).verdicts


async def the_finding(database: Database) -> Finding:
    (finding,) = await verdicts(database)
    assert isinstance(finding, Finding)
    return finding


async def test_a_build_that_failed_is_found_and_built_again(any_database: Database) -> None:
    """Sick, and cured by the remedy once the rows allow it: the same index, and valid."""
    await any_database.execute(FILLED)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await any_database.execute("create index concurrently ratio on people ((100 / (id - 5)), email) where id > 1")
    finding = await the_finding(any_database)
    assert (finding.subject, finding.object.kind) == ("public.ratio", "index")
    assert (finding.object.schema, finding.object.name) == ("public", "ratio")
    assert (finding.evidence["table"], finding.evidence["unique"]) == ("public.people", False)
    assert finding.confidence is Confidence.HIGH
    await any_database.execute("delete from people where id = 5")
    await any_database.apply(finding.remedy)
    assert await verdicts(any_database) == ()
    assert await any_database.value("select indisvalid from pg_index where indexrelid = 'ratio'::regclass")


async def test_a_unique_index_is_dropped_and_made_again_by_a_person(database: Database) -> None:
    """Which of the doubles is right nobody can print; the statement that makes it again stands in the caution."""
    await database.execute(FILLED)
    with pytest.raises(asyncpg.UniqueViolationError):
        await database.execute("create unique index concurrently people_email on people (lower(email))")
    finding = await the_finding(database)
    assert finding.evidence["unique"] is True
    await database.apply(finding.remedy)
    assert await verdicts(database) == ()
    await database.execute("delete from people where id > 998")
    statement = finding.remedy.caution[finding.remedy.caution.index("create unique") :]
    await database.execute(statement)
    assert await database.value("select indisvalid from pg_index where indexrelid = 'people_email'::regclass")


async def test_what_reindex_left_is_dropped_only(database: Database) -> None:
    """Its original stands: building it again would make a duplicate."""
    await database.execute(FILLED)
    await database.execute("create index people_email on people (email)")
    reader = await database.connect()
    async with reader.transaction(isolation="repeatable_read"):
        await reader.fetch("select count(*) from people")
        await database.execute("set statement_timeout = '500ms'")
        with pytest.raises(asyncpg.QueryCanceledError):
            await database.execute("reindex index concurrently people_email")
    await database.execute("reset statement_timeout")
    finding = await the_finding(database)
    assert finding.evidence["cover"] == "public.people_email"
    assert finding.remedy.sql == (f"drop index concurrently if exists {finding.subject}",)
    await database.apply(finding.remedy)
    assert await verdicts(database) == ()
    assert await database.value("select count(*) from pg_indexes where tablename = 'people'") == 2


async def test_an_index_that_is_being_built_is_no_finding(database: Database) -> None:
    """Near miss: a build that waits for an old transaction is invalid all that time."""
    await database.execute(FILLED)
    monitor = await database.as_monitor()
    reader, builder = await database.connect(), await database.connect()
    async with reader.transaction(isolation="repeatable_read"):
        await reader.fetch("select count(*) from people")
        build = asyncio.create_task(builder.execute("create index concurrently people_email on people (email)"))
        await until(lambda: database.value("select exists (select from pg_index where not indisvalid)"))
        async with monitor.eye(PROBE) as eye:
            (unsaid,) = (await advise(Invalid(), book_of(database.name, await eye.look()))).verdicts
            assert isinstance(unsaid, NoVerdict)
            assert (unsaid.subject, unsaid.needs) == ("public.people_email", Needs.HISTORY)
    await build
    assert await verdicts(database) == ()


async def test_a_constraints_index_is_built_anew_in_place(database: Database) -> None:
    """It cannot be dropped; reindex makes it valid."""
    await database.execute(FILLED)
    await database.execute("update pg_index set indisvalid = false where indexrelid = 'people_pkey'::regclass")
    finding = await the_finding(database)
    assert finding.remedy.sql == ("reindex index concurrently public.people_pkey",)
    await database.apply(finding.remedy)
    assert await verdicts(database) == ()


TREE = """
    create schema "Sales, all";
    create table "Sales, all"."a ""log"" x" (id bigint, at date, "user" text) partition by range (at);
    create table "Sales, all".y2024 partition of "Sales, all"."a ""log"" x"
        for values from ('2024-01-01') to ('2025-01-01');
    create table "Sales, all".y2025 partition of "Sales, all"."a ""log"" x"
        for values from ('2025-01-01') to ('2026-01-01') partition by range (id);
    create table "Sales, all".y2025a partition of "Sales, all".y2025 for values from (0) to (100);
    create table "Sales, all".y2025b partition of "Sales, all".y2025 for values from (100) to (200);
    create index ready on "Sales, all".y2025b ("user", at desc) where id > 5;
    create index by_user on only "Sales, all"."a ""log"" x" ("user", at desc) where id > 5;
"""


async def test_a_partitioned_tables_index_gets_what_it_lacks(any_database: Database) -> None:
    """Each partition of each level, those that have the same index already by attaching it."""
    await any_database.execute(TREE)
    finding = await the_finding(any_database)
    assert (finding.subject, finding.evidence["count"]) == ('"Sales, all".by_user', 2)
    await any_database.apply(finding.remedy)
    assert await verdicts(any_database) == ()
    ours = """select count(*) as all, count(*) filter (where not indisvalid) as invalid from pg_index i
                join pg_class c on c.oid = i.indexrelid and c.relnamespace = '"Sales, all"'::regnamespace"""
    assert await any_database.fetch(ours) == [{"all": 5, "invalid": 0}]


async def test_half_of_the_way_is_gone_on_with(database: Database) -> None:
    """A part that is attached and incomplete itself gets only what it lacks, under names that are free."""
    await database.execute(TREE)
    await database.execute('create index below on only "Sales, all".y2025 ("user", at desc) where id > 5')
    await database.execute('alter index "Sales, all".by_user attach partition "Sales, all".below')
    await database.execute('create index y2024_by_user on "Sales, all".y2024 (id)')
    await database.execute('alter index "Sales, all".below attach partition "Sales, all".ready')
    finding = await the_finding(database)
    assert finding.evidence["partitions"] == ['"Sales, all".y2024', '"Sales, all".y2025a']
    await database.apply(finding.remedy)
    assert await verdicts(database) == ()


async def test_a_constraint_of_all_partitions_needs_a_person(database: Database) -> None:
    """An index alone cannot be attached to that of a constraint."""
    await database.execute(TREE)
    await database.execute('drop index "Sales, all".by_user')
    await database.execute('alter table only "Sales, all"."a ""log"" x" add unique (id, at)')
    finding = await the_finding(database)
    assert (finding.remedy.sql, "constraint" in finding.remedy.caution) == ((), True)
    assert finding.evidence["count"] == 2


async def test_a_valid_database_has_no_finding(database: Database) -> None:
    """Nor has an empty one."""
    assert await verdicts(database) == ()
    await database.execute(FILLED)
    assert await verdicts(database) == ()
