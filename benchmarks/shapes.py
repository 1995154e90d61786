"""`python -m benchmarks.shapes`: what index advice costs with 10,000 tables and 5,000 statements on them.

First the reading, in a process of its own, visit by visit: of the server's processor time, of ours, of memory; then one
plan of each statement in the shadow; then, with `--daemon`, the memory of a `monitor run` with and without all that.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg

from benchmarks.cluster import DATABASE, ROLE, in_batches
from benchmarks.lines import Line, table_head
from benchmarks.processor import children, resident_mib, seconds
from benchmarks.watcher import watcher
from monitor.cli.grants import Wanted, grants_sql
from monitor.collect.private import private_session
from monitor.collect.runner import Runner
from monitor.collect.server import PostgresServer
from monitor.collect.way import Guarded
from monitor.embedded import EmbeddedServer
from monitor.memory import release
from monitor.model import Result, Secret, Server, Target
from monitor.planner.planners import Planners, disk_bytes
from monitor.planner.source import Limits
from monitor.planning import Query
from monitor.shaped import shape_of
from probes.shape import PROBE

VISIT_MS, MEMORY_MIB, SHADOW_SECONDS, SHADOW_MIB, SHADOW_DISK_MIB = 50.0, 30.0, 60.0, 300.0, 500.0
TENANT_TABLES, TENANT_MIB = 100, 0.1
BATCH, STATEMENTS, TENANTS, MIB = 250, 5000, 50, 1 << 20
SETTINGS = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.max": "12000",
    "autovacuum": "off",
    "jit": "off",
    "max_locks_per_transaction": "1000",
    "shared_buffers": "512MB",
    "fsync": "off",
}
# Sizes, statistics and counters differ from table to table; three columns have no values yet.
MADE = """
    do $$ begin
        for i in {first}..{last} loop
            execute format('create table t%s (id bigint primary key, parent_id bigint references t%s,
                name text not null, state text not null default ''new'', amount numeric(12, 2), flag boolean,
                note varchar(50), n integer, created_at timestamptz, data jsonb)', i, greatest(i - 1, 1));
            execute format('create index on t%s (parent_id)', i);
            execute format('insert into t%s select g, null, md5(g::text),
                (array[''new'', ''paid''])[1 + g %% (1 + %s %% 2)], g * %s, g %% (2 + %s %% 5) = 0, null,
                g %% (3 + %s %% 7), now() from generate_series(1, %s) g', i, i, i, i, i, 20 + i % 200);
        end loop;
    end $$
"""
CHANGED = "alter table t{n} add later int; insert into t{n} (id, name) values (-1, 'x'); analyze t{n}"
FORMS = (
    "select id, name from t{n} where state = 'new' and n = {v} order by created_at desc limit 10",
    "select count(*) from t{n} join t{m} on t{m}.id = t{n}.parent_id where t{n}.amount > {v}",
)
ASKED = tuple(form.replace("{v}", "$1") for form in FORMS)


@dataclass(frozen=True, kw_only=True)
class Round:
    """One reading: milliseconds of processor time, the server's and ours, and our memory after it."""

    server_ms: Sequence[float]
    ours_ms: Sequence[float]
    rss_mib: float


@asynccontextmanager
async def filled(tables: int) -> AsyncIterator[EmbeddedServer]:
    """Start a server with so many tables, and statements on them."""
    async with EmbeddedServer.started(SETTINGS) as server:
        session = await asyncpg.connect(server.dsn("postgres"), timeout=60)
        await session.execute(f"create database {DATABASE}")
        await session.close()
        session = await asyncpg.connect(server.dsn(DATABASE), timeout=60, command_timeout=900)
        await session.execute("create extension pg_stat_statements")
        for first in range(1, tables + 1, BATCH):
            await session.execute(MADE.format(first=first, last=min(first + BATCH - 1, tables)))
        await session.execute("analyze")
        await session.execute("select pg_stat_statements_reset()")
        await in_batches(session, (text.format(v=7) for text in _texts(FORMS, tables)))
        await session.close()
        yield server


def _texts(forms: Sequence[str], tables: int) -> Iterator[str]:
    """Give each form on as many tables as make all statements."""
    for number in range(1, STATEMENTS // len(forms) + 1):
        own = 1 + number * (tables - 1) // STATEMENTS * len(forms)
        yield from (form.replace("{n}", str(own)).replace("{m}", str(own + 1)) for form in forms)


async def admitted(server: EmbeddedServer) -> str:
    """Make the monitor's role; give its DSN."""
    password = secrets.token_urlsafe(24)
    session = await asyncpg.connect(server.dsn(DATABASE), timeout=60)
    await session.execute(f"create role {ROLE} login password '{password}'")
    for grant in grants_sql(Wanted(role=ROLE, auth="none", database=DATABASE)):
        await session.execute(grant)
    await session.close()
    return server.dsn(DATABASE, ROLE, password)


async def read(dsn: str, change: str) -> dict[str, object]:
    """Read for the first time, once more, and after `change`; in the process that is measured."""
    watching = PostgresServer(Server(name="shop", dsn=Secret(dsn), only=DATABASE), environ={})
    runner = Runner()
    try:
        async with watching.visit(DATABASE, stay=True) as session:
            before = _resident()
            rounds = [await _round(runner, session), await _round(runner, session)]
            await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.shapes", "--change", change)
            await asyncio.sleep(5)
            rounds.append(await _round(runner, session))
    finally:
        await watching.close()
    return {"before": before, "rounds": [asdict(each) for each in rounds]}


async def _round(runner: Runner, session: Guarded, database: str = DATABASE) -> Round:
    pid = int(str((await session.fetch("select pg_catalog.pg_backend_pid() as pid"))[0]["pid"]))
    server, ours = list[float](), list[float]()
    while True:
        theirs, own = seconds(pid), time.process_time()
        seen = await runner.run(PROBE, Target("shop", database), session)
        server.append((seconds(pid) - theirs) * 1000)
        ours.append((time.process_time() - own) * 1000)
        if seen.result is not Result.OK:
            raise SystemExit(seen.reason)
        if not seen.unfinished:
            return Round(server_ms=server, ours_ms=ours, rss_mib=_resident())


def _resident() -> float:
    gc.collect()
    release()
    return resident_mib(os.getpid())


async def tenants(dsn: str) -> float:
    """Give the memory that a database of a hundred tables takes, in MiB: read as many times, as if it were many."""
    watching = PostgresServer(Server(name="shop", dsn=Secret(dsn), only=DATABASE), environ={})
    runner = Runner()
    try:
        async with watching.visit(DATABASE, stay=True) as session:
            await _round(runner, session, "first")
            before = _resident()
            for number in range(TENANTS):
                await _round(runner, session, f"shop_{number}")
            return (_resident() - before) / TENANTS
    finally:
        await watching.close()


async def planned(dsn: str, tables: int) -> tuple[float, float, float, int]:
    """Plan each statement once in the shadow; give seconds, MiB of memory and of disk, and how many were planned."""
    watching = PostgresServer(Server(name="shop", dsn=Secret(dsn), only=DATABASE), environ={})
    runner = Runner()
    try:
        async with watching.visit(DATABASE, stay=True) as session:
            while (seen := await runner.run(PROBE, Target("shop", DATABASE), session)).unfinished:
                pass
    finally:
        await watching.close()
    asked = [Query(name=str(number), text=text) for number, text in enumerate(_texts(ASKED, tables))]
    planners = Planners(private_session, limits=Limits(plans=len(asked), seconds=600))
    try:
        began = time.monotonic()
        async with planners.opened(shape_of(seen)) as shadow:
            answer = await shadow.cost(asked)
        took, server = time.monotonic() - began, planners.server
        if server is None:
            raise SystemExit("there is no shadow")
        memory = sum(resident_mib(pid) for pid in (server.pid, *children(server.pid)))
        return took, memory, disk_bytes(server.directory) / MIB, len(answer.planned)
    finally:
        await planners.close()


ADVICE = ("shape", "statements", "server")


async def daemon(dsn: str, only: Sequence[str], minutes: float, say: Callable[[str], None]) -> float:
    """Give the memory of a `monitor run` at its most, with these probes and what judges them."""
    with TemporaryDirectory() as folder:
        async with watcher(dsn, Path(folder), only) as running:
            until = time.monotonic() + minutes * 60
            while time.monotonic() < until:
                await asyncio.sleep(10)
                say(f"{', '.join(only)}: {resident_mib(running.pid):.1f} MiB")
            return resident_mib(running.pid, "VmHWM")


async def _in_a_child(*words: str) -> dict[str, object]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.shapes", *words, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    found: dict[str, object] = json.loads(out)
    return found


def _lines(found: dict[str, object]) -> Iterator[str]:
    rounds = [Round(**each) for each in found["rounds"]]  # type: ignore[attr-defined]
    for title, each in zip(("the first reading", "nothing changed", "1 % of the tables changed"), rounds, strict=True):
        yield str(Line(f"{title}: server CPU of a visit, at most", max(each.server_ms), VISIT_MS, "ms"))
        yield (
            f"    {len(each.server_ms)} visits, {sum(each.server_ms):.0f} ms of the server's CPU in all; "
            f"of ours {sum(each.ours_ms):.0f} ms, at most {max(each.ours_ms):.0f} ms at once"
        )
    before = float(str(found["before"]))
    yield str(Line("memory of the reading, after it", rounds[-1].rss_mib - before, MEMORY_MIB, "MiB"))


async def main(tables: int, minutes: float, say: Callable[[str], None]) -> None:
    """Measure and print."""
    print(table_head())
    say(f"making {tables:,} tables and {STATEMENTS:,} statements")
    async with filled(tables) as server:
        dsn = await admitted(server)
        change = json.dumps({"dsn": server.dsn(DATABASE), "tables": tables})
        print("\n".join(_lines(await _in_a_child("--read", json.dumps({"dsn": dsn, "change": change})))), flush=True)
        took, memory, disk, many = await planned(dsn, tables)
        print(Line(f"{many:,} of {STATEMENTS:,} statements planned by the shadow", took, SHADOW_SECONDS, "s"))
        print(Line("its memory", memory, SHADOW_MIB, "MiB"))
        print(Line("its disk", disk, SHADOW_DISK_MIB, "MiB"), flush=True)
        if minutes:
            bare = await daemon(dsn, ADVICE[1:], 1.5, say)
            full = await daemon(dsn, ADVICE, minutes, say)
            print(Line("monitor run with index advice, more than without, at most", full - bare, MEMORY_MIB, "MiB"))
    async with filled(TENANT_TABLES) as server:
        dsn = await admitted(server)
        each = float(str((await _in_a_child("--tenants", dsn))["each"]))
        print(Line(f"memory of a database of {TENANT_TABLES} tables, each", each, TENANT_MIB, "MiB"))


async def _change(dsn: str, tables: int) -> None:
    session = await asyncpg.connect(dsn, timeout=60)
    await in_batches(session, (CHANGED.format(n=number) for number in range(1, tables + 1, 100)))
    await session.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shapes", description=__doc__)
    parser.add_argument("--tables", type=int, default=10_000)
    parser.add_argument("--daemon", type=float, default=0, metavar="MINUTES", help="watch a daemon's memory so long")
    for hidden in ("--read", "--tenants", "--change"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        if given.read:
            print(json.dumps(asyncio.run(read(**json.loads(given.read)))))
        elif given.tenants:
            print(json.dumps({"each": asyncio.run(tenants(given.tenants))}))
        elif given.change:
            asyncio.run(_change(**json.loads(given.change)))
        else:
            asyncio.run(main(given.tables, given.daemon, lambda text: print(text, file=sys.stderr)))
