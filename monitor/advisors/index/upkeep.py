"""What the writes of a table cost an index that it has, in milliseconds a day."""

from __future__ import annotations

from monitor.advisors.index.workload import DAY
from monitor.advisors.index.writes import DELETED, MICROSECONDS
from monitor.shape import Shape, Table

SHORTEST_SECONDS = 3600.0
"""Counters that are younger tell no day."""


def write_ms_per_day(shape: Shape, table: Table, method: str) -> float | None:
    """Estimate it from the table's counters; None where their age is unknown, or too short to tell."""
    if shape.counted_seconds is None or shape.counted_seconds < SHORTEST_SECONDS:
        return None
    writes = [part.writes for part in shape.parts(table)]
    entries = sum(each.inserted + DELETED * each.deleted + each.updated - each.hot_updated for each in writes)
    return round(entries * MICROSECONDS.get(method, MICROSECONDS["btree"]) / 1000 * DAY / shape.counted_seconds, 3)
