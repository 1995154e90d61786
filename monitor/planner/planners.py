"""Shadow planners on demand: one embedded server for all databases, started at first use, stopped when idle."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from monitor.embedded import EmbeddedServer
from monitor.errors import EmbeddedError, PlannerError
from monitor.planner.bench import Bench, OpenSession
from monitor.planner.clone import Clone
from monitor.planner.shadow import Shadow
from monitor.planner.source import Limits
from monitor.planner.words import orders_by_bytes
from monitor.planning import PlanSource
from monitor.shape import Shape

# Small, and alike every time: plans are to be compared. Nothing of a statement may stay in a log.
SETTINGS = {
    "shared_buffers": "16MB",
    "max_connections": "10",
    "max_locks_per_transaction": "256",
    "autovacuum": "off",
    "jit": "off",
    "max_logical_replication_workers": "0",
    "io_method": "sync",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "min_wal_size": "32MB",
    "max_wal_size": "64MB",
    "synchronous_commit": "off",
    "checkpoint_timeout": "1h",
    "track_activities": "off",
    "track_counts": "off",
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",
}
_OWN = frozenset({"jit", "plan_cache_mode", "block_size"})
"""Settings that are the shadow's own, whatever the watched server says."""
IDLE_SECONDS = 300.0
NICE = 5
"""Our own machine may have better things to do: then fewer plans are made within the time, and that is said."""
KEPT = 3
"""Databases that are kept."""
ROOM_BYTES = 250 << 20
"""Where they take more, all is begun anew: the next one may be as big."""


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """A database that stays for who asks about the same shape."""

    shape: Shape
    name: str
    shadow: Shadow


class Planners:
    """Opens shadows; one at a time is used. `close()` must be awaited at the end."""

    def __init__(
        self, open_session: OpenSession, *, limits: Limits | None = None, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self._open_session = open_session
        self._limits = limits or Limits()
        self._idle_seconds = idle_seconds
        self._turn = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._server: EmbeddedServer | None = None
        self._kept: list[_Kept] = []
        self._numbers = 0
        self._leaving: asyncio.Task[None] | None = None

    @property
    def server(self) -> EmbeddedServer | None:
        """The server, while it runs."""
        return self._server

    @asynccontextmanager
    async def opened(self, shape: Shape) -> AsyncIterator[PlanSource]:
        """Give the shadow of a shape; raises PlannerError where it cannot be had."""
        async with self._turn:
            await self._stay()
            done = False
            try:
                shadow = await self._database(shape)
                shadow.again(self._limits)
                yield shadow
                done = not shadow.lost
            finally:
                if done:
                    self._leaving = asyncio.create_task(self._leave())
                else:  # who was interrupted may have left a table empty
                    await self._stop()

    async def close(self) -> None:
        """Stop the server and leave nothing of it."""
        async with self._turn:
            await self._stay()
            await self._stop()

    async def _database(self, shape: Shape) -> Shadow:
        for each in self._kept:
            if each.shape is shape:
                return each.shadow
        if self._server is not None and await asyncio.to_thread(disk_bytes, self._server.directory) > ROOM_BYTES:
            await self._stop()
        server = await self._started()
        if len(self._kept) >= KEPT:
            await self._drop(server)
        self._numbers += 1
        name = f"shadow_{self._numbers}"
        by_bytes = await self._create(server, name, orders_by_bytes(shape))
        bench = Bench(self._open_session, server.dsn(name))
        clone = Clone(bench, shape, server.directory / "data")
        await clone.begin(by_bytes)
        shadow = Shadow(bench, clone)
        shadow.remarks += await _settled(bench, shape)
        self._kept.append(_Kept(shape=shape, name=name, shadow=shadow))
        return shadow

    async def _started(self) -> EmbeddedServer:
        if self._server is None:
            try:
                self._server = await self._stack.enter_async_context(EmbeddedServer.started(SETTINGS))
            except EmbeddedError as error:
                raise PlannerError(f"shadow planner: {error}") from None
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._server.pid, NICE)
        return self._server

    async def _create(self, server: EmbeddedServer, name: str, by_bytes: bool) -> bool:  # noqa: FBT001
        """Make a database whose texts are ordered as the watched one's; tell whether by bytes."""
        bench = Bench(self._open_session, server.dsn())
        try:
            if not by_bytes:
                with contextlib.suppress(PlannerError):
                    await bench.fetch(
                        f"create database {name} template template0 locale_provider libc locale 'C.UTF-8'"
                    )
                    return False
            await bench.fetch(f"create database {name}")
        finally:
            await bench.close()
        return True

    async def _drop(self, server: EmbeddedServer) -> None:
        """Drop the oldest database."""
        oldest = self._kept.pop(0)
        await oldest.shadow.close()
        other = Bench(self._open_session, server.dsn())
        try:
            await other.fetch(f"drop database if exists {oldest.name} with (force)")
        finally:
            await other.close()

    async def _stay(self) -> None:
        """Call off the stop that waits for idleness."""
        leaving, self._leaving = self._leaving, None
        if leaving is not None:
            leaving.cancel()
            await asyncio.wait([leaving])

    async def _leave(self) -> None:
        await asyncio.sleep(self._idle_seconds)
        async with self._turn:  # who waits for it does not break off the stop
            await self._stop()

    async def _stop(self) -> None:
        for each in self._kept:
            await each.shadow.close()
        self._kept.clear()
        server, self._server = self._server, None
        if server is not None:
            with contextlib.suppress(EmbeddedError):
                await server.kill()  # nothing in it is worth a checkpoint
        await self._stack.aclose()


def disk_bytes(folder: Path) -> int:
    """Give what a folder's files take up; a sparse file's holes take nothing."""
    total = 0
    for place, _, files in os.walk(folder):
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                total += Path(place, file).stat().st_blocks * 512
    return total


async def _settled(bench: Bench, shape: Shape) -> list[str]:
    """Give the shadow the server's own planner settings; tell what it does not take."""
    wanted = {name: value for name, value in shape.settings.items() if name not in _OWN}
    refused = await bench.settle(wanted)
    told = [f"it does not know the settings {', '.join(refused)}"] if refused else []
    if shape.settings.get("block_size", "8192") != "8192":
        told.append(f"the server's pages have {shape.settings['block_size']} bytes, the shadow's 8192")
    return told
