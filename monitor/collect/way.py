"""The way to a server of any kind: PostgreSQL itself, a PgBouncer's console, an application's metrics.

Who watches knows this protocol only; a kind that is not named in the configuration costs no import.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from monitor import kinds
from monitor.model import Server
from monitor.probe import Facts, Row


class Guarded(Protocol):
    """A session as who runs probes sees it."""

    @property
    def facts(self) -> Facts:
        """What the server said of itself."""

    def within(self, seconds: float) -> None:
        """Set the time each of the next questions may take."""

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
        """Put one question; raises a ProbeError or a TargetError."""

    async def look_again(self) -> None:
        """Ask anew for what may change while a session lasts."""


class Way(Protocol):
    """The way to one server; raises TargetError where it cannot be gone."""

    existing: Collection[str]
    """The databases there were when they were listed last."""
    own_seconds: float
    """Wall time of all our questions so far."""

    def home(self) -> AbstractAsyncContextManager[Guarded]:
        """Lend the kept session."""

    def suited(self, needs: Sequence[str]) -> AbstractAsyncContextManager[Guarded]:
        """Lend a session that has what is needed, where there is one."""

    def visit(self, database: str, *, stay: bool = False) -> AbstractAsyncContextManager[Guarded]:
        """Lend a session in one database."""

    def apart(self, database: str) -> AbstractAsyncContextManager[Guarded]:
        """Lend a session of its own in one database, closed afterwards: what is set in it concerns nobody else."""

    async def databases(self) -> list[str]:
        """Give the databases to look at, one by one."""

    async def close(self) -> None:
        """Close all sessions."""


def way_to(server: Server, on_lost: Callable[[], None] | None = None) -> Way:
    """Give the way to a server of its kind; nothing is opened yet."""
    match server.kind:
        case kinds.PGBOUNCER:
            from monitor.collect.pooler import Console  # noqa: PLC0415 - only where there is one

            return Console(server)
        case kinds.APP_POOL:
            from monitor.collect.app_pool import AppPool  # noqa: PLC0415 - likewise

            return AppPool(server)
    from monitor.collect.server import PostgresServer  # noqa: PLC0415 - likewise

    return PostgresServer(server, on_lost=on_lost)
