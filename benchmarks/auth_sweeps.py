"""What going through GoTrue's accounts, sessions and links' states costs: of the server's processor, slice by slice.

`python -m benchmarks.auth_sweeps [--users N] [--only PROBE …]`. Each user has an identity, a session with two refresh
tokens, and a profile with a copy of the address; one in a hundred has a fault. By default 3 million, some ten minutes.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import asyncpg

from benchmarks.cluster import DATABASE
from benchmarks.lines import Line, table_head
from benchmarks.processor import seconds
from benchmarks.slices import Timed, at, temp_files
from monitor.collect.server import PostgresServer
from monitor.demo.gotrue import gotrue
from monitor.embedded import EmbeddedServer
from monitor.measurement import Row
from monitor.model import Secret, Server
from monitor.probe import Memory, Probe
from probes.auth_accounts import PROBE as ACCOUNTS
from probes.auth_links_discovery import Column
from probes.auth_links_known import Known, KnownLinks
from probes.auth_links_options import AuthOptions, Link
from probes.auth_sessions import PROBE as SESSIONS
from probes.auth_states import PROBE as STATES

AT, TURN_SECONDS, SLICE_MS, LONGEST_MS = 3_000_000, 60.0, 15.0, 100.0
DUTY = AuthOptions().seconds_beside / 60
PROBES = {"accounts": ACCOUNTS, "sessions": SESSIONS, "states": STATES}
SLICES = frozenset({"numbers", "held", "drifted"})
"""A row with one of these columns is the answer of a slice."""

SETTINGS = {"autovacuum": "off", "fsync": "off", "jit": "off", "shared_buffers": "2GB", "max_wal_size": "8GB"}
LINK = Link(table="public.users", column="auth_user_id", email="email", created_at="created_at", every_user=True)
COLUMN = Column(schema="public", table="users", column="auth_user_id", created="created_at", declared=LINK)
FILLED = (
    """
    insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at,
                            confirmation_token, recovery_token, email_change_token_new, email_change, last_sign_in_at,
                            raw_app_meta_data, raw_user_meta_data, created_at, updated_at, banned_until, deleted_at)
    select '00000000-0000-0000-0000-000000000000', gen_random_uuid(), 'authenticated', 'authenticated',
           'person' || n || '@example.org',
           repeat('x', 60), case when n % 20 > 0 then born end, '', '', '', case when n % 1000 > 0 then '' end, born,
           '{"provider": "email", "providers": ["email"]}', '{"name": "Somebody"}', born, born,
           case when n % 1000 = 1 then now() + interval '1 day' end, case when n % 1000 = 2 then now() end
      from generate_series(1, {users}) n
     cross join lateral (select now() - n * interval '10 seconds' as born) birth
    """,
    """
    insert into auth.identities (provider_id, user_id, identity_data, provider, created_at, updated_at)
    select id::text, id, jsonb_build_object('sub', id, 'email', email), 'email', created_at, created_at
      from auth.users
     where email not like '%99@%'
    """,
    """
    insert into auth.sessions (id, user_id, created_at, updated_at, aal, not_after, user_agent, ip)
    select gen_random_uuid(), id, now() - interval '1 hour', now() - interval '1 hour', 'aal1',
           case when email like '%5@%' then now() - interval '2 days' end, 'Mozilla/5.0 (X11; Linux)', '127.0.0.1'
      from auth.users
    """,
    """
    insert into auth.refresh_tokens (instance_id, token, user_id, session_id, revoked, created_at, updated_at)
    select '00000000-0000-0000-0000-000000000000', left(md5(s.id::text || n), 22), s.user_id::text, s.id, n = 1,
           now() - (3 - n) * interval '1 hour', now() - interval '1 hour'
      from auth.sessions s
     cross join generate_series(1, 2) n
    """,
    """
    create table public.users (id bigint generated always as identity primary key, auth_user_id uuid, email text,
                               name text, created_at timestamptz)
    """,
    """
    insert into public.users (auth_user_id, email, name, created_at)
    select id, case when email like '%77@%' then 'old.' || email else email end, 'Somebody', created_at from auth.users
    """,
    "create unique index on public.users (auth_user_id)",
    "vacuum analyze",
    "checkpoint",
)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one turn of one probe: the server's processor in seconds, its slices in ms, and temporary files."""

    turn: float
    used: Sequence[float]
    waited: Sequence[float]
    temp_files: int


async def filled(server: EmbeddedServer, users: int) -> None:
    """Make the people, and all that belongs to them."""
    session = await asyncpg.connect(server.dsn("postgres"), timeout=60)
    await session.execute(f"create database {DATABASE}")
    await session.close()
    session = await asyncpg.connect(server.dsn(DATABASE), timeout=60)
    for statement in (gotrue(), "set session_replication_role = replica", *FILLED):
        await session.execute(statement.replace("{users}", str(users)))
    await session.close()


async def measure(server: EmbeddedServer, probe: Probe) -> Cost:
    """Run a probe on a session of its own until it has been through everything once."""
    watched = PostgresServer(Server(name="shop", dsn=Secret(server.dsn(DATABASE)), only=DATABASE), environ={})
    try:
        async with watched.visit(DATABASE, stay=True) as session:
            session.within(probe.timeout)
            pid = int(str((await session.fetch("select pg_catalog.pg_backend_pid() as pid"))[0]["pid"]))
            timed, files, began = Timed(session, pid, SLICES), await temp_files(session), seconds(pid)
            await turned(probe, timed)
            turn = seconds(pid) - began
            written = await temp_files(session) - files
    finally:
        await watched.close()
    return Cost(turn=turn, used=timed.used, waited=timed.waited, temp_files=written)


async def turned(probe: Probe, session: Timed) -> None:
    """Go through everything once, without the rests between two runs."""
    memory, options = Memory(), AuthOptions(links=(LINK,), duty=1.0)
    memory.server.of(KnownLinks).tell(session.facts.database, [Known(column=COLUMN, origin=COLUMN.origin)])
    if probe.observe is None:
        raise TypeError(probe.name)
    while True:
        rows = await probe.observe(session, memory, options)
        if whole(probe, rows):
            return


def whole(probe: Probe, rows: Sequence[Row]) -> bool:
    """Tell whether a reading says of everything that it was looked at."""
    shown = {"auth_accounts": "users", "auth_sessions": "sweep_age_seconds"}.get(probe.name)
    if shown is not None:
        return all(row[shown] is not None for row in rows)
    return all(getattr(row["reading"], "whole", True) for row in rows)


def report(name: str, users: int, cost: Cost) -> Iterator[str]:
    """Write what one probe's turn cost beside what it may cost."""
    hours = sum(cost.waited) / 1000 / DUTY / 3600
    yield f"auth_{name}, a turn over {users:,} users in {len(cost.used):,} slices"
    yield str(Line("  server CPU of the turn", cost.turn, TURN_SECONDS * users / AT, "s"))
    yield str(Line("  server CPU of a slice, 95 in 100", at(0.95, cost.used), SLICE_MS, "ms"))
    yield str(Line("  the longest slice, by the clock", at(1, cost.waited), LONGEST_MS, "ms"))
    yield f"  of CPU, half within {at(0.5, cost.used):.1f} ms, the longest {at(1, cost.used):.1f} ms"
    yield f"  by the clock, half within {at(0.5, cost.waited):.1f} ms, 95 in 100 within {at(0.95, cost.waited):.1f} ms"
    yield f"  {hours:.1f} h a turn at {DUTY:.1%} of the time; {cost.temp_files} temporary files"


async def run(users: int, only: Sequence[str]) -> None:
    """Fill a server, and measure one probe after the other."""
    async with EmbeddedServer.started(SETTINGS) as server:
        await filled(server, users)
        print(table_head())
        for name in only:
            print(*report(name, users, await measure(server, PROBES[name])), sep="\n", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.auth_sweeps", description=__doc__)
    parser.add_argument("--users", type=int, default=AT)
    parser.add_argument("--only", nargs="+", choices=PROBES, default=list(PROBES), help="the others are left out")
    wanted = parser.parse_args()
    asyncio.run(run(wanted.users, wanted.only))


if __name__ == "__main__":
    main()
