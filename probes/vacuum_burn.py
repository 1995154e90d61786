"""How fast a server uses up transaction ids and multixact ids: points of a day at most, and their robust slope."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitor.probe import number
from probes.trend import Point, as_pairs, as_points, sen

MOST = 60
"""So many points are kept of each counter, about equally far from each other."""
DAY = 86400.0
FEWEST = 5
ENOUGH_SECONDS = 240.0
"""Fewer points, or of a shorter time, are no pace."""
WRAP = 2**32


class Pace:
    """The points of one counter that only grows."""

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._last: Point | None = None
        self._step = 0.0

    def take(self, now: Point) -> None:
        """Add a reading; what was before a counter or a clock that fell is forgotten."""
        if self._last and (now.value < self._last.value or now.at <= self._last.at):
            self._points, self._step = [], 0.0
        self._last = now
        if not self._points or now.at - self._points[-1].at >= self._step:
            self._points = [point for point in self._points if point.at > now.at - DAY] + [now]
        if len(self._points) > MOST:
            self._thin()

    def _thin(self) -> None:
        """Keep about every second point."""
        self._step = 2 * (self._points[-1].at - self._points[0].at) / len(self._points)
        kept = self._points[:1]
        kept.extend(each for each in self._points[1:] if each.at - kept[-1].at >= self._step)
        self._points = kept

    def document(self) -> object:
        """Give the points, and how far they are from each other."""
        return {"step": self._step, "points": as_pairs(self._points)}

    def restore(self, document: object) -> None:
        """Go on from them; what was read after the last of them is forgotten."""
        if isinstance(document, dict):
            self._step, self._points = number(document, "step"), as_points(document["points"])
        self._last = self._points[-1] if self._points else None

    @property
    def last(self) -> Point | None:
        """The newest reading."""
        return self._last

    @property
    def seconds(self) -> float:
        """How long the points reach back."""
        return self._last.at - self._points[0].at if self._last and self._points else 0.0

    @property
    def per_second(self) -> float | None:
        """Theil and Sen's slope of the points; None while there are too few of them."""
        points = self._joined()
        if len(points) < FEWEST or self.seconds < ENOUGH_SECONDS:
            return None
        return sen(points)[0]

    def _joined(self) -> Sequence[Point]:
        if self._last is None or self._points[-1] == self._last:
            return self._points
        return [*self._points, self._last]


class Burn:
    """The pace of both counters of one server."""

    def __init__(self) -> None:
        self.xids, self.mxids = Pace(), Pace()
        self._cluster: object = None

    def document(self) -> object:
        """Give both paces, and the cluster they are of."""
        whole = {"cluster": self._cluster, "xids": self.xids.document(), "mxids": self.mxids.document()}
        return whole if self.xids.last else None

    def restore(self, document: object) -> None:
        """Go on from them."""
        if isinstance(document, dict):
            self.xids.restore(document["xids"])
            self.mxids.restore(document["mxids"])
            self._cluster = document["cluster"]

    def take(self, at: float, cluster: object, xids: float, next_mxid: float) -> None:
        """Add a reading; another cluster behind the name begins anew. Multixact ids have 32 bits and go round."""
        if cluster != self._cluster:
            self.xids, self.mxids, self._cluster = Pace(), Pace(), cluster
        self.xids.take(Point(at, xids))
        before = self.mxids.last
        used = next_mxid if before is None else before.value + _onward(next_mxid - before.value)
        self.mxids.take(Point(at, used))


def _onward(step: float) -> float:
    """Read a difference modulo 2^32 as the nearer of forwards and backwards."""
    return (step + WRAP / 2) % WRAP - WRAP / 2


def seconds_left(age: float, limit: float, per_second: float | None) -> float | None:
    """Say how long it takes to the limit if nothing is frozen; None: nobody knows yet; infinite: nothing is used."""
    if per_second is None:
        return None
    return max(limit - age, 0.0) / per_second if per_second > 0 else math.inf
