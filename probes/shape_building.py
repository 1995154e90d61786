"""Rows of the catalogue become the words of a shape; what many tables have in common is kept once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from monitor.probe import Row, identifier, shape

T = TypeVar("T")

DESCENDING, NULLS_FIRST = 1, 2
"""Bits of pg_index.indoption."""


class Once(Generic[T]):
    """Keeps one of equal things: ten thousand tables have few different columns."""

    def __init__(self) -> None:
        self._kept: dict[T, T] = {}

    def of(self, thing: T) -> T:
        """Give the one that is kept."""
        return self._kept.setdefault(thing, thing)


class Builder:
    """Makes tables of rows; `collations` are those of the database, by oid."""

    def __init__(self, collations: Mapping[int, Row]) -> None:
        self._collations = collations
        self._columns: Once[shape.Column] = Once()
        self._keys: Once[tuple[shape.IndexKey, ...]] = Once()
        self._texts: Once[str] = Once()
        self._numbers: Once[float] = Once()

    def columns(self, row: Row, statistics: Mapping[int, shape.ColumnStatistics]) -> tuple[shape.Column, ...]:
        """Give a table's columns from a row of equally long arrays."""
        names = ("numbers", "names", "types", "not_null", "generated", "collations", "type_collations")
        arrays: list[Any] = [row[name] for name in names]
        return tuple(self._column(each, statistics) for each in zip(*arrays, strict=True))

    def _column(self, each: tuple[Any, ...], statistics: Mapping[int, shape.ColumnStatistics]) -> shape.Column:
        number, name, type_name, not_null, generated, collation, type_collation = each
        about = self._collations.get(collation, {})
        return self._columns.of(
            shape.Column(
                number=number,
                name=self._texts.of(name),
                type=self._texts.of(type_name),
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
            null_frac=self._numbers.of(row["null_frac"]),
            avg_width=row["avg_width"],
            n_distinct=row["n_distinct"],
            correlation=row["correlation"],
            frequencies=tuple(map(self._numbers.of, row["frequencies"] or ())),
            values=tuple(map(self._texts.of, row["values"] or ())),
        )

    def index(self, row: Mapping[str, Any], columns: Mapping[int, shape.Column]) -> shape.Index:
        """Give an index; raises LookupError where a column of it is not known, as its table was changed meanwhile."""
        numbers: Sequence[int] = row["columns"]
        return shape.Index(
            oid=row["oid"],
            schema=self._texts.of(row["schema"]),
            name=row["name"],
            method=self._texts.of(row["method"]),
            keys=self._keys.of(tuple(self._key(row, place, columns) for place in range(row["keys"]))),
            include=tuple(columns[number].name for number in numbers[row["keys"] :]),
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

    def _key(self, row: Mapping[str, Any], place: int, columns: Mapping[int, shape.Column]) -> shape.IndexKey:
        number, option = row["columns"][place], row["options"][place]
        expression = row["expressions"][place] if not number else ""
        own = "" if not number else columns[number].name
        return shape.IndexKey(
            expression=self._texts.of(identifier(own) if number else _enclosed(expression)),
            column=number,
            opclass=self._texts.of(row["opclasses"][place]),
            collation=self._collation(row, place),
            descending=bool(option & DESCENDING),
            nulls_first=bool(option & NULLS_FIRST),
        )

    def _collation(self, row: Mapping[str, Any], place: int) -> str:
        """Name a key's collation where it is not its column's, or where the server names an expression's."""
        name = str(self._collations.get(row["collations"][place], {}).get("name", ""))
        if row["columns"][place]:
            return name
        return name if f"{row['expressions'][place]} COLLATE " in row["definition"] else ""


def _enclosed(expression: str) -> str:
    """Put an expression in parentheses; the server does so itself unless it is a call."""
    return expression if expression.startswith("(") else f"({expression})"


def _time(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None


def table(row: Mapping[str, Any], columns: tuple[shape.Column, ...], indexes: tuple[shape.Index, ...]) -> shape.Table:
    """Give a table from its row."""
    parents = tuple(row["parents"] or ())
    return shape.Table(
        oid=row["oid"],
        schema=row["schema"],
        name=row["name"],
        kind=row["kind"],
        rows=row["rows"],
        pages=row["pages"],
        all_visible=row["all_visible"],
        columns=columns,
        indexes=indexes,
        parent=parents[0] if row["partition"] and parents else 0,
        bound=row.get("bound") or "",
        partition_key=row.get("key") or "",
        inherits=() if row["partition"] else parents,
        writes=shape.Writes(
            inserted=row["inserted"], updated=row["updated"], hot_updated=row["hot_updated"], deleted=row["deleted"]
        ),
        sequential_scans=row["sequential_scans"],
        row_security=row["row_security"],
        owner=row["owner"] or "",
        managed=bool(row["managed"]),
        fillfactor=int(row["fillfactor"] or 100),
    )
