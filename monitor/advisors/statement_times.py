"""What a statement's newest calls took, beside what they used to take: the numbers statements.regressed weighs."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from monitor.history.past import Baseline, Key, Stretch
from monitor.measurement import Row
from monitor.summed import table_names

SLACK = 0.01
"""What sums of squares may lack by rounding: they are differences of numbers that grew for months."""

BLOCK_SECONDS = 0.001
"""What a block may take from a network disk, when the caches are cold."""

SURE = 2.5
"""What is slower by less than this needs more than one reading, however even."""

STEADY = 0.05
"""The hours of a steady statement differ by less than this part of their median."""

NARROW, MODE = 0.5, 0.15
"""Times spread by less than this part of what they used to be, where the hours' own spread leaves room for so many
calls of the kind, are one of the ways the statement always ran (two plans, two kinds of values)."""


@dataclass(frozen=True, kw_only=True)
class Times:
    """Calls of one statement: how many, how long they took, and over which time they came."""

    calls: float
    seconds: float
    squares: float
    over: float

    @property
    def mean(self) -> float:
        """The mean of their times; nought of none."""
        return self.seconds / self.calls if self.calls > 0 else 0.0

    @property
    def deviation(self) -> float:
        """The standard deviation of single times."""
        return sqrt(max(self.squares / self.calls - self.mean**2, 0.0)) if self.calls > 0 else 0.0

    @property
    def agrees(self) -> bool:
        """Tell whether the counters can be of the same calls: a mean of squares is no less than the mean's square."""
        return self.squares * self.calls >= (1 - SLACK) * self.seconds**2

    @property
    def evenness(self) -> float:
        """One when all took as long; near the part of those that took long, when the others took next to nothing."""
        return self.seconds**2 / (self.calls * self.squares) if self.squares > 0 else 1.0

    def without(self, newer: Times) -> Times:
        """Give what came before a newer part."""
        return Times(
            calls=self.calls - newer.calls,
            seconds=max(self.seconds - newer.seconds, 0.0),
            squares=max(self.squares - newer.squares, 0.0),
            over=self.over - newer.over,
        )


@dataclass(frozen=True, kw_only=True)
class Slower:
    """One statement that is slower than it was; `row`: what the newest reading says of it."""

    key: Key
    row: Row
    now: Times
    before: Baseline
    blocks_read: float
    common: float = 1.0
    """How many times slower the server as a whole was meanwhile."""

    @property
    def excess(self) -> float:
        """Seconds a call that were not there before."""
        return self.now.mean - self.before.median

    @property
    def tables(self) -> frozenset[str]:
        """The tables it names."""
        return frozenset(table_names(self.row))

    @property
    def chilled(self) -> bool:
        """Tell whether the blocks it had to read may have made it slower by half or more, all else being as it was."""
        return 2 * self.blocks_read * BLOCK_SECONDS >= self.before.median

    @property
    def cores(self) -> float:
        """The share of one core that this is."""
        return self.excess * self.now.calls / self.now.over if self.now.over > 0 else 0.0


def times(stretch: Stretch) -> Times:
    values = stretch.values
    return Times(
        calls=values["calls"],
        seconds=values["exec_seconds"],
        squares=values["exec_squares"],
        over=stretch.seconds,
    )


def was_so(now: Times, before: Baseline) -> bool:
    """Tell whether the hours before had such calls among others: their spread allows it, and these are all alike."""
    narrow = now.deviation * before.median < NARROW * before.within * now.mean
    return narrow and before.within**2 >= MODE * (now.mean - before.median) ** 2


def swings(now: Times, before: Baseline) -> bool:
    """Tell whether its hours differ so much that a little more than twice may be one of their swings."""
    return now.mean < SURE * before.median and before.spread > STEADY * before.median
