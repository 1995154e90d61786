"""How we see auth.users and a profile table: directly, or through lent functions, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from monitor.probe import Needs, ProbeSkipped, Row, Session, identifier, sight
from probes.auth_links_discovery import Column, as_list

NEEDED = frozenset({"id", "created_at", "confirmed_at", "deleted_at", "is_anonymous", "is_sso_user"})


class Eye(Protocol):
    """One way to see: what hides a table from it ("" when it shows every row), and the two questions it can ask."""

    @property
    def schema(self) -> str: ...

    async def hidden(self, schema: str, table: str, columns: Sequence[str]) -> str: ...

    async def look(self, column: Column, grace: float, *, eligible: bool) -> Row: ...

    async def sample(self, column: Column) -> Row: ...


@dataclass(frozen=True)
class Direct:
    """Our own role reads the tables."""

    session: Session
    schema: str

    async def hidden(self, schema: str, table: str, columns: Sequence[str]) -> str:
        rows = await self.session.fetch(sight.SIGHT, schema, table, columns)
        return _hidden(rows, schema, table, policies_show=True)

    async def look(self, column: Column, grace: float, *, eligible: bool) -> Row:
        text = await self._written(sight.WRITE_LOOK, column, column.created)
        return (await self.session.fetch(text, grace, eligible))[0]

    async def sample(self, column: Column) -> Row:
        return (await self.session.fetch(await self._written(sight.WRITE_SAMPLE, column)))[0]

    async def _written(self, sql: str, column: Column, *more: str | None) -> str:
        rows = await self.session.fetch(sql, self.schema, *column.place, *more)
        if not rows:
            raise ProbeSkipped(f"{column.relation} was changed just now", Needs.TIME)
        return str(rows[0]["statement"])


@dataclass(frozen=True)
class Lent:
    """The SECURITY DEFINER functions of schema pgarchitect read them for us; inside, row_security is off."""

    session: Session
    schema: str

    async def hidden(self, schema: str, table: str, columns: Sequence[str]) -> str:
        rows = await self.session.fetch(sight.LENT_SIGHT, schema, table, columns)
        reason = _hidden(rows, schema, table, policies_show=False)
        return f"the functions of schema {sight.SCHEMA} do not help: {reason}" if reason else ""

    async def look(self, column: Column, grace: float, *, eligible: bool) -> Row:
        rows = await self.session.fetch(sight.LOOK, self.schema, *column.place, column.created, grace, eligible)
        return rows[0]

    async def sample(self, column: Column) -> Row:
        return (await self.session.fetch(sight.SAMPLE, self.schema, *column.place))[0]


async def eyes(session: Session, schema: str) -> list[Eye]:
    """Give the ways we have, the direct one first."""
    (row,) = await session.fetch(sight.LENT)
    lent: list[Eye] = [Lent(session, schema)] if row["lent"] else []
    return [Direct(session, schema), *lent]


async def seeing(ways: Sequence[Eye], schema: str, table: str, columns: Sequence[str]) -> tuple[list[Eye], str]:
    """Give the ways that show every row of a table; where none does, what hides it from the last one tried."""
    able: list[Eye] = []
    reason = ""
    for way in ways:
        hidden = await way.hidden(schema, table, columns)
        reason = hidden or reason
        if not hidden:
            able.append(way)
    return able, "" if able else reason


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
