"""The daemon's answer to who wants to see figures over time: from memory and our own store, no watched database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitor.history.recorder import Recorder
from monitor.history.trend import Course, Line
from monitor.store.hours import StoredHours


class DaemonTrends:
    """Answers `monitor.trend.Trends`."""

    def __init__(self, recorder: Recorder, stored: StoredHours) -> None:
        self._recorder, self._stored = recorder, stored

    def lines(self, trend: str, server: str | None = None) -> Sequence[Line]:
        """Give the newest of every key of one server or of all."""
        return self._recorder.trends.lines(trend, server)

    def recent(self, line: Line, column: str) -> Course:
        """Give the newest three hours of a figure, from memory."""
        strand = self._recorder.trends.strand(line)
        return Course(points=strand.recent(line, column) if strand else ())

    def gained(self, line: Line, column: str) -> tuple[float, float] | None:
        """Give how far a figure moved over the newest hours, and over how many seconds; None: it was read once."""
        strand = self._recorder.trends.strand(line)
        return strand.gained(line, column) if strand else None

    async def courses(self, lines: Sequence[Line], hours: int) -> Mapping[tuple[int, str], Course]:
        """Give so many hours of every figure of some lines, by their place and the column."""
        return await self._recorder.trends.courses(self._stored, lines, hours)

    async def evidence(self, fingerprint: str, server: str, hours: int) -> Course:
        """Give the main number of a finding over time."""
        return await self._recorder.trails.course(self._stored, fingerprint, server, hours)
