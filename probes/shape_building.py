"""Rows of the catalogue become the words of a shape; what many tables have in common is kept once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from monitor.probe import shape
from probes.shape_keys import Keys, Numbered

T = TypeVar("T")


class Once(Generic[T]):
    """Keeps one of equal things: ten thousand tables have few different columns."""

    def __init__(self) -> None:
        self._kept: dict[T, T] = {}

    def of(self, thing: T) -> T:
        """Give the one that is kept."""
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


class Builder:
    """Makes tables of rows.

    What is as it was `before` is taken from there: two readings of ten thousand tables take little more than one.
    """

    def __init__(self, keys: Keys, before: Mapping[int, shape.Table]) -> None:
        self._read_keys, self._before = keys, before
        self._columns: Once[shape.Column] = Once()
        self._keys: Once[tuple[shape.IndexKey, ...]] = Once()
        self._texts: Once[str] = Once()
        self._numbers: Once[float] = Once()

    def table(self, row: Mapping[str, Any], parts: Parts) -> shape.Table:
        """Give a table; the one before where it is the same."""
        made, before = _table(row, parts), self._before.get(row["oid"])
        if before is None or before == made:
            return before or made
        same = {index.oid: index for index in before.indexes}
        indexes = tuple(same[each.oid] if same.get(each.oid) == each else each for each in made.indexes)
        columns = before.columns if before.columns == made.columns else made.columns
        return replace(made, columns=columns, indexes=indexes)

    def columns(self, row: Mapping[str, Any], statistics: Mapping[int, shape.ColumnStatistics]) -> Numbered:
        """Give a table's columns from a row of equally long arrays."""
        names = ("numbers", "names", "types", "not_null", "generated", "virtual", "collations", "type_collations")
        columns = (self._column(each, statistics) for each in zip(*(row[name] for name in names), strict=True))
        return Numbered(
            columns={column.number: column for column in columns},
            collations=dict(zip(row["numbers"], row["collations"], strict=True)),
            types=dict(zip(row["numbers"], row["base_types"], strict=True)),
        )

    def _column(self, each: tuple[Any, ...], statistics: Mapping[int, shape.ColumnStatistics]) -> shape.Column:
        number, name, type_name, not_null, generated, virtual, collation, type_collation = each
        about = self._read_keys.collations.get(collation, {})
        return self._columns.of(
            shape.Column(
                number=number,
                name=self._texts.of(name),
                type=self._texts.of(type_name),
                not_null=not_null,
                generated=generated,
                virtual=virtual,
                collation="" if collation == type_collation else str(about.get("name", "")),
                deterministic=bool(about.get("deterministic", True)),
                by_bytes=bool(about.get("by_bytes", False)),
                statistics=statistics.get(number),
            )
        )

    def statistics(self, row: Mapping[str, Any]) -> shape.ColumnStatistics:
        """Give what is known of one column's values."""
        return shape.ColumnStatistics(
            null_frac=self._numbers.of(row["null_frac"]),
            avg_width=row["avg_width"],
            n_distinct=row["n_distinct"],
            correlation=row["correlation"],
            frequencies=tuple(map(self._numbers.of, row["frequencies"] or ())),
            values=tuple(map(self._texts.of, row["labels"] or ())),
        )

    def index(self, row: Mapping[str, Any], own: Numbered) -> shape.Index:
        """Give an index; raises LookupError where a column of it is not known, as its table was changed meanwhile."""
        numbers: Sequence[int] = row["columns"]
        return shape.Index(
            oid=row["oid"],
            schema=self._texts.of(row["schema"]),
            name=row["name"],
            method=self._texts.of(row["method"]),
            keys=self._keys.of(self._read_keys.of(row, own)),
            include=tuple(own.columns[number].name for number in numbers[row["keys"] :]),
            where=row["predicate"] or "",
            unique=row["unique"],
            nulls_not_distinct=row["nulls_not_distinct"],
            primary=row["primary"],
            constraint=row["constraint"] or "",
            deferrable=row["deferrable"],
            replica_identity=row["replica_identity"],
            clustered=row["clustered"],
            valid=row["valid"],
            building=row["building"],
            parent=row["parent"] or 0,
            owner=row["owner"] or "",
            pages=row["pages"],
            tuples=row["tuples"],
            scans=row["scans"],
            last_scan=_time(row["last_scan"]),
            definition=row["definition"],
        )


def _time(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None


def _table(row: Mapping[str, Any], parts: Parts) -> shape.Table:
    parents = tuple(row["parents"] or ())
    return shape.Table(
        oid=row["oid"],
        schema=row["schema"],
        name=row["name"],
        kind=row["kind"],
        rows=row["rows"],
        pages=row["pages"],
        all_visible=row["all_visible"],
        columns=parts.columns,
        indexes=parts.indexes,
        parent=parents[0] if row["partition"] and parents else 0,
        bound=parts.bound,
        partition_key=parts.partition_key,
        inherits=() if row["partition"] else parents,
        writes=shape.Writes(
            inserted=row["inserted"], updated=row["updated"], hot_updated=row["hot_updated"], deleted=row["deleted"]
        ),
        sequential_scans=row["sequential_scans"],
        row_security=row["row_security"],
        owner=row["owner"] or "",
        managed=bool(row["managed"]),
        fillfactor=int(row["fillfactor"] or 100),
        statistics_rows=parts.groups,
        dependencies=parts.dependencies,
    )
