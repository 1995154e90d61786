"""The order that a plan wants of each relation: what it sorts by, takes the least of, or gets from an index by now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import TypeAlias

from monitor.advisors.index.steps import Step, listed
from monitor.shape import Index, IndexKey, Shape, Table
from monitor.sql.conditions import Ordered, Side, extremes, ordered

Wanted: TypeAlias = tuple[tuple[Ordered, ...], bool]
"""The keys, and whether only the first rows are wanted."""


def wanted(walked: Sequence[Step], shape: Shape) -> Mapping[str, Wanted]:
    """Give by alias the order that is wanted; where there are several, one of which the first rows are wanted."""
    found: dict[str, Wanted] = {}
    for step in walked:
        for alias, keys, limited in (*_sorted(step), *_extremes(step), *_given(step, shape)):
            if keys and (alias not in found or (limited and not found[alias][1])):
                found[alias] = (keys, limited)
    return found


def _sorted(step: Step) -> Iterator[tuple[str, tuple[Ordered, ...], bool]]:
    """Give what a node sorts by: the leading keys that are of one relation."""
    if step.node.get("Node Type") not in {"Sort", "Incremental Sort", "Merge Append"}:
        return
    keys = [ordered(text) for text in listed(step.node, "Sort Key")]
    alias = keys[0].key.alias if keys and keys[0] else None
    own = tuple(key for key in takewhile(lambda key: key and key.key.alias == alias, keys) if key)
    if alias:
        yield alias, own, step.limited and len(own) == len(keys)


def _extremes(step: Step) -> Iterator[tuple[str, tuple[Ordered, ...], bool]]:
    """Read `min(x)` and `max(x)` over all rows, and nothing else, as the first by x: so does the planner."""
    if step.node.get("Node Type") != "Aggregate" or step.node.get("Group Key"):
        return
    keys = [extremes(text) for text in listed(step.node, "Output")]
    for key in keys if all(keys) else ():
        if key is not None and key.alias is not None:
            yield key.alias, (Ordered(key=key),), True


def _given(step: Step, shape: Shape) -> Iterator[tuple[str, tuple[Ordered, ...], bool]]:
    """Read an index that is gone through until enough rows passed the filter as a wish for its order."""
    index = step.node.get("Index Name")
    table = shape.named(str(step.node.get("Schema", "")), str(step.node.get("Relation Name", "")))
    if not (step.limited and index and table and "Filter" in step.node):
        return
    backward = step.node.get("Scan Direction") == "Backward"
    for own in table.indexes:
        if own.name == index and own.method == "btree":
            yield str(step.node.get("Alias", "")), tuple(_keys(own, table, backward=backward)), True


def _keys(index: Index, table: Table, *, backward: bool) -> Iterator[Ordered]:
    names = {column.number: column.name for column in table.columns}
    for key in index.keys:
        yield Ordered(
            key=_side(key, names),
            descending=key.descending != backward,
            nulls_first=key.nulls_first != backward,
        )


def _side(key: IndexKey, names: Mapping[int, str]) -> Side:
    return Side(text=key.expression, column=names.get(key.column, ""), collation=key.collation)
