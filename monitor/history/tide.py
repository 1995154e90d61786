"""How many means rose above their baselines in one reading, and how far: whether it is one of them or the server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median_high

from monitor.history.past import Baseline, Tide

HEARD, ENOUGH = 4.0, 20.0
"""A mean of less weight (calls) than the first is no witness; one of less than the second does not say how far it
rose. Few calls each, of many statements, show that all is slower as well as many calls of few."""

RISEN = 1.5
"""So many times its baseline is risen. Means of 20 log-normal values (sigma 1.0) are, by chance, one in fifteen."""

MANY, PART = 3, 0.2
"""So many must have risen, and so great a part of all witnesses, before it is the server's doing."""


def tide(means: Iterable[tuple[float, float, Baseline | None]]) -> Tide:
    """Sum one reading up; of each key weight, weighed and baseline are given."""
    ratios = [
        (weighed / (before.median * weight), weight)
        for weight, weighed, before in means
        if weight >= HEARD and before is not None and before.median > 0
    ]
    risen = [(ratio, weight) for ratio, weight in ratios if ratio >= RISEN]
    return Tide(witnesses=len(ratios), risen=len(risen), times=_height(risen))


def _height(risen: Sequence[tuple[float, float]]) -> float:
    """Give the second highest of what has calls enough; where fewer than two have, the middle of all."""
    sure = sorted(ratio for ratio, weight in risen if weight >= ENOUGH)
    if len(sure) > 1:
        return sure[-2]
    return median_high([ratio for ratio, _ in risen]) if risen else 1.0


def is_high(one: Tide) -> bool:
    """Tell whether so many rose in one reading that it is the server, not one of them."""
    return one.risen >= MANY and one.risen > PART * one.witnesses


def common(tides: Sequence[Tide]) -> float:
    """Give how many times higher all was over some readings, as far as that is the server's doing; one: it is not."""
    return sum(each.times if is_high(each) else 1.0 for each in tides) / len(tides) if tides else 1.0
