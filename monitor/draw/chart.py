"""Small charts, as a path of SVG and in words: a bar an hour, and a gap where nothing is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor.measurement import duration, plural
from monitor.status import Bucket

STEP, BAR, HEIGHT = 8, 6, 36
"""Units from one bar to the next, of a bar's width, and of the highest bar."""
HOUR = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Bars on a ground line, the newest at the right; `words` say what they show."""

    path: str
    width: int
    height: int
    peak: str
    words: str
    mark: int | None = None
    """Where it is marked, in units from the left."""


def hourly_means(buckets: Sequence[Bucket], now: datetime, count: int, slower: datetime | None = None) -> Chart | None:
    """Draw the mean time of a call in each of the `count` newest hours; None: nothing is known of any of them.

    `slower`: when it was found to have become slower, which is marked.
    """
    present = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    known = {round((present - each.begins) / HOUR): mean for each in buckets if (mean := _mean(each)) is not None}
    means = {ago: mean for ago, mean in known.items() if 0 <= ago < count}
    if not means:
        return None
    peak = max(means.values())
    bars = [_bar(count - 1 - ago, mean / peak if peak else 0.0) for ago, mean in sorted(means.items(), reverse=True)]
    return Chart(
        path="".join(bars),
        width=count * STEP,
        height=HEIGHT,
        peak=duration(peak),
        words=_words(means, present, count) + (f" Slower since {slower:%H:%M} UTC." if slower else ""),
        mark=_mark(slower, present, count),
    )


def _mark(slower: datetime | None, present: datetime, count: int) -> int | None:
    """Give the place of a moment; None: there is none, or it is not within these hours."""
    place = count + (slower - present) / HOUR - 1 if slower else -1.0
    return round(place * STEP) if 0 <= place < count else None


def _mean(bucket: Bucket) -> float | None:
    """Give the seconds of a call; None where nothing was called, or a figure is missing."""
    calls, spent = (bucket.figures.get(name, math.nan) for name in ("calls", "exec_seconds"))
    mean = spent / calls if calls > 0 else math.nan
    return mean if 0 <= mean < math.inf else None


def _bar(place: int, part: float) -> str:
    """Write one bar; the lowest can still be told from a gap."""
    height = f"{max(part * HEIGHT, 1):.3g}"
    return f"M{place * STEP} {HEIGHT}v-{height}h{BAR}v{height}z"


def _words(means: dict[int, float], present: datetime, count: int) -> str:
    longest, shortest = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    running = f"{duration(means[0])} in the hour that runs" if 0 in means else "nothing in the hour that runs"
    unseen = count - len(means)
    gaps = f"; nothing was seen in {plural(unseen, 'hour')}" if unseen else ""
    return (
        f"Mean of a call, hour by hour over {count} hours: longest {duration(means[longest])} from "
        f"{present - longest * HOUR:%H:%M} UTC, shortest {duration(means[shortest])} from "
        f"{present - shortest * HOUR:%H:%M} UTC, {running}{gaps}."
    )
