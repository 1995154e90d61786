"""Temporary files, rows out of proportion, evictions and N+1 on real servers: each rule in its five cases."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest

from monitor.embedded import EmbeddedServer
from monitor.errors import Needs
from monitor.model import Confidence, Severity
from probes.statements import PROBE
from probes.statements_evicting import Evicting
from probes.statements_steps import NPlusOne
from probes.statements_volume import RowsWaste, TempSpill
from tests.database import SETTINGS, Cluster, Database
from tests.looking import Eye, eye
from tests.versions import NEWEST, binaries

BOTH = pytest.mark.parametrize("major", [14, NEWEST])

SPILL = TempSpill(min_window=0)
WASTE = RowsWaste(min_window=0, blocks_per_second=1)
IN_STEP = NPlusOne(min_window=0)
FULL = Evicting(min_window=0)


@pytest.fixture
async def either(any_cluster: Cluster) -> AsyncIterator[Database]:
    """A fresh database on the oldest and on the newest version."""
    if any_cluster.major not in (14, NEWEST):
        pytest.skip("one text for all versions: the oldest and the newest will do")
    async with any_cluster.fresh() as fresh:
        yield fresh


@asynccontextmanager
async def watching(database: Database, *, snapshot: bool = False) -> AsyncIterator[Eye]:
    """The eye of the monitor's own role, after its first reading."""
    monitor = await database.as_monitor()
    async with monitor.eye(PROBE, snapshot=snapshot) as opened:
        await opened.look()
        yield opened


async def call(session: asyncpg.Connection, sql: str, times: int, *arguments: object) -> None:
    for _ in range(times):
        await session.fetch(sql, *arguments)


# Temporary files

SORT = "select name from parts order by name desc, id offset $1"


async def parts(database: Database, rows: int = 60_000) -> None:
    await database.execute(
        f"create table parts as select g as id, md5(g::text) as name from generate_series(1, {rows}) g; analyze parts"
    )


async def test_a_sort_that_spills_is_found_and_the_work_mem_it_names_mends_it(either: Database) -> None:
    """Sick with little memory; cured in a session with what the finding says; few calls are too little data."""
    await parts(either)
    small = await either.connect(work_mem="1MB", max_parallel_workers_per_gather="0")
    async with watching(either) as eye:
        await call(small, SORT, 4, 59_990)
        seen = await eye.look()
        (finding,) = eye.findings(seen, SPILL)
        assert (finding.rule, finding.severity) == ("statements.temp_spill", Severity.WARNING)
        assert finding.evidence["tables"] == ["parts"]
        each = float(str(finding.evidence["temp_bytes_per_call"]))
        assert each > 1024 * 1024
        enough = f"{finding.evidence['work_mem_mib']}MB"
        assert f"set local work_mem = '{enough}'" in finding.remedy.caution
        assert f"alter role postgres set work_mem = '{enough}'" in finding.remedy.caution
        assert eye.findings(seen, replace(SPILL, min_calls=5)) == []
        assert len(eye.findings(seen, replace(SPILL, bytes_per_call=each - 1))) == 1
        assert eye.findings(seen, replace(SPILL, bytes_per_call=each + 1)) == []
        assert eye.findings(seen, replace(SPILL, bytes_per_second=1e12)) == []
        (unsaid,) = eye.unsaid(seen, TempSpill())
        assert unsaid.needs is Needs.HISTORY
    large = await either.connect(work_mem=enough, max_parallel_workers_per_gather="0")
    async with watching(either) as eye:
        await call(large, SORT, 4, 59_990)
        assert eye.findings(await eye.look(), SPILL) == []


async def test_building_an_index_is_not_a_spill(database: Database) -> None:
    """Near miss: a utility statement uses maintenance_work_mem, and sorting few rows nothing at all."""
    await parts(database)
    session = await database.connect(maintenance_work_mem="1MB", max_parallel_maintenance_workers="0")
    async with watching(database) as eye:
        for _ in range(4):
            await session.execute("create index spilled on parts (name)")
            await session.execute("drop index spilled")
        await call(session, "select name from parts where id < $1 order by name", 4, 100)
        assert eye.findings(await eye.look(), SPILL) == []


# Rows and blocks


async def test_ten_thousand_rows_a_call_are_found_and_a_page_mends_it(either: Database) -> None:
    """Sick: the whole table with every call. Cured: a page. At the limit: not one row more."""
    await parts(either, 12_000)
    session = await either.connect()
    async with watching(either) as eye:
        await call(session, "select id, name from parts", 10)
        seen = await eye.look()
        (finding,) = eye.findings(seen, WASTE)
        assert (finding.rule, finding.severity) == ("statements.rows_waste", Severity.INFO)
        assert finding.evidence["rows_per_call"] == 12_000
        assert "returns 12,000 rows a call" in finding.summary
        assert "limit" in finding.remedy.caution
        assert eye.findings(seen, replace(WASTE, rows_per_call=12_000)) == []
        assert len(eye.findings(seen, replace(WASTE, rows_per_call=11_999))) == 1
        assert eye.findings(seen, replace(WASTE, min_calls=11)) == []
        assert eye.findings(seen, replace(WASTE, share=1)) == []
        assert [each.needs for each in eye.unsaid(seen, RowsWaste())] == [Needs.HISTORY]
    async with watching(either) as eye:
        await call(session, "select id, name from parts where id > $1 order by id limit 100", 10, 500)
        assert eye.findings(await eye.look(), WASTE) == []


@pytest.mark.soak
async def test_writing_many_rows_is_no_waste(database: Database) -> None:
    """Near miss: `rows` counts what is inserted too."""
    await parts(database, 12_000)
    session = await database.connect()
    async with watching(database) as eye:
        await call(session, "insert into parts select id, name from parts where id <= $1", 10, 12_000)
        assert eye.findings(await eye.look(), WASTE) == []


async def test_a_thousand_blocks_for_a_row_are_found_and_an_index_mends_it(either: Database) -> None:
    """Sick: a filter without an index. Near miss: a sum over the same rows. Cured: the index."""
    await parts(either, 150_000)
    session = await either.connect(max_parallel_workers_per_gather="0")
    lookup = "select id from parts where name = $1"
    async with watching(either) as eye:
        await call(session, lookup, 10, "nobody")
        await call(session, "select count(*) from parts where name <> $1", 10, "nobody")
        seen = await eye.look()
        (finding,) = eye.findings(seen, WASTE)
        assert finding.evidence["statement"] == lookup
        per_row = float(str(finding.evidence["blocks_per_row"]))
        assert per_row > 1000
        assert "index" in finding.remedy.caution
        assert eye.findings(seen, replace(WASTE, blocks_per_row=per_row + 0.1)) == []
        assert eye.findings(seen, replace(WASTE, blocks_per_second=1e12)) == []
    await either.execute("create index on parts (name)")
    async with watching(either) as eye:
        await call(session, lookup, 10, "nobody")
        assert eye.findings(await eye.look(), WASTE) == []


# N+1

LIST = "select id from answers where room = $1"
ONE = "select body from answers where id = $1"
MANY = "select body from answers where id = any($1)"


async def answers(database: Database) -> asyncpg.Connection:
    await database.execute(
        "create table answers (id int primary key, room int, body text); create index on answers (room); "
        "insert into answers select g, g / 10, 'x' from generate_series(0, 999) g; analyze answers"
    )
    return await database.connect()


async def pages(session: asyncpg.Connection, times: int, *, at_once: bool = False) -> None:
    """Show `times` rooms, each with its ten answers."""
    for room in range(times):
        ids = [row["id"] for row in await session.fetch(LIST, room)]
        if at_once:
            await session.fetch(MANY, ids)
        for each in [] if at_once else ids:
            await session.fetch(ONE, each)


VARYING = (4, 6, 9, 5, 7)


async def test_a_lookup_for_each_row_is_found_and_one_query_mends_it(either: Database) -> None:
    """Sick over five intervals of different volume; cured by `= any($1)`."""
    session = await answers(either)
    async with watching(either) as eye:
        looks = []
        for times in VARYING:
            await pages(session, times)
            looks.append(await eye.look())
        seen = looks[-1]
        (finding,) = eye.findings(seen, IN_STEP)
        assert (finding.rule, finding.severity, finding.confidence) == (
            "statements.n_plus_one", Severity.INFO, Confidence.HIGH,
        )  # fmt: skip
        assert finding.evidence["statement"] == ONE
        assert finding.evidence["parent_statement"] == LIST
        assert finding.evidence["parent"] != finding.subject
        assert (finding.evidence["calls_per_parent_call"], finding.evidence["in_step_by"]) == (10, "rows")
        assert "any($1)" in finding.remedy.caution
        often = float(str(finding.evidence["calls_per_minute"]))
        assert len(eye.findings(seen, replace(IN_STEP, calls_per_minute=often - 1))) == 1
        assert eye.findings(seen, replace(IN_STEP, calls_per_minute=often + 1)) == []
        assert eye.findings(seen, replace(IN_STEP, variation=9)) == []
    async with watching(either) as eye:
        looks = []
        for times in VARYING:
            await pages(session, times, at_once=True)
            looks.append(await eye.look())
        seen = looks[-1]
        assert eye.findings(seen, IN_STEP) == []


@pytest.mark.parametrize(
    "child",
    [
        "select count(*) from answers where room = $1",
        "select a.body, b.room from answers a left join answers b on b.id = a.room where a.id = $1",
    ],
    ids=["a count", "a join"],
)
async def test_a_count_or_a_join_for_each_row_is_found_too(database: Database, child: str) -> None:
    """One row each, in step with the rows of the list; in step with calls alone they are no lookups."""
    session = await answers(database)
    for rows, found in ((LIST, [child]), ("select max(id) from answers where room = $1", [])):
        async with watching(database) as eye:
            looks = []
            for times in VARYING:
                for room in range(times):
                    await session.fetch(rows, room)
                    await call(session, child, 10, 5)
                looks.append(await eye.look())
            told = eye.findings(looks[-1], IN_STEP)
            assert [finding.evidence["statement"] for finding in told] == found


async def test_few_intervals_give_no_verdict(database: Database) -> None:
    """Too little data: three intervals; a snapshot has but one and says so by its low confidence."""
    session = await answers(database)
    async with watching(database) as eye:
        looks = []
        for times in VARYING[:3]:
            await pages(session, times)
            looks.append(await eye.look())
        seen = looks[-1]
        assert eye.findings(seen, IN_STEP) == []
        assert [each.needs for each in eye.unsaid(seen, IN_STEP)] == [Needs.HISTORY]
    async with watching(database, snapshot=True) as eye:
        await pages(session, 6)
        (finding,) = eye.findings(await eye.look(), IN_STEP)
        assert finding.confidence is Confidence.LOW


async def test_traffic_that_grows_together_is_not_in_step(database: Database) -> None:
    """Near miss: lists and lookups follow the same day, but not row for row; nor does a steady load prove anything."""
    session = await answers(database)
    async with watching(database) as eye:
        looks = []
        for times, lookups in ((4, 25), (6, 38), (9, 60), (5, 31), (7, 45)):
            await call(session, LIST, times, 3)
            await call(session, ONE, lookups, 7)
            looks.append(await eye.look())
        seen = looks[-1]
        assert eye.findings(seen, IN_STEP) == []
    async with watching(database) as eye:
        looks = []
        for _ in VARYING:
            await pages(session, 5)
            looks.append(await eye.look())
        seen = looks[-1]
        assert eye.findings(seen, IN_STEP) == []


async def test_the_same_multiple_of_calls_counts_as_in_step(database: Database) -> None:
    """Six lookups for each call of a statement of one row: found by its calls, with less confidence."""
    session = await answers(database)
    async with watching(database) as eye:
        looks = []
        for times in (40, 55, 70, 45):
            for turn in range(times):
                await session.fetch("select count(*) from answers where room = $1", turn)
                await call(session, ONE, 6, turn)
            looks.append(await eye.look())
        seen = looks[-1]
        (finding,) = eye.findings(seen, IN_STEP)
        assert (finding.evidence["in_step_by"], finding.evidence["calls_per_parent_call"]) == ("calls", 6)
        assert finding.confidence is Confidence.MEDIUM


async def test_another_roles_list_is_nobodys_parent(database: Database) -> None:
    """Near miss: in step by numbers, but asked by two roles."""
    session = await answers(database)
    other = await database.as_monitor()
    await database.execute(f"grant select on answers to {other.user}")
    theirs = await other.connect()
    async with watching(database) as eye:
        looks = []
        for times in VARYING:
            for room in range(times):
                for row in await theirs.fetch(LIST, room):
                    await session.fetch(ONE, row["id"])
            looks.append(await eye.look())
        seen = looks[-1]
        assert eye.findings(seen, IN_STEP) == []


# Evictions


@asynccontextmanager
async def crowded(major: int) -> AsyncIterator[tuple[EmbeddedServer, Eye]]:
    """A server with room for a hundred statements, and the eye on it after its first reading."""
    tree = binaries(major)
    if tree is None:
        pytest.skip(f"PostgreSQL {major} is not fetched")
    async with EmbeddedServer.started({**SETTINGS, "pg_stat_statements.max": "100"}, binaries=tree) as server:
        await run(server, ["create extension pg_stat_statements"])
        async with eye(server.dsn(), "postgres", PROBE) as opened:
            await opened.look()
            yield server, opened


async def run(server: EmbeddedServer, statements: Sequence[str]) -> None:
    session = await asyncpg.connect(server.dsn(), timeout=10)
    try:
        for statement in statements:
            await session.execute(statement)
    finally:
        await session.close()


@asynccontextmanager
async def opened_on(server: EmbeddedServer) -> AsyncIterator[Eye]:
    async with eye(server.dsn(), "postgres", PROBE) as opened:
        yield opened


def shapes(count: int) -> list[str]:
    """Statements that are entries of their own."""
    return [f"select {', '.join(['1'] * (number + 1))} limit 0" for number in range(count)]


@BOTH
async def test_evictions_are_found_and_more_room_mends_them(major: int) -> None:
    """Sick: 300 statements in room for 100. Cured: the remedy and a restart. Undone: the rollback is the old value."""
    async with crowded(major) as (server, eye):
        await run(server, shapes(300))
        seen = await eye.look()
        (finding,) = eye.findings(seen, FULL)
        assert (finding.rule, finding.severity) == ("statements.evicting", Severity.WARNING)
        assert (finding.subject, finding.evidence["entries_limit"]) == ("pg_stat_statements.max", 100)
        count = float(str(finding.evidence["deallocations"]))
        assert count >= 2
        assert eye.findings(seen, replace(FULL, min_deallocations=count)) != []
        assert eye.findings(seen, replace(FULL, min_deallocations=count + 1)) == []
        assert eye.findings(seen, replace(FULL, per_hour=1e9)) == []
        assert finding.remedy.rollback == ("alter system set pg_stat_statements.max = 100",)
        assert "restart" in finding.remedy.caution
        await run(server, finding.remedy.sql)
        await server.restart()
        async with opened_on(server) as again:
            await again.look()
            await run(server, shapes(300))
            assert again.findings(await again.look(), FULL) == []


async def test_one_deallocation_and_a_reset_are_no_news() -> None:
    """Near miss: the list is made shorter once. Too little data: after a reset it begins anew."""
    async with crowded(NEWEST) as (server, eye):
        seen = await eye.look()
        for statement in shapes(200):
            await run(server, [statement])
            seen = await eye.look()
            if seen.details["whole"]["deallocations"] == 1:
                break
        assert seen.details["whole"]["deallocations"] == 1
        assert eye.findings(seen, FULL) == []
        await run(server, shapes(300))
        assert len(eye.findings(await eye.look(), FULL)) == 1
        await run(server, ["select pg_stat_statements_reset()"])
        seen = await eye.look()
        assert [each.needs for each in eye.unsaid(seen, FULL)] == [Needs.HISTORY]
        seen = await eye.look()
        assert eye.findings(seen, FULL) == []
        assert [each.needs for each in eye.unsaid(seen, Evicting())] == [Needs.HISTORY]
