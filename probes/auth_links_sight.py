"""The two questions asked of a link, by our own role or through lent functions: who is left over, and a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from monitor.probe import ProbeError, Row, Session, sight, sight_links
from probes.auth_links_discovery import Column
from probes.auth_links_suspects import Span
from probes.auth_sight import Asking, Way, ways

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
    _slices: dict[tuple[str, Column], Asking] = field(default_factory=dict)
    """The questions about slices: each is asked many times."""

    @property
    def schema(self) -> str:
        return self.way.schema

    async def hidden(self, schema: str, table: str, columns: Sequence[str]) -> str:
        """Say what hides a table; "" when every row is shown."""
        return await self.way.hidden(schema, table, columns)

    async def look(self, column: Column, grace: float, *, eligible: bool) -> Row:
        """Look at both directions at once."""
        return await self._asking(sight_links.LOOK, column, column.created).ask(grace, eligible)

    async def sample(self, column: Column) -> Row:
        """Sample the column's values."""
        return await self._asking(sight_links.SAMPLE, column).ask()

    async def slice(self, function: sight.Function, column: Column, rest: tuple[object, ...]) -> Row:
        """Look at a slice: the grace, its first key, how many or which is the next slice's, whether users matter."""
        asking = self._slices.setdefault((function.name, column), self._asking(function, column, column.created))
        try:
            return await asking.ask(*rest)
        except ProbeError:
            await asking.check()
            raise

    async def keys(self, function: sight.Function, column: Column, span: Span | None, rest: tuple[object, ...]) -> Row:
        """Ask for ids of a slice, or of a link that is looked at whole: hashes, and how many."""
        way, first, next_ = span or ("whole", None, None)
        return await self._asking(function, column, way).ask(first, next_, *rest)

    async def gives_keys(self) -> bool:
        """Tell whether it can give ids at all."""
        return await self._lends(sight.KEYS)

    def _asking(self, function: sight.Function, column: Column, *more: str | None) -> Asking:
        place = (self.schema, *column.place, *more)
        return Asking(way=self.way, function=function, place=place, what=column.relation)

    async def can(self, group: sight.Group) -> bool:
        """Tell whether it can ask a group's questions: functions lent by an older version of ours lack the newer."""
        return await self._lends(group.functions)

    async def _lends(self, functions: Sequence[sight.Function]) -> bool:
        if not self.way.lent:
            return True
        (row,) = await self.way.session.fetch(sight.LENT)
        return sight.lent(functions, row["lent"])


async def eyes(session: Session, schema: str) -> list[LinkEye]:
    """Give the ways we have, the direct one first."""
    return [LinkEye(way) for way in await ways(session, schema, sight.LINKS.functions)]
