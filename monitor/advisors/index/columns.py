"""Columns as keys of an index: of which type, with how many values, and what a term's left side would be as a key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.advisors.index.immutable import typed
from monitor.advisors.index.types import COMPARABLE, base, same_bytes
from monitor.shape import Column, Index, IndexKey, Shape, Table
from monitor.sql.conditions import Side
from monitor.sql.text import identifier
from monitor.sql.trees import function, operator

UNKNOWN = 200.0
"""Values of a column that nobody counted, as PostgreSQL itself supposes."""
TIMES = frozenset({"date_trunc", "date_part", "extract", "date", "to_char", "timezone"})
"""Functions of a time: what is compared with them can be said as a range of times."""
WIDE = 2000
"""Bytes on average: beyond some 2,700 a B-tree refuses a row."""


@dataclass(frozen=True, kw_only=True)
class Keyed:
    """What stands on a term's left, as a key."""

    key: IndexKey
    type: str
    """Its base type by the server's own name: int4, text, text[]; "enum" of any enum."""
    distinct: float
    column: Column | None = None
    """None: an expression."""
    columns: frozenset[str] = frozenset()
    """The names of those that it is made of."""

    @property
    def sortable(self) -> bool:
        """Tell whether a B-tree can hold it."""
        statistics = self.column.statistics if self.column else None
        plain = self.type.removesuffix("[]") in COMPARABLE
        return plain and (statistics is None or statistics.avg_width <= WIDE)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A table and the shape it is in: what keys are looked up in."""

    table: Table
    shape: Shape
    rows: float

    def keyed(self, side: Side) -> Keyed | None:
        """Make a key of one side; None where no index could be on it."""
        column = self.table.by_name.get(side.column) if side.column else None
        if column is not None and len(side.columns) <= 1 and self._plain(column, side.cast):
            return self.plain(column, side.collation)
        return self._expression(side)

    def first(self, side: Side) -> Keyed | None:
        """Make keys of a row: of `(a, b) > ($1, $2)` the first."""
        column = self.table.by_name.get(side.column)
        return self.plain(column) if column else None

    def plain(self, column: Column, collation: str = "") -> Keyed:
        """Make a key of a column."""
        return Keyed(
            key=IndexKey(expression=identifier(column.name), column=column.number, collation=_other(collation, column)),
            type=base(column.type, self.shape.types),
            distinct=self.distinct(column),
            column=column,
            columns=frozenset({column.name}),
        )

    def distinct(self, column: Column) -> float:
        """Estimate how many values a column has."""
        known = column.statistics.n_distinct if column.statistics else 0.0
        if known:
            return known if known > 0 else -known * self.rows
        unique = any(own.unique and [key.column for key in own.keys] == [column.number] for own in self.table.indexes)
        return self.rows if unique else 2.0 if column.type == "boolean" else UNKNOWN

    def _plain(self, column: Column, cast: str) -> bool:
        """Tell whether a column, cast like this, is still what an index on it holds."""
        return not cast or same_bytes(base(column.type, self.shape.types), cast)

    def leading(self, column: Column) -> Index | None:
        """Give a valid B-tree on all rows that begins with a column."""
        able = (own for own in self.table.indexes if own.valid and own.method == "btree" and not own.where)
        return next((own for own in able if own.keys[:1] and own.keys[0].column == column.number), None)

    def _expression(self, side: Side) -> Keyed | None:
        names = frozenset(name for _, name in side.columns)
        if len(names) != 1 or not names <= self.table.by_name.keys():
            return None
        type_ = typed(side.tree, self.table, self.shape)
        (column,) = (self.table.by_name[name] for name in names)
        if type_ is None or (self.leading(column) and _needless(side)):
            return None
        called = side.tree.get("FuncCall")
        plainly = isinstance(called, Mapping) and called.get("funcformat") == "COERCE_EXPLICIT_CALL"
        text = side.text if plainly else f"({side.text})"
        key = IndexKey(expression=text, collation=_other(side.collation, column))
        return Keyed(key=key, type=type_, distinct=self.distinct(column), columns=names)


def _needless(side: Side) -> bool:
    """Tell what had better be written so that the column's own index serves: a cast, a day of a time, a sum."""
    return bool(side.column) or function(side.tree) in TIMES or operator(side.tree) in {"+", "-", "*", "/"}


def _other(collation: str, column: Column) -> str:
    """Give a collation where it is not the column's own."""
    return "" if collation == column.collation.removeprefix("pg_catalog.") else collation
