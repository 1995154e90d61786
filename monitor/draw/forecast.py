"""When a limit will be met, for charts: a dashed line from the newest figure on, and the moment in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor.measurement import duration

STALE = timedelta(minutes=3)
"""What was foretold longer ago is not repeated: nobody knows how it went on."""
FAR = timedelta(days=30)
"""What is further away is no moment to name."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """A trend that is believed: it meets the limit at that moment, if it goes on as it does."""

    at: datetime
    limit: float

    def moment(self, now: datetime) -> str:
        """Write it: `15:12 UTC`, of another day `Nov 24 00:10 UTC`."""
        at = self.at.astimezone(UTC)
        return f"{at:%H:%M} UTC" if at.date() == now.astimezone(UTC).date() else f"{at:%b %d %H:%M} UTC"

    def words(self, now: datetime) -> str:
        """Say when: `full at 15:12 UTC, in 12 min, if it goes on like this`."""
        left = (self.at - now).total_seconds()
        if left < 1:
            return "full by now, if it went on like this"
        return f"full at {self.moment(now)}, in {duration(left)}, if it goes on like this"


def forecast(seconds_left: float | None, limit: float | None, taken_at: datetime, now: datetime) -> Forecast | None:
    """Give the moment a limit is met; None: there is no trend (noise is none), no limit, or nobody has looked lately.

    Seconds count from the reading at `taken_at`.
    """
    if seconds_left is None or not limit or not 0 <= seconds_left <= FAR.total_seconds() or now - taken_at > STALE:
        return None
    return Forecast(at=taken_at + timedelta(seconds=seconds_left), limit=limit)


def until(now: datetime, since: datetime, foretold: Forecast | None) -> datetime:
    """Give where a chart ends: the moment that is foretold, or as far towards it as a third of what was."""
    return now if foretold is None else min(max(foretold.at, now), now + (now - since) / 3)
