"""Shape: tables, columns, statistics and indexes in numbers, for the advisors of indexes; never a row's value.

Advisors take it by `shape_of`; siblings: shape_*. Cost: catalogue only, at most 50 ms of the server's time a visit: a
database of 100 tables in one, a larger one in several, 5 s apart. Later only what changed is read anew. A table that is
locked exclusively stays as it was. Statistics of 30,000 columns at most, the largest tables' first.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from monitor.probe import Measurement, Memory, Probe, Row, Scope, Session, with_shape
from probes.shape_building import Pools
from probes.shape_rounds import Kept, Pace
from probes.shape_watched import Stillness

PATIENT_SECONDS = 60.0
"""So long a snapshot goes on, visit after visit; what is not read then is left out."""
LATE = f"reading them would have taken more than {PATIENT_SECONDS:.0f} s"


class Handed:
    """The last whole shape as advisors have it, until the next one is there."""

    def __init__(self) -> None:
        self.details: Mapping[object, Row] = {}
        self.taken_at: datetime | None = None


async def observe(session: Session, memory: Memory, _options: object) -> Sequence[Row]:
    """Go on reading, and count what is known."""
    kept = memory.of(Kept)
    kept.pools = memory.server.of(Pools)
    await kept.visit(session, Pace())
    if kept.shape is None:
        return []
    tables = kept.shape.tables.values()
    return [
        {
            "tables": len(tables),
            "columns": sum(len(each.columns) for each in tables),
            "indexes": sum(len(each.indexes) for each in tables),
            "left_out": len(kept.shape.left_out),
        }
    ]


async def detail(session: Session, memory: Memory, seen: Measurement) -> Measurement:
    """Hand the shape over; while a round is under way, the last one."""
    kept, handed = memory.of(Kept), memory.of(Handed)
    late = kept.round is not None and kept.round.looked and time.monotonic() - kept.round.began > PATIENT_SECONDS
    if seen.snapshot and late:
        await kept.end(session, LATE)
    if kept.round is not None:
        seen = replace(seen, unfinished=True, reason=kept.waiting)
        if kept.shape is None or handed.taken_at is None:
            return seen
        return replace(seen, taken_at=handed.taken_at, details=handed.details)
    if kept.shape is None:
        return seen
    watched = memory.of(Stillness).looked(kept.shape, seen.taken_at.timestamp())
    handed.details, handed.taken_at = with_shape(replace(kept.shape, watched=watched)), seen.taken_at
    return replace(seen, details=handed.details)


PROBE = Probe(name="shape", scope=Scope.DATABASE, every=1800, patient=True, observe=observe, detail=detail)
