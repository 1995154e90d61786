"""How big an index would be: estimates from a table's numbers, by method, in pages of 8 KiB.

A btree was measured within 10 % (facts of the planner): 8,152 usable bytes a page, nine tenths filled, a tuple of the
keys' width rounded to 8 plus 12 bytes, and of further rows with the same key 6 bytes each. Others are rougher.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitor.planning import Candidate
from monitor.shape import Column, IndexKey, Table

PAGE = 8192
_USABLE = 8152
_FILL = 0.9
_TUPLE = 12
"""An index tuple's header and line pointer."""
_POINTER = 6
"""One more row in a posting list."""
_BLOCKS_A_RANGE = 128
_UNKNOWN_WIDTH = 8
_UNSHARED = ("numeric", "real", "double precision", "jsonb", "json")
"""Types whose equal values may look different: a btree keeps their duplicates apart."""
_BYTES_A_TERM = {"jsonb": 12.0, "tsvector": 8.0}
_TRIGRAM_POINTER = 3.0
"""Pointers in GIN's posting lists are compressed."""


def pages(candidate: Candidate, table: Table, share: float = 1.0) -> int:
    """Estimate the pages of a candidate on one table without partitions; `share` of its rows are in it."""
    rows = max(table.rows, 0.0) * share
    columns = [_column(key, table) for key in candidate.keys]
    match candidate.method:
        case "brin":
            return 2 + math.ceil(table.pages / _BLOCKS_A_RANGE * (_TUPLE + 2 * _width(columns)) / _USABLE)
        case "gin":
            return 2 + math.ceil(rows * _terms(candidate.keys, columns) * _TRIGRAM_POINTER / _USABLE / 0.7)
        case "hash":
            return 2 + math.ceil(rows * 20 / (_USABLE * 0.75))
        case "gist" | "spgist":
            return 1 + math.ceil(rows * (_aligned(_width(columns)) + _TUPLE) / (_USABLE * 0.65))
    return 1 + math.ceil(_btree_bytes(candidate, table, rows, columns) / (_USABLE * _FILL))


def _btree_bytes(candidate: Candidate, table: Table, rows: float, columns: Sequence[Column | None]) -> float:
    included = [table.by_name.get(name) for name in candidate.include]
    width = _aligned(_width([*columns, *included])) + _TUPLE
    if included or any(column is None or column.type.startswith(_UNSHARED) for column in columns):
        return rows * width
    different = min(rows, math.prod(_distinct(column, table.rows) for column in columns if column))
    shared = rows if different < rows else 0.0
    return min(rows * width, different * width + shared * _POINTER)


def _column(key: IndexKey, table: Table) -> Column | None:
    """Find a key's column; None for an expression."""
    if key.column:
        return next((column for column in table.columns if column.number == key.column), None)
    return table.by_name.get(key.expression.strip('"').replace('""', '"'))


def _width(columns: Sequence[Column | None]) -> float:
    known = [column.statistics if column else None for column in columns]
    return sum(each.avg_width if each and each.avg_width else _UNKNOWN_WIDTH for each in known)


def _aligned(width: float) -> float:
    return math.ceil(width / 8) * 8


def _distinct(column: Column, rows: float) -> float:
    known = column.statistics.n_distinct if column.statistics else 0.0
    if known < 0:
        return max(-known * rows, 1.0)
    return known or max(rows, 1.0)


def _terms(keys: Sequence[IndexKey], columns: Sequence[Column | None]) -> float:
    """Estimate the terms of one row: a text's trigrams, a document's paths, an array's elements."""
    total = 0.0
    for key, column in zip(keys, columns, strict=True):
        width = _width([column])
        kind = column.type if column else "tsvector"
        total += width + 1 if "trgm" in key.opclass else max(width / _BYTES_A_TERM.get(kind, 8.0), 1.0)
    return total
