"""How many means rose above their baselines in one reading, and how far: whether it is one of them or the server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from monitor.history import Baseline, Tide

ENOUGH = 20.0
"""A mean of less weight (calls) is no witness."""

RISEN = 1.5
"""So many times its baseline is risen. Means of 20 log-normal values (sigma 1.0) are, by chance, one in fifteen."""

MANY, PART = 3, 0.25
"""So many must have risen, and so great a part of all witnesses, before it is the server's doing."""


def tide(means: Iterable[tuple[float, float, Baseline | None]]) -> Tide:
    """Sum one reading up; of each key weight, weighed and baseline are given."""
    ratios = [
        weighed / (before.median * weight)
        for weight, weighed, before in means
        if weight >= ENOUGH and before is not None and before.median > 0
    ]
    risen = sorted(ratio for ratio in ratios if ratio >= RISEN)
    return Tide(witnesses=len(ratios), risen=len(risen), times=risen[max(len(risen) - 2, 0)] if risen else 1.0)


def is_high(one: Tide) -> bool:
    """Tell whether so many rose in one reading that it is the server, not one of them."""
    return one.risen >= MANY and one.risen > PART * one.witnesses


def common(tides: Sequence[Tide]) -> float:
    """Give how many times higher all was over some readings, as far as that is the server's doing; one: it is not."""
    return sum(each.times if is_high(each) else 1.0 for each in tides) / len(tides) if tides else 1.0
