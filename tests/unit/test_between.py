"""Samples between a snapshot's two readings: often enough, not too often, never longer than the window."""

import asyncio
import time

import pytest

from monitor.errors import TargetUnreachable
from monitor.report.between import pace, through


@pytest.mark.parametrize(("window", "seconds"), [(0.3, 0.5), (6, 0.5), (12, 1.0), (24, 2.0), (600, 2.0)])
def test_the_rate_is_bounded_on_both_sides(window: float, seconds: float) -> None:
    """The usual window of ten seconds has more than ten samples; a short one no more than two a second."""
    assert pace(window) == seconds


async def taken(window: float, *, answers: bool = True, slow: float = 0.0, lost: bool = False) -> tuple[int, float]:
    count, began = 0, time.monotonic()

    async def sample() -> bool:
        nonlocal count
        count += 1
        await asyncio.sleep(slow)
        if lost:
            raise TargetUnreachable("gone")
        return answers

    await through(window, sample)
    return count, time.monotonic() - began


async def test_samples_fill_the_window_and_do_not_lengthen_it() -> None:
    """The last is not taken right before the second reading, which samples as well."""
    many, few, one = await asyncio.gather(taken(1.6), taken(1.6, slow=0.6), taken(0.2))
    assert 1 <= few[0] <= many[0] <= 3
    assert one[0] == 0
    assert many[1] >= 1.6
    assert one[1] >= 0.2


async def test_a_sample_that_fails_is_the_last_and_the_window_is_kept() -> None:
    """Whatever it was: the second reading meets it too, and says it."""
    for count, seconds in await asyncio.gather(taken(1.1, answers=False), taken(1.1, lost=True)):
        assert count == 1
        assert seconds >= 1.1
