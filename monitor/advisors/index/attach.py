"""What an index of a partitioned table lacks to be valid, and the statements that give it that."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import count

from monitor.advisors.index.definitions import PARTITIONED, created, rest
from monitor.index_names import BYTES, cut
from monitor.model import Remedy
from monitor.shape import Index, Shape, Table
from monitor.sql.text import identifier

FOREIGN = "f"
"""Foreign tables have no indexes."""
MOST = 50
"""Partitions whose statements are printed; with more, a person needs a script."""

ATTACHED = (
    "Each partition gets the index without blocking its writes, and it is attached; with the last one the index of the "
    "whole table is valid. CREATE INDEX CONCURRENTLY cannot stand in a transaction block; an invalid index that a "
    "failed run leaves has to be dropped first."
)
TOO_MANY = (
    "Too many partitions lack it for their statements to be printed: create the index on each, concurrently, and "
    "attach it with alter index ... attach partition ...; or, in a quiet hour, drop it and make it anew on the "
    "partitioned table, while writes wait."
)
PARTS_INVALID = (
    "Every partition has its part, but one at least is not valid itself: mend that first (each is told by itself). "
    "Then drop this index, and in a quiet hour make it anew on the partitioned table."
)
CONSTRAINT = (
    "It belongs to a constraint, which each partition needs as well: create a unique index on it concurrently, make "
    "that its constraint by alter table ... add constraint ... using index, and attach that index."
)
UNKNOWN = "Its definition could not be read: make the same index on each partition, and attach it."


def lacking(shape: Shape, table: Table, index: Index) -> Iterator[Table]:
    """Give the partitions that have no part of the index, those below a partitioned one that has an incomplete part."""
    for part in _children(shape, table):
        own = _part_of(part, index)
        if own is None:
            yield part
        elif part.kind == PARTITIONED and not own.valid:
            yield from lacking(shape, part, own)


def completed(shape: Shape, table: Table, index: Index) -> Remedy:
    """Say how each partition gets its part."""
    if not rest(index):
        return Remedy(caution=UNKNOWN)
    if index.constraint:
        return Remedy(caution=CONSTRAINT)
    parts = [*lacking(shape, table, index)]
    if not parts or len(parts) > MOST:
        return Remedy(caution=TOO_MANY if parts else PARTS_INVALID)
    return Remedy(sql=tuple(_statements(shape, table, index)), caution=ATTACHED)


def _statements(shape: Shape, table: Table, index: Index) -> Iterator[str]:
    for part in _children(shape, table):
        own = _part_of(part, index)
        if own is None:
            yield from _given(shape, part, index, index.full_name)
        elif part.kind == PARTITIONED and not own.valid:
            yield from _statements(shape, part, own)


def _given(shape: Shape, part: Table, index: Index, above: str) -> Iterator[str]:
    """Attach the index that a partition has already, if it is the same; else make it first."""
    ready = next((each for each in part.indexes if not each.parent and _same(each, index)), None)
    own = ready.full_name if ready else identifier(part.schema, _free_name(shape, part, index))
    if ready is None:
        yield created(index, part, _free_name(shape, part, index), alone=True)
        for below in _children(shape, part):
            yield from _given(shape, below, index, own)
    yield f"alter index {above} attach partition {own}"


def _same(ready: Index, index: Index) -> bool:
    """Tell whether the server takes it for a part: a valid one, on the same columns in the same order."""
    return ready.unique == index.unique and rest(ready) == rest(index) and ready.valid and not ready.building


def _part_of(part: Table, index: Index) -> Index | None:
    return next((each for each in part.indexes if each.parent == index.oid), None)


def _children(shape: Shape, table: Table) -> Sequence[Table]:
    below = (each for each in shape.tables.values() if each.parent == table.oid and each.kind != FOREIGN)
    return sorted(below, key=lambda part: (part.schema, part.name))


def _free_name(shape: Shape, part: Table, index: Index) -> str:
    """Choose a name of at most 63 bytes that no table or index of the schema has; the same each time."""
    tables = [table for table in shape.tables.values() if table.schema == part.schema]
    taken = {table.name for table in tables} | {each.name for table in tables for each in table.indexes}
    return next(name for name in _names(f"{part.name}_{index.name}") if name not in taken)


def _names(plain: str) -> Iterator[str]:
    """Give the plain name, if it is short enough, then others told apart by a few digits of a hash."""
    if len(plain.encode()) <= BYTES:
        yield plain
    for attempt in count():
        mark = hashlib.sha256(f"{plain}\x00{attempt}".encode()).hexdigest()[:8]
        yield f"{cut(plain, BYTES - len(mark) - 1)}_{mark}"
