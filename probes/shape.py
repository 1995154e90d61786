"""Shape: tables, columns, statistics and indexes in numbers, for the advisors of indexes; never a row's value.

Advisors take it by `shape_of`; siblings: shape_*. Cost: catalogue only, 40 ms of the server's time for 100 tables, 2 s
for 10,000 of 10 columns and 2 indexes, which take 25 MB here. A table that is locked exclusively, or about to be, is
left out. Statistics of 30,000 columns at most, the largest tables' first.
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


PROBE = Probe(name="shape", scope=Scope.DATABASE, every=1800, patient=True, observe=observe, detail=detail)
