"""What a snapshot does between its two readings: probes that take samples are asked again, at a bounded rate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from monitor.errors import ProbeError, TargetError

SAMPLES = 12
"""So many times in a window, unless that is more or less often than the rate allows."""
SHORTEST, LONGEST = 0.5, 2.0
"""Seconds from one sample to the next."""


def pace(window: float) -> float:
    """Give the seconds from one sample to the next in a window of so many."""
    return min(max(window / SAMPLES, SHORTEST), LONGEST)


async def through(window: float, sample: Callable[[], Awaitable[bool]]) -> None:
    """Take samples until the window is over; one that fails is the last, and the second reading says why."""
    loop = asyncio.get_running_loop()
    at, step = loop.time(), pace(window)
    end, good = at + window, True
    while good:
        at = max(at + step, loop.time())
        if at > end - step / 2:
            break
        await asyncio.sleep(at - loop.time())
        try:
            good = await sample()
        except (TargetError, ProbeError):
            good = False
    await asyncio.sleep(max(0.0, end - loop.time()))
