"""What is kept of gauges over time: which a probe declares, and how pages read them back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Trend:
    """Columns of a probe's exposed rows that are kept: for three hours as they were read, then hour by hour.

    Rows that agree in `key` are added up; rows without a number in the first gauge (or rate) are passed by.
    """

    name: str
    """Unique within the probe; a row's place in the store is named by both."""
    key: tuple[str, ...] = ()
    gauges: tuple[str, ...] = ()
    rates: tuple[str, ...] = ()
    """Counters, kept as growth per second."""
    latest: tuple[str, ...] = ()
    """Columns of which the newest value alone is remembered, as a number or a text."""
    aside: str = ""
    """The probe's aside whose rows are meant; empty: those that it exposes."""
    every: float = 60.0
    """Seconds between two readings that are kept."""
    most: int = 20
    """Keys of one target that are kept, those with the largest first column."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Give all that is kept over time, in the order of the store's figures; later ones are added at the end."""
        return (*self.gauges, *self.rates)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One key as it was read last; what was not known then is not in `values`."""

    trend: str
    """The probe's name and the trend's: `pool.slots`."""
    server: str
    database: str | None
    key: Mapping[str, str]
    values: Mapping[str, float]
    words: Mapping[str, str] = field(default_factory=dict)
    taken_at: datetime

    def number(self, column: str) -> float | None:
        """Give one figure; None: it is not known."""
        return self.values.get(column)


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """What a figure was at a moment, or in the hour that began then: its mean and its highest."""

    at: datetime
    mean: float
    most: float
    seconds: float = 0.0
    """How long it holds for: 3600 of an hour, 0 of a reading."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """A figure over time, oldest first; `reason` says why earlier hours cannot be read."""

    points: Sequence[Point] = ()
    reason: str = ""


class Trends(Protocol):
    """The trends of all servers; only `courses` and `evidence` touch a database, our own store."""

    def lines(self, trend: str, server: str | None = None) -> Sequence[Line]:
        """Give the newest of every key of one server or of all."""

    def recent(self, line: Line, column: str) -> Course:
        """Give the newest three hours of a figure, from memory."""

    def gained(self, line: Line, column: str) -> tuple[float, float] | None:
        """Give how far a figure moved over the newest hours, and over how many seconds; None: it was read once."""

    async def courses(self, lines: Sequence[Line], hours: int) -> Mapping[tuple[int, str], Course]:
        """Give so many hours of every figure of some lines, by their place and the column."""

    async def evidence(self, fingerprint: str, server: str, hours: int) -> Course:
        """Give the main number of a finding over time."""


def main_figure(evidence: Mapping[str, object]) -> str | None:
    """Name the number that a finding is about: how many, else the first one; None: it has no number."""
    numbers = [
        name for name, value in evidence.items() if isinstance(value, int | float) and not _is_limit(name, value)
    ]
    return "count" if "count" in numbers else next(iter(numbers), None)


def limit_of(evidence: Mapping[str, object], figure: str) -> float | None:
    """Give the limit that a figure is held against, where the evidence has one of the same unit."""
    value = evidence.get(f"limit_{figure.rpartition('_')[2]}")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _is_limit(name: str, value: object) -> bool:
    return isinstance(value, bool) or name.startswith(("limit_", "min_", "max_", "warning_", "critical_"))
