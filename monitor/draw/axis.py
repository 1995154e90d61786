"""The ticks of a chart's axes: round figures in their unit, and round moments in UTC."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
TICKS = 4
"""So many parts an axis has at most, roughly."""
TIMES = (60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000, 604800)
LONGEST = 6
DAY = 86400
SECONDS = (1.0, 5.0, 15.0, 30.0, 60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0, 43200.0, 86400.0)


def levels(highest: float, unit: str) -> Sequence[float]:
    """Give ticks from 0 to the first round figure that is not below the highest."""
    if not highest > 0:
        return (0.0, 1.0)
    step = _step(highest / TICKS, unit)
    count = max(1, math.ceil(highest / step - 1e-9))
    return [step * place for place in range(count + 1)]


def _step(least: float, unit: str) -> float:
    """Give the smallest round step that is not below `least`; of bytes a round number of their units."""
    if unit == "seconds" and SECONDS[0] <= least <= SECONDS[-1]:
        return next(each for each in SECONDS if each >= least)
    base = 1024.0 ** min(4, int(math.log(least, 1024))) if unit == "bytes" and least >= 1 else 1.0
    rest = least / base
    power = 10.0 ** math.floor(math.log10(rest))
    step = next((each for each in STEPS if each * power >= rest * (1 - 1e-9)), STEPS[-1]) * power * base
    return max(step, 1.0) if unit in {"", "bytes"} else step


def moments(since: datetime, until: datetime) -> Sequence[tuple[datetime, str]]:
    """Give round moments of UTC with their labels, at most seven."""
    span = (until - since).total_seconds()
    step = next((each for each in TIMES if span / each <= LONGEST), TIMES[-1])
    first = math.ceil(since.timestamp() / step) * step
    count = int((until.timestamp() - first) // step) + 1
    found = [datetime.fromtimestamp(first, UTC) + timedelta(seconds=step * place) for place in range(max(0, count))]
    return [(at, f"{at:%b %d}" if step >= DAY else f"{at:%H:%M}") for at in found]
