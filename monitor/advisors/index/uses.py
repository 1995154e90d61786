"""How much indexes are used: by a server's own counters, and by those of all servers that share its files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from monitor.shape import Index, Shape, Watched


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """What is known of an index's use; of a partitioned table's, of all its parts together."""

    pages: int = 0
    scans: int = 0
    last_scan: datetime | None = None
    idle: float = 0.0
    """Seconds that certainly passed without a scan: since the last, or for as long as somebody counts; 0: unknown."""
    watched: bool = False
    """That it was there all this time is known as well; else only the counters are so old."""
    complete: bool = True
    """False: one of the servers does not know it."""


Uses: TypeAlias = Mapping[int, Use]
"""By an index's oid."""


def uses_of(shape: Shape, now: datetime) -> Uses:
    """Read what one server counted until `now`."""
    indexes = {index.oid: index for table in shape.tables.values() for index in table.indexes}
    uses = {oid: _own(index, shape, now) for oid, index in indexes.items()}
    wholes = dict(uses)
    for index in indexes.values():
        root = _root(index, indexes)
        if root is not index:
            wholes[root.oid] = _joined(wholes[root.oid], uses[index.oid], shape.watched.get(index.oid))
    return wholes


def everywhere(uses: Uses, others: Iterable[Uses]) -> Uses:
    """Add what the other servers counted."""
    for other in others:
        uses = {oid: _both(use, other.get(oid)) for oid, use in uses.items()}
    return uses


def _own(index: Index, shape: Shape, now: datetime) -> Use:
    watched = shape.watched.get(index.oid, Watched(seconds=0.0))
    idle = watched.seconds
    if not (watched.since_appeared or watched.since_changed):
        if index.last_scan is not None:
            idle = max(idle, (now - index.last_scan).total_seconds())
        elif not index.scans:
            idle = max(idle, shape.counted_seconds or 0.0)
    proven = watched.seconds >= idle or index.last_scan is not None
    return Use(pages=index.pages, scans=index.scans, last_scan=index.last_scan, idle=idle, watched=proven)


def _joined(whole: Use, part: Use, watched: Watched | None) -> Use:
    """Add a part's use; one that came later and was never scanned makes the whole no younger."""
    came_later = watched is not None and watched.since_appeared and not part.scans
    idle = whole.idle if came_later else min(whole.idle, part.idle)
    return replace(_added(whole, part), pages=whole.pages + part.pages, idle=idle)


def _both(use: Use, other: Use | None) -> Use:
    if other is None:
        return replace(use, complete=False)
    watched, complete = use.watched and other.watched, use.complete and other.complete
    return replace(_added(use, other), idle=min(use.idle, other.idle), watched=watched, complete=complete)


def _added(use: Use, other: Use) -> Use:
    moments = [moment for moment in (use.last_scan, other.last_scan) if moment is not None]
    return replace(use, scans=use.scans + other.scans, last_scan=max(moments, default=None))


def _root(index: Index, indexes: Mapping[int, Index]) -> Index:
    while index.parent in indexes:
        index = indexes[index.parent]
    return index
