"""What the pool probe costs a server with 500 sessions: processor time of its backend, beside a bare count of them.

`python -m benchmarks.sessions [--runs N]`. Both take turns in the same seconds, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median

import asyncpg

from benchmarks.cluster import DATABASE, admitted, made
from benchmarks.lines import Line, table_head
from benchmarks.processor import seconds
from monitor.collect.runner import Runner
from monitor.collect.server import PostgresServer
from monitor.collect.way import Guarded
from monitor.embedded import EmbeddedServer
from monitor.model import Secret, Server, Target
from monitor.whole import whole_catalog

SESSIONS, APPLICATIONS, AT_ONCE = 500, 10, 25
GOAL_MS = 3.0
WARM_UP = 10
YARDSTICK = "select count(*) from pg_catalog.pg_stat_activity"
SETTINGS = {"max_connections": "520", "autovacuum": "off", "jit": "off"}
WORKING, LEFT_OPEN = 5, 20
"""Of so many sessions one is at work; of so many one is idle in a transaction; the others are idle."""


@dataclass(frozen=True)
class Cycle:
    """Milliseconds of processor time, the least and the median of some runs, of ours and of the bare count."""

    ours: tuple[float, float]
    bare: tuple[float, float]

    def lines(self) -> str:
        """Write the table's lines."""
        (least, usual), (count_least, count) = self.ours, self.bare
        shown = [
            Line(f"pool with {SESSIONS} sessions, server CPU of one run", usual, GOAL_MS, "ms"),
            Line("the same at its least", least, GOAL_MS, "ms"),
        ]
        bare = f"a bare count of them   {count:.2f} ms, at its least {count_least:.2f} ms; {usual / count:.1f} x"
        return "\n".join([*map(str, shown), "", bare])


@asynccontextmanager
async def crowd(server: EmbeddedServer) -> AsyncIterator[None]:
    """Open the sessions of an application, and let them rest or work until the end."""
    kept: list[asyncpg.Connection] = []
    working: list[asyncio.Task[str]] = []
    try:
        for first in range(0, SESSIONS, AT_ONCE):
            kept += await asyncio.gather(*(entered(server, each) for each in range(first, first + AT_ONCE)))
        working = [asyncio.create_task(each.execute("select pg_sleep(3600)")) for each in kept[::WORKING]]
        await asyncio.sleep(1)
        yield
    finally:
        for task in working:
            task.cancel()
        for session in kept:
            session.terminate()
        await asyncio.gather(*working, return_exceptions=True)


async def entered(server: EmbeddedServer, number: int) -> asyncpg.Connection:
    """Open one."""
    name = {"application_name": f"service {number % APPLICATIONS}"}
    session = await asyncpg.connect(server.dsn(DATABASE), timeout=60, server_settings=name)
    await session.execute("select 1" if (number + 1) % LEFT_OPEN else "begin; select 1")
    return session


async def measure(runs: int) -> Cycle:
    """Start the server, fill it, and run both in turns."""
    async with EmbeddedServer.started(SETTINGS) as server:
        await (await made(server)).close()
        dsn = await admitted(server)
        async with crowd(server):
            watching = PostgresServer(Server(name="shop", dsn=Secret(dsn), only=DATABASE), environ={})
            try:
                async with watching.visit(DATABASE, stay=True) as session:
                    return await in_turns(session, runs)
            finally:
                await watching.close()


async def in_turns(session: Guarded, runs: int) -> Cycle:
    """Run the probe as the daemon does, then the bare count, and so on."""
    runner, probe, target = Runner(), whole_catalog().probes["pool"], Target("shop")
    pid = int(str((await session.fetch("select pg_catalog.pg_backend_pid() as pid"))[0]["pid"]))
    ours, bare, held = list[float](), list[float](), 0
    for _ in range(runs + WARM_UP):
        before = seconds(pid)
        seen = await runner.run(probe, target, session)
        between = seconds(pid)
        await session.fetch(YARDSTICK)
        ours.append((between - before) * 1000)
        bare.append((seconds(pid) - between) * 1000)
        held = sum(int(str(row["sessions"])) for row in seen.rows if row["kind"] == "group")
    if held < SESSIONS:
        raise SystemExit(f"only {held} sessions were seen")
    return Cycle(summed(ours[WARM_UP:]), summed(bare[WARM_UP:]))


def summed(times: list[float]) -> tuple[float, float]:
    """Give the least and the median."""
    return min(times), median(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sessions", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    print(table_head(), asyncio.run(measure(parser.parse_args().runs)).lines(), sep="\n")


if __name__ == "__main__":
    main()
