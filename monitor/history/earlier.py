"""What the store knows of a probe's earlier hours, as baselines: for the daemon's history, and for a snapshot's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Final, TypeVar

from monitor.history.baseline import Sum, baseline, enough, same_hours
from monitor.history.past import Baseline, Kept, Key
from monitor.store.hours import Hour, StoredHours

HOUR_SECONDS: Final = 3600
LOOKED_UP, WRITTEN = 20, 100
"""Keys that are looked up, and written, before anybody else has a turn at the store."""

T = TypeVar("T")


def hour_of(moment: datetime) -> int:
    """Give the hour a moment is in, counted from 1970."""
    return int(moment.timestamp() // HOUR_SECONDS)


@lru_cache(maxsize=1024)
def beginning(hour: int) -> datetime:
    """Give the moment an hour begins."""
    return datetime.fromtimestamp(0, UTC) + timedelta(hours=hour)


@dataclass(frozen=True, kw_only=True)
class Ledge:
    """From where one looks back: the hours of one probe on one server, from `since` to before `present`."""

    stored: StoredHours
    server: str
    probe: str
    kept: Kept
    since: int
    present: int

    async def baselines(self, keys: Collection[Key]) -> Mapping[Key, Baseline]:
        """Give the baselines of some keys, those left out that have no earlier hour; raises StoreError."""
        days = (self.present - self.since) // 24
        found = {key: self._sums(of) for key, of in (await self._of(keys, same_hours(self.present, days))).items()}
        rest = [key for key in keys if not enough(found.get(key, ()), self.present)]
        every = await self._of(rest, range(self.since, self.present))
        found |= {key: self._sums(of) for key, of in every.items()}
        known = {key: baseline(sums, self.present) for key, sums in found.items()}
        return {key: before for key, before in known.items() if before is not None}

    async def _of(self, keys: Collection[Key], hours: range) -> Mapping[Key, Sequence[Hour]]:
        return await self.stored.of(self.server, self.probe, keys, hours) if keys and hours else {}

    def _sums(self, hours: Sequence[Hour]) -> list[Sum]:
        kept = self.kept
        places = [kept.columns.index(name) for name in (kept.weight, kept.weighed, kept.squares)]
        return [_sum(hour, figures, places) for hour, figures in hours if len(figures) > max(places)]


def _sum(hour: int, figures: Sequence[float], places: Sequence[int]) -> Sum:
    weight, weighed, squares = (figures[place] for place in places)
    return Sum(hour=hour, weight=weight, weighed=weighed, squares=squares)


def bites(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """Give so many at a time."""
    rest = iter(things)
    while bite := list(islice(rest, size)):
        yield bite
