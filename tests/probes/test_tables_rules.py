"""The rules on tables, each sick, cured by its own remedy, near miss, at the limit and with too little data."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from monitor.errors import Needs
from monitor.measurement import Measurement
from monitor.model import Finding, Severity
from monitor.probe import Row
from probes.tables import PROBE
from probes.tables_rules import WHOLE, CacheMisses, DeadTuples, StaleStatistics
from tests.database import Cluster, Database
from tests.looking import Eye
from tests.probes.test_tables import act, counted, settled

OFF = "with (autovacuum_enabled = off)"
DEAD, STALE = DeadTuples(min_dead=1000), StaleStatistics(min_rows=1000)
MADE = (f"create table t (id int, v int) {OFF}", "insert into t select g, 0 from generate_series(1, 4000) g")


async def dead(database: Database, rows: int) -> None:
    """Leave so many dead rows."""
    await act(database, *MADE, "analyze t", f"delete from t where id <= {rows}")
    await settled(database, counted("t", "n_dead_tup", rows))


async def judged(eye: Eye, *rules: DeadTuples | StaleStatistics) -> Sequence[Finding]:
    return eye.findings(await eye.look(), *rules)


def changed(seen: Measurement, near: Row, whole: Row) -> Measurement:
    """Give the same reading, other things known of its tables."""
    details = {key: {**row, **near} if isinstance(key, tuple) else row for key, row in seen.details.items()}
    return replace(seen, details={**details, WHOLE: {**seen.details[WHOLE], **whole}})


async def test_dead_rows_are_found_and_the_remedy_removes_them(any_database: Database) -> None:
    """Sick: autovacuum is off for the table. Cured: it is on again, and the table vacuumed."""
    await dead(any_database, 2000)
    async with any_database.eye(PROBE) as eye:
        (finding,) = await judged(eye, DEAD)
        assert (finding.rule, finding.subject, finding.severity) == ("tables.dead_tuples", "public.t", Severity.WARNING)
        assert (finding.object.kind, finding.evidence["count"]) == ("table", 2000)
        assert finding.evidence["autovacuum_limit"] == 50 + 0.2 * 4000
        assert "switched off for this table" in finding.summary
        await any_database.apply(finding.remedy)
        await settled(any_database, counted("t", "vacuum_count", 1))
        assert await judged(eye, DEAD) == []
        assert await any_database.value("select reloptions from pg_class where relname = 't'") is None


async def test_dead_rows_up_to_the_limit_are_none_of_our_business(database: Database) -> None:
    """Near miss: below the factor. At the limit: exactly twice what autovacuum waits for. Too few: below `min_dead`."""
    await dead(database, 1700)  # 2 * (50 + 0.2 * 4000)
    async with database.eye(PROBE) as eye:
        seen = await eye.look()
        assert eye.findings(seen, DEAD) == []
        assert eye.findings(seen, replace(DEAD, factor=3)) == []
        assert len(eye.findings(seen, replace(DEAD, factor=1.9))) == 1
        assert eye.findings(seen, replace(DEAD, factor=1.9, min_dead=1701)) == []
        assert eye.findings(seen, DeadTuples(factor=0)) == []


async def test_a_tables_own_limits_are_what_counts(database: Database) -> None:
    """The table waits for more dead rows than the server's settings say."""
    await dead(database, 2000)
    await database.execute(
        "alter table t set (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0.5)"
    )
    async with database.eye(PROBE) as eye:
        assert await judged(eye, DEAD) == []
        await database.execute(
            "alter table t set (autovacuum_vacuum_threshold = 10, autovacuum_vacuum_scale_factor = 0)"
        )
        (finding,) = await judged(eye, DEAD)
        assert finding.evidence["autovacuum_limit"] == 10


async def test_the_cap_of_postgresql_18_counts_and_can_be_lifted(cluster: Cluster, database: Database) -> None:
    """`autovacuum_vacuum_max_threshold` bounds the limit; -1 lifts it."""
    if cluster.major < 18:
        pytest.skip("the setting came with PostgreSQL 18")
    await dead(database, 2000)
    async with database.eye(PROBE) as eye:
        await database.execute("alter table t set (autovacuum_vacuum_max_threshold = 100)")
        (finding,) = await judged(eye, DEAD)
        assert finding.evidence["autovacuum_limit"] == 100
        await database.execute("alter table t set (autovacuum_vacuum_max_threshold = -1)")
        (finding,) = await judged(eye, DEAD)
        assert finding.evidence["autovacuum_limit"] == 850


async def test_a_held_horizon_is_named_and_vacuum_not_advised(database: Database) -> None:
    """An old snapshot keeps the rows: info, for the transaction has a finding of its own."""
    await dead(database, 2000)
    await database.execute("alter table t reset (autovacuum_enabled)")
    holder = await database.connect()
    await holder.execute("begin isolation level repeatable read; select 1")
    async with database.eye(PROBE) as eye:
        await asyncio.sleep(0.2)
        (finding,) = await judged(eye, replace(DEAD, after=0.1))
    assert (finding.severity, finding.remedy.sql) == (Severity.INFO, ())
    assert finding.evidence["cause"] == "an old snapshot"
    assert "sessions.long_transaction" in finding.remedy.caution


async def test_what_vacuum_just_left_or_works_on_is_not_accused(database: Database) -> None:
    """Vacuumed a moment ago, or running: in good hands. Long ago: late, and a busy autovacuum is said."""
    await dead(database, 2000)
    async with database.eye(PROBE) as eye:
        seen = await eye.look()
    on: Row = {"table_on": True, "vacuumed_ago": 60.0}
    assert eye.findings(changed(seen, on, {}), DEAD) == []
    assert eye.findings(changed(seen, {"vacuuming": True}, {}), DEAD) == []
    late = changed(seen, {**on, "vacuumed_ago": 900.0}, {"workers": 3, "workers_limit": 3})
    (finding,) = eye.findings(late, DEAD)
    assert "all 3 of its workers are busy" in finding.summary
    assert finding.remedy.sql == ("vacuum (analyze) public.t",)
    assert finding.severity is Severity.WARNING
    never = replace(changed(seen, {**on, "vacuumed_ago": None}, {}), snapshot=True)
    assert [each.severity for each in eye.findings(never, DEAD)] == [Severity.INFO]


async def test_autovacuum_that_is_off_for_the_server_is_said(database: Database) -> None:
    """The statement mends one table; the switch is the administrator's, or the provider's console."""
    await dead(database, 2000)
    async with database.eye(PROBE) as eye:
        (finding,) = eye.findings(changed(await eye.look(), {"server_on": False}, {}), DEAD)
    assert "whole server" in finding.summary
    assert "console" in finding.remedy.caution


async def test_on_a_standby_nothing_is_judged(database: Database) -> None:
    """Its primary vacuums and analyzes: the rules do not apply."""
    async with database.eye(PROBE) as eye:
        seen = changed(await eye.look(), {}, {"in_recovery": True})
        assert [(each.needs) for each in eye.unsaid(seen, DEAD, STALE)] == [None, None]


async def test_a_table_that_was_never_analyzed_is_found_and_the_remedy_mends_it(any_database: Database) -> None:
    """Sick: filled, and autovacuum is off for it. Cured: autovacuum on, and the table analyzed."""
    await act(any_database, *MADE)
    await settled(any_database, counted("t", "n_mod_since_analyze", 4000))
    async with any_database.eye(PROBE) as eye:
        (finding,) = await judged(eye, STALE)
        assert (finding.rule, finding.subject, finding.severity) == (
            "tables.stale_statistics",
            "public.t",
            Severity.WARNING,
        )
        assert finding.evidence["count"] == 4000
        await any_database.apply(finding.remedy)
        await settled(any_database, counted("t", "analyze_count", 1))
        assert await judged(eye, STALE) == []


async def test_statistics_that_are_soon_renewed_are_not_accused(database: Database) -> None:
    """Near misses: too few changes, analyzed a while ago, being analyzed; never analyzed in a snapshot is info."""
    await act(database, *MADE)
    await settled(database, counted("t", "n_mod_since_analyze", 4000))
    async with database.eye(PROBE) as eye:
        seen = await eye.look()
    assert eye.findings(seen, replace(STALE, min_rows=4001)) == []
    assert len(eye.findings(seen, replace(STALE, min_rows=4000))) == 1
    assert eye.findings(seen, replace(STALE, factor=80)) == []  # 80 times its limit of 50
    on: Row = {"table_on": True, "analyzed_ago": 1799.0}
    assert eye.findings(changed(seen, on, {}), STALE) == []
    assert eye.findings(changed(seen, {"analyzing": True}, {}), STALE) == []
    (finding,) = eye.findings(changed(seen, {**on, "analyzed_ago": 1800.0}, {}), STALE)
    assert finding.remedy.sql == ("analyze public.t",)
    never = replace(changed(seen, {**on, "analyzed_ago": None}, {}), snapshot=True)
    assert [each.severity for each in eye.findings(never, STALE)] == [Severity.INFO]


async def test_a_partitioned_table_wants_an_analyze_of_its_own(any_database: Database) -> None:
    """Info: autovacuum analyzes the partitions only. Cured by the remedy; near miss: too few rows."""
    await act(
        any_database,
        "create table events (at int) partition by range (at)",
        "create table events_1 partition of events for values from (0) to (3000)",
        "create table events_2 partition of events for values from (3000) to (6000)",
        "insert into events select g from generate_series(1, 5000) g",
        "analyze events_1",
        "analyze events_2",
    )
    async with any_database.eye(PROBE) as eye:
        (finding,) = await judged(eye, STALE)
        assert (finding.subject, finding.severity, finding.evidence["partitions"]) == (
            "public.events",
            Severity.INFO,
            2,
        )
        assert "never analyzed" in finding.summary
        assert await judged(eye, replace(STALE, min_rows=5001)) == []
    await any_database.apply(finding.remedy)
    async with any_database.eye(PROBE) as eye:
        assert await judged(eye, STALE) == []


async def test_reads_that_miss_the_cache_are_info_and_small_ones_nothing(database: Database) -> None:
    """Sick: a table larger than shared buffers is read twice. Near miss: the default volume. Too little: one look."""
    await act(database, f"create table wide {OFF} as select g, repeat('x', 1000) as t from generate_series(1, 30000) g")
    rule = CacheMisses(min_blocks=3000)
    async with database.eye(PROBE) as eye:
        first = await eye.look()
        (unsaid,) = eye.unsaid(first, rule)
        assert unsaid.needs is Needs.HISTORY
        await act(database, "select count(*) from wide", "select count(*) from wide")
        await settled(database, "exists (select from pg_stat_user_tables where relname = 'wide' and seq_scan >= 2)")
        seen = await eye.look()
        (finding,) = eye.findings(seen, rule)
        assert (finding.subject, finding.severity) == ("public.wide", Severity.INFO)
        blocks = int(str(finding.evidence["count"]))
        assert len(eye.findings(seen, CacheMisses(min_blocks=blocks))) == 1
        assert eye.findings(seen, CacheMisses(min_blocks=blocks + 1)) == []
        assert eye.findings(seen, replace(rule, hit_ratio=0.0)) == []
        assert eye.findings(seen, CacheMisses()) == []


async def test_a_small_healthy_database_has_no_finding(database: Database) -> None:
    """Filled a moment ago, with all defaults: nothing is said, in the daemon or in a snapshot."""
    await act(
        database,
        "create table t (id int primary key, v int)",
        "insert into t select g, 0 from generate_series(1, 4000) g",
        "update t set v = 1",
    )
    await settled(database, counted("t", "n_tup_upd", 4000))
    for snapshot in (False, True):
        async with database.eye(PROBE, snapshot=snapshot) as eye:
            await eye.look()
            assert eye.findings(await eye.look()) == []
