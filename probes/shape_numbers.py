"""What changes all the time of a table and its indexes: counters and sizes, read for thousands of tables at once.

Nothing here waits for a lock. Numbers travel as bytes side by side, so none may be missing.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias

from monitor.probe import Row, Session, shape

# $1 tables. `analyzed` stands for their columns' statistics: nothing else of those shows without reading them.
TABLES = """
    select pg_catalog.string_agg(pg_catalog.int8send(t.oid::bigint), '') as oid,
           pg_catalog.string_agg(pg_catalog.float8send(t.reltuples::float8), '') as rows,
           pg_catalog.string_agg(pg_catalog.int8send(greatest(t.relpages, 0)::bigint), '') as pages,
           pg_catalog.string_agg(pg_catalog.int8send(t.relallvisible::bigint), '') as all_visible,
           pg_catalog.string_agg(pg_catalog.float8send(coalesce(extract(epoch from greatest(
               pg_catalog.pg_stat_get_last_analyze_time(t.oid),
               pg_catalog.pg_stat_get_last_autoanalyze_time(t.oid)))::float8, 0)), '') as analyzed,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_tuples_inserted(t.oid)), '') as inserted,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_tuples_updated(t.oid)), '') as updated,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_tuples_hot_updated(t.oid)), '')
               as hot_updated,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_tuples_deleted(t.oid)), '') as deleted,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_numscans(t.oid)), '') as sequential_scans
      from pg_catalog.pg_class t
     where t.oid = any ($1::bigint[]::oid[])
"""

# $1 tables.
INDEXES = """
    select pg_catalog.string_agg(pg_catalog.int8send(i.indrelid::bigint), '') as relid,
           pg_catalog.string_agg(pg_catalog.int8send(i.indexrelid::bigint), '') as oid,
           pg_catalog.string_agg(pg_catalog.int8send(greatest(x.relpages, 0)::bigint), '') as pages,
           pg_catalog.string_agg(pg_catalog.float8send(x.reltuples::float8), '') as tuples,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_numscans(i.indexrelid)), '') as scans
      from pg_catalog.pg_index i
      join pg_catalog.pg_class x on x.oid = i.indexrelid
     where i.indrelid = any ($1::bigint[]::oid[])
"""

# $1 indexes. From 16 on; before, the column's name finds the one of `absent`.
LAST_SCANS = """
    select u.oid,
           (select last_idx_scan
              from pg_catalog.pg_stat_all_indexes s
             where s.indexrelid = u.oid::oid) as last_scan
      from pg_catalog.unnest($1::bigint[]) as u (oid)
     cross join (select null::timestamptz as last_idx_scan) absent
"""

LEVELS = ("rows", "pages", "all_visible", "sequential_scans")
FLOATS = ("rows", "analyzed", "tuples")
IndexNumbers: TypeAlias = tuple[int, float, int]
"""Pages, tuples, scans."""


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """What was counted of some tables, by oid, and of their indexes, by table and oid."""

    tables: Mapping[int, Mapping[str, Any]]
    indexes: Mapping[int, Mapping[int, IndexNumbers]]
    last_scans: Mapping[int, datetime | None]
    """Of the indexes that were used meanwhile."""

    def of(self, table: shape.Table) -> shape.Table | None:
        """Give a table with its new numbers; None where it has to be read anew."""
        row, indexes = self.tables.get(table.oid), self.indexes.get(table.oid, {})
        known = {index.oid for index in table.indexes if index.valid}
        if row is None or row["analyzed"] != table.analyzed or known != indexes.keys():
            return None
        new = tuple(self._index(index, indexes[index.oid]) for index in table.indexes)
        same = all(old is index for old, index in zip(table.indexes, new, strict=True))
        written = writes(row)
        if same and written == table.writes and all(row[name] == getattr(table, name) for name in LEVELS):
            return table
        return replace(
            table,
            writes=table.writes if written == table.writes else written,
            indexes=table.indexes if same else new,
            **{name: row[name] for name in LEVELS},
        )

    def _index(self, index: shape.Index, new: IndexNumbers) -> shape.Index:
        pages, tuples, scans = new
        if (index.pages, index.tuples, index.scans) == new:
            return index
        last = self.last_scans.get(index.oid, index.last_scan)
        return replace(index, pages=pages, tuples=tuples, scans=scans, last_scan=last)


def writes(row: Mapping[str, Any]) -> shape.Writes:
    """Give a table's counters of rows written."""
    return shape.Writes(
        inserted=row["inserted"], updated=row["updated"], hot_updated=row["hot_updated"], deleted=row["deleted"]
    )


async def numbers_of(session: Session, tables: Sequence[shape.Table]) -> Numbers:
    """Count these tables and their indexes."""
    oids = [table.oid for table in tables]
    (row,) = await session.fetch(TABLES, oids)
    counted = {int(each["oid"]): each for each in _unpacked(row)}
    (row,) = await session.fetch(INDEXES, oids)
    indexes: dict[int, dict[int, IndexNumbers]] = {}
    for each in _unpacked(row):
        indexes.setdefault(each["relid"], {})[each["oid"]] = (each["pages"], each["tuples"], each["scans"])
    none: IndexNumbers = (0, 0.0, 0)
    used = [
        index.oid
        for table in tables
        for index in table.indexes
        if index.scans != indexes.get(table.oid, {}).get(index.oid, none)[-1]
    ]
    last = await session.fetch(LAST_SCANS, used) if used else ()
    return Numbers(tables=counted, indexes=indexes, last_scans={int(str(each["oid"])): _time(each) for each in last})


def _unpacked(row: Row) -> Iterator[Mapping[str, Any]]:
    names = [*row]
    for values in zip(*(_column(row[name], "d" if name in FLOATS else "q") for name in names), strict=True):
        yield dict(zip(names, values, strict=True))


def _column(data: object, kind: str) -> array[Any]:
    """Read numbers as they travel: 8 bytes each, most significant byte first."""
    made = array(kind)
    if isinstance(data, bytes):
        made.frombytes(data)
    if sys.byteorder == "little":
        made.byteswap()
    return made


def _time(row: Row) -> datetime | None:
    value = row["last_scan"]
    return value if isinstance(value, datetime) else None
