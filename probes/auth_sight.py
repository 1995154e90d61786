"""How we see a table of GoTrue's or one linked to it: by our own role, through lent functions, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from monitor.probe import Needs, ProbeSkipped, Row, Session, identifier, sight


def advised(reason: str, needs: Needs | None = Needs.RIGHTS) -> str:
    """Add to a reason for want of rights how they are given; another one stays as it is."""
    return f"{reason}. Run: monitor grants --auth functions" if needs is Needs.RIGHTS else reason


class Sees(Protocol):
    """A way to see tell what hides a table from it, "" when it shows every row."""

    async def hidden(self, schema: str, table: str, columns: Sequence[str]) -> str: ...


S = TypeVar("S", bound=Sees)


@dataclass(frozen=True)
class Way:
    """One way to see: our own role reads the tables, or the functions of schema pgarchitect read them for us."""

    session: Session
    schema: str
    """The auth schema."""
    lent: bool

    async def hidden(self, schema: str, table: str, columns: Sequence[str]) -> str:
        """Say what hides rows or columns of a table this way; "" when every row is shown."""
        if not self.lent:
            rows = await self.session.fetch(sight.SIGHT, schema, table, columns)
            return _hidden(rows, schema, table, policies_show=True)
        rows = await self.session.fetch(sight.SEE.call, schema, table, columns)  # row_security is off inside
        reason = _hidden(rows, schema, table, policies_show=False)
        return f"the functions of schema {sight.SCHEMA} do not help: {reason}" if reason else ""


@dataclass(frozen=True, kw_only=True)
class Asking:
    """A question asked again and again of one way: of a lent function, or as a statement that the server writes once.

    `place` is what is written into it, and a function's first arguments; `what` is what it asks about, in words.
    """

    way: Way
    function: sight.Function
    place: Sequence[object]
    what: str
    _written: list[str] = field(default_factory=list)

    async def ask(self, *rest: object) -> Row:
        """Give the answer's one row; raises ProbeSkipped where what it is about is there no more."""
        fetch = self.way.session.fetch
        if self.way.lent:
            return (await fetch(self.function.call, *self.place, *rest))[0]
        if not self._written:
            self._written.append(await self._statement())
        return (await fetch(self._written[0], *rest))[0]

    async def check(self) -> None:
        """Raise ProbeSkipped where the statement would be another one by now: the error before was due to that."""
        if self._written and await self._statement() != self._written[0]:
            raise self._changed()

    async def _statement(self) -> str:
        rows = await self.way.session.fetch(self.function.write, *self.place)
        if not rows:
            raise self._changed()
        return str(rows[0]["statement"])

    def _changed(self) -> ProbeSkipped:
        return ProbeSkipped(f"{self.what} was changed just now", Needs.TIME)


async def ways(session: Session, schema: str, functions: Sequence[sight.Function]) -> list[Way]:
    """Give the ways we have, the direct one first; the lent one where all these functions are lent to us."""
    (row,) = await session.fetch(sight.LENT)
    direct = Way(session, schema, lent=False)
    return [direct, Way(session, schema, lent=True)] if sight.lent(functions, row["lent"]) else [direct]


async def seeing(ways: Sequence[S], schema: str, table: str, columns: Sequence[str]) -> tuple[list[S], str]:
    """Give the ways that show every row of a table; where none does, what hides it from the last one tried."""
    able: list[S] = []
    reason = ""
    for way in ways:
        hidden = await way.hidden(schema, table, columns)
        reason = hidden or reason
        if not hidden:
            able.append(way)
    return able, "" if able else reason


def as_list(value: object) -> list[object]:
    """Give an array the server sent; empty for anything else."""
    return list(value) if isinstance(value, list) else []


def _hidden(rows: Sequence[Row], schema: str, table: str, *, policies_show: bool) -> str:
    """Say what hides a table; a policy `using (true)` for the role shows all though row security stays active."""
    name = identifier(schema, table)
    if not rows:
        return f"{name} does not exist"
    row = rows[0]
    role = f'role "{row["reader"]}"'
    if not row["usage"]:
        return f"{role} may not read {name} (no USAGE on schema {identifier(schema)})"
    denied = [identifier(str(column)) for column in as_list(row["denied"])]
    if denied:
        return f"{role} may not read {name} (no SELECT on {', '.join(denied)})"
    if not row["filtered"] or (policies_show and row["shown"]):
        return ""
    return f"{role} sees {'not every' if row['partly'] else 'no'} row of {name} (row level security)"
