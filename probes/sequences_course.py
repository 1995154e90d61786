"""How the sequences of a database were used while we watched: points that are kept, and the trend through them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from monitor.probe import Row, number
from probes.trend import Point, as_points, sen

MOST = 96
"""So many points are kept of one sequence; then every second one goes, and the next come half as often."""
LONGEST = 28 * 86400.0
FEWEST = 5
SHORTEST = 3600.0
"""No trend is told of fewer points, or of a shorter time."""
WORTH = 0.01
"""Emptier ones are not remembered: what they had left would be years."""

Place: TypeAlias = tuple[object, ...]


class Course:
    """The last values of one sequence, ever further apart the longer it is watched."""

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._step = 0.0

    @property
    def seen(self) -> bool:
        """Tell whether there is a point."""
        return bool(self._points)

    def take(self, now: Point, *, ascending: bool) -> None:
        """Add a reading; what was before a restart of the sequence is forgotten."""
        last = self._points[-1] if self._points else None
        if last and (now.at < last.at or (now.value < last.value if ascending else now.value > last.value)):
            self._points, self._step, last = [], 0.0, None
        if last is None or now.at - last.at > max(self._step, 1.0):
            self._points = [*(each for each in self._points if each.at > now.at - LONGEST), now]
        if len(self._points) > MOST:
            self._points = [*self._points[:-1:2], now]
            self._step = (now.at - self._points[0].at) / MOST

    def document(self) -> object:
        """Give how far the points are from each other, the first one, and the others by their distance from it."""
        at, value = self._points[0]
        others = [[round(each.at - at, 1), each.value - value] for each in self._points[1:]]
        return {"step": self._step, "at": at, "value": value, "others": others}

    def restore(self, document: object) -> None:
        """Go on from them."""
        if isinstance(document, dict):
            first = Point(number(document, "at"), number(document, "value"))
            others = (Point(first.at + at, first.value + value) for at, value in as_points(document["others"]))
            self._step, self._points = number(document, "step"), [first, *others]

    def pace(self) -> tuple[float, float] | None:
        """Give what is used a second, by the trend, and for how long it was watched; None where there is no trend.

        There is one when Sen's lower bound is no less than half of the slope: less is noise.
        """
        if len(self._points) < FEWEST or (seconds := self._points[-1].at - self._points[0].at) < SHORTEST:
            return None
        first = self._points[0].value
        slope, low = sen([Point(each.at, abs(each.value - first)) for each in self._points])
        return (slope, seconds) if slope > 0 and low >= slope / 2 else None


class Courses:
    """The courses of all sequences that are worth it."""

    def __init__(self) -> None:
        self._of: dict[Place, Course] = {}

    def document(self) -> object:
        """Give the course of each sequence."""
        return [[*place, course.document()] for place, course in self._of.items() if course.seen] or None

    def restore(self, document: object) -> None:
        """Go on from them."""
        for schema, sequence, course in document if isinstance(document, list) else ():
            self._of[schema, sequence] = Course()
            self._of[schema, sequence].restore(course)

    def take(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Add a reading; give the rows, each with its `pace` a second and the time it was `watched`, where known."""
        before, self._of, told = self._of, {}, {}
        for row in rows:
            if row["kind"] == "sequence" and (place := _place(row)) not in told:
                told[place] = self._told(place, before.get(place), row)
        return [{**row, **(told.get(_place(row)) or NOTHING)} for row in rows]

    def _told(self, place: Place, kept: Course | None, row: Row) -> Row | None:
        unread = row["last_value"] is None
        if not unread and number(row, "used_ratio") < WORTH:
            return None
        course = kept or Course()
        if not unread:
            now = Point(number(row, "at"), number(row, "last_value"))
            course.take(now, ascending=bool(row["ascending"]))
        if not unread or kept:
            self._of[place] = course
        found = None if unread else course.pace()
        return {"pace": found[0], "watched": found[1]} if found else None


NOTHING: Row = {"pace": None, "watched": None}


def _place(row: Row) -> Place:
    return row["schema"], row["sequence"]
