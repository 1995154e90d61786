"""Opening one guarded session: the settings it begins with, a pooler found out, and what the server says of itself."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import asyncpg

from monitor.collect.identity import IDENTITY, UNTOLD
from monitor.collect.refusals import DatabaseUnreachable, refusal, statement_pooling
from monitor.collect.session import (
    CHANGING,
    GRACE,
    Backend,
    GuardedSession,
    changed,
    local_guards,
    search_path,
)
from monitor.dsn import Dsn
from monitor.errors import TargetUnreachable
from monitor.model import Server
from monitor.probe import Facts

CONNECT_SECONDS = 5.0
SILENCE = "is the address right, and does a firewall drop packets?"

# What the role may have been given by ALTER ROLE … SET: a session setting goes before it. Serializable and deferrable
# transactions wait for others; an idle session must not be ended while it is ours, nor stay for ever when we are gone.
GUARDS = {
    "application_name": "pgarchitect",
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "statement_timeout": "5000",
    "lock_timeout": "100",
    "idle_in_transaction_session_timeout": "10000",
    "idle_session_timeout": "3600000",
    "standard_conforming_strings": "on",
    "jit": "off",
}

FACTS = """
    select current_setting('server_version_num')::int as version_num,
           current_setting('server_version') as version,
           current_database()::text as database,
           current_user::text as role,
           current_setting('is_superuser') = 'on' as superuser,
           pg_catalog.pg_backend_pid() as pid,
           (select extract(epoch from backend_start)::float8
              from pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())) as session_at,
           current_setting('lock_timeout') = '100ms' as guarded
"""

LATE = ("statement_timeout", "idle_in_transaction_session_timeout")
"""Guards that are set once the session stands: pg_settings.reset_val then says what the server gives to others."""

# transaction_timeout is there from 17 on; a role's own would end a probe before its time.
SETTLE = """
    select pg_catalog.set_config('search_path', $1, false),
           pg_catalog.set_config('statement_timeout', $2, false),
           pg_catalog.set_config('idle_in_transaction_session_timeout', $3, false),
           case when current_setting('transaction_timeout', true) is not null
                then pg_catalog.set_config('transaction_timeout', '0', false) end
"""

_NOT_THE_PROTOCOL = (ValueError, LookupError, TypeError, BufferError, AssertionError)
"""What the driver raises when the other side does not speak PostgreSQL, or a host name is no name."""

_NOT_TOLD = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.UndefinedFunctionError,
    asyncpg.FeatureNotSupportedError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.InternalServerError,
)
"""How a server refuses to tell who it is; a service may have taken the functions away."""


class Record(asyncpg.Record):  # type: ignore[misc]
    """A row that goes when it is let go: asyncpg keeps 2,000 of its own of each width, and with them 8 MiB of pages."""

    __slots__ = ()


class Opener:
    """Opens sessions to one server; remembers when a transaction pooler stands before it."""

    def __init__(self, server: Server, dsn: Dsn, spent: Callable[[float], None]) -> None:
        self.pooled = server.through_pooler == "true"
        self._may_find_out = server.through_pooler == "auto"
        self._hurried = False
        """The role has so short a statement_timeout of its own that ours has to be there from the start."""
        self._untold = False
        """The server does not tell who it is."""
        self._server, self._dsn, self._spent = server, dsn, spent

    def where(self, database: str | None) -> str:
        """Name the place: `server/database`."""
        name = database or self._dsn.home
        return f"{self._server.name}/{name}" if name else self._server.name

    async def open(self, database: str | None) -> GuardedSession:
        """Connect to a database (None: the one the DSN names); raises TargetError."""
        if database is not None and "\ufffd" in database:
            raise DatabaseUnreachable(
                f"{self._server.name}: a database's name is no UTF-8 text; rename it, or exclude it"
            )
        began = time.monotonic()
        try:
            async with asyncio.timeout(CONNECT_SECONDS + GRACE):
                return await self._opened(database)
        except TimeoutError:
            where = self.where(database)
            raise TargetUnreachable(f"{where}: no answer within {CONNECT_SECONDS:.0f} s; {SILENCE}") from None
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            raise refusal(error, self.where(database), self._dsn) from None
        except _NOT_THE_PROTOCOL as error:
            raise refusal(error, self.where(database), self._dsn) from None
        finally:
            self._spent(time.monotonic() - began)

    async def _opened(self, database: str | None) -> GuardedSession:
        connection = await self._connected(database)
        try:
            about, changing = await self._about(connection)
            backend = Backend(pid=about.pop("pid"), started=about.pop("session_at") or 0.0)
            guarded = about.pop("guarded")
            facts = changed(Facts(**about, in_recovery=False, started_at=0.0, pooled=self.pooled), changing)
            if guarded and not self.pooled:
                await connection.fetch(SETTLE, search_path(facts), *(GUARDS[name] for name in LATE))
        except BaseException as error:
            lost = connection.is_closed()
            connection.terminate()
            if isinstance(error, _NOT_TOLD) and not (self._untold or lost):
                self._untold = True
                return await self._opened(database)
            if isinstance(error, asyncpg.QueryCanceledError) and not self._hurried and not self.pooled:
                self._hurried = True
                return await self._opened(database)
            if self.pooled and isinstance(error, asyncpg.ConnectionDoesNotExistError):
                raise statement_pooling(self.where(database)) from None
            raise
        if not guarded and self._may_find_out and not self.pooled:  # by a pooler that was told to ignore settings
            connection.terminate()
            self.pooled = True
            return await self._opened(database)
        return GuardedSession(connection, facts, backend, pooled=self.pooled, spent=self._spent)

    async def _connected(self, database: str | None) -> asyncpg.Connection[Record]:
        try:
            return await self._dial(database)
        except asyncpg.PostgresError as error:
            if self.pooled or not self._may_find_out or "startup parameter" not in str(error):
                raise
        self.pooled = True
        return await self._dial(database)

    def _guards(self) -> dict[str, str]:
        """Give the guards that are startup parameters."""
        if self.pooled:
            return {"application_name": GUARDS["application_name"]}
        return {name: value for name, value in GUARDS.items() if self._hurried or name not in LATE}

    async def _dial(self, database: str | None) -> asyncpg.Connection[Record]:
        connection: asyncpg.Connection[Record] = await asyncpg.connect(
            self._dsn.url.reveal(),
            database=database or self._dsn.home,
            timeout=CONNECT_SECONDS,
            server_settings=self._guards(),
            statement_cache_size=0 if self.pooled else 100,
            record_class=Record,
        )
        return connection

    async def _about(self, connection: asyncpg.Connection[Record]) -> tuple[dict[str, Any], dict[str, Any]]:
        async with contextlib.AsyncExitStack() as stack:
            if self.pooled:
                await stack.enter_async_context(connection.transaction(isolation="read_committed", readonly=True))
                await connection.execute(local_guards(CONNECT_SECONDS))
            facts = f"{FACTS}, {UNTOLD if self._untold else IDENTITY}"
            return dict((await connection.fetch(facts))[0]), dict((await connection.fetch(CHANGING))[0])
