"""How columns' statistics are read: by functions that `monitor grants` lends, from pg_stats itself, or not at all."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitor.probe import Session, shape, sight
from probes.shape_building import Builder

MOST = 30_000
"""Columns whose statistics are read, those of the largest tables first."""
_GROUP = re.compile(r'"([-\d, ]+)": (\d+)')
_DEPENDENCY = re.compile(r'"([-\d, ]+=> -?\d+)": ([\d.]+)')


@dataclass(frozen=True)
class Known:
    """What statistics say of some tables, by oid."""

    columns: dict[int, dict[int, shape.ColumnStatistics]] = field(default_factory=dict)
    groups: dict[int, dict[str, float]] = field(default_factory=dict)
    """Distinct values of several columns together, by their numbers."""
    dependencies: dict[int, dict[str, float]] = field(default_factory=dict)
    """How surely a column's value follows of others'."""


class Statistics:
    """One way to the statistics of one database; asked for the columns of `known` tables only."""

    def __init__(self, session: Session, builder: Builder, known: Collection[int], *, lent: bool) -> None:
        self._session, self._builder, self._known, self._lent = session, builder, known, lent

    @classmethod
    async def opened(cls, session: Session, builder: Builder, known: Collection[int]) -> Statistics:
        """Find the way that there is."""
        return cls(session, builder, known, lent=await is_lent(session))

    async def of(self, oids: Sequence[int]) -> Known:
        """Give what is known of these tables."""
        asked = [oid for oid in oids if oid in self._known]
        known = Known()
        if not asked:
            return known
        for row in await self._ask(sight.COLUMN_STATISTICS, asked):
            known.columns.setdefault(row["oid"], {})[row["number"]] = self._builder.statistics(row)
        for row in await self._ask(sight.GROUP_STATISTICS, asked):
            known.groups.setdefault(row["oid"], {}).update(groups(row["distinct_values"] or ""))
            followed = groups(row.get("dependencies") or "", _DEPENDENCY)
            known.dependencies.setdefault(row["oid"], {}).update(followed)
        return known

    async def _ask(self, function: sight.Function, oids: Sequence[int]) -> Sequence[Mapping[str, Any]]:
        rows: Sequence[Mapping[str, Any]] = await self._session.fetch(
            function.call if self._lent else function.plain, oids
        )
        return rows


async def is_lent(session: Session) -> bool:
    """Tell whether the functions that read them are lent."""
    (row,) = await session.fetch(sight.LENT)
    return sight.lent(sight.SHAPE, row["lent"], see=())


def way(tables: Iterable[shape.Table], *, lent: bool) -> str:
    """Say how they were read; none where tables were analyzed and nothing was to be seen."""
    if lent:
        return "functions"
    analyzed = False
    for table in tables:
        analyzed = analyzed or table.rows > 0
        if any(column.statistics for column in table.columns):
            return "direct"
    return "none" if analyzed else "direct"


def groups(text: str, written: re.Pattern[str] = _GROUP) -> dict[str, float]:
    """Read figures of several columns, as the server writes them: `{"1, 2": 30}`; no expressions."""
    found = ((numbers.replace(" ", ""), float(count)) for numbers, count in written.findall(text))
    return {numbers: count for numbers, count in found if "-" not in numbers}
