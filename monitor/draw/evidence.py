"""A finding's main number over time: a chart, and in words how it went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.draw.plot import WRITE, Plot, Series, Sketch, plot
from monitor.draw.words import when
from monitor.history.trend import Course, Point, limit_of, main_figure
from monitor.model import Alert

UNITS = {"bytes": "bytes", "seconds": "seconds", "ratio": "ratio"}
MARGIN = 1.1
"""The chart begins a little before the first figure."""
LEAST = timedelta(hours=1)
HOURS = 30 * 24
"""So far back is looked."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the page of a finding says of its number; `plot` is None while it never changed."""

    name: str
    words: str
    plot: Plot | None
    reason: str


def told(alert: Alert, course: Course, now: datetime) -> Told | None:
    """Put a finding's course into a chart and words; None: it has no number, or none was kept."""
    evidence = alert.finding.evidence
    name = main_figure(evidence)
    if name is None or not course.points:
        return None
    unit = UNITS.get(name.rpartition("_")[2], "")
    first, last = course.points[0].at, max(course.points[-1].at, min(now, alert.ends_at or now))
    span = max((last - first) * MARGIN, LEAST)
    label = name.removesuffix(f"_{unit}").replace("_", " ") if unit else name.replace("_", " ")
    sketch = Sketch(
        title=label,
        series=[Series(name=label, points=course.points)],
        since=last - span,
        until=last,
        unit=unit,
        limit=limit_of(evidence, name),
        stepped=True,
        marks=[(alert.fired_at, "began to fire")] if alert.fired_at else [],
    )
    same = len({point.most for point in course.points}) == 1
    return Told(
        name=label,
        words=_words(label, course.points, unit),
        plot=None if same else plot(sketch),
        reason=course.reason,
    )


def _words(name: str, points: Sequence[Point], unit: str) -> str:
    """Say how it went: unchanged, or from what to what."""
    write, first, last = WRITE[unit], points[0], points[-1]
    highest = max(points, key=lambda point: point.most)
    if highest.most == min(point.mean for point in points):
        return f"{name} {write(last.mean)}, unchanged since {when(first.at)}."
    way = "up from" if last.mean > first.mean else "down from" if last.mean < first.mean else "again, as"
    peak = f"; the highest was {write(highest.most)} ({when(highest.at)})" if highest.most > last.mean else ""
    return f"{name} {write(last.mean)}, {way} {write(first.mean)} ({when(first.at)}){peak}."
