"""Why a server would not have us, in our own words: who refused, and what mends it. Never a DSN, never a password."""

from __future__ import annotations

import asyncpg

from monitor.dsn import Dsn
from monitor.errors import TargetDenied, TargetError, TargetUnreachable, TargetUnsupported

_REFUSALS: tuple[tuple[type[BaseException], type[TargetError], str], ...] = (
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
    (asyncpg.InvalidCatalogNameError, TargetUnreachable, "no such database; check its name in the DSN"),
    (
        asyncpg.TooManyConnectionsError,
        TargetUnreachable,
        "no connection slot is free; end idle sessions or raise max_connections",
    ),
    (
        asyncpg.InsufficientPrivilegeError,
        TargetDenied,
        'role "{user}" may not connect to it; run: grant connect on database … to {user}',
    ),
    (
        asyncpg.ObjectNotInPrerequisiteStateError,
        TargetUnreachable,
        "the database accepts no connections; alter database … allow_connections true, or exclude it",
    ),
    (asyncpg.CannotConnectNowError, TargetUnreachable, "the server is starting up, shutting down or recovering"),
    (
        asyncpg.ProtocolViolationError,
        TargetUnsupported,
        "the pooler before the server refuses us; transaction or session pooling is needed",
    ),
    (
        asyncpg.InvalidSQLStatementNameError,
        TargetUnsupported,
        "the pooler before the server changes sessions between statements; set through_pooler: true",
    ),
    (ConnectionRefusedError, TargetUnreachable, "connection refused at {address}; is the server running there?"),
)


def refusal(error: BaseException, where: str, dsn: Dsn) -> TargetError:
    """Turn what the driver or the network raised into one clear line."""
    for kind, failure, text in _REFUSALS:
        if isinstance(error, kind):
            return failure(f"{where}: " + text.format(user=dsn.user or "(your own name)", address=dsn.address))
    if isinstance(error, asyncpg.PostgresError):
        return TargetUnreachable(f"{where}: refused with SQLSTATE {error.sqlstate} ({type(error).__name__})")
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        return TargetUnreachable(f"{where}: {dsn.address}: {reason}; check host and network")
    return TargetUnreachable(f"{where}: {dsn.address}: the connection failed ({type(error).__name__})")
