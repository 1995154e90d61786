"""The main number of each firing finding over time: kept where it changed, in memory and hour by hour in the store."""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from monitor.collect.runner import Clock
from monitor.errors import StoreError
from monitor.history.earlier import HOUR_SECONDS, WRITTEN, beginning, bites, hour_of
from monitor.history.past import Key
from monitor.history.ring import Numbers, finite
from monitor.history.trend import Course, Point, main_figure
from monitor.model import Alert, State
from monitor.store.hours import StoredHours

EVIDENCE = "findings"
"""The name in the store, where the key is the fingerprint."""
LOOK_SECONDS, WRITE_SECONDS = 60.0, 900.0
AGAIN_HOURS = 24
"""A number that stays as it is is written once in so many hours."""
BITE = 200
"""Alerts that are looked at before anybody else has a turn."""
MOST = 60
"""Changes of one finding that are kept in memory; the oldest are in the store."""


class Trail:
    """One finding's number: moments and values by turns, one pair for each change, and when it was looked at last."""

    __slots__ = ("hour", "pairs", "server", "until", "written")

    def __init__(self, server: str) -> None:
        self.server = server
        self.pairs = array("d")
        self.until = 0.0
        self.hour, self.written = -math.inf, math.nan
        """The hour that was written last, and what it said."""

    def add(self, at: float, value: float) -> None:
        """Take a look in; only a change makes the trail longer."""
        self.until = max(at, self.until)
        if not self.pairs or (value != self.pairs[-1] and at > self.pairs[-2]):
            self.pairs.extend((at, value))
            del self.pairs[: -2 * MOST]

    def figures(self, hour: int) -> Numbers:
        """Give what is written of an hour: one reading, the value at its end, and the highest in it."""
        begin, pairs = hour * HOUR_SECONDS, self.pairs
        first = max((place for place in range(0, len(pairs), 2) if pairs[place] <= begin), default=0)
        return (1.0, pairs[-1], max(pairs[first + 1 :: 2]))

    def due(self, hour: int) -> bool:
        """Tell whether the store should hear of it."""
        return self.written != self.pairs[-1] or hour - self.hour >= AGAIN_HOURS


class Trails:
    """The numbers of all findings that fire."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._trails: dict[str, Trail] = {}
        self._looked_at, self._written_at = -math.inf, clock.monotonic()
        self._hour: int | None = None

    def __len__(self) -> int:
        """Count the findings that are followed."""
        return len(self._trails)

    def take(self, alert: Alert) -> None:
        """Look at one alert."""
        finding = alert.finding
        name = None if finding.missing or alert.state is not State.FIRING else main_figure(finding.evidence)
        value = finite(finding.evidence[name]) if name else math.nan
        if math.isnan(value):
            return
        trail = self._trails.get(finding.fingerprint)
        if trail is None:
            trail = self._trails[finding.fingerprint] = Trail(finding.target.server)
        trail.add(alert.last_seen.timestamp(), value)

    def due(self) -> bool:
        """Tell whether it is time to look again."""
        return self._clock.monotonic() - self._looked_at >= LOOK_SECONDS

    async def round(self, alerts: Iterable[Alert], stored: StoredHours) -> None:
        """Look at all alerts in bites, and write now and then; while the store cannot be used, it waits."""
        self._looked_at = self._clock.monotonic()
        firing = set()
        for part in bites(alerts, BITE):
            for alert in part:
                self.take(alert)
                if alert.state is State.FIRING:
                    firing.add(alert.finding.fingerprint)
            await asyncio.sleep(0)
        hour = hour_of(self._clock.now())
        if hour != self._hour or self._clock.monotonic() - self._written_at >= WRITE_SECONDS:
            try:
                await self.write(stored)
            except StoreError:
                return  # who keeps the store has said so
            self._hour, self._written_at = hour, self._clock.monotonic()
            self._trails = {name: trail for name, trail in self._trails.items() if name in firing}

    def write_all(self) -> None:
        """Count everything as unwritten."""
        for trail in self._trails.values():
            trail.written = math.nan

    async def write(self, stored: StoredHours) -> None:
        """Write what changed; raises StoreError."""
        present = hour_of(self._clock.now())
        due = sorted((trail.server, name) for name, trail in self._trails.items() if trail.due(present))
        for part in bites(due, WRITTEN):
            for server in dict.fromkeys(server for server, _ in part):
                names = [name for each, name in part if each == server]
                figures: dict[Key, Numbers] = {(name,): self._trails[name].figures(present) for name in names}
                await stored.write(server, EVIDENCE, present, figures)
                for name in names:
                    self._trails[name].hour, self._trails[name].written = present, figures[name,][1]

    async def course(self, stored: StoredHours, fingerprint: str, server: str, hours: int) -> Course:
        """Give a finding's number over time: hour by hour from the store, change by change from memory."""
        present = hour_of(self._clock.now())
        newest = list(self._newest(fingerprint))
        try:
            of = await stored.of(server, EVIDENCE, [(fingerprint,)], range(present - hours + 1, present + 1))
        except StoreError as error:
            return Course(points=newest, reason=str(error))
        earlier = held(of.get((fingerprint,), ()))
        begins = hour_of(newest[0].at) if newest else present + 1  # what memory holds of that hour is finer
        return Course(points=[*(each for each in earlier if hour_of(each.at) < begins), *newest])

    def _newest(self, fingerprint: str) -> Iterator[Point]:
        trail = self._trails.get(fingerprint)
        if trail is None:
            return
        pairs = trail.pairs
        for place in range(0, len(pairs), 2):
            yield _point(pairs[place], pairs[place + 1])
        if trail.until > pairs[-2]:
            yield _point(trail.until, pairs[-1])


def _point(at: float, value: float) -> Point:
    return Point(at=datetime.fromtimestamp(at, UTC), mean=value, most=value, seconds=math.inf)


def held(hours: Sequence[tuple[int, Numbers]]) -> list[Point]:
    """Read the store's hours; a value stands until the next one."""
    whole = [(hour, figures) for hour, figures in hours if len(figures) > 2]  # noqa: PLR2004 - how many there are
    return [Point(at=beginning(hour), mean=figures[1], most=figures[2], seconds=math.inf) for hour, figures in whole]
