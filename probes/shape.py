"""Shape: tables, columns, statistics and indexes in numbers, for the advisors of indexes; never a row's value.

The reading is one `Shape`; advisors take it by `shape_of`. Siblings: shape_tables, shape_indexes, shape_around hold the
SQL, shape_reading and shape_building put it together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.probe import Measurement, Memory, Probe, Row, Scope, Session, shape, with_shape
from probes.shape_reading import Reading
from probes.shape_watched import Stillness


class Kept:
    """The shape as it was read last: most of the next one is the same, and kept once."""

    def __init__(self) -> None:
        self.shape: shape.Shape | None = None


async def observe(session: Session, memory: Memory, _options: object) -> Sequence[Row]:
    """Read the shape, and count what is in it."""
    kept = memory.of(Kept)
    read = kept.shape = await Reading(session, kept.shape).taken()
    tables = read.tables.values()
    return [
        {
            "tables": len(read.tables),
            "columns": sum(len(each.columns) for each in tables),
            "indexes": sum(len(each.indexes) for each in tables),
            "left_out": len(read.left_out),
        }
    ]


async def detail(_session: Session, memory: Memory, seen: Measurement) -> Measurement:
    """Hand the shape over."""
    read = memory.of(Kept).shape
    if read is None:
        return seen
    watched = memory.of(Stillness).looked(read, seen.taken_at.timestamp())
    return replace(seen, details=with_shape(replace(read, watched=watched)))


PROBE = Probe(name="shape", scope=Scope.DATABASE, every=1800, observe=observe, detail=detail)
