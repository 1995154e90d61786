"""Which of many have series of their own: the busiest, steadily chosen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

Key: TypeAlias = tuple[object, ...]


class Members:
    """The busiest entries; one that has fallen behind stays for a while, so that series do not come and go."""

    def __init__(self) -> None:
        self._busy_at: dict[Key, datetime] = {}

    def choose(self, ranked: Sequence[Key], now: datetime, *, top: int, hold: float) -> set[Key]:
        """Take in the newest ranking; give at most `top` members."""
        at_least = now - timedelta(seconds=hold)
        self._busy_at = {key: at for key, at in self._busy_at.items() if at >= at_least}
        self._busy_at.update((key, now) for key in ranked[:top] if key in self._busy_at)
        for place, key in enumerate(ranked[:top]):
            if key in self._busy_at:
                continue
            if len(self._busy_at) >= top:
                if place >= top / 2:  # not so busy that another one has to make room before its time
                    continue
                del self._busy_at[min(self._busy_at, key=lambda each: self._busy_at[each])]
            self._busy_at[key] = now
        for key in sorted(self._busy_at, key=lambda each: self._busy_at[each])[: max(len(self._busy_at) - top, 0)]:
            del self._busy_at[key]
        return set(self._busy_at)
