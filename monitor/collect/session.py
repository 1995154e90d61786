"""One guarded connection: read-only, short on time, waiting for no lock, and every failure in our own words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import asyncpg

from monitor.errors import Needs, ProbeError, ProbeSkipped, ProbeTimeout, TargetDenied, TargetUnreachable
from monitor.measurement import Row
from monitor.probe import Facts

GRACE = 1.0
"""Seconds after a statement's own timeout until the connection counts as dead."""

_SQLSTATES_OF_NAMES = ("42",)
"""Classes of SQLSTATE whose messages hold names only; others may hold values and are told by their code."""


class GuardedSession:
    """A connection under guards; `pooled` means a transaction pooler stands before the server."""

    def __init__(
        self,
        connection: asyncpg.Connection[asyncpg.Record],
        facts: Facts,
        *,
        pooled: bool,
        spent: Callable[[float], None],
    ) -> None:
        self._connection = connection
        self._facts = facts
        self._pooled = pooled
        self._spent = spent
        self._timeout = 5.0
        self._applied = 5.0

    @property
    def facts(self) -> Facts:
        """What the server said of itself when the session was opened."""
        return self._facts

    @property
    def alive(self) -> bool:
        """Tell whether the connection is still open as far as we know."""
        return not self._connection.is_closed()

    def when_lost(self, call: Callable[[], None]) -> None:
        """Call once the connection has ended, whoever ended it."""
        self._connection.add_termination_listener(lambda _: call())

    def within(self, seconds: float) -> None:
        """Set the time each of the next statements may take."""
        self._timeout = seconds

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
        """Run one statement; raises ProbeTimeout, ProbeSkipped, ProbeError, or a TargetError."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout + GRACE):
                return [dict(record) for record in await self._run(sql, arguments)]
        except TimeoutError:
            self._connection.terminate()
            raise TargetUnreachable(f"the server gave no answer within {self._timeout + GRACE:.0f} s") from None
        except asyncpg.PostgresError as error:
            raise explain(error, self._facts.role, self._timeout) from None
        except (asyncpg.InterfaceError, OSError) as error:
            self._connection.terminate()
            raise TargetUnreachable(f"the connection was lost ({type(error).__name__})") from None
        finally:
            self._spent(time.monotonic() - began)

    async def _run(self, sql: str, arguments: Sequence[object]) -> Sequence[asyncpg.Record]:
        if self._pooled:
            async with self._connection.transaction(readonly=True):
                await self._connection.execute(_LOCAL_GUARDS.format(milliseconds=int(self._timeout * 1000)))
                await self._connection.fetch(_LOCAL_PATH, self._path())
                pooled: Sequence[asyncpg.Record] = await self._connection.fetch(sql, *arguments)
                return pooled
        if self._applied != self._timeout:
            await self._connection.fetch(_SET, "statement_timeout", f"{self._timeout * 1000:.0f}ms")
            self._applied = self._timeout
        records: Sequence[asyncpg.Record] = await self._connection.fetch(sql, *arguments)
        return records

    def _path(self) -> str:
        return search_path(self._facts)

    async def close(self) -> None:
        """Close politely if the server answers at once, else drop the connection."""
        try:
            async with asyncio.timeout(GRACE):
                await self._connection.close()
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._connection.terminate()


_SET = "select pg_catalog.set_config($1, $2, false)"
_LOCAL_PATH = "select pg_catalog.set_config('search_path', $1, true)"
_LOCAL_GUARDS = (
    "set local statement_timeout = {milliseconds}; set local lock_timeout = '100ms'; set local jit = off; "
    "set local idle_in_transaction_session_timeout = '10s'"
)


def search_path(facts: Facts) -> str:
    """Give pg_catalog plus the schemas in which extensions live (Supabase keeps them in `extensions`)."""
    schemas = sorted({schema for schema in facts.extensions.values() if schema != "pg_catalog"})
    return ", ".join(["pg_catalog", *('"' + schema.replace('"', '""') + '"' for schema in schemas)])


def explain(error: asyncpg.PostgresError, role: str, timeout: float) -> Exception:
    """Say in our own words what a server's error means for one probe; never with a value in it."""
    state = error.sqlstate or ""
    match error:
        case asyncpg.QueryCanceledError():
            return ProbeTimeout(f"cancelled after {timeout:g} s (statement timeout)")
        case asyncpg.LockNotAvailableError():
            return ProbeTimeout("it would have waited for a lock; tried again next time")
        case asyncpg.InsufficientPrivilegeError():
            return TargetDenied(f'role "{role}": {error.args[0]}; run: monitor grants --role {role}')
        case asyncpg.ObjectNotInPrerequisiteStateError():
            return ProbeSkipped(str(error.args[0]), Needs.SETTING)
        case asyncpg.PostgresConnectionError() | asyncpg.AdminShutdownError() | asyncpg.CrashShutdownError():
            return TargetUnreachable(f"the server ended the session ({type(error).__name__})")
        case asyncpg.CannotConnectNowError():
            return TargetUnreachable("the server is starting up or shutting down")
    detail = f": {error.args[0]}" if state.startswith(_SQLSTATES_OF_NAMES) else ""
    return ProbeError(f"SQLSTATE {state} ({type(error).__name__}){detail}")
