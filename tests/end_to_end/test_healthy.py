"""A healthy server under pgbench's load, and one that is idle: in ten minutes of watching there is nothing to mend."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from monitor.embedded import EmbeddedServer, free_port, wheel_binaries
from tests.database import rights_of_the_monitor
from tests.faults.harness import Daemon

SECONDS = 600
"""For so long pgbench runs, at a rate that two slow cores carry beside everything else."""
RATE, SCALE, CLIENTS = 40, 10, 4
SETTINGS = {"shared_preload_libraries": "pg_stat_statements", "shared_buffers": "64MB", "fsync": "on"}
LIMIT = "idle_in_transaction_session_timeout"


async def pgbench(server: EmbeddedServer, *arguments: str, user: str = "postgres", password: str | None = None) -> str:
    """Run pgbench to its end; give what it says."""
    dsn = server.dsn("shop", None if user == "postgres" else user, password)
    process = await asyncio.create_subprocess_exec(
        *(str(wheel_binaries() / "bin" / "pgbench"), *arguments, dsn),
        env={**os.environ, "PGAPPNAME": "shop"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    return said


async def settle(server: EmbeddedServer) -> None:
    """Make an application and the monitor's role on it, as somebody who takes care would."""
    await run(server, "postgres", "create database shop")
    await run(server, "shop", "create extension pg_stat_statements")
    await run(server, "shop", "create role app login password 'app'; grant create, usage on schema public to app")
    await run(server, "shop", f"alter role app set statement_timeout = '10s'; alter role app set {LIMIT} = '1min'")
    await run(server, "shop", "create role eye login password 'eye'")
    await run(server, "shop", *rights_of_the_monitor("eye", "none", ()))
    await run(server, "shop", "select pg_stat_statements_reset()")  # it has kept the passwords


async def run(server: EmbeddedServer, database: str, *statements: str) -> None:
    session = await asyncpg.connect(server.dsn(database), timeout=10)
    for statement in statements:
        await session.execute(statement)
    await session.close()


@asynccontextmanager
async def healthy() -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer.started(SETTINGS) as server:
        await settle(server)
        yield server


@asynccontextmanager
async def watching(folder: Path, **servers: EmbeddedServer) -> AsyncIterator[Daemon]:
    """Run the daemon as it is without a word about intervals and limits."""
    targets = [{"name": name, "dsn": server.dsn("shop", "eye", "eye")} for name, server in servers.items()]
    web = {"listen": f"127.0.0.1:{free_port()}"}
    running = Daemon(folder=folder, config={"targets": targets, "web": web, "store": "sqlite:///state.db"})
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


@pytest.mark.soak
async def test_nothing_is_said_above_info_of_a_healthy_server(tmp_path: Path) -> None:
    """Busy and idle: whatever rises to a warning in ten minutes of it, or breaks, is a false alarm."""
    async with healthy() as busy, healthy() as idle, watching(tmp_path, busy=busy, idle=idle) as running:
        await running.watching()
        role = {"user": "app", "password": "app"}
        await pgbench(busy, "--initialize", "--quiet", f"--scale={SCALE}", "--foreign-keys", **role)
        await run(busy, "shop", "create index on pgbench_tellers (bid); create index on pgbench_accounts (bid)")
        await run(busy, "shop", *(f"create index on pgbench_history ({column})" for column in ("bid", "tid", "aid")))
        said = await pgbench(
            busy, "--protocol=prepared", f"--rate={RATE}", f"--client={CLIENTS}", f"--time={SECONDS}", **role
        )
        assert "number of failed transactions: 0" in said
        assert [told(each) for each in await running.findings() if each["severity"] != "info"] == []
        results = {run["result"] for target in await running.targets() for run in target["probes"]}
        assert results <= {"ok", "skipped"}


def told(finding: dict[str, object]) -> str:
    return f"{finding['target']} {finding['database']} {finding['rule']} {finding['subject']}: {finding['summary']}"
