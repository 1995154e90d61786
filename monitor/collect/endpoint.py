"""What poolers and application pools have in common: one kept session, and no databases to visit one by one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Generic, Protocol, TypeVar

from monitor.collect.attempt import Attempts
from monitor.collect.way import Guarded
from monitor.errors import TargetUnreachable
from monitor.model import Server


class Kept(Guarded, Protocol):
    """A session that is kept until it is dead."""

    @property
    def alive(self) -> bool:
        """Tell whether it can still be asked, as far as we know."""

    async def close(self) -> None:
        """End it."""


S = TypeVar("S", bound=Kept)


class Endpoint(ABC, Generic[S]):
    """The way to an endpoint that is asked as a whole; one question at a time."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.existing: Collection[str] = ()
        self.own_seconds = 0.0
        self._session: S | None = None
        self._turn = asyncio.Lock()
        self._attempts = Attempts()
        self._closed = False

    @abstractmethod
    async def _open(self) -> S:
        """Open a session; raises TargetError."""

    def _spend(self, seconds: float) -> None:
        self.own_seconds += seconds

    @contextlib.asynccontextmanager
    async def home(self) -> AsyncIterator[S]:
        """Lend the kept session, opened anew when it is dead. Who waited meanwhile shares the failure."""
        asked_at = time.monotonic()
        async with self._turn:
            if self._session is None or not self._session.alive:
                await self._reopen(asked_at)
            if self._session is None or self._closed:
                raise TargetUnreachable(f"{self.server.name}: no longer watched")
            yield self._session

    async def _reopen(self, asked_at: float) -> None:
        with self._attempts.one(asked_at):
            await self._end()
            began = time.monotonic()
            try:
                self._session = await self._open()
            finally:
                self._spend(time.monotonic() - began)

    def suited(self, needs: Sequence[str]) -> AbstractAsyncContextManager[S]:
        """Lend the kept session: there is no other."""
        return self.home()

    def visit(self, database: str, *, stay: bool = False) -> AbstractAsyncContextManager[S]:
        """Lend the kept session: no database is visited here."""
        return self.home()

    def apart(self, database: str) -> AbstractAsyncContextManager[S]:
        """Lend the kept session: there is no other."""
        return self.home()

    async def databases(self) -> list[str]:
        """Give none: what it pools belongs to other targets."""
        return []

    async def close(self) -> None:
        """End the session."""
        self._closed = True
        await self._end()

    async def _end(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()
