"""The tables probe on real servers: its figures, what stays silent, and that it waits for nobody."""

import asyncio
from collections.abc import Mapping

import pytest

from monitor.measurement import Measurement
from monitor.model import Result
from monitor.probe import Row
from probes.tables import OTHER, PROBE, TablesOptions
from probes.tables_reading import COUNTERS
from tests.database import Database
from tests.patience import PATIENCE

ROWS = 5000


async def act(database: Database, *statements: str) -> None:
    """Run statements in a session of their own, whose end brings its counters to the server."""
    session = await database.connect()
    for statement in statements:
        await session.execute(statement)
    await session.close()


async def settled(database: Database, condition: str) -> None:
    """Wait until the statistics say so."""
    for _ in range(round(50 * PATIENCE)):
        if await database.value(f"select {condition}"):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(condition)


def counted(table: str, column: str, least: int) -> str:
    return f"exists (select from pg_stat_user_tables where relname = '{table}' and {column} >= {least})"


def series(seen: Measurement) -> Mapping[object, Row]:
    return {row["table"]: row for row in seen.exposed or ()}


async def test_it_counts_what_is_done_on_every_version_as_the_monitors_own_role(any_database: Database) -> None:
    """Reads, writes and blocks of a table as growth; its dead and live rows as they are."""
    await act(any_database, "create table rooms (id int primary key, v int) with (autovacuum_enabled = off)")
    await act(any_database, "insert into rooms values (0, 0); delete from rooms")  # PostgreSQL 14 begins to count then
    await settled(any_database, counted("rooms", "n_tup_del", 1))
    monitor = await any_database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        await eye.look()
        await act(
            any_database,
            f"insert into rooms select g, 0 from generate_series(1, {ROWS}) g",
            "update rooms set v = 1 where id <= 100",
            "delete from rooms where id > 4000",
            "select count(*) from rooms",
        )
        await settled(any_database, counted("rooms", "n_tup_del", 1001))
        seen = await eye.look()
    assert seen.result is Result.OK
    row = series(seen)["rooms"]
    assert (row["rows_inserted"], row["rows_updated"], row["rows_deleted"]) == (ROWS, 100, 1000)
    assert (row["live_rows"], row["schema"]) == (4000, "public")
    assert float(str(row["seq_scans"])) >= 1
    assert float(str(row["index_scans"])) >= 1
    assert float(str(row["heap_blocks_hit"])) > 0
    assert float(str(row["index_blocks_hit"])) > 0


async def test_what_rests_is_not_read_again_and_what_moves_is(database: Database) -> None:
    """Of two tables one is used: only that one grows, and dropping one moves nobody else's figures."""
    await act(database, "create table a (id int)", "create table b (id int)", "insert into a values (1)")
    await settled(database, counted("a", "n_tup_ins", 1))
    async with database.eye(PROBE) as eye:
        await eye.look()
        await act(database, "insert into b values (1), (2)")
        await settled(database, counted("b", "n_tup_ins", 2))
        seen = await eye.look()
        assert [(row["rows_inserted"]) for row in seen.grown or ()] == [2]
        await act(database, "drop table a", "insert into b values (3)", "create table c as select 1 as id")
        await settled(database, counted("b", "n_tup_ins", 3))
        await settled(database, counted("c", "n_tup_ins", 1))
        shown = series(await eye.look())
    assert {name: row["rows_inserted"] for name, row in shown.items()} == {"b": 1, "c": 1, OTHER: 0}
    assert (shown["b"]["live_rows"], shown["c"]["live_rows"]) == (3, 1)


async def test_tables_beyond_the_top_are_summed_up(database: Database) -> None:
    """Five tables, two with series: the growth of the other three stands in one row."""
    for number in range(5):
        await act(database, f"create table t{number} (id int)")
    async with database.eye(PROBE, options=TablesOptions(top=2)) as eye:
        await eye.look()
        for number in range(5):
            await act(database, f"insert into t{number} values (1)")
            await settled(database, counted(f"t{number}", "n_tup_ins", 1))
        shown = series(await eye.look())
    assert len(shown) == 3
    assert shown[OTHER]["rows_inserted"] == 3
    assert shown[OTHER]["live_rows"] == 3


async def test_temporary_tables_and_the_catalogue_are_left_out(database: Database) -> None:
    """Other sessions' temporary tables come and go; unlogged ones count."""
    session = await database.connect()
    await session.execute("create temp table t (id int); create unlogged table u (id int)")
    async with database.eye(PROBE) as eye:
        assert set(series(await eye.look())) == {"u", OTHER}


async def test_a_reset_of_the_statistics_is_no_growth(database: Database) -> None:
    """Counters begin anew; nothing is negative, and the next reading counts again."""
    await act(database, "create table t (id int)", "insert into t values (1), (2)")
    await settled(database, counted("t", "n_tup_ins", 2))
    async with database.eye(PROBE) as eye:
        await eye.look()
        await database.execute("select pg_stat_reset()")
        await settled(database, "not " + counted("t", "n_tup_ins", 1))
        seen = await eye.look()
        assert seen.grown is None
        await act(database, "insert into t values (1)")
        await settled(database, counted("t", "n_tup_ins", 1))
        assert series(await eye.look())["t"]["rows_inserted"] == 1


@pytest.mark.parametrize("awaited", [False, True], ids=["granted", "awaited"])
async def test_a_locked_table_holds_nobody_up_and_has_no_exact_size(database: Database, awaited: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """An exclusive lock, granted or only waited for: all else is read at once, also the other table's size."""
    await act(database, "create table locked (id int primary key)", "create table free (id int primary key)")
    holder, waiter = await database.connect(), await database.connect()
    await holder.execute(f"begin; lock table locked in {'access share' if awaited else 'access exclusive'} mode")
    waiting = asyncio.create_task(waiter.execute("begin; lock table locked")) if awaited else None
    await settled(
        database,
        "exists (select from pg_locks where mode = 'AccessExclusiveLock' and relation::regclass::text = 'locked')",
    )
    try:
        async with database.eye(PROBE) as eye:
            seen = await eye.look()
            shown = series(seen)
            assert seen.result is Result.OK
            assert seen.duration_seconds < 2 * PATIENCE
            assert shown["free"]["total_bytes"] == 8192
            assert shown["locked"]["total_bytes"] is None
    finally:
        if waiting:
            waiting.cancel()
        await holder.execute("rollback")


async def test_a_table_dropped_meanwhile_and_partitions_by_the_hundred_break_nothing(database: Database) -> None:
    """All partitions are read; a table that goes away between two readings is gone from the series."""
    await act(
        database,
        "create table events (at int) partition by range (at)",
        "do $$ begin for i in 1..200 loop execute format('create table events_%s partition of events for values "
        "from (%s) to (%s)', i, i, i + 1); end loop; end $$",
        "create table gone (id int)",
    )
    async with database.eye(PROBE) as eye:
        seen = await eye.look()
        assert len(seen.rows) == 201
        await act(database, "drop table gone")
        shown = series(await eye.look())
    assert "gone" not in shown
    assert len(shown) == TablesOptions().top + 1


async def test_the_report_lists_the_largest_tables(database: Database) -> None:
    """Largest first, with rows and sizes."""
    await act(
        database,
        "create table big as select g from generate_series(1, 5000) g",
        "create table small (id int)",
        "analyze",
    )
    async with database.eye(PROBE, snapshot=True) as eye:
        listed = [row for name, row in (await eye.look()).listed() if name == "tables"]
    assert [row["table"] for row in listed] == ["big", "small"]
    assert float(str(listed[0]["total_bytes"])) >= float(str(listed[0]["heap_bytes"])) > 5000 * 24


def test_series_are_bounded() -> None:
    """A number of tables that no page could hold is refused."""
    with pytest.raises(ValueError, match="top should be"):
        TablesOptions(top=0)
    assert len(PROBE.metrics) * TablesOptions().top <= 1000
    assert set(PROBE.counters) == {*COUNTERS, "pulse"}
