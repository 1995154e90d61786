"""Reads a database's shape in bites of tables, so that one that is locked, or goes meanwhile, spoils only itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from monitor.probe import ProbeError, ProbeTimeout, Session, identifier, shape
from probes.shape_around import (
    FOREIGN_KEYS,
    FUNCTIONS,
    PLACE,
    SETTINGS,
    TYPES,
    VIEWS,
    defined_type,
    foreign_key,
    placed,
)
from probes.shape_building import Builder, Parts
from probes.shape_indexes import INDEXES, LOCKED, OPCLASSES, PARTITIONING
from probes.shape_keys import NOTHING, Keys
from probes.shape_security import GONE, roles, secured
from probes.shape_statistics import Statistics
from probes.shape_tables import COLLATIONS, COLUMNS, LARGEST, MOST, TABLES

BITE = 200
"""Tables that are read together."""
ENOUGH_SECONDS = 15.0
"""After so long the rest, smaller tables, is left out: the server is too slow for it, or busy."""
LOCKED_REASON = "locked exclusively, or about to be; it is read next time"
Tables: TypeAlias = Mapping[int, Mapping[str, Any]]
"""Rows of tables by oid."""


class Reading:
    """One reading of one database; `before` is the shape it had at the last one."""

    def __init__(self, session: Session, before: shape.Shape | None = None, *, most: int = MOST) -> None:
        self._session, self._most = session, most
        self._before = before.tables if before else {}
        self._began = time.monotonic()
        self._tables: dict[int, shape.Table] = {}
        self._left_out: dict[str, str] = {}
        self._asked = 0

    async def taken(self) -> shape.Shape:
        """Read all; raises ProbeTimeout where it takes too long."""
        (place,) = await self._session.fetch(PLACE)
        collations = {each["oid"]: each for each in await self._rows(COLLATIONS)}
        opclasses = {each["oid"]: each for each in await self._rows(OPCLASSES)}
        builder = Builder(Keys(collations=collations, opclasses=opclasses), self._before)
        statistics = await Statistics.opened(self._session, builder)
        (largest,) = await self._rows(LARGEST, self._most)
        oids = largest["oids"] or []
        for begin in range(0, len(oids), BITE):
            await self._bite(oids[begin : begin + BITE], builder, statistics)
        self._count_rest(len(oids), largest["total"] or 0)
        keys = [*map(foreign_key, await self._rows(FOREIGN_KEYS, [*self._tables]))]
        types = tuple(map(defined_type, await self._rows(TYPES)))
        under_policies = await secured(self._session, [*self._tables.values()], types)
        return shape.Shape(
            version_num=self._session.facts.version_num,
            tables=self._tables,
            foreign_keys=tuple(key for key in keys if {key.table, key.parent} <= self._tables.keys()),
            outer_keys=tuple(key for key in keys if not {key.table, key.parent} <= self._tables.keys()),
            types=types,
            views=tuple(shape.View(**each) for each in await self._views()),
            functions=tuple(
                shape.Function(**each) for each in await self._rows(FUNCTIONS) if None not in each.values()
            ),
            settings={each["name"]: each["value"] for each in await self._rows(SETTINGS)},
            statistics=statistics.way(analyzed=any(each.rows > 0 for each in self._tables.values())),
            left_out=self._left_out,
            secured=under_policies,
            roles=await roles(self._session, under_policies),
            **placed(place),
        )

    async def _bite(self, oids: Sequence[int], builder: Builder, statistics: Statistics) -> None:
        """Read some tables; what fails together is read apart."""
        if time.monotonic() - self._began > ENOUGH_SECONDS:
            return
        rows = {each["oid"]: each for each in await self._rows(TABLES, oids)}
        self._asked += len(oids)
        await self._parts(rows, builder, statistics)

    async def _parts(self, rows: Tables, builder: Builder, statistics: Statistics) -> None:
        try:
            self._tables |= await self._read(await self._free(rows), builder, statistics)
        except (ProbeError, LookupError) as error:
            why = _excuse(error)
            if not why or time.monotonic() - self._began > ENOUGH_SECONDS:
                raise
            if len(rows) == 1:
                (row,) = rows.values()
                self._left_out[identifier(row["schema"], row["name"])] = why
                return
            for half in _halves(rows):
                await self._parts(half, builder, statistics)

    def _count_rest(self, listed: int, total: int) -> None:
        """Say what was not read for want of time or room."""
        if self._asked < listed:
            late = f"reading them would have taken more than {ENOUGH_SECONDS:.0f} s"
            self._left_out[f"{listed - self._asked:,} smaller tables"] = late
        if total > listed:
            self._left_out[f"{total - listed:,} smallest tables"] = f"only the {self._most:,} largest are read"

    async def _free(self, rows: Tables) -> Tables:
        """Leave out what is locked."""
        locked = {each["oid"] for each in await self._rows(LOCKED)}
        for oid in rows.keys() & locked:
            self._left_out[identifier(rows[oid]["schema"], rows[oid]["name"])] = LOCKED_REASON
        return {oid: row for oid, row in rows.items() if oid not in locked}

    async def _read(self, rows: Tables, builder: Builder, statistics: Statistics) -> dict[int, shape.Table]:
        oids = [*rows]
        known = await statistics.of(oids)
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
                groups=known.groups.get(oid, {}),
                dependencies=known.dependencies.get(oid, {}),
                bound=bound.get("bound") or "",
                partition_key=bound.get("key") or "",
            )
            made[oid] = builder.table(row, parts)
        return made

    async def _views(self) -> Sequence[Mapping[str, Any]]:
        """Read the views; none where something they name is locked, or goes, just while it is read."""
        try:
            return await self._rows(VIEWS)
        except ProbeError as error:
            if not _excuse(error):
                raise
            self._left_out["views"] = "a table that one names was locked, changed or dropped meanwhile"
            return ()

    async def _bounds(self, oids: Sequence[int]) -> Tables:
        return {each["oid"]: each for each in await self._rows(PARTITIONING, oids)} if oids else {}

    async def _rows(self, sql: str, *arguments: object) -> Sequence[Mapping[str, Any]]:
        rows: Sequence[Mapping[str, Any]] = await self._session.fetch(sql, *arguments)
        return rows


def _excuse(error: Exception) -> str:
    """Say what a table did to spoil its reading; "" where it was not the table's doing."""
    if isinstance(error, ProbeTimeout):
        return LOCKED_REASON
    return "" if isinstance(error, ProbeError) and GONE not in str(error) else "it was changed, or dropped, meanwhile"


def _halves(rows: Tables) -> Iterator[Tables]:
    items = [*rows.items()]
    middle = len(items) // 2
    yield dict(items[:middle])
    yield dict(items[middle:])
