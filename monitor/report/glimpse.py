"""A probe's history as one snapshot sees it: its own window, beside what a daemon kept of earlier hours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import add
from typing import TypeAlias

from monitor.history.past import Baseline, Kept, Key, Stretch, Tide
from monitor.history.tide import tide
from monitor.measurement import Measurement
from monitor.model import Server
from monitor.probe import Probe


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """What a daemon kept of some keys; those that are not in `baselines` it never saw."""

    begins: datetime | None
    baselines: Mapping[Key, Baseline]


Past: TypeAlias = Callable[[Server, Probe, Collection[Key]], Awaitable[Earlier | None]]
"""Who can be asked for it; None: it cannot be read."""


class Glimpse:
    """A history of one window."""

    def __init__(self, kept: Kept, seen: Measurement, earlier: Earlier) -> None:
        self._kept, self._seen, self._earlier = kept, seen, earlier
        self._grown = grown(kept, seen)

    @property
    def begins(self) -> datetime | None:
        """When the oldest hour that is kept began; None: nothing is kept."""
        return self._earlier.begins

    def keys(self) -> Collection[Key]:
        """Give the keys that grew in the window."""
        return self._grown.keys()

    def recent(self, key: Key, at_least: float) -> Stretch | None:
        """Give the whole window, where `weight` grew by at least so much in it."""
        sums = self._grown.get(key)
        if sums is None or sums[self._kept.columns.index(self._kept.weight)] < at_least:
            return None
        values = dict(zip(self._kept.columns, sums, strict=True))
        return Stretch(values=values, seconds=self._seen.grown_seconds, ends_at=self._seen.taken_at)

    def tides(self, seconds: float) -> Sequence[Tide]:
        """Give the one of the window."""
        weight, weighed = (self._kept.columns.index(name) for name in (self._kept.weight, self._kept.weighed))
        return [tide((sums[weight], sums[weighed], self.baseline(key)) for key, sums in self._grown.items())]

    def baseline(self, key: Key) -> Baseline | None:
        """Give what the mean was before the present hour; None: never seen in any earlier hour."""
        return self._earlier.baselines.get(key)


def grown(kept: Kept, seen: Measurement) -> Mapping[Key, Sequence[float]]:
    """Add up by key what grew in the window; a snapshot of lifetime figures has none."""
    sums: dict[Key, Sequence[float]] = {}
    for row in seen.exposed or () if seen.grown is not None else ():
        key = tuple(str(row[name]) for name in kept.key)
        figures = tuple(value if isinstance(value := row[name], int | float) else 0.0 for name in kept.columns)
        if key[-1] != kept.others and figures[kept.columns.index(kept.weight)] > 0:
            sums[key] = tuple(map(add, sums[key], figures)) if key in sums else figures
    return sums
