"""Rows of the catalogue become the words of a shape; what many tables have in common is kept once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from sys import intern
from typing import Any, Generic, TypeVar

from monitor.probe import shape
from probes.shape_keys import Keys, Numbered
from probes.shape_numbers import writes

T = TypeVar("T")
MOST = 2000
"""So many things are kept of each kind; who has them goes on having them."""
_NAME = r'(?:"(?:[^"]|"")*"|[^\s".]+)'
_DEFINITION = re.compile(
    rf"CREATE (?:UNIQUE )?INDEX {_NAME} ON (?:ONLY )?{_NAME}(?:\.{_NAME})? (?P<rest>USING .*)\Z", re.DOTALL
)


class Once(Generic[T]):
    """Keeps one of equal things: ten thousand tables have few different columns. Begins anew when it is full."""

    def __init__(self) -> None:
        self._kept: dict[T, T] = {}

    def of(self, thing: T) -> T:
        """Give the one that is kept."""
        if len(self._kept) >= MOST:
            self._kept.clear()
        return self._kept.setdefault(thing, thing)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What belongs to a table, beside its row."""

    columns: tuple[shape.Column, ...] = ()
    indexes: tuple[shape.Index, ...] = ()
    groups: Mapping[str, float] = field(default_factory=dict)
    dependencies: Mapping[str, float] = field(default_factory=dict)
    bound: str = ""
    partition_key: str = ""


class Pools:
    """What many tables of all databases of a server have in common, kept once."""

    def __init__(self) -> None:
        self.columns: Once[shape.Column] = Once()
        self.keys: Once[tuple[shape.IndexKey, ...]] = Once()
        self.writes: Once[shape.Writes] = Once()
        self.numbers: Once[float] = Once()
        self.names: Once[str] = Once()


class Builder:
    """Makes tables of rows.

    What is as it was `before` is taken from there: two readings of ten thousand tables take little more than one.
    """

    def __init__(self, keys: Keys, before: Mapping[int, shape.Table], pools: Pools) -> None:
        self._read_keys, self._before, self._pools = keys, before, pools

    def table(self, row: Mapping[str, Any], parts: Parts) -> shape.Table:
        """Give a table; the one before where it is the same."""
        made, before = self._table(row, parts), self._before.get(row["oid"])
        if before is None or before == made:
            return before or made
        return replace(
            made,
            columns=before.columns if before.columns == made.columns else _kept(before.columns, made.columns, "number"),
            indexes=_kept(before.indexes, made.indexes, "oid"),
        )

    def columns(self, row: Mapping[str, Any], statistics: Mapping[int, shape.ColumnStatistics]) -> Numbered:
        """Give a table's columns from a row of equally long arrays."""
        names = ("numbers", "names", "types", "not_null", "generated", "collations", "type_collations")
        columns = (self._column(each, statistics) for each in zip(*(row[name] for name in names), strict=True))
        return Numbered(
            columns={column.number: column for column in columns},
            collations=dict(zip(row["numbers"], row["collations"], strict=True)),
            types=dict(zip(row["numbers"], row["base_types"], strict=True)),
        )

    def _column(self, each: tuple[Any, ...], statistics: Mapping[int, shape.ColumnStatistics]) -> shape.Column:
        number, name, type_name, not_null, generated, collation, type_collation = each
        about = self._read_keys.collations.get(collation, {})
        return self._pools.columns.of(
            shape.Column(
                number=number,
                name=intern(name),
                type=intern(type_name),
                not_null=not_null,
                generated=generated,
                collation="" if collation == type_collation else str(about.get("name", "")),
                deterministic=bool(about.get("deterministic", True)),
                by_bytes=bool(about.get("by_bytes", False)),
                statistics=statistics.get(number),
            )
        )

    def statistics(self, row: Mapping[str, Any]) -> shape.ColumnStatistics:
        """Give what is known of one column's values."""
        return shape.ColumnStatistics(
            null_frac=self._pools.numbers.of(row["null_frac"]),
            avg_width=row["avg_width"],
            n_distinct=row["n_distinct"],
            correlation=row["correlation"],
            frequencies=tuple(map(self._pools.numbers.of, row["frequencies"] or ())),
            values=tuple(map(intern, row["labels"] or ())),
        )

    def index(self, row: Mapping[str, Any], own: Numbered) -> shape.Index:
        """Give an index; raises LookupError where a column of it is not known, as its table was changed meanwhile."""
        numbers: Sequence[int] = row["columns"]
        name = self._pools.names.of(row["name"])
        return shape.Index(
            oid=row["oid"],
            schema=intern(row["schema"]),
            name=name,
            method=intern(row["method"]),
            keys=self._pools.keys.of(self._read_keys.of(row, own)),
            include=tuple(own.columns[number].name for number in numbers[row["keys"] :]),
            where=row["predicate"] or "",
            unique=row["unique"],
            nulls_not_distinct=row["nulls_not_distinct"],
            primary=row["primary"],
            constraint=name if row["constraint"] == name else row["constraint"] or "",
            deferrable=row["deferrable"],
            replica_identity=row["replica_identity"],
            clustered=row["clustered"],
            valid=row["valid"],
            building=row["building"],
            parent=row["parent"] or 0,
            owner=row["owner"] or "",
            pages=row["pages"],
            tuples=self._pools.numbers.of(row["tuples"]),
            scans=row["scans"],
            last_scan=_time(row["last_scan"]),
            definition=_rest(row["definition"]),
        )

    def _table(self, row: Mapping[str, Any], parts: Parts) -> shape.Table:
        parents = tuple(row["parents"] or ())
        return shape.Table(
            oid=row["oid"],
            schema=intern(row["schema"]),
            name=self._pools.names.of(row["name"]),
            kind=intern(row["kind"]),
            rows=self._pools.numbers.of(row["rows"]),
            pages=row["pages"],
            all_visible=row["all_visible"],
            columns=parts.columns,
            indexes=parts.indexes,
            parent=parents[0] if row["partition"] and parents else 0,
            bound=parts.bound,
            partition_key=parts.partition_key,
            inherits=() if row["partition"] else parents,
            writes=self._pools.writes.of(writes(row)),
            sequential_scans=row["sequential_scans"],
            analyzed=row["analyzed"],
            row_security=row["row_security"],
            owner=row["owner"] or "",
            managed=bool(row["managed"]),
            fillfactor=int(row["fillfactor"] or 100),
            statistics_rows=parts.groups,
            dependencies=parts.dependencies,
        )


def _rest(definition: str) -> str:
    """Give a definition from USING on; one and the same where many have it."""
    found = _DEFINITION.match(definition)
    return intern(found["rest"]) if found else ""


def _time(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None


T_Part = TypeVar("T_Part", shape.Column, shape.Index)


def _kept(before: Sequence[T_Part], made: Sequence[T_Part], key: str) -> tuple[T_Part, ...]:
    """Take what is the same from before."""
    same = {getattr(each, key): each for each in before}
    return tuple(old if (old := same.get(getattr(each, key))) is not None and old == each else each for each in made)
