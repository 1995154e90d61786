"""The two questions asked of a link, by our own role or through lent functions: who is left over, and a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from monitor.probe import Needs, ProbeSkipped, Row, Session, sight, sight_links
from probes.auth_links_discovery import Column
from probes.auth_sight import Way, ways

NEEDED = frozenset({"id", "created_at", "confirmed_at", "deleted_at", "is_anonymous", "is_sso_user"})


class Eye(Protocol):
    """One way to see, and the questions it can ask of a link."""

    @property
    def schema(self) -> str: ...

    async def hidden(self, schema: str, table: str, columns: Sequence[str]) -> str: ...

    async def look(self, column: Column, grace: float, *, eligible: bool) -> Row: ...

    async def sample(self, column: Column) -> Row: ...


@dataclass(frozen=True)
class LinkEye:
    """Asks them by our own role, or through lent functions."""

    way: Way

    @property
    def schema(self) -> str:
        return self.way.schema

    async def hidden(self, schema: str, table: str, columns: Sequence[str]) -> str:
        """Say what hides a table; "" when every row is shown."""
        return await self.way.hidden(schema, table, columns)

    async def look(self, column: Column, grace: float, *, eligible: bool) -> Row:
        """Look at both directions at once."""
        place = (self.schema, *column.place, column.created)
        return await self._asked(sight_links.LOOK, sight_links.WRITE_LOOK, place, (grace, eligible))

    async def sample(self, column: Column) -> Row:
        """Sample the column's values."""
        return await self._asked(sight_links.SAMPLE, sight_links.WRITE_SAMPLE, (self.schema, *column.place), ())

    async def _asked(
        self, function: sight.Function, write: str, place: tuple[str | None, ...], rest: tuple[object, ...]
    ) -> Row:
        """Ask the lent function; or have the server write the statement, so that it alone quotes names, and run it."""
        session = self.way.session
        if self.way.lent:
            return (await session.fetch(function.call, *place, *rest))[0]
        rows = await session.fetch(write, *place)
        if not rows:
            raise ProbeSkipped(f"{place[1]}.{place[2]} was changed just now", Needs.TIME)
        return (await session.fetch(str(rows[0]["statement"]), *rest))[0]


async def eyes(session: Session, schema: str) -> list[Eye]:
    """Give the ways we have, the direct one first."""
    return [LinkEye(way) for way in await ways(session, schema, sight.LINKS.functions)]
