"""The courses that a page draws, by line and column, and over what time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from monitor.draw.forecast import Forecast
from monitor.draw.plot import Plot, Series, Sketch, plot, spark
from monitor.history.trend import Course, Line

LEAST = timedelta(minutes=15)
"""A chart is of no less, however young the monitor is."""
WIDER = 1.2
Courses = Mapping[tuple[int, str], Course]
"""By the place of a line among those that were asked for, and the column."""


class Canvas:
    """What was read of some lines, ready to be drawn."""

    def __init__(self, lines: Sequence[Line], courses: Courses, now: datetime, hours: int) -> None:
        self._places = {id(line): place for place, line in enumerate(lines)}
        self._courses = courses
        self.now, self._hours = now, hours
        self._since, self._until = _fitting(courses, now - timedelta(hours=hours), now), now

    @property
    def reason(self) -> str:
        """Say why earlier hours cannot be read; empty: they could."""
        return next((each.reason for each in self._courses.values() if each.reason), "")

    def series(self, name: str, line: Line, column: str) -> Series:
        """Give one figure of a line under a name."""
        return Series(name=name, points=self._course(line, column).points)

    def spark(self, line: Line, column: str) -> str:
        """Draw one figure of a line small, without axes; empty where too little is known."""
        return spark(self._course(line, column).points, self.now, self._hours * 3600.0)

    def _course(self, line: Line, column: str) -> Course:
        place = self._places.get(id(line))
        return Course() if place is None else self._courses.get((place, column), Course())

    def plot(
        self,
        title: str,
        series: Iterable[Series],
        *,
        unit: str = "",
        limit: float | None = None,
        foretold: Forecast | None = None,
    ) -> list[Plot]:
        """Draw a chart, with where its first line leads; nothing where nothing is known."""
        sketch = Sketch(
            title=title,
            series=[*series],
            since=self._since,
            until=self._until,
            unit=unit,
            limit=limit,
            forecast=foretold,
        )
        drawn = plot(sketch)
        return [] if drawn is None else [drawn]


def _fitting(courses: Courses, since: datetime, now: datetime) -> datetime:
    """Give from when on to draw: from what was asked for, or from what is known first where that is much later."""
    known = [course.points[0].at for course in courses.values() if course.points]
    if not known or (now - min(known)) * 3 > now - since:
        return since
    return max(since, now - max((now - min(known)) * WIDER, LEAST))
