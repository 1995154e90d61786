"""What an index costs those who write: milliseconds a day, from the workload's own statements and tables' counters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from monitor.advisors.index.workload import DAY, Workload, Writing
from monitor.planning import Candidate
from monitor.shape import Shape, Table
from monitor.sql.conditions import references
from monitor.sql.writes import Change

MICROSECONDS: Mapping[str, float] = {"btree": 6.0, "hash": 6.0, "gin": 25.0, "gist": 15.0, "spgist": 15.0, "brin": 0.5}
"""One row's entry, by method: a btree on random uuids was measured at 5.7 and 6.0 µs, GIN is a guess near it."""
DELETED = 0.3
"""Of an entry's price, what a deleted row costs: vacuum takes the entries away in bulk."""
HOT_UNKNOWN = 0.5
"""The share of updates that touch no index, while none was counted."""
SUMMARISING = 160000
"""From PostgreSQL 16 on an update of what only BRIN indexes hold touches no other index."""

LONG_SECONDS = 7 * DAY
"""So old must a table's counters be to count as its pace: those of a young one hold its first load."""


def price_ms_per_day(candidate: Candidate, shape: Shape, work: Workload) -> float:
    """Give what inserts, deletes and updates would pay for an index.

    An update that changes no indexed column writes to no index (HOT). Where an UPDATE of the workload sets a column
    of this one, it writes to all of them from then on.
    """
    table = shape.tables[candidate.table]
    each, hot = MICROSECONDS.get(candidate.method, MICROSECONDS["gist"]), hot_share(table, shape)
    columns, others = _columns(candidate, table), _indexes(table, shape)
    spares = candidate.method == "brin" and shape.version_num >= SUMMARISING
    price = 0.0
    told = [*_writings(table, shape, work)]
    for writing in (*told, *_untold(table, shape, told)):
        match writing.change:
            case Change.INSERT:
                price += writing.rows * each
            case Change.DELETE:
                price += writing.rows * each * DELETED
            case Change.UPDATE if writing.columns & columns and not spares:
                price += writing.rows * each + writing.rows * hot * others * MICROSECONDS["btree"]
            case Change.UPDATE:
                price += writing.rows * (1 - hot) * each
    return price / 1000


def hot_share(table: Table, shape: Shape) -> float:
    """Give the share of a table's updates that touched no index so far."""
    writes = [part.writes for part in shape.parts(table)]
    updated = sum(each.updated for each in writes)
    return sum(each.hot_updated for each in writes) / updated if updated else HOT_UNKNOWN


def _indexes(table: Table, shape: Shape) -> float:
    """Give how many indexes a row of a table is in already."""
    parts = [*shape.parts(table)]
    return sum(len(part.indexes) for part in parts) / len(parts)


def _writings(table: Table, shape: Shape, work: Workload) -> Iterator[Writing]:
    """Give what is written into a table or one of its partitions, and its share of what the whole table gets."""
    wholes = {*_wholes(table.oid, shape)}
    for each in work.writings:
        if each.table == table.oid or table.oid in _wholes(each.table, shape):
            yield each
        elif each.table in wholes:
            yield replace(each, rows=each.rows * _share(table, shape.tables[each.table], shape))


def _untold(table: Table, shape: Shape, told: Sequence[Writing]) -> Iterator[Writing]:
    """Give what was counted beyond what statements tell: by functions, triggers, COPY, and by those too quick."""
    age = shape.counted_seconds
    if age is None or age < LONG_SECONDS:
        return
    parts = [part.writes for part in shape.parts(table)]
    counted = {
        Change.INSERT: sum(each.inserted for each in parts),
        Change.UPDATE: sum(each.updated for each in parts),
        Change.DELETE: sum(each.deleted for each in parts),
    }
    for change, rows in counted.items():
        known = sum(each.rows for each in told if each.change is change)
        yield Writing(table=table.oid, change=change, rows=max(rows * DAY / age - known, 0.0))


def _wholes(oid: int, shape: Shape) -> Iterator[int]:
    """Give the tables that one is a partition of."""
    while (table := shape.tables.get(oid)) is not None and table.parent:
        oid = table.parent
        yield oid


def _share(part: Table, whole: Table, shape: Shape) -> float:
    """Give the share of a partitioned table's writes that one partition gets; all alike while none were counted."""
    own, every = ([*map(_written, shape.parts(each))] for each in (part, whole))
    return sum(own) / sum(every) if sum(every) else len(own) / len(every)


def _written(table: Table) -> float:
    return table.writes.inserted + table.writes.updated + table.writes.deleted


def _columns(candidate: Candidate, table: Table) -> frozenset[str]:
    """Give the columns whose change would change the index: of expressions and predicates, all that are named."""
    by_number = {column.number: column.name for column in table.columns}
    plain = {by_number[key.column] for key in candidate.keys if key.column in by_number}
    worded = [*(key.expression for key in candidate.keys if not key.column), candidate.where]
    named = {column for text in worded if text for _, column in references(text)}
    return frozenset({*plain, *named, *candidate.include, *(table.by_name if "*" in named else ())})
