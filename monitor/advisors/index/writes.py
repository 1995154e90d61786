"""What an index costs those who write: milliseconds a day, from the workload's own statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitor.advisors.index.workload import Workload, Writing
from monitor.planning import Candidate
from monitor.shape import Shape, Table
from monitor.sqlwrites import Change

MICROSECONDS: Mapping[str, float] = {"btree": 6.0, "hash": 6.0, "gin": 25.0, "gist": 15.0, "spgist": 15.0, "brin": 0.5}
"""One row's entry, by method: a btree on random uuids was measured at 5.7 and 6.0 µs, GIN is a guess near it."""
DELETED = 0.3
"""Of an entry's price, what a deleted row costs: vacuum takes the entries away in bulk."""
HOT_UNKNOWN = 0.5
"""The share of updates that touch no index, while none was counted."""
SUMMARISING = 160000
"""From PostgreSQL 16 on an update of what only BRIN indexes hold touches no other index."""


def price_ms_per_day(candidate: Candidate, shape: Shape, work: Workload) -> float:
    """Give what inserts, deletes and updates would pay for an index.

    An update that changes no indexed column writes to no index (HOT). Where an UPDATE of the workload sets a column
    of this one, it writes to all of them from then on.
    """
    table = shape.tables[candidate.table]
    each, hot = MICROSECONDS.get(candidate.method, MICROSECONDS["gist"]), hot_share(table, shape)
    columns = _columns(candidate, table)
    spares = candidate.method == "brin" and shape.version_num >= SUMMARISING
    price = 0.0
    for writing in _writings(table, shape, work):
        match writing.change:
            case Change.INSERT:
                price += writing.rows * each
            case Change.DELETE:
                price += writing.rows * each * DELETED
            case Change.UPDATE if writing.columns & columns and not spares:
                price += writing.rows * each + writing.rows * hot * len(table.indexes) * MICROSECONDS["btree"]
            case Change.UPDATE:
                price += writing.rows * (1 - hot) * each
    return price / 1000


def hot_share(table: Table, shape: Shape) -> float:
    """Give the share of a table's updates that touched no index so far."""
    writes = [part.writes for part in shape.parts(table)]
    updated = sum(each.updated for each in writes)
    return sum(each.hot_updated for each in writes) / updated if updated else HOT_UNKNOWN


def _writings(table: Table, shape: Shape, work: Workload) -> Iterable[Writing]:
    """Give what is written into a table or one of its partitions."""
    own = {table.oid, *(part.oid for part in shape.parts(table))}
    return (each for each in work.writings if each.table in own)


def _columns(candidate: Candidate, table: Table) -> frozenset[str]:
    """Give the columns whose change would change the index: of expressions and predicates, all that are named."""
    by_number = {column.number: column.name for column in table.columns}
    plain = {by_number[key.column] for key in candidate.keys if key.column in by_number}
    worded = " ".join([*(key.expression for key in candidate.keys if not key.column), candidate.where])
    named = {name for name in table.by_name if worded and name in worded}
    return frozenset({*plain, *named, *candidate.include})
