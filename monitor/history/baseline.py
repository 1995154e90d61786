"""What a mean used to be: robust figures of earlier hours. Numbers in, numbers out; no clock, no store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median

from monitor.history.past import Baseline

DAY = 24
SAME_HOURS = 7
"""Days that must have the same hour of the day, so that only those hours count."""

LEAST = 10.0
"""An hour of less weight (calls) has no mean worth comparing with."""

CONSISTENT = 1.4826
"""Times the median deviation is the standard deviation, where values are spread normally."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sum:
    """What one hour came to."""

    hour: int
    weight: float
    weighed: float
    squares: float

    @property
    def mean(self) -> float:
        """The mean of its values."""
        return self.weighed / self.weight if self.weight > 0 else 0.0

    @property
    def deviation(self) -> float:
        """The standard deviation of its values."""
        return sqrt(max(self.squares / self.weight - self.mean * self.mean, 0.0)) if self.weight > 0 else 0.0


def same_hours(present: int, days: int) -> range:
    """Give the hours at the present time of day on so many earlier days."""
    return range(present - days * DAY, present, DAY)


def enough(hours: Iterable[Sum], present: int) -> bool:
    """Tell whether there are so many hours of the present time of day that others need not count."""
    return len(_alike(_sound(hours, present), present)) >= SAME_HOURS


def baseline(hours: Iterable[Sum], present: int) -> Baseline | None:
    """Give what stood before the present hour; None when there is no earlier hour.

    Where every hour has too little weight, the figures are those of all of them together, and `hours` is 0.
    """
    earlier = [each for each in hours if each.hour < present]
    if not earlier:
        return None
    sound = _sound(earlier, present)
    if not sound:
        return _of([_whole(earlier)], hours=0, same_hour=False)
    alike = _alike(sound, present)
    same_hour = len(alike) >= SAME_HOURS
    chosen = alike if same_hour else sound
    return _of(chosen, hours=len(chosen), same_hour=same_hour)


def _sound(hours: Iterable[Sum], present: int) -> list[Sum]:
    return [each for each in hours if each.hour < present and each.weight >= LEAST]


def _alike(hours: Iterable[Sum], present: int) -> list[Sum]:
    return [each for each in hours if (present - each.hour) % DAY == 0]


def _whole(hours: Sequence[Sum]) -> Sum:
    return Sum(
        hour=hours[-1].hour,
        weight=sum(each.weight for each in hours),
        weighed=sum(each.weighed for each in hours),
        squares=sum(each.squares for each in hours),
    )


def _of(chosen: Sequence[Sum], *, hours: int, same_hour: bool) -> Baseline:
    means = [each.mean for each in chosen]
    middle = median(means)
    return Baseline(
        median=middle,
        spread=CONSISTENT * median(abs(mean - middle) for mean in means),
        within=median(each.deviation for each in chosen),
        hours=hours,
        weight=sum(each.weight for each in chosen),
        same_hour=same_hour,
    )
