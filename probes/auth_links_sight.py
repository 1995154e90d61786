"""The two questions asked of a link, by our own role or through lent functions: who is left over, and a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from monitor.probe import Needs, ProbeError, ProbeSkipped, Row, Session, sight, sight_links, sight_slices
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
    _slices: dict[tuple[str | None, ...], str] = field(default_factory=dict)
    """The statements written for slices: each is run many times."""

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
        if self.way.lent:
            return (await self.way.session.fetch(function.call, *place, *rest))[0]
        return (await self.way.session.fetch(await self._written(write, place), *rest))[0]

    async def slice(self, how: sight_slices.Slicing, column: Column, rest: tuple[object, ...]) -> Row:
        """Look at a slice: the grace, its first key, how many or which is the next slice's, whether users matter."""
        place = (self.schema, *column.place, column.created)
        if self.way.lent:
            return (await self.way.session.fetch(how.function.call, *place, *rest))[0]
        known = (how.function.name, *place)
        if known not in self._slices:
            self._slices[known] = await self._written(how.write, place)
        try:
            return (await self.way.session.fetch(self._slices[known], *rest))[0]
        except ProbeError:
            if await self._written(how.write, place) != self._slices[known]:
                raise _changed(place) from None
            raise

    async def slices(self) -> bool:
        """Tell whether it can look at slices: functions lent by an older version of ours cannot."""
        if not self.way.lent:
            return True
        (row,) = await self.way.session.fetch(sight.LENT)
        return sight.lent(sight.SLICES.functions, row["lent"])

    async def _written(self, write: str, place: tuple[str | None, ...]) -> str:
        rows = await self.way.session.fetch(write, *place)
        if not rows:
            raise _changed(place)
        return str(rows[0]["statement"])


def _changed(place: tuple[str | None, ...]) -> ProbeSkipped:
    return ProbeSkipped(f"{place[1]}.{place[2]} was changed just now", Needs.TIME)


async def eyes(session: Session, schema: str) -> list[LinkEye]:
    """Give the ways we have, the direct one first."""
    return [LinkEye(way) for way in await ways(session, schema, sight.LINKS.functions)]
