"""Since when the counts of indexes' scans stand still: the server does not tell how old an index is, or its counters.

An index is known by its table and name, for REINDEX CONCURRENTLY makes it anew under the same. It outlives a restart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from monitor.probe import shape

LONG_SECONDS = 7200.0
"""Four readings: after a longer pause a count of 0 proves something only if the counters are known to be older."""

WRITTEN = 10_000
"""Indexes in the document, those of the largest tables: of others it begins anew after a restart."""

THERE, APPEARED, CHANGED = 0, 1, 2
"""Why it is counted from then on: it was there at our first look, it came, or its count (or its table's) changed."""


class Still(NamedTuple):
    """One index's count, and since when it stands still (seconds since 1970)."""

    scans: int
    since: float
    how: int


class Stillness:
    """What is remembered of one database's indexes, by table and name."""

    def __init__(self) -> None:
        self._looked_at: float | None = None
        self._tables: dict[int, dict[str, Still]] = {}
        self._one: dict[Still, Still] = {}

    def looked(self, read: shape.Shape, at: float) -> Mapping[int, shape.Watched]:
        """Compare with the last look; give how long each index's count has stood still, by oid."""
        pause = at - (self._looked_at if self._looked_at is not None else at)
        proven = pause <= LONG_SECONDS or (read.counted_seconds or 0.0) >= pause
        if not read.counting:  # a count that stands says nothing: all begin anew
            self._tables = {}
        seen = {table.oid: dict(self._compared(table, at, proven=proven)) for table in read.tables.values()}
        waiting = {oid: own for oid, own in self._tables.items() if oid not in seen} if read.left_out else {}
        self._tables, self._looked_at = {**seen, **waiting}, at
        self._one.clear()
        return self._told(read, at)

    def document(self) -> object:
        """Give the largest tables' part."""
        if self._looked_at is None:
            return None
        rows = ([oid, name, *still] for oid, own in self._tables.items() for name, still in own.items())
        return {"looked_at": self._looked_at, "indexes": [row for row, _ in zip(rows, range(WRITTEN), strict=False)]}

    def restore(self, document: object) -> None:
        """Go on from a document."""
        if not isinstance(document, dict):
            raise TypeError(document)
        for oid, name, scans, since, how in document["indexes"]:
            self._tables.setdefault(int(oid), {})[str(name)] = Still(int(scans), float(since), int(how))
        self._looked_at = float(document["looked_at"])

    def _compared(self, table: shape.Table, at: float, *, proven: bool) -> Iterator[tuple[str, Still]]:
        """Give what is known of a table's indexes now; where one went, the others may have taken over its work."""
        before = self._tables.get(table.oid, {})
        working = [index for index in table.indexes if index.valid]
        took_over = not before.keys() <= {index.name for index in working}
        for index in working:
            was = before.get(index.name)
            if was is None:
                now = Still(index.scans, at, THERE if self._looked_at is None else APPEARED)
            elif was.scans != index.scans or took_over or not (proven or index.scans):
                now = Still(index.scans, at, CHANGED)
            else:
                now = was
            yield index.name, self._one.setdefault(now, now)

    def _told(self, read: shape.Shape, at: float) -> Mapping[int, shape.Watched]:
        told: dict[tuple[float, int], shape.Watched] = {}
        watched: dict[int, shape.Watched] = {}
        for table in read.tables.values():
            for index in table.indexes:
                still = self._tables[table.oid].get(index.name, Still(index.scans, at, APPEARED))
                if (seen := told.get((still.since, still.how))) is None:
                    seen = told[still.since, still.how] = _watched(still, at)
                watched[index.oid] = seen
        return watched


def _watched(still: Still, at: float) -> shape.Watched:
    return shape.Watched(
        seconds=max(at - still.since, 0.0), since_appeared=still.how == APPEARED, since_changed=still.how == CHANGED
    )
