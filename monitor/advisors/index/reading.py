"""What the rules about existing indexes share: the reading, what it left out, how an index is named and undone."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.advisors.index.definitions import PARTITIONED, created, dropped
from monitor.errors import Needs, ProbeSkipped
from monitor.measurement import Measurement, duration, plural
from monitor.model import NoVerdict, Object, Remedy
from monitor.rule import Book
from monitor.shape import Index, Shape, Table
from monitor.shaped import PROBE, shape_of

NAMED = 5
"""How many tables that were not read are named."""

KEEP = 4000.0
"""Seconds that a finding outlives the reading it is missing from: two readings, for one may have met a lock."""

CONCURRENTLY = (
    "DROP INDEX CONCURRENTLY blocks neither reads nor writes, waits for transactions that run now, and cannot stand in "
    "a transaction block. "
)
PARTITIONS = (
    "The index of a partitioned table goes with all its parts at once, and cannot be dropped concurrently: reads and "
    "writes of the table wait from the moment the statement waits for its lock. Give it a short lock_timeout, and try "
    "again in a quiet moment. The rollback builds all parts while writes wait. "
)


def read(book: Book) -> tuple[Measurement, Shape]:
    """Give the newest reading of the database's shape; raises ProbeSkipped where there is nothing to judge by it."""
    seen = book.last(PROBE)
    if seen is None:
        raise ProbeSkipped("the tables and indexes were not read yet", Needs.HISTORY)
    shape = shape_of(seen)
    if shape.in_recovery:
        raise ProbeSkipped("a standby has the indexes of its primary, where they are judged", None)
    return seen, shape


def unread(shape: Shape) -> Iterator[NoVerdict]:
    """Say which tables were not read, and why."""
    if shape.left_out:
        named = [f"{name} ({why})" for name, why in [*shape.left_out.items()][:NAMED]]
        more = f" and {len(shape.left_out) - NAMED} more" if len(shape.left_out) > NAMED else ""
        subject = plural(len(shape.left_out), "table")
        yield NoVerdict(reason=f"not read: {', '.join(named)}{more}", needs=Needs.TIME, subject=subject)


def object_of(index: Index) -> Object:
    """Give an index as the object of a finding."""
    return Object("index", schema=index.schema, name=index.name)


def described(index: Index) -> str:
    """Write an index with its keys, and what else tells it from others: `public.a_idx (a, b) where c`."""
    keys = ", ".join(key.expression + (" desc" if key.descending else "") for key in index.keys)
    include = f" include ({', '.join(index.include)})" if index.include else ""
    return f"{index.full_name} ({keys}){include}" + (f" where {index.where}" if index.where else "")


def removal(index: Index, table: Table, caution: str = "") -> Remedy:
    """Say how to drop an index that works, and how to make it again."""
    how = PARTITIONS if table.kind == PARTITIONED else CONCURRENTLY
    return Remedy(sql=(dropped(index, table),), rollback=(created(index, table),), caution=(how + caution).strip())


def counted(shape: Shape) -> str:
    """Write since when scans are counted."""
    return f"in {duration(shape.counted_seconds)}" if shape.counted_seconds else "since they are counted"
