"""What the pool probe remembers between its readings: half an hour of points for each limit, and who held the slots."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from monitor.probe import Row, number
from probes.pool_trend import Limit, Trend, trend
from probes.trend import Point

NEAR_SECONDS, NEAR_STEP = 300.0, 4.0
FAR_SECONDS, FAR_STEP = 1800.0, 15.0
"""Points are kept for so long, and so far from each other: 75 and 120 of them."""
DAY = 86400.0
HOUR = 3600.0
GAP_SECONDS = 60.0
"""A pause is a gap when it is longer than this and than four times the usual pause."""
HOLDERS_STEP = 60.0
"""Who held the slots is remembered so often."""
ENOUGH_SECONDS = 120.0
ENOUGH_READINGS = 5

Place: TypeAlias = tuple[str, str, str]
"""A limit: its kind, and the database or role it is of."""
Holder: TypeAlias = tuple[str, str, str, str]
"""Who holds sessions: database, role, application and their state."""


class Series:
    """The points of one limit, without a gap."""

    def __init__(self, most: float) -> None:
        self.most = most
        self.began = 0.0
        self._last: Point | None = None
        self._readings = 0
        self._near: deque[Point] = deque()
        self._far: deque[Point] = deque()
        self._highs: dict[int, float] = {}
        """By hour, of what left `_far`."""

    def take(self, now: Point, between: Sequence[Point] = ()) -> None:
        """Add a reading, and the points since the last one that it tells of."""
        if self._last is None:
            self.began = now.at
        for point in (*(each for each in between if self._last and each.at > self._last.at), now):
            _add(self._near, point, NEAR_STEP, NEAR_SECONDS)
        for left in _add(self._far, now, FAR_STEP, FAR_SECONDS):
            hour = int(left.at // HOUR)
            self._highs[hour] = max(self._highs.get(hour, 0.0), left.value)
        self._highs = {hour: high for hour, high in self._highs.items() if hour * HOUR > now.at - DAY}
        self._last, self._readings = now, self._readings + 1

    @property
    def last(self) -> Point | None:
        """The newest reading."""
        return self._last

    @property
    def enough(self) -> bool:
        """Whether it can be told that there is no trend."""
        return self._last is not None and (
            self._readings >= ENOUGH_READINGS and self._last.at - self.began >= ENOUGH_SECONDS
        )

    def trend(self) -> Trend | None:
        """Give the trend of the points up to now."""
        if self._last is None:
            return None
        limit = Limit(most=self.most, began=self.began, high=max(self._highs.values(), default=0.0))
        return trend(self._points(self._last), limit)

    def _points(self, last: Point) -> Sequence[Point]:
        """Join far and near points; the reading of now is the last."""
        border = self._near[0].at
        joined = [*(point for point in self._far if point.at < border), *self._near]
        return joined if joined[-1] == last else [*(point for point in joined if point.at < last.at), last]


def _add(points: deque[Point], point: Point, step: float, seconds: float) -> Sequence[Point]:
    """Add a point that is far enough from the last one; give those that are too old now."""
    if not points or point.at - points[-1].at >= step:
        points.append(point)
    old = []
    while points[0].at < point.at - seconds:
        old.append(points.popleft())
    return old


class Watched:
    """What is remembered of one server."""

    def __init__(self) -> None:
        self._started_at = 0.0
        self._last: float | None = None
        self._pause = 0.0
        self._series: dict[Place, Series] = {}
        self._holders: deque[tuple[float, Mapping[Holder, float]]] = deque()

    def take(self, at: float, started_at: float, groups: Sequence[Row], limits: Sequence[Row]) -> Sequence[Row]:
        """Add a reading; give the rows of limits, each with what its points say."""
        self._begin_anew(at, started_at)
        now = {_holder(row): number(row, "sessions") - number(row, "own_sessions") for row in groups}
        told = [self._told(at, row, now) for row in limits]
        if not self._holders or at - self._holders[-1][0] >= HOLDERS_STEP:
            self._holders.append((at, now))
        while self._holders[0][0] < at - FAR_SECONDS:
            self._holders.popleft()
        self._series = {place: self._series[place] for place in map(_place, limits)}
        return told

    def _begin_anew(self, at: float, started_at: float) -> None:
        """Forget what was before a restart, a gap, or a clock that was set back."""
        pause = at - self._last if self._last is not None else 0.0
        gap = pause > max(GAP_SECONDS, 4 * self._pause) if self._pause else False
        if started_at != self._started_at or gap or pause < 0:
            self._series.clear()
            self._holders.clear()
            pause = 0.0
        self._started_at, self._last, self._pause = started_at, at, pause

    def _told(self, at: float, row: Row, now: Mapping[Holder, float]) -> Row:
        used, most = number(row, "slots_used"), number(row, "slots_limit")
        series = self._series.get(_place(row))
        if series is None or series.most != most:
            series = self._series[_place(row)] = Series(most)
        series.take(Point(at, used), _between(series.last, Point(at, used), row))
        found = series.trend()
        left = found.seconds_left if found else math.inf if series.enough else None
        growing = self._growing(row, found.rise.since, now) if found else ()
        watched = at - series.began
        return {**row, "time_to_exhaustion_seconds": left, "trend": found, "growing": growing, "watched": watched}

    def _growing(self, row: Row, since: float, now: Mapping[Holder, float]) -> Sequence[tuple[Holder, float]]:
        """Give who holds more than at the foot of the rise, by how much, the most first."""
        before = next((held for at, held in reversed(self._holders) if at <= since), self._holders[0][1])
        grown = ((holder, count - before.get(holder, 0.0)) for holder, count in now.items() if _under(row, holder))
        return sorted(((holder, more) for holder, more in grown if more > 0), key=lambda each: -each[1])


def _between(last: Point | None, now: Point, row: Row) -> Sequence[Point]:
    """Give points since the last reading: who is here and began before; only where hardly anybody went meanwhile."""
    if last is None or row.get("begun_10") is None or row.get("begun_5") is None:
        return ()
    points = [Point(now.at - ago, now.value - number(row, f"begun_{ago}")) for ago in (10, 5)]
    return points if points[0].at > last.at and points[0].value >= last.value - max(1.0, now.value / 10) else ()


def _place(row: Row) -> Place:
    return str(row["kind"]), str(row["database"]), str(row["role"])


def _holder(row: Row) -> Holder:
    return str(row["database"]), str(row["role"]), str(row["application"]), str(row["state"])


def _under(limit: Row, holder: Holder) -> bool:
    database, role, *_ = holder
    return limit["kind"] == "server" or (limit["database"] or database, limit["role"] or role) == (database, role)
