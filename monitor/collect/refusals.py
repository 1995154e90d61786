"""Why a server would not have us, in our own words: who refused, and what mends it. Never a DSN, never a password."""

from __future__ import annotations

import asyncpg

from monitor.dsn import Dsn
from monitor.errors import TargetDenied, TargetError, TargetUnreachable, TargetUnsupported
from monitor.sql.text import identifier


class DatabaseUnreachable(TargetUnreachable):
    """The server answers, and this one database is not there or takes no sessions."""


class DatabaseRefused(TargetDenied):
    """The server answers, and this one database does not take us."""


_REFUSALS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], type[TargetError], str], ...] = (
    (
        asyncpg.InvalidPasswordError,
        TargetDenied,
        'wrong password for role "{user}"; check DSN, PGPASSWORD or PGPASSFILE',
    ),
    (
        asyncpg.InvalidAuthorizationSpecificationError,
        TargetDenied,
        'role "{user}" may not log in from here; check the role and pg_hba.conf',
    ),
    (asyncpg.InvalidCatalogNameError, DatabaseUnreachable, "no such database; check its name in the DSN"),
    (
        asyncpg.TooManyConnectionsError,
        TargetUnreachable,
        "no connection slot is free; end idle sessions or raise max_connections",
    ),
    (
        asyncpg.InsufficientPrivilegeError,
        DatabaseRefused,
        'role "{user}" may not connect to it; run: grant connect on database {database} to {role}',
    ),
    (
        asyncpg.ObjectNotInPrerequisiteStateError,
        DatabaseUnreachable,
        "it accepts no connections; run: alter database {database} allow_connections true, or exclude it",
    ),
    (asyncpg.CannotConnectNowError, TargetUnreachable, "the server is starting up, shutting down or recovering"),
    (
        asyncpg.InvalidSQLStatementNameError,
        TargetUnsupported,
        "the pooler before the server changes sessions between statements; set through_pooler: true",
    ),
    (
        (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError),
        TargetUnreachable,
        "it answers, but a lock on its catalogue keeps us out; see pg_locks for who holds it",
    ),
    (
        asyncpg.ConnectionDoesNotExistError,
        TargetUnreachable,
        "{address} ended the session at once; is it a PostgreSQL server, and does it take sessions?",
    ),
    (ConnectionRefusedError, TargetUnreachable, "connection refused at {address}; is the server running there?"),
)


_OF_POOLERS: tuple[tuple[str, type[TargetError], str], ...] = (
    ("no such database", DatabaseUnreachable, "it knows no such database; check the DSN and its [databases]"),
    ("no such user", TargetDenied, 'it does not know role "{user}"; add it to its auth_file'),
    ("max_client_conn", TargetUnreachable, "it takes no more clients; raise max_client_conn"),
    ("shutting down", TargetUnreachable, "it is shutting down"),
    ("login failed", TargetUnreachable, "it cannot log in to the server; see its log"),
    ("query_wait_timeout", TargetUnreachable, "it has no server session to spare; raise its pool_size"),
    ("connect", TargetUnreachable, "it cannot reach the server; is the server running?"),
)
"""PgBouncer reports all its own refusals as protocol violations: what its message holds, and what that means."""


def refusal(error: BaseException, where: str, dsn: Dsn) -> TargetError:
    """Turn what the driver or the network raised into one clear line."""
    if isinstance(error, asyncpg.ProtocolViolationError):
        return _of_pooler(str(error), where, dsn)
    for kind, failure, text in _REFUSALS:
        if isinstance(error, kind):
            return failure(f"{where}: " + text.format(**_words(where, dsn)))
    if isinstance(error, asyncpg.PostgresError):
        return TargetUnreachable(f"{where}: refused with SQLSTATE {error.sqlstate} ({type(error).__name__})")
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        return TargetUnreachable(f"{where}: {dsn.address}: {reason}; check host and network")
    return TargetUnreachable(
        f"{where}: {dsn.address}: the connection failed ({type(error).__name__}); is it a PostgreSQL server?"
    )


def _words(where: str, dsn: Dsn) -> dict[str, str]:
    user = dsn.user or "(your own name)"
    database = where.partition("/")[2] or "DATABASE"
    return {"user": user, "role": identifier(user), "address": dsn.address, "database": identifier(database)}


def statement_pooling(where: str) -> TargetUnsupported:
    """Say that the pooler ended our session at its first transaction."""
    return TargetUnsupported(
        f"{where}: the pooler before the server allows no transaction: it pools statements; "
        "set pool_mode = transaction (or session) there, or name the server itself in the DSN"
    )


def _of_pooler(message: str, where: str, dsn: Dsn) -> TargetError:
    if "statement pooling" in message:
        return statement_pooling(where)
    for words, failure, text in _OF_POOLERS:
        if words in message:
            return failure(f"{where}: the pooler before the server: " + text.format(**_words(where, dsn)))
    return TargetUnsupported(f"{where}: the pooler before the server refuses us; see its log for why")
