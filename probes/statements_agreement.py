"""Whether two series of volumes are in step, interval by interval: for the rule on N+1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Volumes: TypeAlias = tuple[float, float]
"""Of one interval: the calls of the one, and what the other did."""

NONE: Volumes = (0.0, 0.0)

ROUNDING = 0.05
"""A lookup by key that now and then gives two rows is still one."""


@dataclass(frozen=True)
class Agreement:
    """The intervals that agree, how many of them only together with the one before, and how many do not."""

    volumes: Sequence[Volumes]
    agreed: int
    joined: int
    against: int

    @property
    def sums(self) -> Volumes:
        """Sum up the intervals that agree."""
        return sum(mine for mine, _ in self.volumes), sum(theirs for _, theirs in self.volumes)

    def apart(self, rows_per_call: float) -> float:
        """Give the squares of the differences, each in parts of the variance that strangers would have by luck.

        Calls that come by themselves come at random: n of them have the variance n, and so many rows each of the
        other's calls that many times as much. A constant share of other callers is no difference.
        """
        mine, theirs = self.sums
        ratio = mine / theirs if theirs else 0.0
        variances = ((one - ratio * other, one + rows_per_call * other) for one, other in self.volumes)
        return sum(gap * gap / variance for gap, variance in variances if variance)


def agreement(volumes: Iterable[Volumes], near: Callable[[float, float], bool], few_calls: float) -> Agreement:
    """Compare interval by interval; what a reading saw late is judged with the next."""
    kept: list[Volumes] = []
    agreed = joined = against = 0
    late = NONE
    for alone in volumes:
        both = (alone[0] + late[0], alone[1] + late[1])
        if max(both) < few_calls or near(*both):
            joined += late != NONE
            agreed, late = agreed + (max(both) >= few_calls), NONE
            kept.append(both)
        elif late == NONE:
            late = both
        elif near(*alone):
            agreed, against, late = agreed + 1, against + 1, NONE
            kept.append(alone)
        else:
            against, late = against + 1, alone
    return Agreement(kept, agreed, joined, against)


def single(total: tuple[float, float]) -> bool:
    """Tell, by calls and rows, whether a call gives one row at most."""
    return total[1] <= (1 + ROUNDING) * total[0]
