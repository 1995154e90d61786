"""A robust trend over (time, value) points, of whatever fills or is used up: its slope, and the rise that leads to now.

The slope is Theil and Sen's: the median of all pairs' slopes, with Sen's lower bound by Kendall's variance (P. K. Sen,
JASA 63, 1968, 1379-1389; R. O. Gilbert, Statistical Methods for Environmental Pollution Monitoring, 1987, 16.5, 17.3).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import NamedTuple

MOST = 60
"""So many points are compared with each other, 1,770 pairs; of more, evenly chosen ones."""
CERTAIN = 2.326
"""One-sided 99 % of the normal distribution."""
FEWEST = 3
TELLING = 8
"""Of fewer points no noise is estimated."""
FEW = 5
"""Of fewer points Kendall's test says nothing: each has to be above the last."""
CLEAR = 4.5
"""A rise that takes long is worth the name when it is so many times its noise."""


class Point(NamedTuple):
    """A value at a time, in seconds."""

    at: float
    value: float


def as_pairs(points: Iterable[Point]) -> list[list[float]]:
    """Give points as a document has them."""
    return [list(point) for point in points]


def as_points(document: object) -> list[Point]:
    """Read points from a document, the oldest first; raises TypeError or ValueError where it has none."""
    if not isinstance(document, list):
        raise TypeError(type(document).__name__)
    points = [Point(float(at), float(value)) for at, value in document]
    if not all(math.isfinite(number) for point in points for number in point):
        raise ValueError("not finite")
    return sorted(points)


@dataclass(frozen=True, kw_only=True)
class Rise:
    """How the value rose from its foot to now."""

    since: float
    seconds: float
    gain: float
    slope: float
    low: float
    """Sen's lower bound of the slope, one-sided 99 %."""
    jump: float
    """The largest step from one point to the next, as a part of the gain."""
    recent: float
    """The slope of the last quarter, of at least a minute."""
    thirds: float
    """The smaller gain from one third of the rise to the next, by their medians, as a part of the gain."""
    noise: float
    """Standard deviation before the rise, or about its line where that is more; by median absolute deviations."""
    usual: float
    """What the value was before: the median, or the foot where that is higher."""
    level: float
    """Now, by the line and by the last point: the lower of both."""
    held: float
    """What the last two points are no lower than: one alone may be chance."""


def rise(points: Sequence[Point]) -> Rise | None:
    """Measure the rise that leads to the last point; None where nothing rises.

    It begins at the last point that is no higher than the lowest one and a tenth of the gain.
    """
    if len(points) < FEWEST:
        return None
    last, lowest = points[-1], min(point.value for point in points)
    foot = max(i for i, each in enumerate(points) if each.value <= lowest + (last.value - lowest) / 10)
    window = _chosen(points[foot:])
    gain = last.value - window[0].value
    if len(window) < FEWEST or gain <= 0:
        return None
    slope, low = sen(window)
    end = median(each.value + slope * (last.at - each.at) for each in window)
    return Rise(
        since=window[0].at,
        seconds=last.at - window[0].at,
        gain=gain,
        slope=slope,
        low=low,
        jump=max(after.value - before.value for before, after in pairwise(window)) / gain,
        recent=sen(_recent(window))[0],
        thirds=_thirds(window) / gain,
        noise=max(_spread([each.value for each in points[:foot]]), _spread([e.value - slope * e.at for e in window])),
        usual=max(median(each.value for each in points[: foot + 1]), window[0].value),
        level=min(end, last.value),
        held=min(point.value for point in window[-2:]),
    )


def sen(points: Sequence[Point]) -> tuple[float, float]:
    """Give Theil and Sen's slope and its lower bound."""
    slopes = sorted(
        (after.value - before.value) / (after.at - before.at)
        for place, before in enumerate(points)
        for after in points[place + 1 :]
    )
    count = len(points)
    spread = CERTAIN * math.sqrt(count * (count - 1) * (2 * count + 5) / 18) if count >= FEW else len(slopes)
    return median(slopes), slopes[max(0, int((len(slopes) - spread) / 2))]


def _thirds(window: Sequence[Point]) -> float:
    third = (window[-1].at - window[0].at) / 3
    sides = [window[0].at, window[0].at + third, window[-1].at - third, window[-1].at + 1]
    parts = [[each.value for each in window if low <= each.at < high] for low, high in pairwise(sides)]
    first, middle, last = (median(part) if part else math.inf for part in parts)
    return min(middle - first, last - middle) if math.isfinite(first + middle + last) else 0.0


def _spread(values: Sequence[float]) -> float:
    """Estimate a standard deviation robustly; nought of a few values."""
    if len(values) < TELLING:
        return 0.0
    middle = median(values)
    return 1.4826 * median(abs(value - middle) for value in values)


def _chosen(points: Sequence[Point]) -> Sequence[Point]:
    """Take at most MOST points, about equally far from each other in time, the first and the last among them."""
    if len(points) <= MOST:
        return points
    step = (points[-1].at - points[0].at) / (MOST - 1)
    kept = [points[-1]]
    for each in reversed(points[1:-1]):
        if kept[-1].at - each.at >= step:
            kept.append(each)
    return [points[0], *reversed(kept[: MOST - 1])]


def _recent(window: Sequence[Point]) -> Sequence[Point]:
    last = window[-1].at
    since = last - max(60.0, (last - window[0].at) / 4)
    return window[min(len(window) - FEWEST, next(i for i, each in enumerate(window) if each.at >= since)) :]
