"""Streaming standbys of test servers: a base backup by SQL, for the tests' binaries have no pg_basebackup.

Between the server's own words for the begin and the end of a backup its files are copied; then the copy follows it.
"""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg

from monitor.embedded import EmbeddedServer
from tests.database import SETTINGS, Cluster, Database
from tests.patience import PATIENCE
from tests.versions import binaries

BEGIN = {14: "pg_start_backup('standby', true, false)", 15: "pg_backup_start('standby', true)"}
END = {14: "pg_stop_backup(false, false)", 15: "pg_backup_stop(false)"}
PRIMARY = {**SETTINGS, "wal_keep_size": "64MB", "max_wal_senders": "8", "wal_receiver_status_interval": "1s"}
LOCAL = ("postmaster.pid", "postmaster.opts", "pg_replslot/*", "pg_wal/*", "pg_dynshmem/*", "standby.signal")
"""What belongs to the one server only."""


def login(owner: EmbeddedServer) -> tuple[str, str]:
    """The superuser and his password, which a standby's files share with those of its primary."""
    parts = urlsplit(owner.dsn())
    return unquote(parts.username or ""), unquote(parts.password or "")


def on(server: EmbeddedServer, owner: EmbeddedServer, name: str = "postgres") -> Database:
    """A database of a standby as its superuser sees it; `owner` is where the files come from."""
    return Database(server, name, *login(owner))


@asynccontextmanager
async def primary_of(major: int) -> AsyncIterator[Cluster]:
    """A server of its own that standbys can follow."""
    async with EmbeddedServer.started(PRIMARY, binaries=binaries(major)) as server:
        yield Cluster(major=major, server=server)


@asynccontextmanager
async def standby_of(
    upstream: Database, owner: EmbeddedServer, major: int, *, name: str, settings: Mapping[str, str] | None = None
) -> AsyncIterator[EmbeddedServer]:
    """A server that streams from `upstream` as `name`; the files' passwords are those of `owner`."""
    async with EmbeddedServer.started(binaries=binaries(major)) as server:
        await server.stop()
        data = server.directory / "data"
        shutil.rmtree(data)
        await backup(owner, data, major)
        user, password = login(owner)
        conninfo = f"host=127.0.0.1 port={upstream.server.port} user={user} password={password} application_name={name}"
        given = {"primary_conninfo": conninfo, "hot_standby": "on", **(settings or {})}
        with (data / "postgresql.conf").open("a") as file:
            file.writelines(f"{key} = '{value}'\n" for key, value in given.items())
        subprocess.run(["cp", "-a", data / "PG_VERSION", data / "standby.signal"], check=True)
        await server.start()
        yield server


async def backup(owner: EmbeddedServer, place: Path, major: int) -> None:
    """Copy a running server's files to `place`, as a backup that a server can start from."""
    version = 14 if major == 14 else 15
    session = await asyncpg.connect(owner.dsn(), timeout=10)
    try:
        await session.execute(f"select {BEGIN[version]}")
        source = owner.directory / "data"
        # 1: a file went away meanwhile, which the WAL will tell the copy as well
        assert subprocess.run(["cp", "-a", source, place], check=False, stderr=subprocess.DEVNULL).returncode in {0, 1}
        for each in (path for pattern in LOCAL for path in place.glob(pattern)):
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        label = await session.fetchval(f"select labelfile from {END[version]}")
        subprocess.run(["cp", "-a", place / "PG_VERSION", place / "backup_label"], check=True)
        (place / "backup_label").write_text(label)
    finally:
        await session.close()


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 15) -> None:
    """Wait for what must come; fails when it does not."""
    async with asyncio.timeout(seconds * PATIENCE):
        while not await true():  # noqa: ASYNC110 - a server tells nobody
            await asyncio.sleep(0.05)


async def follows(upstream: Database, name: str) -> None:
    """Wait until a standby streams and has replayed all that there is."""

    async def caught_up() -> bool:
        return bool(
            await upstream.value(
                "select true from pg_stat_replication where application_name = $1 and state = 'streaming' "
                "and replay_lsn >= case when pg_is_in_recovery() then pg_last_wal_replay_lsn() "
                "else pg_current_wal_lsn() end",
                name,
            )
        )

    await until(caught_up)
