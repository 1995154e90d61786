"""Whether one index does all the work of another, by what the catalogue says of both: a yes is always right."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.advisors.index.definitions import rest
from monitor.shape import Index, IndexKey, Table

BTREE = "btree"


def works(index: Index) -> bool:
    """Tell whether the server uses it for searches."""
    return index.valid and not index.building


def covers(cover: Index, other: Index, table: Table) -> bool:
    """Tell whether `cover` serves every search, order, index-only scan and uniqueness that `other` does."""
    if cover.oid == other.oid or _what(cover.keys[0]) != _what(other.keys[0]) or not works(cover):
        return False
    if (cover.method, cover.where) != (other.method, other.where):
        return False
    if other.unique and not _as_unique(cover, other):
        return False
    if other.method != BTREE:
        return bool(rest(other)) and rest(cover) == rest(other)
    return _same_order(cover.keys, other.keys) and _columns(other, table) <= _columns(cover, table)


def alike(index: Index, other: Index) -> bool:
    """Tell of an index and its cover whether they are the same: as many keys, and the same columns beside them."""
    return len(index.keys) == len(other.keys) and set(index.include) == set(other.include)


def supports(index: Index, columns: Iterable[int]) -> bool:
    """Tell whether its leading columns are these, in any order: then it serves a foreign key on them."""
    wanted = set(columns)
    return {key.column for key in index.keys[: len(wanted)]} == wanted


def _as_unique(cover: Index, other: Index) -> bool:
    """Tell whether the cover forbids the same rows at the same moment."""
    same = cover.unique and len(cover.keys) == len(other.keys)
    return same and cover.nulls_not_distinct == other.nulls_not_distinct and not cover.deferrable


def _same_order(keys: tuple[IndexKey, ...], prefix: tuple[IndexKey, ...]) -> bool:
    """Tell whether the first keys are the prefix's, in its order or all in the opposite: a btree reads both ways."""
    first = keys[: len(prefix)]
    if [*map(_what, first)] != [*map(_what, prefix)]:
        return False
    ours, theirs = [*map(_order, first)], [*map(_order, prefix)]
    return ours in (theirs, [(not descending, not nulls) for descending, nulls in theirs])


def _what(key: IndexKey) -> tuple[object, ...]:
    return (key.column or key.expression, key.opclass, key.collation)


def _order(key: IndexKey) -> tuple[bool, bool]:
    return (key.descending, key.nulls_first)


def _columns(index: Index, table: Table) -> set[object]:
    """Give what can be read from the index alone: columns by number, expressions by text."""
    included = {table.by_name[name].number if name in table.by_name else name for name in index.include}
    return included | {key.column or key.expression for key in index.keys}
