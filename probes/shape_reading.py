"""Reads tables in whole, in bites, so that one that is locked, or goes meanwhile, spoils only itself."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from monitor.probe import ProbeError, ProbeTimeout, Session, identifier, shape
from probes.shape_building import Builder, Parts, Pools
from probes.shape_indexes import INDEXES, LOCKED, OPCLASSES, PARTITIONING
from probes.shape_keys import NOTHING, Keys
from probes.shape_security import GONE
from probes.shape_statistics import Statistics
from probes.shape_tables import COLLATIONS, COLUMNS, TABLES

ENOUGH_SECONDS = 15.0
"""After so long no more is tried of a bite that fails: the server is too slow for it, or busy."""
LOCKED_REASON = "locked exclusively, or about to be; it is read next time"
Tables: TypeAlias = Mapping[int, Mapping[str, Any]]
"""Rows of tables by oid."""


class Reading:
    """One bite of tables; `before` is what was known of them."""

    def __init__(self, session: Session, statistics: Statistics, builder: Builder) -> None:
        self._session, self._statistics, self._builder = session, statistics, builder
        self._began = time.monotonic()
        self.tables: dict[int, shape.Table] = {}
        self.failed: dict[int, tuple[str, str]] = {}
        """Tables that could not be read, by oid: full name, and why."""

    @classmethod
    async def opened(
        cls, session: Session, known: Collection[int], before: Mapping[int, shape.Table], pools: Pools
    ) -> Reading:
        """Prepare; of the columns of `known` tables statistics are read."""
        collations = {each["oid"]: each for each in await rows_of(session, COLLATIONS)}
        opclasses = {each["oid"]: each for each in await rows_of(session, OPCLASSES)}
        builder = Builder(Keys(collations=collations, opclasses=opclasses), before, pools)
        return cls(session, await Statistics.opened(session, builder, known), builder)

    async def take(self, oids: Sequence[int]) -> None:
        """Read these; what fails together is read apart."""
        await self._parts({each["oid"]: each for each in await self._rows(TABLES, oids)})

    async def _parts(self, rows: Tables) -> None:
        try:
            read = await self._read(await self._free(rows))
            self.tables |= read
            self.failed = {oid: why for oid, why in self.failed.items() if oid not in read}
        except (ProbeError, LookupError) as error:
            why = excuse(error)
            if not why or time.monotonic() - self._began > ENOUGH_SECONDS:
                raise
            if len(rows) == 1:
                self._fail(rows, why)
                return
            for half in _halves(rows):
                await self._parts(half)

    async def _free(self, rows: Tables) -> Tables:
        """Leave out what is locked."""
        locked = {each["oid"] for each in await self._rows(LOCKED)}
        self._fail({oid: rows[oid] for oid in rows.keys() & locked}, LOCKED_REASON)
        return {oid: row for oid, row in rows.items() if oid not in locked}

    def _fail(self, rows: Tables, why: str) -> None:
        self.failed |= {oid: (identifier(row["schema"], row["name"]), why) for oid, row in rows.items()}

    async def _read(self, rows: Tables) -> dict[int, shape.Table]:
        oids, builder = [*rows], self._builder
        known = await self._statistics.of(oids)
        columns = {
            each["oid"]: builder.columns(each, known.columns.get(each["oid"], {}))
            for each in await self._rows(COLUMNS, oids)
        }
        indexes: dict[int, list[shape.Index]] = {}
        for each in await self._rows(INDEXES, oids):
            indexes.setdefault(each["relid"], []).append(builder.index(each, columns.get(each["relid"], NOTHING)))
        bounds = await self._bounds([oid for oid, row in rows.items() if row["kind"] == "p" or row["partition"]])
        made: dict[int, shape.Table] = {}
        for oid, row in rows.items():
            bound = bounds.get(oid, {})
            parts = Parts(
                columns=tuple(columns.get(oid, NOTHING).columns.values()),
                indexes=tuple(indexes.get(oid, ())),
                groups=known.groups.get(oid) or NO_GROUPS,
                dependencies=known.dependencies.get(oid) or NO_GROUPS,
                bound=bound.get("bound") or "",
                partition_key=bound.get("key") or "",
            )
            made[oid] = builder.table(row, parts)
        return made

    async def _bounds(self, oids: Sequence[int]) -> Tables:
        return {each["oid"]: each for each in await self._rows(PARTITIONING, oids)} if oids else {}

    async def _rows(self, sql: str, *arguments: object) -> Sequence[Mapping[str, Any]]:
        return await rows_of(self._session, sql, *arguments)


NO_GROUPS: Mapping[str, float] = {}
"""One for all tables that have none."""


async def rows_of(session: Session, sql: str, *arguments: object) -> Sequence[Mapping[str, Any]]:
    """Ask something."""
    rows: Sequence[Mapping[str, Any]] = await session.fetch(sql, *arguments)
    return rows


def excuse(error: Exception) -> str:
    """Say what a table did to spoil its reading; "" where it was not the table's doing."""
    if isinstance(error, ProbeTimeout):
        return LOCKED_REASON
    return "" if isinstance(error, ProbeError) and GONE not in str(error) else "it was changed, or dropped, meanwhile"


def _halves(rows: Tables) -> Iterator[Tables]:
    items = [*rows.items()]
    middle = len(items) // 2
    yield dict(items[:middle])
    yield dict(items[middle:])
