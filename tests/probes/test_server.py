"""The server probe on real servers: its figures, and each rule sick, cured, near miss, at the limit."""

import asyncio

import asyncpg
import pytest

from monitor.errors import Needs
from monitor.model import Result
from probes.server import PROBE, Restarted
from probes.server_rules import Deadlocks, RollbackRatio, SessionsLost, TempFiles
from tests.database import Cluster, Database


async def settled() -> None:
    """Wait until the server has taken in what its sessions counted (they report at most once a second)."""
    await asyncio.sleep(1.2)


async def roll_back(database: Database, times: int) -> None:
    session = await database.connect()
    for _ in range(times):
        await session.execute("begin; select 1; rollback")
    await session.close()
    await settled()


async def commit(database: Database, times: int) -> None:
    session = await database.connect()
    for _ in range(times):
        await session.execute("select 1")
    await session.close()
    await settled()


async def test_it_reads_every_version_as_the_monitors_own_role(any_database: Database) -> None:
    """One row for each database and one for the server, with uptime and limits on the latter."""
    monitor = await any_database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        seen = await eye.look()
    whole = next(row for row in seen.rows if row["database"] == "")
    assert seen.result is Result.OK
    assert whole["max_connections"] == 60
    assert any_database.name in {row["database"] for row in seen.rows}


async def test_rollbacks_are_found_and_gone_when_they_stop(database: Database) -> None:
    """Sick: most transactions roll back. Cured: later ones commit."""
    rule = RollbackRatio(min_rollbacks=20)
    async with database.eye(PROBE) as eye:
        await eye.look()
        await roll_back(database, 30)
        (finding,) = eye.findings(await eye.look(), rule)
        assert (finding.rule, finding.target.database) == ("errors.rollback_ratio", database.name)
        assert finding.evidence["count"] == 30
    async with database.eye(PROBE) as eye:
        await eye.look()
        await commit(database, 30)
        assert eye.findings(await eye.look(), rule) == []


async def test_few_rollbacks_among_many_commits_are_no_finding(database: Database) -> None:
    """Near miss: enough rollbacks, but a small part of the whole; and at the limit of the number."""
    async with database.eye(PROBE) as eye:
        await eye.look()
        await commit(database, 300)
        await roll_back(database, 30)
        seen = await eye.look()
        assert eye.findings(seen, RollbackRatio(min_rollbacks=20, ratio=0.10)) == []
        assert eye.findings(seen, RollbackRatio(min_rollbacks=31, ratio=0.0)) == []
        assert len(eye.findings(seen, RollbackRatio(min_rollbacks=30, ratio=0.0))) == 1


async def test_one_reading_gives_no_verdict_on_growth(database: Database) -> None:
    """Too little data: counters were read once."""
    async with database.eye(PROBE) as eye:
        seen = await eye.look()
        for rule in (RollbackRatio(), Deadlocks(), SessionsLost(), TempFiles(), Restarted()):
            (unsaid,) = eye.unsaid(seen, rule)
            assert unsaid.needs is Needs.HISTORY


async def deadlock(database: Database) -> None:
    await database.execute("create table pair (id int primary key, v int); insert into pair values (1, 0), (2, 0)")
    one, two = await database.connect(deadlock_timeout="50ms"), await database.connect(deadlock_timeout="50ms")
    await one.execute("begin; update pair set v = 1 where id = 1")
    await two.execute("begin; update pair set v = 1 where id = 2")
    both = await asyncio.gather(
        one.execute("update pair set v = 2 where id = 2"),
        two.execute("update pair set v = 2 where id = 1"),
        return_exceptions=True,
    )
    assert any(isinstance(each, asyncpg.DeadlockDetectedError) for each in both)
    await one.close()
    await two.close()
    await settled()


async def test_a_deadlock_is_found_and_its_absence_is_not(any_database: Database) -> None:
    """Sick: one deadlock. Limit: exactly `count`. Cured: none since."""
    async with any_database.eye(PROBE) as eye:
        await eye.look()
        await deadlock(any_database)
        seen = await eye.look()
        (finding,) = eye.findings(seen, Deadlocks())
        assert finding.evidence["count"] == 1
        assert eye.findings(seen, Deadlocks(count=2)) == []
    async with any_database.eye(PROBE) as eye:
        await eye.look()
        assert eye.findings(await eye.look(), Deadlocks()) == []


async def test_killed_sessions_are_found(database: Database) -> None:
    """Sick: most sessions are killed. Near miss: one fewer than the count."""
    async with database.eye(PROBE) as eye:
        await eye.look()
        for _ in range(5):
            victim = await database.connect()
            pid = victim.get_server_pid()
            await database.execute("select pg_terminate_backend($1)", pid)
        await settled()
        seen = await eye.look()
        (finding,) = eye.findings(seen, SessionsLost(count=5))
        assert finding.evidence["killed"] == 5
        assert eye.findings(seen, SessionsLost(count=6)) == []


async def test_spilling_sorts_are_found(database: Database) -> None:
    """Sick: a sort with little work_mem. Near miss: a limit above what was spilled."""
    async with database.eye(PROBE) as eye:
        await eye.look()
        session = await database.connect(work_mem="64kB")
        for _ in range(2):
            await session.execute(
                "create temp table t on commit drop as select g from generate_series(1, 20000) g order by random()"
            )
        await session.close()
        await settled()
        seen = await eye.look()
        (finding,) = eye.findings(seen, TempFiles(bytes_per_minute=1000, min_files=1))
        assert finding.rule == "errors.temp_files"
        assert eye.findings(seen, TempFiles(min_files=1)) == []


@pytest.mark.parametrize("mode", ["fast"])
async def test_a_restart_is_told_once_it_has_happened(cluster: Cluster, database: Database, mode: str) -> None:
    """Sick: the start time moved between two readings. Cured: it stays where it is."""
    async with database.eye(PROBE) as eye:
        await eye.look()
        assert eye.findings(await eye.look(), Restarted()) == []
        await cluster.server.restart()
        (finding,) = eye.findings(await eye.look(), Restarted())
        assert finding.subject == "test"
        assert eye.findings(await eye.look(), Restarted()) == []
