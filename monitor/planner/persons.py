"""Roles of ours that stand in a shadow for those that run statements: bound by the same policies."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from monitor.planner.bench import Bench
from monitor.planner.words import policy_statement, strangers
from monitor.row_security import Policy, Role
from monitor.shape import Shape, Table


class Persons:
    """Those of one shadow database; roles whose rights are alike are one person."""

    def __init__(self, bench: Bench, shape: Shape) -> None:
        self._bench, self._shape = bench, shape
        self._strangers = strangers(shape)
        self._numbers: dict[frozenset[str], int] = {}
        self._under: set[int] = set()
        self._known: set[tuple[int, int]] = set()
        self.refused: dict[tuple[int, int], str] = {}
        """By person and table: why its policies could not be made."""

    def number(self, role: Role | None) -> int:
        """Give a person's number; 0 is who is bound by no policy."""
        return self._numbers.get(role.has, 0) if role is not None and not role.bypass else 0

    async def ensure(self, role: Role | None, tables: Collection[int]) -> None:
        """Let the policies of tables hold for who stands for a role."""
        if role is None or role.bypass:
            return
        if role.has not in self._numbers:
            self._numbers[role.has] = len(self._numbers) + 1
            await self._bench.add_person(self._numbers[role.has])
        number = self._numbers[role.has]
        for oid in tables:
            if oid in self._shape.secured and (number, oid) not in self._known:
                self._known.add((number, oid))
                await self._bind(number, role, self._shape.tables[oid])

    async def _bind(self, number: int, role: Role, table: Table) -> None:
        first = [] if table.oid in self._under else [f"alter table {table.full_name} enable row level security"]
        self._under.add(table.oid)
        failed = await self._bench.tried([*first, *self._policies(number, role, table)])
        if failed:
            self.refused[number, table.oid] = str(next(iter(failed.values())))

    def _policies(self, number: int, role: Role, table: Table) -> Iterator[str]:
        secured = self._shape.secured[table.oid]
        if not role.bound(secured):
            yield policy_statement(table, number, 0, Policy(using="true"))
        for place, each in enumerate(role.policies(secured), 1):
            yield policy_statement(table, number, place, each, self._strangers)
