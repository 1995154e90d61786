"""The open store: its connection and deadlines, and how it comes up: private file, right schema, damage put aside."""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine, inspect, text

from monitor.errors import StoreError
from monitor.store.address import Address, address, dispose, engine_for, transact
from monitor.store.failures import DamagedFile, failures
from monitor.store.tables import HEAD, hours, metadata

URL_VARIABLE = "PGARCHITECT_STORE_URL"
PATIENCE_SECONDS = 5.0
DEADLINE_SECONDS = 30.0  # of a whole transaction: thousands of rows on a slow disk
MIGRATION_SECONDS = 300.0
WHOLE_BYTES = 128 * 1024 * 1024
"""Up to so large a file is looked through whole when it is opened; of a larger one everything but the hours."""
T = TypeVar("T")


class Store:
    """An open store; `open` makes it. `notice` says what a person should know of its opening ("": nothing)."""

    def __init__(self, place: Address, engine: Engine) -> None:
        self._place = place
        self._engine = engine
        self.notice = ""

    @classmethod
    async def open(
        cls, url: str, directory: Path | None = None, *, patience: float = PATIENCE_SECONDS, damaged: bool = False
    ) -> Self:
        """Open `sqlite:///FILE` (relative to `directory`) or `postgresql://…`, bringing its schema up to date.

        A damaged SQLite file is put aside and a new one begun, also one that was found `damaged` while it was used.
        Waits `patience` seconds for a lock. Raises StoreError.
        """
        place = address(url, directory)
        if not damaged:
            with suppress(DamagedFile):
                return await cls._opened(place, patience)
        aside = await asyncio.to_thread(_put_aside, place)
        store = await cls._opened(place, patience)
        store.notice = f"{place.where}: the file was damaged; it is now {aside.name}, and a new one is begun"
        return store

    @classmethod
    async def look_into(cls, url: str, *, patience: float = PATIENCE_SECONDS) -> Self:
        """Open a store that is there, to read: it is not made, not migrated, and not mended. Raises StoreError."""
        place = address(url)
        if place.path is not None:
            await asyncio.to_thread(_there, place, place.path)
        store = cls(place, engine_for(place, patience, only_reads=True))
        try:
            await store._as_we_know_it()
        except BaseException:
            await store.close()
            raise
        return store

    @classmethod
    async def _opened(cls, place: Address, patience: float) -> Self:
        if place.path is not None:
            await asyncio.to_thread(_private_file, place)
        store = cls(place, engine_for(place, patience))
        try:
            await store._up_to_date()
        except BaseException:
            await store.close()
            raise
        return store

    @property
    def where(self) -> str:
        """How messages call it; no secret in it."""
        return self._place.where

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in a transaction under a deadline; everything that goes wrong in it is a StoreError."""
        with failures(self._place):
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await transact(self._engine, work)

    def lost(self, count: int, kind: str) -> None:
        """Take note of rows that cannot be read."""
        if count:
            line = f"{self.where}: {count} stored {kind} cannot be read and are left out"
            self.notice = "; ".join(filter(None, (self.notice, line)))

    async def close(self) -> None:
        await dispose(self._engine)

    async def _as_we_know_it(self) -> None:
        found = await self.run(_revision)
        if found is None:
            raise StoreError(f"{self.where}: nothing has been stored in it; has `monitor run` been started with it?")
        if found != HEAD:
            raise StoreError(
                f"{self.where}: another version of us wrote it; read it with that one, or start ours on it"
            )

    async def _up_to_date(self) -> None:
        if await self.run(_revision) != HEAD:
            await _migrated(self._place)
        if await self.run(_damage):
            raise DamagedFile(f"{self.where}: the file is damaged; put it aside")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.scalar(text("select version_num from alembic_version"))
    return None if found is None else str(found)


def _damage(connection: Connection) -> bool:
    """Let SQLite check its file; a server checks its own.

    A month of hours of many targets takes it minutes. What is damaged in them is found when it is read.
    """
    if connection.dialect.name != "sqlite":
        return False
    if _bytes(connection) <= WHOLE_BYTES:
        return bool(connection.scalar(text("pragma quick_check(1)")) != "ok")
    parts = (table.name for table in metadata.sorted_tables if table is not hours)
    return any(connection.scalar(text(f"pragma quick_check({name})")) != "ok" for name in parts)


def _bytes(connection: Connection) -> int:
    pages, each = (connection.scalar(text(f"pragma {name}")) or 0 for name in ("page_count", "page_size"))
    return int(pages * each)


async def _migrated(place: Address) -> None:
    """Run the migrations in a process of their own: Alembic would stay in the daemon's memory for good.

    The URL travels by the environment, which other users cannot read, and so does the way to our own modules.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-m", "monitor.store.migrate"),
        env={**os.environ, URL_VARIABLE: place.url.reveal(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(MIGRATION_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        raise StoreError(f"{place.where}: its migration takes too long; who locks it?") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise StoreError(said.decode(errors="replace").strip() or f"{place.where}: its migration failed; reinstall us")


def _there(place: Address, path: Path) -> None:
    with failures(place):
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise StoreError(f"{place.where}: there is no such file; has `monitor run` been started with it?") from None


def _private_file(place: Address) -> None:
    """Make the file before SQLite does: readable for us alone, and so are the -wal and -shm that take after it."""
    if place.path is None:
        return
    with failures(place):
        place.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.path.touch(mode=0o600, exist_ok=True)


def _put_aside(place: Address) -> Path:
    if place.path is None:
        raise StoreError(f"{place.where}: damaged")
    mark = f".corrupt-{datetime.now(UTC):%Y%m%d%H%M%S}"
    with failures(place):
        for ending in ("-wal", "-shm", ""):
            part = place.path.with_name(place.path.name + ending)
            if part.exists():
                part.rename(part.with_name(place.path.name + mark + ending))
    return place.path.with_name(place.path.name + mark)
