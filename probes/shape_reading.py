"""Reads a database's shape in bites of tables, so that one that is locked, or goes meanwhile, spoils only itself."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from monitor.probe import ProbeError, ProbeTimeout, Row, Session, identifier, shape
from probes.shape_around import FOREIGN_KEYS, FUNCTIONS, PLACE, SETTINGS, TYPES, VIEWS
from probes.shape_building import Builder, table
from probes.shape_indexes import INDEXES, LOCKED, PARTITIONING
from probes.shape_tables import COLLATIONS, COLUMNS, MOST, STATISTICS, TABLES

BITE = 500
"""Tables that are read together."""
ENOUGH_SECONDS = 20.0
"""After so long a reading is given up: the server is too slow for it, or busy."""
LOCKED_REASON = "locked exclusively, or about to be; it is read next time"
GONE = "SQLSTATE XX000"
"""What the server says of a table that it finds in the catalogue, and then no more."""
_NAME = re.compile(r'"(?:[^"]|"")*"|[^,\s]+')


class Reading:
    """One reading of one database."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._began = time.monotonic()
        self._tables: dict[int, shape.Table] = {}
        self._left_out: dict[str, str] = {}
        self._statistics = "direct"
        self._builder = Builder({})

    async def taken(self) -> shape.Shape:
        """Read all; raises ProbeTimeout where it takes too long."""
        fetch, facts = self._session.fetch, self._session.facts
        (place,) = await fetch(PLACE)
        self._builder = Builder({each["oid"]: each for each in await _rows(self._session, COLLATIONS)})
        await self._read_tables(await _rows(self._session, TABLES, MOST))
        keys = [*map(_foreign_key, await _rows(self._session, FOREIGN_KEYS, [*self._tables]))]
        return shape.Shape(
            version_num=facts.version_num,
            tables=self._tables,
            foreign_keys=tuple(key for key in keys if {key.table, key.parent} <= self._tables.keys()),
            outer_keys=tuple(key for key in keys if not {key.table, key.parent} <= self._tables.keys()),
            types=tuple(map(_type, await _rows(self._session, TYPES))),
            views=tuple(shape.View(**each) for each in await _rows(self._session, VIEWS)),
            functions=tuple(shape.Function(**each) for each in await _rows(self._session, FUNCTIONS)),
            settings={each["name"]: each["value"] for each in await _rows(self._session, SETTINGS)},
            statistics=self._statistics,
            left_out=self._left_out,
            **_placed(place),
        )

    async def _read_tables(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for begin in range(0, len(rows), BITE):
            await self._bite({row["oid"]: row for row in rows[begin : begin + BITE]})
        total = rows[0]["total"] if rows else 0
        if total > len(rows):
            self._left_out[f"{total - len(rows)} smaller tables"] = f"only the {MOST:,} largest tables are read"

    async def _bite(self, rows: Mapping[int, Mapping[str, Any]]) -> None:
        """Read some tables; what fails together is read apart."""
        if time.monotonic() - self._began > ENOUGH_SECONDS:
            raise ProbeTimeout(f"its reading took more than {ENOUGH_SECONDS:.0f} s")
        try:
            self._tables |= await self._read(await self._free(rows))
        except (ProbeError, LookupError) as error:
            why = _excuse(error)
            if not why:
                raise
            if len(rows) == 1:
                (row,) = rows.values()
                self._left_out[identifier(row["schema"], row["name"])] = why
                return
            for half in _halves(rows):
                await self._bite(half)

    async def _free(self, rows: Mapping[int, Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
        """Leave out what is locked."""
        locked = {each["oid"] for each in await self._session.fetch(LOCKED)}
        for oid in rows.keys() & locked:
            self._left_out[identifier(rows[oid]["schema"], rows[oid]["name"])] = LOCKED_REASON
        return {oid: row for oid, row in rows.items() if oid not in locked}

    async def _read(self, rows: Mapping[int, Mapping[str, Any]]) -> dict[int, shape.Table]:
        oids, builder = [*rows], self._builder
        statistics: dict[int, dict[int, shape.ColumnStatistics]] = {}
        for each in await _rows(self._session, STATISTICS, oids):
            statistics.setdefault(each["oid"], {})[each["number"]] = builder.statistics(each)
        columns = {
            each["oid"]: builder.columns(each, statistics.get(each["oid"], {}))
            for each in await _rows(self._session, COLUMNS, oids)
        }
        numbered = {oid: {column.number: column for column in own} for oid, own in columns.items()}
        indexes: dict[int, list[shape.Index]] = {}
        for each in await _rows(self._session, INDEXES, oids):
            indexes.setdefault(each["relid"], []).append(builder.index(each, numbered.get(each["relid"], {})))
        bounds = {}
        partitioning = [oid for oid, row in rows.items() if row["kind"] == "p" or row["partition"]]
        if partitioning:
            bounds = {each["oid"]: each for each in await _rows(self._session, PARTITIONING, partitioning)}
        return {
            oid: table({**row, **bounds.get(oid, {})}, columns.get(oid, ()), tuple(indexes.get(oid, ())))
            for oid, row in rows.items()
        }


async def _rows(session: Session, sql: str, *arguments: object) -> Sequence[Mapping[str, Any]]:
    rows: Sequence[Mapping[str, Any]] = await session.fetch(sql, *arguments)
    return rows


def _excuse(error: Exception) -> str:
    """Say what a table did to spoil its reading; "" where it was not the table's doing."""
    if isinstance(error, ProbeTimeout):
        return LOCKED_REASON
    return "" if isinstance(error, ProbeError) and GONE not in str(error) else "it was changed, or dropped, meanwhile"


def _halves(rows: Mapping[int, Mapping[str, Any]]) -> Iterator[dict[int, Mapping[str, Any]]]:
    items = [*rows.items()]
    middle = len(items) // 2
    yield dict(items[:middle])
    yield dict(items[middle:])


def _foreign_key(row: Mapping[str, Any]) -> shape.ForeignKey:
    return shape.ForeignKey(
        name=row["name"],
        table=row["relid"],
        columns=tuple(row["columns"]),
        parent=row["parent"],
        parent_columns=tuple(row["parent_columns"]),
        index=row["index"],
    )


def _type(row: Mapping[str, Any]) -> shape.DefinedType:
    return shape.DefinedType(
        schema=row["schema"], name=row["name"], labels=tuple(row["labels"]), base=row["base"] or ""
    )


def _placed(row: Row | Mapping[str, Any]) -> dict[str, Any]:
    """Give what is known of the database as a whole."""
    extensions: Any = row["extensions"]
    available: Any = row["available"]
    return {
        "extensions": dict(each.split("=", 1) for each in extensions),
        "available": frozenset(available),
        "path": search_path(str(row["path"])),
        "counted_seconds": row["counted_seconds"],
        "in_recovery": bool(row["in_recovery"]),
    }


def search_path(value: str) -> tuple[str, ...]:
    """Read a search_path as it is set, without a schema that depends on who asks."""
    names = [each[1:-1].replace('""', '"') if each.startswith('"') else each.lower() for each in _NAME.findall(value)]
    return tuple(name for name in names if name and name != "$user")
