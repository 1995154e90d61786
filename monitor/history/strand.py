"""One trend of one target: its newest readings in memory, what of them is to be written, and how it reads back."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nlargest
from operator import itemgetter

from monitor.history.earlier import HOUR_SECONDS, WRITTEN, beginning, bites, hour_of
from monitor.history.past import Key
from monitor.history.ring import KEPT_SECONDS, PART, Numbers, Ring, finite, joined
from monitor.history.trend import Line, Point, Trend
from monitor.measurement import Measurement, Row
from monitor.model import Server, Target
from monitor.standing import shown
from monitor.store.hours import StoredHours

YOUNG = 8
"""So many first readings are all kept, so that there is something to see soon after a start."""
DETAIL_HOURS = 24
"""A longer time is shown hour by hour; of this much the newest readings are shown one by one."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is kept, of whom, and how often it is read."""

    target: Target
    probe: str
    trend: Trend
    every: float

    @property
    def name(self) -> str:
        """Give the name in the store."""
        return f"{self.probe}.{self.trend.name}"


class Strand:
    """Keeps one trend of one target; `at` are seconds of a clock that only goes forward."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        trend = plan.trend
        self._ring = Ring(len(trend.columns), trend.most, plan.every)
        self._next_at = -math.inf
        self._read_at = 0.0
        self._grown: dict[Key, list[float]] = {}
        self._grown_seconds = 0.0
        self._newest: dict[Key, tuple[object, ...]] = {}
        self._taken_at = datetime.fromtimestamp(0, UTC)
        self._lines: Sequence[Line] | None = None
        self._unwritten: int | None = None
        """The first hour that has a reading which is not written."""
        self._before: dict[int, Mapping[Key, Numbers]] = {}
        """What the store held of the hour that we began in."""

    def take(self, server: Server, seen: Measurement, at: float) -> None:
        """Take a reading in, if it is time for one; growth is added up in between."""
        rates, self._read_at = self.plan.trend.rates, at
        if at < self._next_at and not rates:
            return
        if rates and seen.grown is not None:
            self._add_up(self._rows(seen), seen.grown_seconds)
        if at < self._next_at:
            return
        pause = self.plan.every if len(self._ring) and self._ring.readings >= YOUNG else 0.0
        self._next_at = at + pause - 0.5
        self._enter(self._rows(shown(server, seen)), seen.taken_at)

    def rests(self, at: float) -> bool:
        """Tell whether it has not been read for as long as memory reaches back."""
        return at - self._read_at > KEPT_SECONDS

    def _rows(self, seen: Measurement) -> Sequence[Row]:
        aside = self.plan.trend.aside
        if aside:
            return seen.asides.get(aside, ())
        return seen.rows if seen.exposed is None else seen.exposed

    def _key(self, row: Row) -> Key:
        return tuple(str(row.get(name)) for name in self.plan.trend.key)

    def _add_up(self, rows: Iterable[Row], seconds: float) -> None:
        self._grown_seconds += seconds
        for row in rows:
            grown = [value if (value := finite(row.get(name))) > 0 else 0.0 for name in self.plan.trend.rates]
            before = self._grown.get(key := self._key(row))
            self._grown[key] = grown if before is None else [a + b for a, b in zip(before, grown, strict=True)]

    def _enter(self, rows: Iterable[Row], taken_at: datetime) -> None:
        """Put a reading into the ring: the keys with the largest first column."""
        trend = self.plan.trend
        found: dict[Key, tuple[float, ...]] = {}
        words: dict[Key, tuple[object, ...]] = {}
        for row in rows:
            gauges = tuple(finite(row.get(name)) for name in trend.gauges)
            if gauges and math.isnan(gauges[0]):
                continue
            key = self._key(row)
            before = found.get(key)
            found[key] = gauges if before is None else tuple(map(_plus, before, gauges))
            words[key] = tuple(row.get(name) for name in trend.latest)
        whole = {key: (*gauges, *self._rates(key)) for key, gauges in found.items()}
        chosen = dict(nlargest(trend.most, whole.items(), key=_first)) if len(whole) > trend.most else whole
        self._ring.add(taken_at.timestamp(), chosen)
        self._lines = None
        self._newest = {key: (*numbers, *words[key]) for key, numbers in chosen.items()}
        self._taken_at, self._grown, self._grown_seconds = taken_at, {}, 0.0
        if self._unwritten is None:
            self._unwritten = hour_of(taken_at)

    def _rates(self, key: Key) -> Sequence[float]:
        seconds, grown = self._grown_seconds, self._grown.get(key)
        if grown is None or seconds <= 0:
            return [math.nan] * len(self.plan.trend.rates)
        return [each / seconds for each in grown]

    def lines(self) -> Sequence[Line]:
        """Give every key of the newest reading; made when somebody wants to see them."""
        if self._lines is None:
            self._lines = [self._line(key, told) for key, told in self._newest.items()]
        return self._lines

    def _line(self, key: Key, told: Sequence[object]) -> Line:
        plan, trend = self.plan, self.plan.trend
        named = dict(zip((*trend.columns, *trend.latest), told, strict=True))
        texts = {name: each for name, each in named.items() if isinstance(each, str)}
        numbers = {name: each if type(each) is float else finite(each) for name, each in named.items()}
        return Line(
            trend=plan.name,
            server=plan.target.server,
            database=plan.target.database,
            key=dict(zip(trend.key, key, strict=True)),
            values={name: each for name, each in numbers.items() if each == each and name not in texts},  # noqa: PLR0124 - no NaN
            words=texts,
            taken_at=self._taken_at,
        )

    def recent(self, line: Line, column: str) -> list[Point]:
        """Give what memory holds of one figure."""
        key = tuple(line.key[name] for name in self.plan.trend.key)
        place, every = self.plan.trend.columns.index(column), self.plan.every
        return [
            Point(at=datetime.fromtimestamp(at, UTC), mean=value, most=value, seconds=every)
            for at, value in self._ring.of(key, place)
        ]

    def gained(self, line: Line, column: str) -> tuple[float, float] | None:
        """Give how far a figure moved since memory has it, and in how many seconds."""
        key = tuple(line.key[name] for name in self.plan.trend.key)
        return self._ring.gained(key, self.plan.trend.columns.index(column))

    def unwritten(self, present: int) -> bool:
        """Tell whether an hour is over of which something is not written."""
        return self._unwritten is not None and self._unwritten < present

    @property
    def changed(self) -> bool:
        """Tell whether anything is not written."""
        return self._unwritten is not None

    async def write(self, stored: StoredHours, present: int) -> None:
        """Write the hours that have something new; raises StoreError, and what was not written waits in memory."""
        first, server = self._unwritten, self.plan.target.server
        if first is None:
            return
        for hour in range(max(first, self._oldest()), present + 1):
            figures = await self._hour(stored, hour, first=hour == first)
            for keys in bites(figures, WRITTEN):
                await stored.write(server, self.plan.name, hour, {self.stored_key(key): figures[key] for key in keys})
            self._unwritten = hour
        self._before = {hour: each for hour, each in self._before.items() if hour >= present}
        self._unwritten = None

    async def _hour(self, stored: StoredHours, hour: int, *, first: bool) -> Mapping[Key, Numbers]:
        """Give an hour's figures, with what the store held of it before we began."""
        figures = self._ring.hour(hour * HOUR_SECONDS, (hour + 1) * HOUR_SECONDS)
        if first and hour not in self._before and not self._whole(hour):
            held = await stored.of(
                self.plan.target.server, self.plan.name, map(self.stored_key, figures), range(hour, hour + 1)
            )
            self._before[hour] = {key[1:]: of[0][1] for key, of in held.items()}
        before = self._before.get(hour, {})
        return {key: joined(own, before.get(key, ())) for key, own in figures.items()}

    def _whole(self, hour: int) -> bool:
        """Tell whether the ring reaches back before an hour, so that the store can hold no more of it."""
        since = self._ring.since()
        return since is not None and since < hour * HOUR_SECONDS

    def _oldest(self) -> int:
        return (self._ring.since() or 0) // HOUR_SECONDS

    def write_all(self) -> None:
        """Count all that memory holds as unwritten: the store may be a new one."""
        if self._ring.since() is not None:
            self._unwritten = self._oldest()

    def stored_key(self, key: Key) -> Key:
        """Give the name by which the store has a key."""
        return (self.plan.target.database or "", *key)

    def past(self, line: Line, column: str, hours: Mapping[int, Sequence[float]], count: int) -> list[Point]:
        """Join a figure's stored hours with what memory holds, which is newer."""
        place = self.plan.trend.columns.index(column)
        stored = {hour: part for hour, figures in hours.items() if (part := _part(figures, place))}
        recent = self.recent(line, column) if count <= DETAIL_HOURS else ()
        if recent:
            return [*(point for point in _points(stored) if point.at < recent[0].at), *recent]
        return _points({**stored, **self._own_hours(line, place, hours)})

    def _own_hours(self, line: Line, place: int, stored: Collection[int]) -> dict[int, Sequence[float]]:
        """Give a figure's hours that memory holds whole, and the newest, which the store may lack."""
        key = tuple(line.key[name] for name in self.plan.trend.key)
        hours = (
            hour
            for hour in range(self._oldest(), hour_of(self._taken_at) + 1)
            if self._whole(hour) or hour not in stored
        )
        found = {hour: self._ring.part(key, place, hour * HOUR_SECONDS, (hour + 1) * HOUR_SECONDS) for hour in hours}
        return {hour: part for hour, part in found.items() if part[0] > 0}


def _plus(one: float, other: float) -> float:
    """Add up what is known."""
    return other if math.isnan(one) else one if math.isnan(other) else one + other


def _first(item: tuple[Key, tuple[float, ...]]) -> float:
    value = itemgetter(0)(item[1])
    return -math.inf if math.isnan(value) else value


def _part(figures: Sequence[float], place: int) -> Sequence[float]:
    """Give what an hour's figures say of one column; nothing where it was not known, or not kept yet."""
    part = figures[PART * place : PART * (place + 1)]
    return part if len(part) == PART and part[0] > 0 else ()


def points_of(hours: Mapping[int, Sequence[float]], place: int) -> list[Point]:
    """Read the stored hours of one column, those in which it was known."""
    return _points({hour: part for hour, figures in hours.items() if (part := _part(figures, place))})


def _points(hours: Mapping[int, Sequence[float]]) -> list[Point]:
    """Read one column's hours, oldest first."""
    return [
        Point(at=beginning(hour), mean=mean, most=most, seconds=float(HOUR_SECONDS))
        for hour, (_, mean, most) in sorted(hours.items())
    ]
