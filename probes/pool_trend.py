"""When is a limit reached? A robust trend over (time, value) points, of used slots or of whatever else waits or fills.

The slope is Theil and Sen's: the median of all pairs' slopes, with Sen's lower bound by Kendall's variance (P. K. Sen,
JASA 63, 1968, 1379-1389; R. O. Gilbert, Statistical Methods for Environmental Pollution Monitoring, 1987, 16.5, 17.3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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


class Point(NamedTuple):
    """A value at a time, in seconds."""

    at: float
    value: float


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What the points run towards, and what is known of the time before the first of them."""

    most: float
    began: float
    """Since when it is watched without a gap."""
    high: float = 0.0
    """The highest value of a day before the points."""


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


NEAR = 300.0
"""A quick rise is looked for in so many last seconds."""
KNOWN_FILL = 240.0
STRANGE_FILL = 150.0
"""A rise is quick that fills the whole limit in such a time: of what was watched for NEAR before, or was not."""
AFFORDED = 150.0
"""A quick rise is believed only when no more time is left to see how it goes on."""
DEPLOY_FACTOR = 2.5
"""A deployment doubles what there was, give or take its noise; more is none."""
CLEAR = 4.5
"""A rise that takes long is worth the name when it is so many times its noise."""
NOISE = 2.5
"""Standard deviations between two counts, each with the variance of Poisson's distribution."""
LOW = 0.2
"""Of the limit: below this nothing is said."""
HIGH = 0.75
"""Of the limit: here a rise is believed that lasts longer than LASTING, as no pool needs to warm up."""
TALL = 0.88
"""Of the limit: here a rise is believed that lasts longer than OUTLASTING, as no deployment does."""
LASTING = 420.0
OUTLASTING = 120.0
QUICKEST = 10.0
STRANGE = 25.0
WORTH = 0.1
"""Of the limit: a smaller gain is no trend."""
STEADY_THIRDS = 0.2
"""Each third of a line's time has a third of its gain; of what stepped, or stopped, one has nearly none."""
STILL = 0.7
"""Of the slope: a rise that has slowed down to less ends by itself."""
STEADY_JUMP = 0.5
QUICK_JUMP = 0.6
"""A step is none: not most of the gain may come at once."""


@dataclass(frozen=True, kw_only=True)
class Trend:
    """A rise that is believed, and where it leads."""

    seconds_left: float
    rise: Rise


def trend(points: Sequence[Point], limit: Limit) -> Trend | None:
    """Say when the limit is reached; None where there is no such trend.

    What rises quickly is believed after a few points, what rises slowly after minutes and near the limit: sawteeth,
    deployments and batches rise as well, and end by themselves. A level that was there before is no news, either.
    """
    last = points[-1]
    if last.value < LOW * limit.most:
        return None
    near = rise([point for point in points if point.at >= last.at - NEAR])
    far = rise(points) if last.value >= HIGH * limit.most else None
    for found, believed in ((near, _quick), (near, _tall), (far, _tall), (far, _lasting)):
        if found and found.low > 0 and believed(found, limit, _before(points, found, limit)):
            return Trend(seconds_left=max(limit.most - found.level, 0.0) / found.slope, rise=found)
    return None


def _before(points: Sequence[Point], found: Rise, limit: Limit) -> float:
    """Give the level a rise has to pass to be news: what was reached before, though not beyond TALL."""
    high = max((point.value for point in points if point.at < found.since), default=0.0)
    reached = max(high, limit.high)
    return min(reached + 0.03 * limit.most, TALL * limit.most)


def _quick(found: Rise, limit: Limit, before: float) -> bool:
    known = found.since - limit.began >= NEAR
    fill = limit.most / found.slope
    left = (limit.most - found.level) / found.slope
    noise = math.sqrt(max(found.level, found.gain) * 2 - found.gain)
    return (
        fill <= (KNOWN_FILL if known else STRANGE_FILL)
        and left <= AFFORDED
        and found.seconds >= (QUICKEST if known else STRANGE)
        and found.jump <= QUICK_JUMP
        and found.gain >= NOISE * noise
        and found.level >= max(LOW * limit.most, DEPLOY_FACTOR * found.usual, before)
    )


def _tall(found: Rise, limit: Limit, before: float) -> bool:
    tall = max(TALL * limit.most, before)
    reached = found.level - 2 * found.noise >= tall and found.held >= tall
    return found.seconds >= OUTLASTING and reached and _steady(found, limit)


def _lasting(found: Rise, limit: Limit, before: float) -> bool:
    return found.seconds >= LASTING and found.level >= max(HIGH * limit.most, before) and _steady(found, limit)


def _steady(found: Rise, limit: Limit) -> bool:
    """Tell whether a rise goes on, takes many steps, and is worth the name."""
    return (
        found.gain >= max(WORTH * limit.most, CLEAR * found.noise)
        and found.jump <= STEADY_JUMP
        and found.thirds >= STEADY_THIRDS
        and found.recent >= STILL * found.slope
    )
