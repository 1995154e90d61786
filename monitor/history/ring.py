"""A few numbers of many keys over the newest hours, four bytes each, taken at the same moments; and sums by hour."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from heapq import nsmallest

from monitor.history.past import Key

KEPT_SECONDS = 3 * 3600
HIGHEST = 3e38
"""The largest number that fits into four bytes, roughly."""
SPARE = 2
"""Keys that are gone are kept until so many times the wanted number is reached, or nothing of them is left."""

Numbers = tuple[float, ...]
NOTHING = math.nan


def finite(value: object) -> float:
    """Read a number; NaN where it is none, or endless, or too large to be kept."""
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever is no number raises
    except (TypeError, ValueError, OverflowError):
        return NOTHING
    return number if abs(number) <= HIGHEST else NOTHING


class Ring:
    """The newest readings; a key that a reading lacks has a gap there."""

    def __init__(self, width: int, most: int, every: float) -> None:
        self._width, self._most = width, most
        self._length = max(2, round(KEPT_SECONDS / max(every, 1.0)))
        self._times = array("I")
        self._lines: dict[Key, tuple[array[float], ...]] = {}

    def __len__(self) -> int:
        """Count the keys."""
        return len(self._lines)

    @property
    def readings(self) -> int:
        """Count the readings."""
        return len(self._times)

    def add(self, at: float, rows: Mapping[Key, Numbers]) -> None:
        """Take a reading in; one that is not later than the newest (the clock was set back) begins anew."""
        if self._times and at <= self._times[-1]:
            self._times, self._lines = array("I"), {}
        for key in rows.keys() - self._lines.keys():
            gaps = [NOTHING] * len(self._times)
            self._lines[key] = tuple(array("f", gaps) for _ in range(self._width))
        self._times.append(int(at))
        nothing = (NOTHING,) * self._width
        for key, columns in self._lines.items():
            for column, value in zip(columns, rows.get(key, nothing), strict=True):
                column.append(value)
        if len(self._times) > self._length + self._length // 4:
            self._trim()
        if len(self._lines) > SPARE * self._most:
            self._bound(rows)

    def _trim(self) -> None:
        """Let the oldest go, a quarter at a time, and keys of which nothing is left."""
        old = len(self._times) - self._length
        del self._times[:old]
        for columns in self._lines.values():
            for column in columns:
                del column[:old]
        self._lines = {key: each for key, each in self._lines.items() if any(map(_known, each))}

    def _bound(self, rows: Mapping[Key, Numbers]) -> None:
        """Let those go that have been away for longest."""
        gone = [key for key in self._lines if key not in rows]
        surplus = len(self._lines) - SPARE * self._most
        for key in nsmallest(surplus, gone, key=lambda each: _last(self._lines[each][0])):
            del self._lines[key]

    def of(self, key: Key, column: int) -> Iterator[tuple[int, float]]:
        """Give the moments, in seconds since 1970, and the numbers that are known, oldest first."""
        columns = self._lines.get(key)
        if columns is not None:
            for at, value in zip(self._times, columns[column], strict=True):
                if value == value:  # noqa: PLR0124 - NaN is the one that does not equal itself
                    yield at, value

    def gained(self, key: Key, column: int) -> tuple[float, float] | None:
        """Give how far a number moved from the first to the last reading that has it, and the seconds between."""
        values = self._lines[key][column] if key in self._lines else ()
        first = next((place for place, value in enumerate(values) if not math.isnan(value)), -1)
        last = _last(values)
        return (values[last] - values[first], self._times[last] - self._times[first]) if last > first else None

    def hour(self, begin: int, end: int) -> Mapping[Key, Numbers]:
        """Give the figures of all keys over the readings from `begin` on and before `end`."""
        first, last = bisect_left(self._times, begin), bisect_left(self._times, end)
        found = {
            key: tuple(figure for column in columns for figure in summed(column[first:last]))
            for key, columns in self._lines.items()
        }
        return {key: figures for key, figures in found.items() if any(figures[::PART])}

    def part(self, key: Key, column: int, begin: int, end: int) -> Numbers:
        """Give the figures of one number of one key over these readings."""
        first, last = bisect_left(self._times, begin), bisect_left(self._times, end)
        return summed(self._lines[key][column][first:last] if key in self._lines else ())

    def since(self) -> int | None:
        """Give when the oldest reading was taken."""
        return self._times[0] if self._times else None


def _known(column: Sequence[float]) -> bool:
    return not all(map(math.isnan, column))


def _last(column: Sequence[float]) -> int:
    """Give the place of the newest number."""
    return next((place for place in range(len(column) - 1, -1, -1) if not math.isnan(column[place])), -1)


PART = 3
"""Figures of one column in one hour: how many readings, their mean, the highest."""


def summed(values: Sequence[float]) -> Numbers:
    """Give an hour's figures of one column; NaN is no reading."""
    known = [value for value in values if not math.isnan(value)]
    return (float(len(known)), sum(known) / len(known), max(known)) if known else (0.0, 0.0, 0.0)


def joined(one: Numbers, other: Sequence[float]) -> Numbers:
    """Put two parts of an hour together; one that is shorter was written before there were more columns."""
    sums = list(one)
    for place in range(0, min(len(one), len(other)) // PART * PART, PART):
        count, mean, most = sums[place : place + PART]
        more, value, highest = other[place : place + PART]
        if more > 0:
            whole = count + more
            mean = mean * (count / whole) + value * (more / whole)
            sums[place : place + PART] = [whole, mean, max(most, highest) if count else highest]
    return tuple(sums)
