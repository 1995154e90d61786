"""One PostgreSQL server: at most two sessions whatever happens, and its databases.

One session (`home`) is kept for what concerns the server as a whole; one (`visit`) goes round the databases, and stays
where it is when there is only one. Who wants a session waits until it is free. A session that was lost may live on at
the server (it hangs, or the network swallowed our goodbye): it counts until the server says that it is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

import structlog

from monitor.collect.attempt import Attempts
from monitor.collect.identity import turned
from monitor.collect.opening import CONNECT_SECONDS, Opener
from monitor.collect.refusals import DatabaseRefused, DatabaseUnreachable
from monitor.collect.session import Backend, GuardedSession
from monitor.dsn import read_dsn
from monitor.errors import ProbeError, ProbeTimeout, TargetDenied, TargetUnreachable
from monitor.model import Server
from monitor.probe import Facts

log = structlog.get_logger()

DATABASES = """
    select datname::text as database, datallowconn as open
      from pg_catalog.pg_database
     where not datistemplate
     order by datname
     limit 10000
"""

# A role may end its own sessions. The time keeps us from a stranger who has the number by now.
END_LEFT = """
    select a.pid, pg_catalog.pg_terminate_backend(a.pid) as told
      from unnest($1::int[], $2::float8[]) as lost (pid, started)
      join pg_catalog.pg_stat_get_activity(null) a
        on a.pid = lost.pid and extract(epoch from a.backend_start)::float8 = lost.started
"""

ENDING_SECONDS = 0.5
"""How long a visit waits for a lost session to end before it is put off."""


class PostgresServer:
    """The way to one server; raises TargetError where it cannot be gone."""

    def __init__(
        self, server: Server, environ: Mapping[str, str] = os.environ, on_lost: Callable[[], None] | None = None
    ) -> None:
        self.server = server
        self._on_lost = on_lost
        self._opener = Opener(server, read_dsn(server.dsn.reveal(), environ), self._spend)
        self._home: GuardedSession | None = None
        self._visitor: GuardedSession | None = None
        self._home_turn = asyncio.Lock()
        self._visit_turn = asyncio.Lock()
        self._visited: dict[str, Facts] = {}
        self._answered: Facts | None = None
        """Who answered when the kept session was opened last."""
        self._left: list[Backend] = []
        self._attempts = Attempts()
        self.existing: Collection[str] = ()
        """The databases there were when they were listed last, those that are closed to all as well."""
        self.own_seconds = 0.0
        """Wall time of all our statements so far."""

    def _spend(self, seconds: float) -> None:
        self.own_seconds += seconds

    @contextlib.asynccontextmanager
    async def home(self) -> AsyncIterator[GuardedSession]:
        """Lend the kept session; opened when there is none or it is dead. Who waited meanwhile shares the failure."""
        asked_at = time.monotonic()
        async with self._home_turn:
            if self._home is None or not self._home.alive:
                await self._reopen(asked_at)
            if self._home is None:  # closed while it was opened
                raise TargetUnreachable(f"{self.server.name}: no longer watched")
            yield self._home

    async def _reopen(self, asked_at: float) -> None:
        with self._attempts.one(asked_at):
            self._buried(self._home)
            self._home = None
            if self._left and not self._visit_turn.locked():
                async with self._visit_turn:
                    await self._leave()
            self._home = await self._home_or_elsewhere()
        self._recognise(self._home.facts)
        self._home.when_lost(self._lost)
        await self._end_left(self._home)

    def _recognise(self, now: Facts) -> None:
        """Tell when a failover, or a promotion, took place since the session before."""
        before, self._answered = self._answered, now
        if before is not None and (what := turned(before, now)):
            role = "standby" if now.in_recovery else "primary"
            log.warning("who answers has changed", target=self.server.name, what=what, role=role)

    async def _home_or_elsewhere(self) -> GuardedSession:
        """Open the kept session where the DSN says; when that database went away, in another one we know."""
        try:
            return await self._open(None)
        except (DatabaseRefused, DatabaseUnreachable) as error:
            for database in {**self._visited, "postgres": None} if self._visited else ():
                with contextlib.suppress(DatabaseRefused, DatabaseUnreachable):
                    session = await self._open(database)
                    log.warning("the database of the DSN is closed to us", reason=str(error), instead=database)
                    return session
            raise

    def _buried(self, session: GuardedSession | None) -> None:
        """Remember whom a dead session may have left behind; behind a pooler that is not ours to end."""
        if session is not None and not self._opener.pooled:
            self._left.append(session.backend)

    async def _end_left(self, session: GuardedSession) -> None:
        """End what lost sessions left behind on the server; what still stands there afterwards is kept in mind."""
        if not self._left:
            return
        session.within(CONNECT_SECONDS)
        numbers = [backend.pid for backend in self._left]
        try:
            rows = await session.fetch(END_LEFT, numbers, [backend.started for backend in self._left])
        except ProbeTimeout:  # a lock in the way; they count on
            return
        except (ProbeError, TargetDenied):  # not ours to ask: better one too many than none for ever
            rows = []
        there = {row["pid"] for row in rows}
        self._left = [backend for backend in self._left if backend.pid in there]

    @contextlib.asynccontextmanager
    async def suited(self, needs: Sequence[str]) -> AsyncIterator[GuardedSession]:
        """Lend the kept session, or one in a database that has the extension which the kept one's lacks."""
        async with self.home() as session:
            missing = [need for need in needs if not _has(session.facts, need)]
            place = self._place_of(missing[0]) if missing else None
            if place is None:
                yield session
                return
        async with self.visit(place) as session:
            yield session

    def _place_of(self, need: str) -> str | None:
        """Give a database, of those visited so far, that has an extension."""
        return next((database for database, facts in self._visited.items() if _has(facts, need)), None)

    def _lost(self) -> None:
        """Tell whoever watches at once that the server ended the kept session; our own closing is no loss."""
        if self._home is not None and self._on_lost is not None:
            self._on_lost()

    @contextlib.asynccontextmanager
    async def visit(self, database: str, *, stay: bool = False) -> AsyncIterator[GuardedSession]:
        """Lend a session in one database; closed afterwards unless we stay there, or are at home there anyway.

        An open session would keep its database from being dropped. Where the kept session is, that is so already, and a
        new one would read the whole catalogue into its caches again and again.
        """
        await self._wait_for_left()
        async with self._visit_turn:
            session = self._visitor
            if session is None or not session.alive or session.facts.database != database:
                await self._leave()
                session = self._visitor = await self._open(database)
            try:
                yield session
            finally:
                if not session.alive or not (stay or self._at_home(database)):
                    await self._leave()

    @contextlib.asynccontextmanager
    async def apart(self, database: str) -> AsyncIterator[GuardedSession]:
        """Lend a session of its own in one database, in the place of the one that visits; closed at once afterwards."""
        await self._wait_for_left()
        async with self._visit_turn:
            await self._leave()
            session = self._visitor = await self._open(database)
            try:
                yield session
            finally:
                await self._leave()

    def _at_home(self, database: str) -> bool:
        return self._home is not None and self._home.facts.database == database

    async def _wait_for_left(self) -> None:
        """Open no second session beside one that hangs at the server; raises TargetUnreachable while it does."""
        until = time.monotonic() + ENDING_SECONDS
        while self._left:
            async with self.home() as session:
                await self._end_left(session)
            if self._left and time.monotonic() >= until:
                raise TargetUnreachable(
                    f"{self.server.name}: a lost session of ours hangs at the server (process {self._left[0].pid}); "
                    "another is opened when it has ended"
                )
            await asyncio.sleep(ENDING_SECONDS / 10 if self._left else 0)

    async def _leave(self) -> None:
        session, self._visitor = self._visitor, None
        if session is not None and not (session.alive and await session.close()):
            self._buried(session)

    async def databases(self) -> list[str]:
        """Give the databases to look at: all that take sessions and are no templates, by the patterns."""
        if self.server.only is not None:
            return [self.server.only]
        async with self.home() as session:
            session.within(CONNECT_SECONDS)
            rows = await session.fetch(DATABASES)
        self.existing = {str(row["database"]) for row in rows}
        return [name for row in rows if row["open"] and self.server.wants(name := str(row["database"]))]

    async def close(self) -> None:
        """Close both sessions, whatever state they are in."""
        sessions = [session for session in (self._home, self._visitor) if session is not None]
        self._home = self._visitor = None
        await asyncio.gather(*(session.close() for session in sessions))

    async def _open(self, database: str | None) -> GuardedSession:
        session = await self._opener.open(database)
        self._visited[session.facts.database] = session.facts
        return session


def _has(facts: Facts, need: str) -> bool:
    kind, _, name = need.partition(":")
    return kind != "extension" or name in facts.extensions
