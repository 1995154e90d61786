"""Figures over time as pages read them, laid out by hand: newest values of some keys, and courses made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from monitor.history.trend import Course, Line, Point
from tests.unit.shelf import NOW

Shape = Callable[[float], float]
"""What a figure was as a part of what it is, so many minutes ago."""
MINUTES = 24 * 60


def wave(ago: float) -> float:
    """Up and down, and by no line anywhere."""
    return 1 + 0.15 * math.sin(ago / 37) + 0.1 * math.sin(ago / 7) if ago else 1.0


def rise(ago: float) -> float:
    """Level for most of the day, then up to now."""
    return 0.4 + 0.6 * max(0.0, 1 - ago / 50)


@dataclass
class Figures:
    """Implements trend.Trends; `shapes` are by column, and everything else is a wave."""

    known: Sequence[Line] = ()
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    reason: str = ""

    def lines(self, trend: str, server: str | None = None) -> Sequence[Line]:
        return [each for each in self.known if each.trend == trend and server in {None, each.server}]

    def recent(self, line: Line, column: str) -> Course:
        return self._course(line, column, 180)

    def gained(self, line: Line, column: str) -> tuple[float, float] | None:
        return (line.values.get(column, 0.0) / 50, 10_800.0) if column in line.values else None

    async def courses(self, lines: Sequence[Line], hours: int) -> Mapping[tuple[int, str], Course]:
        return {
            (place, column): self._course(line, column, min(hours * 60, MINUTES))
            for place, line in enumerate(lines)
            for column in line.values
        }

    async def evidence(self, fingerprint: str, server: str, hours: int) -> Course:
        return Course(reason=self.reason)

    def _course(self, line: Line, column: str, minutes: int) -> Course:
        shape, value = self.shapes.get(column, wave), line.values.get(column, math.nan)
        points = [
            Point(at=NOW - timedelta(minutes=ago), mean=value * shape(ago), most=value * shape(ago), seconds=300)
            for ago in range(minutes, -1, -5)
        ]
        return Course(points=points if column in line.values else (), reason=self.reason)
