"""When is a limit of slots reached? Which rises of used slots are believed, and which end by themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from probes.trend import CLEAR, Point, Rise, rise

NEAR = 300.0
"""A quick rise is looked for in so many last seconds."""
KNOWN_FILL = 240.0
STRANGE_FILL = 150.0
"""A rise is quick that fills the whole limit in such a time: of what was watched for NEAR before, or was not."""
AFFORDED = 150.0
"""A quick rise is believed only when no more time is left to see how it goes on."""
DEPLOY_FACTOR = 2.5
"""A deployment doubles what there was, give or take its noise; more is none."""
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
class Limit:
    """What the points run towards, and what is known of the time before the first of them."""

    most: float
    began: float
    """Since when it is watched without a gap."""
    high: float = 0.0
    """The highest value of a day before the points."""


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
