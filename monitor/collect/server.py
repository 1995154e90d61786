"""One PostgreSQL server: at most two sessions whatever happens, its facts, and its databases.

One session (`home`) is kept for what concerns the server as a whole; one (`visit`) goes round the databases, and stays
where it is when there is only one. Who wants a session waits until it is free.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import asyncpg

from monitor.collect.refusals import refusal
from monitor.collect.session import GRACE, GuardedSession, search_path
from monitor.dsn import Dsn, read_dsn
from monitor.errors import TargetUnreachable
from monitor.model import Server
from monitor.probe import Facts

CONNECT_SECONDS = 5.0
SILENCE = "is the address right, and does a firewall drop packets?"

GUARDS = {
    "application_name": "pgarchitect",
    "default_transaction_read_only": "on",
    "statement_timeout": "5000",
    "lock_timeout": "100",
    "idle_in_transaction_session_timeout": "10000",
    "jit": "off",
}

FACTS = """
    select current_setting('server_version_num')::int as version_num,
           current_setting('server_version') as version,
           current_database()::text as database,
           current_user::text as role,
           pg_catalog.pg_is_in_recovery() as in_recovery,
           current_setting('is_superuser') = 'on' as superuser,
           extract(epoch from pg_catalog.pg_postmaster_start_time())::float8 as started_at,
           array(select rolname::text
                   from pg_catalog.pg_roles
                  where rolname in ('pg_monitor', 'pg_read_all_stats', 'pg_read_all_settings', 'pg_read_all_data')
                    and pg_catalog.pg_has_role(current_user, oid, 'usage')) as memberships,
           array(select e.extname::text || '=' || n.nspname
                   from pg_catalog.pg_extension e
                   join pg_catalog.pg_namespace n on n.oid = e.extnamespace) as extensions
"""

DATABASES = """
    select datname::text as database,
           pg_catalog.has_database_privilege(oid, 'connect') as may_connect
      from pg_catalog.pg_database
     where datallowconn
       and not datistemplate
     order by datname
     limit 10000
"""


class PostgresServer:
    """The way to one server; raises TargetError where it cannot be gone."""

    def __init__(
        self, server: Server, environ: Mapping[str, str] | None = None, on_lost: Callable[[], None] | None = None
    ) -> None:
        self.server = server
        self._on_lost = on_lost
        self._dsn: Dsn = read_dsn(server.dsn.reveal()) if environ is None else read_dsn(server.dsn.reveal(), environ)
        self._home: GuardedSession | None = None
        self._visitor: GuardedSession | None = None
        self._home_turn = asyncio.Lock()
        self._visit_turn = asyncio.Lock()
        self._pooled = False
        self._visited: dict[str, Facts] = {}
        self.own_seconds = 0.0
        """Wall time of all our statements so far."""

    def _spend(self, seconds: float) -> None:
        self.own_seconds += seconds

    @contextlib.asynccontextmanager
    async def home(self) -> AsyncIterator[GuardedSession]:
        """Lend the kept session; opened when there is none, given up when it is dead."""
        async with self._home_turn:
            if self._home is None or not self._home.alive:
                self._home = await self._open(None)
                self._home.when_lost(self._lost)
            yield self._home

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
        """Lend a session in one database; closed afterwards unless we stay there."""
        async with self._visit_turn:
            session = self._visitor
            if session is None or not session.alive or session.facts.database != database:
                await self._leave()
                session = self._visitor = await self._open(database)
            try:
                yield session
            finally:
                if not stay:
                    await self._leave()

    async def _leave(self) -> None:
        session, self._visitor = self._visitor, None
        if session is not None:
            await session.close()

    async def databases(self) -> list[str]:
        """Give the databases to look at: all that are not templates, by the include and exclude patterns."""
        if self.server.only is not None:
            return [self.server.only]
        async with self.home() as session:
            session.within(CONNECT_SECONDS)
            names = [str(row["database"]) for row in await session.fetch(DATABASES)]
        return [name for name in names if self.server.wants(name)]

    async def close(self) -> None:
        """Close both sessions, whatever state they are in."""
        sessions = [session for session in (self._home, self._visitor) if session is not None]
        self._home = self._visitor = None
        await asyncio.gather(*(session.close() for session in sessions))

    async def _open(self, database: str | None) -> GuardedSession:
        began = time.monotonic()
        try:
            async with asyncio.timeout(CONNECT_SECONDS + GRACE):
                connection = await self._connect(database)
                facts = await _facts(connection)
                await self._settle(connection, facts)
        except TimeoutError:
            where = self._where(database)
            raise TargetUnreachable(f"{where}: no answer within {CONNECT_SECONDS:.0f} s; {SILENCE}") from None
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            raise refusal(error, self._where(database), self._dsn) from None
        finally:
            self._spend(time.monotonic() - began)
        self._visited[facts.database] = facts
        return GuardedSession(connection, facts, pooled=self._pooled, spent=self._spend)

    async def _connect(self, database: str | None) -> asyncpg.Connection[asyncpg.Record]:
        if self.server.through_pooler == "true":
            self._pooled = True
        try:
            return await self._dial(database)
        except asyncpg.PostgresError as error:
            if self._pooled or self.server.through_pooler == "false" or "startup parameter" not in str(error):
                raise
        self._pooled = True
        return await self._dial(database)

    async def _dial(self, database: str | None) -> asyncpg.Connection[asyncpg.Record]:
        guards = {"application_name": GUARDS["application_name"]} if self._pooled else GUARDS
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
            self._dsn.url.reveal(),
            database=database or self._dsn.home,
            timeout=CONNECT_SECONDS,
            server_settings=guards,
            statement_cache_size=0 if self._pooled else 100,
        )
        return connection

    async def _settle(self, connection: asyncpg.Connection[asyncpg.Record], facts: Facts) -> None:
        """Point the search path at the extensions; through a pooler that is done in every transaction."""
        if not self._pooled:
            await connection.fetch("select pg_catalog.set_config('search_path', $1, false)", search_path(facts))

    def _where(self, database: str | None) -> str:
        name = database or self._dsn.home
        return f"{self.server.name}/{name}" if name else self.server.name


def _has(facts: Facts, need: str) -> bool:
    kind, _, name = need.partition(":")
    return kind != "extension" or name in facts.extensions


async def _facts(connection: asyncpg.Connection[asyncpg.Record]) -> Facts:
    row = dict((await connection.fetch(FACTS))[0])
    pairs = (entry.partition("=") for entry in row.pop("extensions"))
    memberships = frozenset(row.pop("memberships"))
    return Facts(**row, memberships=memberships, extensions={name: schema for name, _, schema in pairs})
