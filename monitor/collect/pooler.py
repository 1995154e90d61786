"""A PgBouncer's console, asked through psycopg: asyncpg cannot, for the console knows the simple protocol only.

Each question runs in a thread with a deadline. When it is over, the socket is shut down under the thread, which so ends
at once: a console that hangs holds nobody up, and no thread stays behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from monitor.collect.endpoint import Endpoint
from monitor.dsn import Dsn, read_dsn
from monitor.errors import ProbeError, TargetDenied, TargetError, TargetUnreachable, TargetUnsupported
from monitor.model import Server
from monitor.probe import Facts, Row

if TYPE_CHECKING:
    from psycopg import Connection

DATABASE = "pgbouncer"
"""The console goes by the name of a database."""

CONNECT_SECONDS = 5
GRACE = 1.0
"""Seconds after a question's own timeout until the connection counts as dead."""

T = TypeVar("T")
Failure: TypeAlias = TargetError | ProbeError | None

_REFUSALS: Final[tuple[tuple[str, type[TargetError], str], ...]] = (
    ("not allowed", TargetDenied, 'user "{user}" may not use the console; in pgbouncer.ini: stats_users = {user}'),
    ("no such user", TargetDenied, 'it does not know user "{user}"; add it to its auth_file'),
    ("authentication failed", TargetDenied, 'it takes no such password of user "{user}"; check DSN and auth_file'),
    ("auth failed", TargetDenied, 'it takes no such password of user "{user}"; check DSN and auth_file'),
    ("no password supplied", TargetDenied, 'user "{user}" needs a password; check DSN, PGPASSWORD or PGPASSFILE'),
    ("SSL required", TargetDenied, "it takes encrypted connections only; set sslmode=require in the DSN"),
    ("does not support SSL", TargetDenied, "it offers no TLS, which the DSN asks for; see its client_tls_sslmode"),
    ("certificate", TargetDenied, "TLS: one side does not accept the other's certificate; see sslrootcert, sslcert"),
    ("does not exist", TargetUnsupported, "that is no PgBouncer's console; for PostgreSQL itself leave out `kind`"),
    ("no such database", TargetUnsupported, "it has no console; is it a PgBouncer?"),
    ("max_client_conn", TargetUnreachable, "it takes no more clients; raise max_client_conn"),
    ("no more connections", TargetUnreachable, "it takes no more clients; raise max_client_conn"),
    ("shutting down", TargetUnreachable, "it is shutting down"),
    ("Connection refused", TargetUnreachable, "connection refused at {address}; is PgBouncer running there?"),
    ("timeout", TargetUnreachable, "no answer within {seconds} s; is the address right, and does it hang?"),
    ("translate host name", TargetUnreachable, "{address}: the host's name is not known; check the DSN"),
)
"""What the words of PgBouncer or libpq hold, and what that means; their own text is never shown."""


class Console(Endpoint["ConsoleSession"]):
    """The way to one PgBouncer."""

    def __init__(self, server: Server, environ: Mapping[str, str] = os.environ) -> None:
        super().__init__(server)
        self._dsn = read_dsn(server.dsn.reveal(), environ)
        self._dialling: threading.Thread | None = None

    async def _open(self) -> ConsoleSession:
        if self._dialling is not None and self._dialling.is_alive():  # a resolver that hangs
            raise TargetUnreachable(
                f"{self.server.name}: the last attempt to connect still hangs; does its name resolve?"
            )
        dialling = Threaded(partial(_connect, self._dsn, self.server.name), "pgbouncer connect", unwanted=_close)
        self._dialling = dialling.thread
        try:
            connection = await dialling.result(CONNECT_SECONDS + GRACE)
        except TimeoutError:
            raise _explained("timeout", self.server.name, self._dsn) from None
        session = ConsoleSession(connection, user=self._dsn.user or "", spent=self._spend)
        with contextlib.ExitStack() as unless_it_is_one:
            unless_it_is_one.callback(session.terminate)
            await session.introduced(self.server.name)
            unless_it_is_one.pop_all()
        return session


class ConsoleSession:
    """One connection to the console; `fetch` takes its commands, such as SHOW POOLS."""

    def __init__(self, connection: Connection[Any], *, user: str, spent: Callable[[float], None]) -> None:
        self._connection, self._spent = connection, spent
        self._timeout = 5.0
        self._busy = self._lost = False
        self._facts = Facts(
            version_num=0, version="", database=DATABASE, role=user, in_recovery=False, superuser=False, started_at=0.0
        )

    @property
    def facts(self) -> Facts:
        """What the console said of itself; `version_num` 11800 is 1.18.0."""
        return self._facts

    @property
    def alive(self) -> bool:
        """Tell whether the connection is still open; who left while nobody asked, left."""
        return not self._lost and not self._connection.closed and (self._busy or not _left(self._connection))

    async def introduced(self, name: str) -> None:
        """Ask who it is; raises TargetError when that is no PgBouncer."""
        self.within(CONNECT_SECONDS)
        try:
            rows = await self.fetch("SHOW VERSION")
        except ProbeError:
            rows = []
        number = re.search(r"PgBouncer (\d+)\.(\d+)\.?(\d*)\S*", str(rows[0].get("version")) if rows else "")
        if number is None:
            raise TargetUnsupported(f"{name}: it answers, but not as a PgBouncer's console; check `kind` and the DSN")
        major, minor, patch = (int(part or 0) for part in number.groups())
        version = number[0].partition(" ")[2]
        self._facts = replace(self._facts, version=version, version_num=major * 10000 + minor * 100 + patch)

    def within(self, seconds: float) -> None:
        """Set the time each of the next questions may take."""
        self._timeout = seconds

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
        """Give a command's rows by column name; raises ProbeError, or TargetUnreachable when there is no answer."""
        began, self._busy = time.monotonic(), True
        asking = Threaded(partial(_ask, self._connection, sql), "pgbouncer ask")
        try:
            rows: list[Row] = await asking.result(self._timeout + GRACE)
        except TimeoutError:
            raise TargetUnreachable(f"the console gave no answer within {self._timeout + GRACE:.0f} s") from None
        finally:
            self._busy = not asking.over
            if self._busy:
                self.terminate()
            self._spent(time.monotonic() - began)
        return rows

    async def look_again(self) -> None:
        """Nothing of it changes while a session lasts."""

    def terminate(self) -> None:
        """Drop the connection; a thread that waits for it wakes, and closes it itself."""
        if not self._busy:
            self._connection.close()
        elif not self._lost:
            _shut(self._connection)
        self._lost = True

    async def close(self) -> None:
        """End the session; its farewell waits for nobody."""
        self.terminate()


class Threaded:
    """One piece of blocking work in a thread of its own, which nobody has to wait for."""

    def __init__(self, work: Callable[[], T], name: str, unwanted: Callable[[T], None] = lambda _: None) -> None:
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[Any] = self._loop.create_future()
        self._work, self._unwanted, self._ended = work, unwanted, False
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    @property
    def over(self) -> bool:
        """Tell whether the work has ended by itself."""
        return self._ended

    async def result(self, seconds: float) -> Any:
        """Wait for the result, so long at most; raises TimeoutError, and what the work raised."""
        async with asyncio.timeout(seconds):
            return await self._done

    def _run(self) -> None:
        result: Any = None
        failure: Failure = None
        try:
            result = self._work()
        except (TargetError, ProbeError) as error:
            failure = error
        self._ended = True
        with contextlib.suppress(RuntimeError):  # the loop is over
            self._loop.call_soon_threadsafe(self._deliver, result, failure)
            return
        if failure is None:
            self._unwanted(result)

    def _deliver(self, result: Any, failure: Failure) -> None:
        if self._done.done():
            if failure is None:
                self._unwanted(result)
        elif failure is None:
            self._done.set_result(result)
        else:
            self._done.set_exception(failure)


def _connect(dsn: Dsn, name: str) -> Connection[Any]:
    """Open a connection, in a thread; raises TargetError."""
    try:
        import psycopg  # noqa: PLC0415 - only where there is a PgBouncer
        from psycopg.rows import dict_row  # noqa: PLC0415
    except ImportError:
        raise TargetUnsupported(
            f"{name}: psycopg is not installed, which asks a PgBouncer; run: pip install 'pgarchitect[pgbouncer]'"
        ) from None
    try:
        return psycopg.connect(
            dsn.url.reveal(),
            autocommit=True,
            prepare_threshold=None,  # the console knows no prepared statements; psycopg makes some of what comes often
            row_factory=dict_row,
            dbname=DATABASE,
            connect_timeout=CONNECT_SECONDS,
            application_name="pgarchitect",
            client_encoding="utf8",
        )
    except (psycopg.Error, UnicodeError) as error:
        timed_out = isinstance(error, psycopg.errors.ConnectionTimeout)
        raise _explained("timeout" if timed_out else str(error), name, dsn) from None


def _explained(said: str, name: str, dsn: Dsn) -> TargetError:
    words = {"user": dsn.user or "(your own name)", "address": dsn.address, "seconds": CONNECT_SECONDS}
    for part, failure, text in _REFUSALS:
        if part in said:
            return failure(f"{name}: " + text.format(**words))
    return TargetUnreachable(f"{name}: {dsn.address}: the connection failed; is it a PgBouncer, and what says its log?")


def _ask(connection: Connection[Any], sql: str) -> list[Row]:
    """Put one question, in a thread; raises ProbeError, or TargetUnreachable with the connection closed."""
    import psycopg  # noqa: PLC0415 - only where there is a PgBouncer

    try:
        return list(connection.execute(sql))
    except psycopg.Error as error:
        if not connection.closed and error.sqlstate:
            raise ProbeError(f"the console refuses {sql} (SQLSTATE {error.sqlstate})") from None
        connection.close()
        raise TargetUnreachable("the connection to the console was lost") from None
    except UnicodeDecodeError:
        raise ProbeError(f"the answer to {sql} is no UTF-8 text; see the names in pgbouncer.ini") from None
    except (ValueError, ArithmeticError):
        raise ProbeError(f"the answer to {sql} has a number that is none; is it a PgBouncer?") from None


def _left(connection: Connection[Any]) -> bool:
    """Tell whether there is something to read though nothing was asked: a farewell, or the end."""
    watched = select.poll()
    watched.register(connection.fileno(), select.POLLIN)
    return bool(watched.poll(0))


def _close(connection: Connection[Any]) -> None:
    connection.close()


def _shut(connection: Connection[Any]) -> None:
    """End the network connection under a thread that waits for it, and may be quicker."""
    import psycopg  # noqa: PLC0415 - only where there is a PgBouncer

    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.pgconn.socket)) as ours:
        ours.shutdown(socket.SHUT_RDWR)
