"""The history of one probe on one server: its counters' growth, added up hour by hour and key by key.

An hour's sums go on from what the store holds of that hour, and replace it: whatever happens in between (a restart, a
write that fails half-way, a clock that is set back), nothing is counted twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import add, itemgetter

import structlog

from monitor.collect.runner import Clock
from monitor.history.earlier import LOOKED_UP, WRITTEN, Ledge, beginning, bites, hour_of
from monitor.history.newest import Newest
from monitor.history.past import Baseline, Kept, Key, Stretch, Tide
from monitor.history.tide import tide
from monitor.measurement import Row
from monitor.model import Server
from monitor.probe import Probe
from monitor.store.hours import Figures, StoredHours

log = structlog.get_logger()

WRITE_SECONDS = 300.0
"""How often the present hour is written; a crash loses no more of it."""

MOST = 500
"""Keys that are followed, and that an hour holds, of one probe on one server."""

HOLD_SECONDS = 600.0
"""How long a key that does nothing keeps its place when others want it."""

IDLE_SECONDS = 86400.0
"""How long it keeps it when nobody does."""

TOGETHER = 8
"""Readings that are added up at once: that is cheaper."""

TIDE_SECONDS = 3600.0
"""How long it is remembered what each reading was for all keys together."""

WAITING = 12
"""Hours that wait in memory for a store that cannot be used."""


@dataclass(slots=True)
class _Hour:
    """The sums of one hour; `whole` once what the store held of it is in them."""

    sums: dict[Key, Figures] = field(default_factory=dict)
    changed: set[Key] = field(default_factory=set)
    whole: bool = False

    def enter(self, key: Key, grown: list[Figures]) -> None:
        """Add growth; once the hour is full, only of keys that are in it."""
        before = self.sums.get(key)
        if before is not None:
            grown.append(before)
        elif len(self.sums) >= MOST:
            return
        self.sums[key] = tuple(map(sum, zip(*grown, strict=True)))
        self.changed.add(key)

    def go_on_from(self, stored: Mapping[Key, Figures], width: int) -> None:
        """Add what the store held, once."""
        for key, figures in stored.items():
            before = (*figures, *([0.0] * (width - len(figures))))[:width]
            sums = self.sums.get(key)
            self.sums[key] = before if sums is None else tuple(map(add, before, sums))
        self.whole = True


class _Line:
    """One key that is followed: its newest readings, and what the store knows of it."""

    __slots__ = ("baseline", "known", "newest", "waiting")

    def __init__(self, place: int) -> None:
        self.newest = Newest(place)
        self.waiting: list[Figures] = []
        """Growth that is not added up yet."""
        self.baseline: Baseline | None = None
        self.known = False
        """Whether its past was looked up; until then nobody hears of it."""


class Record:
    """The history of one probe on one server. Keys whose past has not been looked up yet are not shown."""

    def __init__(self, server: Server, probe: Probe, kept: Kept, clock: Clock) -> None:
        self.server, self.probe, self.kept = server, probe.name, kept
        self._window, self._clock = probe.window, clock
        self._columns, self._key = itemgetter(*kept.columns), _keys(kept)
        self._place, self._weighed = kept.columns.index(kept.weight), kept.columns.index(kept.weighed)
        self._tides: deque[tuple[float, Tide]] = deque()
        self._number = self._readings = 0
        """The hour whose readings are not added up yet, and how many they are."""
        self._lines: dict[Key, _Line] = {}
        self._hours: dict[int, _Hour] = {}
        self._unknown: set[Key] = set()
        self._looked: int | None = None
        """The hour in which the past was looked up."""
        self._begins: int | None = None
        self._written_at = clock.monotonic() - WRITE_SECONDS  # what comes first is written at once

    def take(self, rows: Sequence[Row], seconds: float, taken_at: datetime) -> None:
        """Take the growth of one reading in; hours are added up now and then, for that is cheaper."""
        at, number = self._clock.monotonic(), hour_of(taken_at)
        if number != self._number or self._readings >= TOGETHER:
            self._add_up()
        self._number, self._readings = number, self._readings + 1
        lines, began, place, columns, key_of = self._lines, at - seconds, self._place, self._columns, self._key
        for row in rows:
            grown = columns(row)
            if grown[place] > 0:
                key = key_of(row)
                line = lines.get(key) or self._followed(key, at)
                if line is not None:
                    line.newest.add(began, at, grown)
                    line.waiting.append(grown)
        self._rise(at)

    def _rise(self, at: float) -> None:
        """Remember what this reading was for all of them together."""
        grown = ((line.newest.last, line.baseline) for line in self._lines.values() if line.newest.ended == at)
        self._tides.append((at, tide((last[self._place], last[self._weighed], before) for last, before in grown)))
        while self._tides[0][0] <= at - TIDE_SECONDS:
            self._tides.popleft()

    def _add_up(self) -> None:
        """Add to the hour what its readings have brought."""
        if not self._readings:
            return
        hour = self._hour(self._number)
        for key, line in self._lines.items():
            if line.waiting:
                hour.enter(key, line.waiting)
                line.waiting = []
        self._readings = 0

    def _hour(self, number: int) -> _Hour:
        if number not in self._hours:
            while len(self._hours) >= WAITING:
                log.warning("an hour of history is lost, the store cannot be used", target=self.server.name)
                del self._hours[next(iter(self._hours))]
            self._hours[number] = _Hour()
        return self._hours[number]

    def _followed(self, key: Key, at: float) -> _Line | None:
        """Begin to follow a key, if it is to be kept and there is room."""
        if key[-1] == self.kept.others or not self._wanted(key):
            return None
        if len(self._lines) >= MOST:
            self._let_go(at - HOLD_SECONDS)
        if len(self._lines) >= MOST:
            return None
        self._unknown.add(key)
        line = self._lines[key] = _Line(self._place)
        return line

    def _wanted(self, key: Key) -> bool:
        return all(self.server.wants(part) for name, part in zip(self.kept.key, key, strict=True) if name == "database")

    def _let_go(self, before: float) -> None:
        """Forget who has done nothing since then."""
        idle = [key for key, line in self._lines.items() if line.newest.ended < before and not line.waiting]
        for key in idle:
            del self._lines[key]
        self._unknown.difference_update(idle)

    @property
    def begins(self) -> datetime | None:
        """When the oldest hour that is kept began; None: nothing is kept."""
        return None if self._begins is None else beginning(self._begins)

    def keys(self) -> Collection[Key]:
        """Give the keys that grew of late."""
        newest = self._clock.monotonic() - self._window
        return [key for key, line in self._lines.items() if line.known and line.newest.ended >= newest]

    def recent(self, key: Key, at_least: float) -> Stretch | None:
        """Give the newest stretch in which `weight` grew by at least so much; None: there is none."""
        line, now = self._lines.get(key), self._clock.monotonic()
        if line is None or not line.known or line.newest.ended < now - self._window:
            return None
        found = line.newest.at_least(at_least)
        if found is None:
            return None
        began, ended, values = found
        return Stretch(
            values=dict(zip(self.kept.columns, values, strict=True)),
            seconds=ended - began,
            ends_at=self._clock.now() - timedelta(seconds=now - ended),
        )

    def tides(self, seconds: float) -> Sequence[Tide]:
        """Give one for each reading of the newest seconds, the newest last."""
        since = self._clock.monotonic() - seconds
        return [each for ended, each in self._tides if ended > since]

    def baseline(self, key: Key) -> Baseline | None:
        """Give what the mean was before the present hour; None: never seen in any earlier hour."""
        line = self._lines.get(key)
        return line.baseline if line is not None else None

    def due(self, present: int) -> bool:
        """Tell whether there is something to write or to look up."""
        return bool(self._unknown) or self._looked != present or self.unwritten(present)

    def unwritten(self, present: int) -> bool:
        """Tell whether it is time to write: an hour is over, or has not been written for a while."""
        ended = any(hour != present for hour in self._hours) or (bool(self._readings) and self._number != present)
        return ended or (self._changed and self._clock.monotonic() - self._written_at >= WRITE_SECONDS)

    @property
    def _changed(self) -> bool:
        return self._readings > 0 or any(hour.changed for hour in self._hours.values())

    async def write(self, stored: StoredHours, present: int) -> None:
        """Write what changed; raises StoreError, and what was not written waits."""
        self._add_up()
        for number, hour in list(self._hours.items()):
            if not hour.whole:
                hour.go_on_from(await stored.read(self.server.name, self.probe, number), len(self.kept.columns))
            for keys in bites(sorted(hour.changed), WRITTEN):
                await self._write(stored, number, hour, keys)
            if number != present and not hour.changed:
                self._hours.pop(number, None)
        self._written_at = self._clock.monotonic()

    async def _write(self, stored: StoredHours, number: int, hour: _Hour, keys: Sequence[Key]) -> None:
        figures = {key: hour.sums[key] for key in keys}
        hour.changed.difference_update(keys)
        try:
            await stored.write(self.server.name, self.probe, number, figures)
        except BaseException:
            hour.changed.update(keys)
            raise

    def write_all(self) -> None:
        """Count everything as unwritten: the store may be a new one."""
        for hour in self._hours.values():
            hour.changed.update(hour.sums)

    async def look_up(self, stored: StoredHours, present: int, since: int) -> None:
        """Learn the past of who is new, and of everybody once an hour; raises StoreError."""
        if self._looked != present:
            self._let_go(self._clock.monotonic() - IDLE_SECONDS)
            self._unknown.update(self._lines)
            self._looked = present
        first = await stored.begins(self.server.name, self.probe)
        self._begins = None if first is None else max(first, since)
        ledge = Ledge(
            stored=stored,
            server=self.server.name,
            probe=self.probe,
            kept=self.kept,
            since=present if self._begins is None else self._begins,
            present=present,
        )
        for keys in bites(list(self._unknown), LOOKED_UP):
            self._learn(keys, await ledge.baselines(keys))

    def _learn(self, keys: Sequence[Key], baselines: Mapping[Key, Baseline]) -> None:
        for key in keys:
            if line := self._lines.get(key):
                line.baseline, line.known = baselines.get(key), True
        self._unknown.difference_update(keys)


def _keys(kept: Kept) -> Callable[[Row], Key]:
    """Give the reader of keys: what itemgetter gives of one column alone is no tuple."""
    first, *more = kept.key
    return itemgetter(*kept.key) if more else lambda row: (str(row[first]),)
