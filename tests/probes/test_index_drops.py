"""Duplicates, prefixes and unused indexes on real servers: sick, cured by the printed remedy, near misses, limits."""

from collections.abc import Sequence
from dataclasses import replace

from monitor.advisors.index.redundant import Duplicate, RedundantPrefix
from monitor.advisors.index.unused import Unused
from monitor.errors import Needs
from monitor.measurement import Measurement
from monitor.model import Confidence, Finding, NoVerdict, Remedy, Secret, Server, Severity
from monitor.report.review import Review
from monitor.report.snapshot import Question, take_snapshot
from monitor.rule import Advisor
from monitor.rules.evaluate import advise
from monitor.shaped import shape_of, with_shape
from probes.shape import PROBE
from tests.database import Database
from tests.looking import book_of
from tests.standby import follows, on, primary_of, standby_of
from tests.versions import NEWEST

AT_ONCE = Unused(min_age=0, min_bytes=0)
DAY = 86400.0
TABLE = """
    create table "Order" (id bigint primary key, "User" bigint, state text, at timestamptz);
    insert into "Order" select g, g % 100, 's' || g % 3, now() from generate_series(1, 5000) g;
"""


async def look(database: Database) -> Measurement:
    """One reading by the monitor's own role."""
    monitor = await database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        return await eye.look()


async def verdicts(database: Database, rule: Advisor) -> Sequence[Finding | NoVerdict]:
    """What a rule says after one reading."""
    return (await advise(rule, book_of(database.name, await look(database)))).verdicts


async def findings(database: Database, *rules: Advisor) -> list[Finding]:
    """What rules find in one reading."""
    book = book_of(database.name, await look(database))
    said = [verdict for rule in rules for verdict in (await advise(rule, book)).verdicts]
    return [verdict for verdict in said if isinstance(verdict, Finding)]


def undone(finding: Finding) -> Remedy:
    """The rollback, to be run as a remedy is."""
    return Remedy(sql=finding.remedy.rollback)


async def definitions(database: Database) -> list[str]:
    """All indexes of the schema public, in the server's words."""
    rows = await database.fetch("select indexdef from pg_indexes where schemaname = 'public' order by 1")
    return [str(row["indexdef"]) for row in rows]


async def test_a_duplicate_is_dropped_and_can_be_made_again(any_database: Database) -> None:
    """Sick: by a btree read backwards, on a quoted table; cured; and as it was by the rollback."""
    await any_database.execute(TABLE)
    await any_database.execute('create index one on "Order" ("User", at)')
    await any_database.execute('create index "the Other" on "Order" ("User" desc, at desc) with (fillfactor = 70)')
    before = await definitions(any_database)
    (finding,) = await findings(any_database, Duplicate(), RedundantPrefix())
    assert (finding.rule, finding.severity) == ("index.duplicate", Severity.WARNING)
    assert (finding.subject, finding.object.kind, finding.object.name) == ('public."the Other"', "index", "the Other")
    assert (finding.evidence["table"], finding.evidence["cover"]) == ('public."Order"', "public.one")
    await any_database.apply(finding.remedy)
    assert await findings(any_database, Duplicate(), RedundantPrefix()) == []
    await any_database.apply(undone(finding))
    assert await definitions(any_database) == before


NEAR = (
    'create index near1 on "Order" (state)',
    'create index near2 on "Order" (state text_pattern_ops)',
    'create index near3 on "Order" (state collate "C")',
    'create index near4 on "Order" (state nulls first)',
    'create index near5 on "Order" (state) where at is null',
    'create index near6 on "Order" using hash (state)',
    'create index near7 on "Order" (lower(state))',
    'create index near8 on "Order" (upper(state))',
    'create unique index near9 on "Order" (id) include (state)',
    'alter table "Order" add constraint late unique ("User", id) deferrable',
    'create unique index near10 on "Order" ("User", id)',
)


async def test_what_differs_in_anything_is_no_duplicate(any_database: Database) -> None:
    """Near misses: opclass, collation, order of NULLs, predicate, method, expression, INCLUDE, when it is checked."""
    await any_database.execute(TABLE)
    for statement in NEAR:
        await any_database.execute(statement)
    assert await findings(any_database, Duplicate(), RedundantPrefix()) == []


async def test_of_unique_indexes_the_one_that_a_foreign_key_relies_on_stays(any_database: Database) -> None:
    """The server itself says which; the remedy runs, and the key stands."""
    await any_database.execute(TABLE)
    await any_database.execute('alter table "Order" alter at set not null')
    await any_database.execute('create unique index first on "Order" (at, id)')
    await any_database.execute("create table child (at timestamptz, id bigint)")
    await any_database.execute("create index child_at on child (at, id)")
    await any_database.execute('alter table child add foreign key (at, id) references "Order" (at, id)')
    await any_database.execute('create unique index concurrently second on "Order" (at, id)')
    (finding,) = await findings(any_database, Duplicate())
    assert finding.subject == "public.second"
    await any_database.apply(finding.remedy)
    await any_database.execute('create unique index second on "Order" (at, id)')
    await any_database.execute("alter table child drop constraint child_at_id_fkey")
    await any_database.execute('alter table "Order" replica identity using index second')
    (finding,) = await findings(any_database, Duplicate())
    assert finding.subject == "public.first"


async def test_a_prefix_goes_and_its_cover_stays(database: Database) -> None:
    """Sick, cured, and the cover that nobody used until now is not called unused beside it."""
    await database.execute(TABLE)
    await database.execute('create index small on "Order" ("User")')
    await database.execute('create index large on "Order" ("User", at) include (state)')
    (finding,) = await findings(database, Duplicate(), RedundantPrefix(), AT_ONCE)
    assert (finding.rule, finding.subject) == ("index.redundant_prefix", "public.small")
    assert (finding.severity, finding.evidence["cover"]) == (Severity.INFO, "public.large")
    await database.apply(finding.remedy)
    assert await findings(database, Duplicate(), RedundantPrefix()) == []
    await database.apply(undone(finding))
    assert len(await findings(database, RedundantPrefix())) == 1


async def test_a_busy_prefix_of_a_wide_cover_is_left_alone(database: Database) -> None:
    """Near miss: the larger one would be read instead, many pages at a time."""
    await database.execute(TABLE)
    await database.execute('create index small on "Order" ("User")')
    await database.execute('create index large on "Order" ("User", at, state, id)')
    await database.execute('vacuum analyze "Order"')
    seen = await look(database)
    (index,) = (each for table in shape_of(seen).tables.values() for each in table.indexes if each.name == "small")
    busy = _with_scans(seen, index.oid, 10**6)
    for rule, count in ((RedundantPrefix(wide_bytes=1), 0), (RedundantPrefix(wide_bytes=1, wider=99), 1)):
        assert len((await advise(rule, book_of(database.name, busy))).verdicts) == count


def _with_scans(seen: Measurement, oid: int, scans: int) -> Measurement:
    shape = shape_of(seen)
    tables = {
        key: replace(
            table,
            indexes=tuple(replace(each, scans=scans if each.oid == oid else each.scans) for each in table.indexes),
        )
        for key, table in shape.tables.items()
    }
    return replace(seen, details=with_shape(replace(shape, tables=tables)))


async def test_an_unused_index_is_dropped_and_can_be_made_again(any_database: Database) -> None:
    """Sick, cured; and as it was by the rollback, an expression and a predicate too."""
    await any_database.execute(TABLE)
    await any_database.execute("""create index idle on "Order" (lower(state), "User") where state <> 'it''s'""")
    before = await definitions(any_database)
    (finding,) = await findings(any_database, AT_ONCE)
    assert (finding.rule, finding.subject, finding.severity) == ("index.unused", "public.idle", Severity.INFO)
    assert "CREATE STATISTICS" in finding.remedy.caution
    await any_database.apply(finding.remedy)
    assert await findings(any_database, AT_ONCE) == []
    await any_database.apply(undone(finding))
    assert await definitions(any_database) == before


async def test_what_is_used_or_needed_is_not_unused(database: Database) -> None:
    """Near misses: one scan, a unique one, a foreign key's, a clustered one."""
    await database.execute(TABLE)
    for statement in (
        'create index scanned on "Order" (at)',
        'create unique index rows_once on "Order" (id, state)',
        "create table parent (id bigint primary key)",
        'alter table "Order" add foreign key ("User") references parent not valid',
        'create index for_key on "Order" ("User", state)',
        'create index ordered on "Order" (state)',
        'cluster "Order" using ordered',
        "set enable_seqscan = off",
        'select from "Order" where at = now()',
    ):
        await database.execute(statement)
    await database.execute("select pg_stat_force_next_flush()")
    assert await findings(database, AT_ONCE) == []


async def test_too_little_is_known_of_a_young_server(database: Database) -> None:
    """Its counters are younger than two weeks, or the index is too small to matter."""
    await database.execute(TABLE)
    await database.execute('create index idle on "Order" (state)')
    (unsaid,) = await verdicts(database, Unused(min_bytes=1))
    assert isinstance(unsaid, NoVerdict)
    assert (unsaid.needs, unsaid.subject) == (Needs.HISTORY, "1 index")
    assert "1 index without a scan" in unsaid.reason
    (size,) = [row["size"] for row in await database.fetch("select pg_relation_size('idle') as size")]
    assert await verdicts(database, Unused(min_age=0, min_bytes=size + 1)) == ()
    assert len(await findings(database, Unused(min_age=0, min_bytes=size))) == 1


async def test_a_counter_that_is_old_enough_alone_is_not_believed_much(database: Database) -> None:
    """Nobody saw that the index is as old: confidence low, and the caution says what to ask."""
    await database.execute(TABLE)
    await database.execute('create index idle on "Order" (state)')
    seen = await look(database)
    old = replace(seen, details=with_shape(replace(shape_of(seen), counted_seconds=14 * DAY)))
    (finding,) = (await advise(Unused(min_bytes=1), book_of(database.name, old))).verdicts
    assert isinstance(finding, Finding)
    assert finding.confidence is Confidence.LOW
    assert "not the index" in finding.remedy.caution


async def test_a_server_that_counts_nothing_is_told(database: Database) -> None:
    """No index is unused only because nobody counts."""
    await database.execute(TABLE)
    await database.execute('create index idle on "Order" (state)')
    await database.execute(f"alter database {database.name} set track_counts = off")
    (unsaid,) = await verdicts(database, AT_ONCE)
    assert isinstance(unsaid, NoVerdict)
    assert unsaid.needs is Needs.SETTING


NEEDED = """
    create extension btree_gist;
    create table parent (id bigint, code text not null, at date, during tstzrange, primary key (id));
    create unique index referred on parent (code);
    create table child (id bigint, code text references parent (code), parent_id bigint references parent);
    create index for_key on child (parent_id);
    create index for_code on child (code, id);
    alter table parent add constraint apart exclude using gist (id with =, during with &&);
    alter table parent add constraint once unique (at, id) deferrable;
    create unique index identity on parent (id, code);
    alter table parent replica identity using index identity;
    create index ordered on parent (at, code);
    cluster parent using ordered;
    create materialized view seen as select id, code from parent;
    create unique index seen_id on seen (id);
    create table log (id bigint, who text) partition by list (who);
    create table log_a partition of log for values in ('a');
    create index log_who on log (who, id);
    create index part_too on only log (id);
    create index own_part on log_a (id);
    alter index part_too attach partition own_part;
    create table extended (id int, name text);
    create index of_extension on extended (name);
    alter extension btree_gist add table extended;
    create index in_vain on parent (during);
"""


async def test_what_anything_needs_is_never_told_to_go(any_database: Database) -> None:
    """Keys on either side, constraints, exclusion, replica identity, CLUSTER, extensions; no part, only the whole.

    What is told can be dropped, by the server's own word: nothing in pg_depend holds it.
    """
    await any_database.execute(NEEDED)
    found = await findings(any_database, Duplicate(), RedundantPrefix(), AT_ONCE)
    assert {each.subject for each in found} == {"public.in_vain", "public.log_who", "public.part_too"}
    for finding in found:
        await any_database.apply(finding.remedy)


async def test_after_a_reset_yesterday_nothing_is_said(any_database: Database) -> None:
    """`pg_stat_reset` makes all counts 0: no verdict, however long the index is there."""
    await any_database.execute(TABLE)
    await any_database.execute('create index idle on "Order" (state); select pg_stat_reset()')
    seen = await look(any_database)
    counted = shape_of(seen).counted_seconds
    assert counted is not None
    assert counted < DAY
    yesterday = replace(seen, details=with_shape(replace(shape_of(seen), counted_seconds=DAY)))
    for reading in (seen, yesterday):
        (unsaid,) = (await advise(Unused(min_bytes=0), book_of(any_database.name, reading))).verdicts
        assert isinstance(unsaid, NoVerdict)
        assert unsaid.needs is Needs.HISTORY


TREE = """
    create table log (id bigint, at date, who text) partition by range (at);
    create table log_1 partition of log for values from ('2024-01-01') to ('2025-01-01');
    create table log_2 partition of log for values from ('2025-01-01') to ('2026-01-01');
    insert into log select g, '2024-06-01', 'w' || g from generate_series(1, 1000) g;
    create index by_who on log (who);
    create index by_id on log (id);
    create index own on log_1 (who);
    analyze;
"""


async def test_a_partitioned_tables_index_is_one_index(any_database: Database) -> None:
    """Sick as a whole, cured as a whole; a partition's own one is a duplicate of its part."""
    await any_database.execute(TREE)
    before = await any_database.value("select count(*) from pg_indexes where schemaname = 'public'")
    found = {each.subject: each for each in await findings(any_database, Duplicate(), RedundantPrefix(), AT_ONCE)}
    assert {name: each.rule for name, each in found.items()} == {
        "public.by_id": "index.unused",
        "public.own": "index.duplicate",
    }
    await any_database.apply(found["public.own"].remedy)
    await any_database.apply(found["public.by_id"].remedy)
    left = await findings(any_database, Duplicate(), RedundantPrefix())
    assert left == []
    assert await any_database.value("select count(*) from pg_indexes where schemaname = 'public'") == before - 4
    await any_database.apply(undone(found["public.by_id"]))
    assert await any_database.value("select bool_and(indisvalid) from pg_index")
    assert await any_database.value("select count(*) from pg_indexes where schemaname = 'public'") == before - 1


async def test_one_parts_scan_saves_the_whole(database: Database) -> None:
    """Near miss: only one partition is ever looked into."""
    await database.execute(TREE)
    await database.execute("drop index own")
    await database.execute("set enable_seqscan = off")
    await database.execute("select from log_1 where id = 5")
    await database.execute("select pg_stat_force_next_flush()")
    assert [each.subject for each in await findings(database, AT_ONCE)] == ["public.by_who"]


async def test_scans_on_a_standby_count() -> None:
    """Unused here and there: told, with its name. Used there, or not to be read there: no verdict, or nothing."""
    async with primary_of(NEWEST) as cluster:
        await cluster.prepare()
        async with cluster.fresh() as database, standby_of(database, cluster.server, NEWEST, name="copy") as server:
            await database.execute(TABLE)
            await database.execute('create index idle on "Order" (state)')
            await database.execute('vacuum analyze "Order"')
            await follows(database, "copy")
            copy = on(server, cluster.server, database.name)
            (finding,) = (await both(database, copy)).findings
            assert (finding.target.server, finding.subject) == ("main", "public.idle")
            assert finding.evidence["standbys"] == ["copy"]
            await copy.execute("set enable_seqscan = off")
            await copy.execute("""select from "Order" where state = 's1'""")
            await copy.execute("select pg_stat_force_next_flush()")
            assert (await both(database, copy)).findings == []
            await copy.close()
            await server.stop()
            review = await both(database, copy)
            assert review.findings == []
            assert [each.reason for each in review.not_evaluated if each.rule == AT_ONCE.id]


async def both(database: Database, copy: Database) -> Review:
    """A report on a primary and its standby."""
    servers = (
        Server(name="main", dsn=Secret(database.dsn), only=database.name),
        Server(name="copy", dsn=Secret(copy.dsn), only=database.name, replica_of="main"),
    )
    return await take_snapshot(Question(servers=servers, probes=(PROBE,), advisors=(AT_ONCE,), window=0))
