"""A session to an embedded server of our own: it may write, for nobody else's data is behind it."""

from __future__ import annotations

import asyncio

import asyncpg

from monitor.collect.session import Backend, GuardedSession
from monitor.errors import TargetUnreachable
from monitor.probe import Facts

CONNECT_SECONDS = 10.0


async def private_session(dsn: str) -> GuardedSession:
    """Open one; raises TargetUnreachable."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise TargetUnreachable(f"our own PostgreSQL does not let us in ({type(error).__name__})") from None
    version = connection.get_server_version()
    facts = Facts(
        version_num=version.major * 10000 + version.minor,
        version=f"{version.major}.{version.minor}",
        database="",
        role="",
        in_recovery=False,
        superuser=True,
        started_at=0.0,
    )
    backend = Backend(pid=connection.get_server_pid(), started=0.0)
    return GuardedSession(connection, facts, backend, pooled=False, spent=lambda _: None)
