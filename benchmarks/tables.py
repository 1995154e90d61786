"""What the tables probe costs with 10,000 tables and 20,000 indexes: of the server's processor time, and of ours.

`python -m benchmarks.tables [--runs N] [--tables N]`. Between two runs a twentieth of the tables is used; then none.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import time
from dataclasses import dataclass
from statistics import median

import asyncpg

from benchmarks.cluster import DATABASE, ROLE
from benchmarks.lines import Line, table_head
from benchmarks.processor import seconds
from monitor.collect.runner import Runner
from monitor.collect.server import PostgresServer
from monitor.collect.way import Guarded
from monitor.embedded import EmbeddedServer
from monitor.model import Result, Secret, Server, Target
from monitor.rules.evaluate import evaluate
from monitor.whole import whole_catalog

SERVER_MS, OURS_MS = 150.0, 25.0
BATCH = 250
SETTINGS = {"autovacuum": "off", "jit": "off", "max_locks_per_transaction": "1000", "fsync": "off"}
MADE = """
    do $$ begin
        for i in {first}..{last} loop
            execute format('create table t%s (id int primary key, v text, w int)', i);
            execute format('create index on t%s (w)', i);
            execute format('insert into t%s values (1, null, 1)', i);
        end loop;
    end $$
"""
USED = """
    do $$ begin
        for i in 1..{used} loop
            execute format('update t%s set w = w + 1 where id = 1', i);
        end loop;
    end $$
"""


@dataclass(frozen=True)
class Cost:
    """Milliseconds of processor time of one run, the median of some: the server's and ours."""

    server: float
    ours: float


async def filled(server: EmbeddedServer, tables: int) -> str:
    """Make the tables, some at a time, for each takes locks; give the DSN of the monitor's role."""
    password = secrets.token_urlsafe(24)
    session = await asyncpg.connect(server.dsn("postgres"), timeout=60)
    await session.execute(f"create database {DATABASE}")
    await session.close()
    session = await asyncpg.connect(server.dsn(DATABASE), timeout=60)
    for first in range(1, tables + 1, BATCH):
        await session.execute(MADE.format(first=first, last=min(first + BATCH - 1, tables)))
    await session.execute("analyze")
    await session.execute(f"create role {ROLE} login password '{password}'; grant pg_monitor to {ROLE}")
    await session.close()
    return server.dsn(DATABASE, ROLE, password)


async def measure(tables: int, runs: int) -> tuple[Cost, Cost, Cost]:
    """Give the cost of the first run, of one with a twentieth of the tables in use, and of one with none."""
    async with EmbeddedServer.started(SETTINGS) as server:
        dsn = await filled(server, tables)
        watching = PostgresServer(Server(name="shop", dsn=Secret(dsn), only=DATABASE), environ={})
        user = await asyncpg.connect(server.dsn(DATABASE), timeout=60)
        runner = Runner()
        try:
            async with watching.visit(DATABASE, stay=True) as session:
                first = await cost(runner, session)
                busy, idle = [], []
                for _ in range(runs):
                    await user.execute(USED.format(used=tables // 20))
                    await asyncio.sleep(1.1)  # then its counters are told
                    await user.execute("select 1")
                    busy.append(await cost(runner, session))
                    idle.append(await cost(runner, session))
        finally:
            await user.close()
            await watching.close()
    return first, usual(busy[2:]), usual(idle[2:])


async def cost(runner: Runner, session: Guarded) -> Cost:
    """Run the probe and its rules as the daemon does."""
    probe = whole_catalog().probes["tables"]
    pid = int(str((await session.fetch("select pg_catalog.pg_backend_pid() as pid"))[0]["pid"]))
    theirs, ours = seconds(pid), time.process_time()
    seen = await runner.run(probe, Target("shop", DATABASE), session)
    evaluate(probe.rules, seen)
    if seen.result is not Result.OK:
        raise SystemExit(seen.reason)
    return Cost((seconds(pid) - theirs) * 1000, (time.process_time() - ours) * 1000)


def usual(costs: list[Cost]) -> Cost:
    """Give the median."""
    return Cost(median(each.server for each in costs), median(each.ours for each in costs))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--tables", type=int, default=10_000)
    wanted = parser.parse_args()
    first, busy, idle = asyncio.run(measure(wanted.tables, wanted.runs))
    print(table_head())
    print(Line(f"{wanted.tables:,} tables, 5 % of them in use: server CPU of a run", busy.server, SERVER_MS, "ms"))
    print(Line("the same, our CPU", busy.ours, OURS_MS, "ms"))
    print(Line("none in use: server CPU of a run", idle.server, SERVER_MS, "ms"))
    print(Line("the same, our CPU", idle.ours, OURS_MS, "ms"))
    print(f"\nthe first run   {first.server:.0f} ms of the server's, {first.ours:.0f} ms of ours")


if __name__ == "__main__":
    main()
