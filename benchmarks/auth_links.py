"""What sweeping a big link costs: of the server's processor time, statement by statement, and when nothing changes.

`python -m benchmarks.auth_links [--users N] [--cycles N]`. Users and profiles are as many; each user has one.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import asyncpg

from benchmarks.cluster import DATABASE
from benchmarks.lines import Line, table_head
from benchmarks.processor import seconds
from benchmarks.slices import Timed, at, temp_files
from monitor.collect.runner import Runner
from monitor.collect.server import PostgresServer
from monitor.collect.way import Guarded
from monitor.demo.gotrue import gotrue
from monitor.embedded import EmbeddedServer
from monitor.model import Secret, Server, Target
from probes.auth_links import PROBE
from probes.auth_links_ask import Ask
from probes.auth_links_discovery import Column
from probes.auth_links_options import AuthOptions, Link
from probes.auth_links_shape import shape
from probes.auth_links_sight import LinkEye
from probes.auth_links_sweep import LinkSweep
from probes.auth_sight import Way

TURN_SECONDS, SLICE_MS, CYCLE_MS, NEWEST_MS = 5.0, 15.0, 10.0, 20.0
AT, DUTY = 3_000_000, 0.02
SETTINGS = {"autovacuum": "off", "fsync": "off", "jit": "off", "shared_buffers": "512MB", "max_wal_size": "8GB"}
LINK = Link(table="public.users", column="auth_user_id", created_at="created_at", every_user=True)
COLUMN = Column(schema="public", table="users", column="auth_user_id", created="created_at", declared=LINK)
PEOPLE = """
    insert into auth.users (id, created_at, email_confirmed_at)
    select gen_random_uuid(), now() - interval '1 day', now() - interval '1 day' from generate_series(1, {users})
"""
PROFILES = (
    "create table public.users (id bigint generated always as identity, auth_user_id uuid, created_at timestamptz)",
    "insert into public.users (auth_user_id, created_at) select id, created_at from auth.users",
    "create unique index on public.users (auth_user_id)",
    "create index on public.users (created_at)",
    "create index on auth.users (created_at desc)",
    "vacuum analyze auth.users",
    "vacuum analyze public.users",
    "checkpoint",
)

COMERS = """
    with come as (insert into auth.users (id, created_at, email_confirmed_at)
                  select gen_random_uuid(), born, born
                    from generate_series(1, 1000) many,
                         lateral (select now() - interval '6 minutes' - many * interval '10 ms' as born) birth
               returning id, created_at)
    insert into public.users (auth_user_id, created_at) select id, created_at from come
"""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one turn, in seconds of the server's processor; in ms: its slices, a cycle at rest, the newest; temp files."""

    turn: float
    slices: Sequence[float]
    waits: Sequence[float]
    cycle: float
    newest: float
    temp_files: int


async def filled(server: EmbeddedServer, users: int) -> None:
    """Make the people and their profiles."""
    session = await asyncpg.connect(server.dsn("postgres"), timeout=60)
    await session.execute(f"create database {DATABASE}")
    await session.close()
    session = await asyncpg.connect(server.dsn(DATABASE), timeout=60)
    await session.execute(gotrue())
    for statement in (PEOPLE.format(users=users), *PROFILES):
        await session.execute(statement)
    await session.close()


async def measure(users: int, cycles: int) -> Cost:
    """Sweep once, statement by statement; then let the probe rest."""
    async with EmbeddedServer.started(SETTINGS) as server:
        await filled(server, users)
        watching = PostgresServer(Server(name="shop", dsn=Secret(server.dsn(DATABASE)), only=DATABASE), environ={})
        try:
            async with watching.visit(DATABASE, stay=True) as session:
                session.within(5.0)
                pid = int(str((await session.fetch("select pg_catalog.pg_backend_pid() as pid"))[0]["pid"]))
                before = await temp_files(session)
                timed = Timed(session, pid, {"orphan_keys"})
                turn = await swept(timed)
                cycle = await rested(session, pid, cycles)
                newest = await come(session, server, pid)
                written = await temp_files(session) - before
        finally:
            await watching.close()
    return Cost(turn=turn, slices=timed.used, waits=timed.waited, cycle=cycle, newest=newest, temp_files=written)


async def swept(session: Timed) -> float:
    """Give what one whole turn cost."""
    eye = LinkEye(Way(session, "auth", lent=False))
    ask = Ask(session=session, eye=eye, column=COLUMN, shape=await shape(session, "auth", COLUMN), grace=300.0)
    sweep, began = LinkSweep(ask.ways), seconds(session.pid)
    await sweep.run(ask, 3600.0)
    return seconds(session.pid) - began


async def rested(session: Guarded, pid: int, cycles: int) -> float:
    """Give what a cycle costs, in ms, once the probe has been through and nothing changes."""
    runner, target = Runner(), Target("shop", DATABASE)
    probe = replace(PROBE, options=AuthOptions(links=(LINK,), duty=1.0))
    while (await runner.run(probe, target, session)).asides["sweep"][0]["sweep_progress_ratio"] != 1.0:  # noqa: ASYNC110 - it needs time
        await asyncio.sleep(1)
    began = seconds(pid)
    for _ in range(cycles):
        await runner.run(probe, target, session)
    return (seconds(pid) - began) * 1000 / cycles


async def come(session: Guarded, server: EmbeddedServer, pid: int) -> float:
    """Give what a look at 1,000 new users and as many new rows costs, in ms: that of a cycle, without the sweep."""
    writer = await asyncpg.connect(server.dsn(DATABASE), timeout=60)
    await writer.execute(COMERS)
    await writer.close()
    eye, began = LinkEye(Way(session, "auth", lent=False)), seconds(pid)
    ask = Ask(session=session, eye=eye, column=COLUMN, shape=await shape(session, "auth", COLUMN), grace=300.0)
    await LinkSweep(ask.ways).new(ask, 0.0, None)
    return (seconds(pid) - began) * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.auth_links", description=__doc__)
    parser.add_argument("--users", type=int, default=AT)
    parser.add_argument("--cycles", type=int, default=50)
    wanted = parser.parse_args()
    cost = asyncio.run(measure(wanted.users, wanted.cycles))
    million, slices, waits = cost.turn / wanted.users * 1_000_000, cost.slices, cost.waits
    print(table_head())
    print(Line(f"{wanted.users:,} users and profiles: server CPU of a turn", cost.turn, TURN_SECONDS, "s"))
    print(Line("server CPU of a slice, 95 in 100", at(0.95, slices), SLICE_MS, "ms"))
    print(Line("nothing changed: server CPU of a cycle", cost.cycle, CYCLE_MS, "ms"))
    print(Line("1,000 new users and rows: server CPU of a look at them", cost.newest, NEWEST_MS, "ms"))
    print(f"\n{len(slices)} slices, half of them within {at(0.5, slices):.1f} ms, the longest {at(1, slices):.1f} ms")
    print(
        f"by the clock: half {at(0.5, waits):.1f} ms, 95 in 100 {at(0.95, waits):.1f} ms, the longest {max(waits):.1f}"
    )
    print(f"{cost.temp_files} temporary files; {million:.2f} s of the server's for a million users")
    hours = million * 100 / DUTY / 3600
    print(
        f"by calculation, 100 million: {million * 100:.0f} s of the server's, {hours:.1f} h at {DUTY:.0%} of the time"
    )


if __name__ == "__main__":
    main()
