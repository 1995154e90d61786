"""One guarded connection: read-only, short on time, waiting for no lock, and every failure in our own words."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import asyncpg

from monitor.collect.identity import IDENTITY, identified
from monitor.errors import Needs, ProbeError, ProbeSkipped, ProbeTimeout, TargetDenied, TargetUnreachable
from monitor.measurement import Row
from monitor.probe import Facts

GRACE = 1.0
"""Seconds after a statement's own timeout until the connection counts as dead."""

BITE = 1000
"""Rows that are taken over before anybody else has a turn."""

_SQLSTATES_OF_NAMES = ("42",)
"""Classes of SQLSTATE whose messages hold names only; others may hold values and are told by their code."""

_ENDINGS = ("FATAL", "PANIC")
"""Severities after which the session is over."""

_TEXTS = ("text", "name", "varchar", "bpchar")
"""Types whose values may hold bytes that are no UTF-8: from SQL_ASCII the server sends them as they are."""


@dataclass(frozen=True, kw_only=True)
class Backend:
    """The process on the server that serves a session; the time (seconds since 1970) tells it from a later namesake."""

    pid: int
    started: float


class GuardedSession:
    """A connection under guards; `pooled` means a transaction pooler stands before the server."""

    def __init__(
        self,
        connection: asyncpg.Connection[Any],
        facts: Facts,
        backend: Backend,
        *,
        pooled: bool,
        spent: Callable[[float], None],
    ) -> None:
        self.backend = backend
        self._connection = connection
        self._facts = facts
        self._pooled = pooled
        self._spent = spent
        self._timeout = 5.0
        self._applied = 5.0
        self._lenient = False
        self._bytewise = False

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
                return await self._readable(sql, arguments)
        except TimeoutError:
            self._connection.terminate()
            raise TargetUnreachable(f"the server gave no answer within {self._timeout + GRACE:.0f} s") from None
        except asyncpg.PostgresError as error:
            raise explain(error, self._facts.role, self._timeout) from None
        except (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            raise self._failure(error) from None
        finally:
            self._spent(time.monotonic() - began)

    async def look_again(self) -> None:
        """Ask anew for what may change while a session lasts: the role's memberships, and the extensions."""
        (row,) = await self._changing()
        before, self._facts = self._facts, changed(self._facts, row)
        if self._facts.extensions != before.extensions and not self._pooled:
            await self.fetch(_SET, "search_path", search_path(self._facts))

    async def _changing(self) -> Sequence[Row]:
        """Behind a pooler ask also who answers: that may be another server by now."""
        if self._pooled and self._facts.system_identifier is not None:
            try:
                return await self.fetch(f"{CHANGING}, {IDENTITY}")
            except TargetDenied:
                self._facts = replace(self._facts, system_identifier=None, timeline=None)
        return await self.fetch(CHANGING)

    def _failure(self, error: Exception) -> Exception:
        """Tell a lost connection from a question that the driver cannot put, or whose answer it cannot read."""
        lost = self._connection.is_closed() or isinstance(error, OSError) or "state" in str(error)
        if isinstance(error, asyncpg.InternalClientError) or lost:
            self._connection.terminate()
        if lost:
            return TargetUnreachable(f"the connection was lost ({type(error).__name__})")
        return ProbeError(f"the driver cannot put this question, or read its answer ({type(error).__name__})")

    async def _readable(self, sql: str, arguments: Sequence[object]) -> list[Row]:
        """Ask; where the answer holds bytes that are no UTF-8, ask once more and replace them."""
        try:
            return await self._rows(sql, arguments)
        except UnicodeDecodeError:
            if self._lenient:
                raise ProbeError("the answer holds text that cannot be read; convert it with textsend()") from None
            await self._be_lenient()
        except asyncpg.CharacterNotInRepertoireError:
            if self._bytewise or self._pooled or self._connection.get_settings().server_encoding != "SQL_ASCII":
                raise
            # The server checks what it sends. Any bytes are good Latin-1.
            await self._connection.execute("set client_encoding to 'LATIN1'")
            self._bytewise = True
        return await self._rows(sql, arguments)

    async def _be_lenient(self) -> None:
        self._lenient = True
        async with contextlib.AsyncExitStack() as stack:
            if self._pooled:  # the driver looks the types up, which takes more than one message
                await stack.enter_async_context(self._connection.transaction(readonly=True))
            for name in _TEXTS:
                await self._connection.set_type_codec(
                    name, schema="pg_catalog", encoder=str.encode, decoder=_with_replacements, format="binary"
                )

    async def _rows(self, sql: str, arguments: Sequence[object]) -> list[Row]:
        if not self._bytewise:
            return await _dicts(await self._run(sql, arguments))
        records = await self._run(sql, [_to_latin(argument) for argument in arguments])
        return [{name: _from_latin(value) for name, value in record.items()} for record in records]

    async def _run(self, sql: str, arguments: Sequence[object]) -> Sequence[asyncpg.Record]:
        if self._pooled:
            async with self._connection.transaction(isolation="read_committed", readonly=True):
                await self._connection.execute(local_guards(self._timeout, self._facts))
                pooled: Sequence[asyncpg.Record] = await self._connection.fetch(sql, *arguments)
                return pooled
        if self._applied != self._timeout:
            await self._connection.fetch(_SET, "statement_timeout", f"{self._timeout * 1000:.0f}ms")
            self._applied = self._timeout
        records: Sequence[asyncpg.Record] = await self._connection.fetch(sql, *arguments)
        return records

    async def close(self) -> bool:
        """Close politely if the server answers at once, else drop the connection; tell which it was."""
        polite = False
        try:
            async with asyncio.timeout(GRACE):
                await self._connection.close()
                polite = True
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            pass
        finally:
            if not polite:
                self._connection.terminate()
        return polite


async def _dicts(records: Sequence[asyncpg.Record]) -> list[Row]:
    """Make rows in bites, so that the event loop has its turn."""
    rows: list[Row] = []
    for begin in range(0, len(records), BITE):
        if begin:
            await asyncio.sleep(0)
        rows += map(dict, records[begin : begin + BITE])
    return rows


def _to_latin(value: object) -> object:
    """Spell a text so that, sent as Latin-1, it arrives as its UTF-8 bytes."""
    if isinstance(value, str):
        return value.encode().decode("latin-1")
    return [_to_latin(each) for each in value] if isinstance(value, list | tuple) else value


def _from_latin(value: object) -> object:
    if isinstance(value, str):
        return value.encode("latin-1").decode(errors="replace")
    return [_from_latin(each) for each in value] if isinstance(value, list) else value


def _with_replacements(text: bytes) -> str:
    return bytes(text).decode(errors="replace")


CHANGING = """
    select array(select rolname::text
                   from pg_catalog.pg_roles
                  where rolname in ('pg_monitor', 'pg_read_all_stats', 'pg_read_all_settings', 'pg_read_all_data')
                    and pg_catalog.pg_has_role(current_user, oid, 'usage')) as memberships,
           array(select e.extname::text || '=' || n.nspname
                   from pg_catalog.pg_extension e
                   join pg_catalog.pg_namespace n on n.oid = e.extnamespace) as extensions,
           extract(epoch from pg_catalog.pg_postmaster_start_time())::float8 as started_at,
           pg_catalog.pg_is_in_recovery() as in_recovery
"""


def changed(facts: Facts, row: Row) -> Facts:
    """Put memberships, extensions and the server itself (a pooler may have another) in the place of what was known."""
    pairs = (str(entry).partition("=") for entry in _listed(row["extensions"]))
    memberships = frozenset(map(str, _listed(row["memberships"])))
    extensions = {name: schema for name, _, schema in pairs}
    return identified(replace(facts, memberships=memberships, extensions=extensions), row)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


_SET = "select pg_catalog.set_config($1, $2, false)"
_LOCAL_GUARDS = (
    "set local statement_timeout = {milliseconds}; set local lock_timeout = '100ms'; set local jit = off; "
    "set local idle_in_transaction_session_timeout = '10s'; set local standard_conforming_strings = on"
)


def local_guards(seconds: float, facts: Facts | None = None) -> str:
    """Give the statements that guard one transaction only, so that a pooler hands nothing on to an application."""
    guards = _LOCAL_GUARDS.format(milliseconds=int(seconds * 1000))
    return guards if facts is None else f"{guards}; set local search_path = {search_path(facts)}"


def search_path(facts: Facts) -> str:
    """Give pg_catalog plus the schemas in which extensions live (Supabase keeps them in `extensions`)."""
    schemas = sorted({schema for schema in facts.extensions.values() if schema != "pg_catalog"})
    return ", ".join(["pg_catalog", *('"' + schema.replace('"', '""') + '"' for schema in schemas)])


def explain(error: asyncpg.PostgresError, role: str, timeout: float) -> Exception:
    """Say in our own words what a server's error means for one probe; never with a value in it."""
    state = error.sqlstate or ""
    if getattr(error, "severity_en", None) in _ENDINGS:
        return TargetUnreachable(f"the server ended the session (SQLSTATE {state}, {type(error).__name__})")
    match error:
        case asyncpg.QueryCanceledError():
            return ProbeTimeout(f"cancelled after {timeout:g} s (statement timeout)")
        case asyncpg.LockNotAvailableError():
            return ProbeTimeout("it would have waited for a lock; tried again next time")
        case asyncpg.SerializationError():  # we write nothing: only a standby's replay does that to us
            return ProbeSkipped("the standby's replay cancelled it; tried again next time", Needs.TIME)
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
