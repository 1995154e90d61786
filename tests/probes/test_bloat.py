"""Bloat: the estimate's error on many shapes; the rule sick, cured, near miss, at the limit; rights, measuring."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from monitor.errors import Needs
from monitor.model import Confidence, Finding, Result
from monitor.probe import MIB, Facts, Memory, ProbeSkipped, Row, number
from probes.bloat import PROBE, SQL, BloatOptions, observe
from probes.bloat_layout import Btree, Column, Heap
from probes.bloat_reading import estimated
from probes.bloat_rules import Bloat
from tests.database import Database
from tests.probes.bloat_shapes import SHAPES, Shape

RULE = Bloat(min_bytes=MIB / 2)
TABLE = """
    create table orders (id int primary key, n int, words text) with (autovacuum_enabled = off);
    insert into orders select g, g % 100, repeat(md5(g::text), 3) from generate_series(1, 30000) g
"""
UNMEASURED = BloatOptions(bytes_per_run=0)

HEAP = """
    select free_space + dead_tuple_len - table_len * (100 - $1::float8) / 100 as unused
      from pgstattuple($2::text::regclass)
"""
BTREE = """
    select (empty_pages + deleted_pages) * 8192 + leaf_pages * 8192 * (1 - avg_leaf_density / $1::float8) as unused
      from pgstatindex($2::text::regclass)
"""


async def make(database: Database, shape: Shape) -> None:
    """Build a shape; vacuum and analyze set relpages, reltuples and the statistics to one moment."""
    for statement in (shape.sql, "alter table t set (autovacuum_enabled = off)", "vacuum analyze t"):
        await database.execute(statement)
    for statement in filter(None, shape.after.split("; ")):
        await database.execute(statement)
    await database.execute("vacuum analyze t")
    await database.execute("create extension pgstattuple")


async def compare(database: Database, shape: Shape) -> tuple[float, float, float]:
    """Give what is wasted by our estimate, by pgstattuple and by a rewrite, each as a part of the size."""
    text = SQL.replace(">= 128", ">= 1")
    rows = [estimated({**row, "modified": 0}) for row in await database.fetch(text)]
    (row,) = (each for each in rows if (each["table"], each["index"]) == ("t", shape.index))
    size, name = number(row, "size_bytes"), shape.index or "t"
    unused = await database.value(BTREE if shape.index else HEAP, number(row, "fillfactor"), name)
    await database.execute(f"reindex index {name}" if shape.index else "vacuum full t")
    after = await database.value("select pg_relation_size($1::text::regclass)", name)
    return 1 - number(row, "expected_bytes") / size, float(unused) / size, 1 - after / size


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name.replace(" ", "-"))
async def test_the_estimate_errs_by_no_more_than_what_is_said(database: Database, shape: Shape) -> None:
    """Against the rewrite, which is what the finding promises, and against pgstattuple (benchmarks/README.md)."""
    await make(database, shape)
    estimate, unused, rewritten = await compare(database, shape)
    assert estimate == pytest.approx(rewritten, abs=shape.error)
    assert estimate == pytest.approx(unused, abs=shape.against)


@pytest.mark.soak
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name.replace(" ", "-"))
async def test_the_estimate_holds_on_every_version(any_database: Database, shape: Shape) -> None:
    """The layout of pages is the same in all of them, the server's habits are not quite."""
    await make(any_database, shape)
    estimate, _, rewritten = await compare(any_database, shape)
    assert estimate == pytest.approx(rewritten, abs=shape.error)


async def judged(database: Database, rule: Bloat = RULE, options: BloatOptions = UNMEASURED) -> list[Finding]:
    return await database.judge(PROBE, rule, options=options)


async def settle(database: Database, sql: str = TABLE) -> None:
    """Run this, vacuum and analyze, and wait until all of it is in the statistics."""
    session = await database.connect()
    await session.execute(sql)
    await session.close()
    await database.execute("vacuum analyze orders")
    async with asyncio.timeout(30):
        while await database.value("select n_mod_since_analyze from pg_stat_user_tables where relname = 'orders'"):
            await asyncio.sleep(0.1)
            await database.execute("analyze orders")


async def shrink(database: Database) -> None:
    """Delete nine of ten rows."""
    await settle(database, "delete from orders where id % 10 > 0")


async def churn(database: Database) -> None:
    """Let a queue run for a while: new rows take the room of the old ones in the table, but not in its indexes."""
    session = await database.connect()
    await session.execute("create table jobs (id serial primary key, state int) with (autovacuum_enabled = off)")
    await session.execute('create index "Odd" on jobs (id, state)')
    for _ in range(4):
        await session.execute("insert into jobs (state) select 1 from generate_series(1, 40000)")
        await session.execute("delete from jobs where id % 10 > 0")
        await session.execute("vacuum jobs")
    await session.execute("insert into jobs (state) select 1 from generate_series(1, 36000)")
    await session.close()
    await database.execute("vacuum analyze jobs")


async def test_bloated_indexes_are_cured_by_the_remedy(database: Database) -> None:
    """Sick: a queue's indexes, while its table is full. The remedy is run as printed."""
    await churn(database)
    (finding,) = await judged(database)
    assert (finding.subject, finding.object.kind, finding.object.name) == ("public.jobs", "table", "jobs")
    assert finding.evidence["table_wasted_bytes"] == 0
    assert finding.remedy.sql == (
        "reindex index concurrently public.jobs_pkey",
        'reindex index concurrently public."Odd"',
    )
    await database.apply(finding.remedy)
    await database.execute("vacuum analyze jobs")
    assert await judged(database) == []


async def readings(database: Database) -> Sequence[Row]:
    async with database.eye(PROBE, options=UNMEASURED) as eye:
        return (await eye.look()).rows


async def test_a_bloated_table_is_found_and_left_to_people(database: Database) -> None:
    """Sick: says that it is an estimate, and prints no SQL. Cured by what the caution says."""
    await settle(database)
    assert await judged(database) == []
    await shrink(database)
    (finding,) = await judged(database)
    assert finding.remedy.sql == ()
    assert "vacuum full public.orders" in finding.remedy.caution
    assert "by an estimate" in finding.summary
    assert (finding.confidence, finding.evidence["method"]) == (Confidence.MEDIUM, "estimate")
    await database.execute("vacuum (full, analyze) orders")
    assert await judged(database) == []


async def test_limits_are_of_bytes_and_of_the_ratio(database: Database) -> None:
    """At the limit of each it is found; near miss: a byte or a part less is nothing, nor are the defaults met."""
    await settle(database)
    await shrink(database)
    (row,) = (row for row in await readings(database) if row["kind"] == "heap")
    wasted, size = number(row, "wasted_bytes"), number(row, "size_bytes")
    for min_bytes, ratio, count in (
        (wasted, wasted / size, 1),
        (wasted + 1, wasted / size, 0),
        (wasted, wasted / size + 0.001, 0),
    ):
        assert len(await judged(database, Bloat(min_bytes=min_bytes, ratio=ratio))) == count
    assert await judged(database, Bloat()) == []


async def test_stale_or_missing_statistics_give_no_verdict(database: Database) -> None:
    """Too little data: never analyzed, or changed since; small tables are not even mentioned."""
    session = await database.connect()
    await session.execute(TABLE)
    await session.execute("create table small as select 1 as one")
    await database.execute("vacuum orders")
    async with database.eye(PROBE, options=UNMEASURED) as eye:
        (unsaid,) = eye.unsaid(await eye.look(), RULE)
        assert (unsaid.needs, unsaid.subject) == (Needs.TIME, "public.orders")
        await session.execute("update orders set n = n + 1")
        await database.execute("analyze orders")
        await session.execute("update orders set n = n + 1 where id < 9000")
        await session.close()
        (unsaid,) = eye.unsaid(await eye.look(), RULE)
        assert "changed much since it was analyzed" in unsaid.reason
        assert eye.unsaid(await eye.look(), Bloat()) == []


async def test_without_the_right_it_says_both_ways_out(any_database: Database) -> None:
    """The statistics of others' tables are hidden: the printed grant shows them, and so does the extension."""
    await settle(any_database)
    await shrink(any_database)
    monitor = await any_database.as_monitor()
    async with monitor.eye(PROBE, options=UNMEASURED) as eye:
        seen = await eye.look()
        assert eye.findings(seen, RULE) == []
        (unsaid,) = eye.unsaid(seen, RULE)
        assert (unsaid.needs, unsaid.subject) == (Needs.RIGHTS, "public")
        grant = unsaid.reason[unsaid.reason.index("grant select") : unsaid.reason.index(" (no row level")]
        await any_database.execute(grant)
        assert len(eye.findings(await eye.look(), RULE)) == 1
        await any_database.execute(grant.replace("grant", "revoke").replace(" to ", " from "))
    await any_database.execute(
        "create schema ext; create extension pgstattuple schema ext; grant usage on schema ext to public"
    )
    (finding,) = await judged(monitor, options=BloatOptions())
    assert (finding.confidence, finding.evidence["method"]) == (Confidence.HIGH, "pgstattuple")


async def test_measuring_keeps_to_its_budget_and_remembers(database: Database) -> None:
    """Each run measures what fits; what was measured stands for a while; what does not fit stays an estimate."""
    await settle(database)
    await shrink(database)
    await database.execute("create extension pgstattuple; update orders set n = 1; analyze orders")
    for budget, method in ((1000.0, "estimate"), (100.0 * MIB, "pgstattuple")):
        (finding,) = await judged(database, options=BloatOptions(bytes_per_run=budget))
        assert finding.evidence["method"] == method
    other = await database.connect()
    async with database.eye(PROBE, options=BloatOptions(bytes_per_run=100 * MIB)) as eye:
        first = await eye.look()
        await other.execute("begin; lock table orders in access exclusive mode")
        second = await eye.look()
    await other.execute("rollback")
    assert [row["method"] for row in (first.rows[1], second.rows[1])] == ["pgstattuple"] * 2


async def test_a_locked_table_is_not_waited_for(database: Database) -> None:
    """An exclusive lock keeps nobody from reading the catalogue; nothing is measured behind it."""
    await settle(database)
    await shrink(database)
    await database.execute("create extension pgstattuple")
    other = await database.connect()
    await other.execute("begin; lock table orders in access exclusive mode")
    async with database.eye(PROBE) as eye:
        seen = await eye.look()
    await other.execute("rollback")
    assert seen.result is Result.OK
    assert {row["method"] for row in seen.rows[1:]} == {"estimate"}


async def test_the_figures_are_the_total_and_the_largest(database: Database) -> None:
    """In an empty database there is the total alone; every row has all labels."""
    async with database.eye(PROBE) as eye:
        (total,) = (await eye.look()).exposed or ()
        assert (total["relations"], total["not_estimated"]) == (0, 0)
        await settle(database)
        shown = (await eye.look()).exposed or ()
    assert [(row["table"], row["index"]) for row in shown] == [("", ""), ("orders", "")]


async def test_a_standby_is_left_to_its_primary() -> None:
    """It does not apply there: a remedy could not run."""
    with pytest.raises(ProbeSkipped) as caught:
        await observe(Standby(), Memory(), BloatOptions())
    assert caught.value.needs is None


class Standby:
    """A session on a standby, which must not be asked anything."""

    facts = Facts(
        version_num=180000, version="18", database="d", role="m", in_recovery=True, superuser=False, started_at=0
    )

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Mapping[str, object]]:
        raise AssertionError(sql)


def test_known_sizes_are_met_to_the_page() -> None:
    """Those of pgbench's accounts at scale 1: 1,640 pages, and 276 of its primary key."""
    integer = Column(length=4, align=4)
    filler = Column(length=-1, align=4, width=85, steady=True)
    accounts = Heap(tuples=100000, columns=[integer, integer, integer, filler], attributes=4, holes=False)
    assert accounts.pages() == 1640
    assert Btree(tuples=100000, columns=[integer], unique=True, lists=True).pages() == 276


def test_an_empty_table_fills_nothing() -> None:
    """All rows gone: everything is wasted, and nothing divides by nought."""
    nothing = Column(length=-1, align=4, width=0, nulls=1.0, distinct=0)
    assert Heap(tuples=0, columns=[nothing], attributes=1, holes=True).pages() == 0
    assert Btree(tuples=0, columns=[nothing], unique=False, lists=True).pages() <= 2
    assert Heap(tuples=10, columns=[], attributes=0, holes=False).pages() == 1
