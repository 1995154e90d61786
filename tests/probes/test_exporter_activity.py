"""The exporter_activity probe on real servers: sessions and locks by all that the exporter tells, vacuums at work."""

import asyncio

from monitor.measurement import Measurement, Row, of_kind
from probes.exporter_activity import PROBE
from tests.database import Database


def sessions(seen: Measurement, database: str) -> dict[tuple[str, str], int]:
    """Count sessions by application and state."""
    return {
        (str(row["application"]), str(row["state"])): int(str(row["sessions"]))
        for row in of_kind(seen.rows, "sessions")
        if row["database"] == database
    }


def locks(seen: Measurement, database: str) -> dict[str, int]:
    own = [row for row in of_kind(seen.rows, "locks") if row["database"] == database]
    return {str(row["mode"]): int(str(row["locks"])) for row in own}


async def test_sessions_and_locks_are_told_apart_on_every_version(any_database: Database) -> None:
    """States and modes without anybody are noughts; what an application calls itself gives no password away."""
    session = await any_database.connect(application_name="job password=hunter2")
    await any_database.execute("create table t (i int)")
    await session.execute("begin; lock table t in share mode")
    monitor = await any_database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        seen = await eye.look()
    counted = sessions(seen, any_database.name)
    assert counted["job password=***", "idle in transaction"] == 1
    assert counted["", "disabled"] == 0
    held = locks(seen, any_database.name)
    assert (held["sharelock"], held["accessexclusivelock"], len(held)) == (1, 0, 9)
    (oldest,) = of_kind(seen.rows, "oldest")
    assert 0 < float(str(oldest["oldest_seconds"])) < 600


async def test_a_vacuum_at_work_is_told_by_its_table(database: Database) -> None:
    """Slowed down, so that it is met: in one of seven phases, with its numbers."""
    await database.execute("create table big as select g, repeat('x', 500) from generate_series(1, 20000) g")
    slow = await database.connect(vacuum_cost_delay="50ms", vacuum_cost_limit="10")
    working = asyncio.create_task(slow.execute("vacuum (freeze) big"))
    monitor = await database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        rows: list[Row] = []
        while not any(row["in_phase"] for row in rows) and not working.done():
            seen = await eye.look()
            rows = [row for row in of_kind(seen.rows, "vacuum") if row["database"] == database.name]
    assert len(rows) == 7
    assert {row["name"] for row in rows} == {"big"}
    assert sum(int(str(row["in_phase"])) for row in rows) == 1
    assert max(int(str(row["blocks"])) for row in rows) > 1000
    await database.execute("select pg_terminate_backend($1)", slow.get_server_pid())
    await asyncio.gather(working, return_exceptions=True)
