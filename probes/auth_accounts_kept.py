"""What is kept of accounts between readings: the sweep, when it may rest, and the shares of unconfirmed sign-ups."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median

from probes.auth_sweep import Span, Sweep, Visit, Visitor

FIRST_SECONDS = 3.0
"""What the first run may take, so that it has something to say."""

REST = 10_000
"""So many times what a turn took it is not begun anew while nothing changes; a day at most: accounts grow older."""

DAY = 86400.0


class Kept:
    """What is kept between readings of one database, also over a restart: the sweep, and when it may rest."""

    def __init__(self) -> None:
        self.sweep = Sweep()
        self._names: frozenset[str] = frozenset()
        self._began: Mapping[str, object] = {}
        """What had changed when the running turn began, and `_turned` when the last finished one did."""
        self._turned: Mapping[str, object] | None = None
        self._spent = 0.0
        """Seconds of the running turn, and `_cost` of the last finished one."""
        self._cost = 0.0
        self._shares: Mapping[int, float] = {}
        """By day (since 1970), how much of the week's sign-ups was unconfirmed: what is purged later stays known."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Add up what each slice showed when it was last looked at."""
        return {name: self.sweep.total(name) for name in self._names}

    def rests(self, changes: Mapping[str, object]) -> bool:
        """Tell whether nothing changed since the last turn began, and that is not long ago for what it took."""
        turned_at = self.sweep.turned_at
        if turned_at is None or self.sweep.turning or changes != self._turned:
            return False
        return time.time() - turned_at < min(DAY, REST * self._cost)

    async def turn(self, visit: Visitor, changes: Mapping[str, object], seconds: float) -> None:
        """Go on with the turn for so long, or begin one: the very first look may take longer."""
        if not self.sweep.turning:
            self._began, self._spent = changes, 0.0
        before = time.monotonic()
        begun = self.sweep.whole or self.sweep.turning
        await self.sweep.run(self._noting(visit), seconds if begun else FIRST_SECONDS)
        self._spent += time.monotonic() - before
        if not self.sweep.turning:
            self._turned, self._cost = self._began, self._spent

    def _noting(self, visit: Visitor) -> Visitor:
        async def noted(span: Span, suspects: Mapping[int, int]) -> Visit:
            seen = await visit(span, suspects)
            self._names |= seen.counts.keys()
            return seen

        return noted

    def usual(self) -> float:
        """Give the middle one of the shares of one to five weeks ago."""
        today = int(time.time() // DAY)
        past = [share for day, share in self._shares.items() if today - 35 <= day <= today - 7]
        return median(past) if past else 0.0

    def note(self) -> None:
        """Keep today's share of unconfirmed sign-ups."""
        today, all_ = int(time.time() // DAY), self.sweep.total("recent")
        if self.sweep.whole and all_:
            kept = {day: share for day, share in self._shares.items() if day >= today - 35}
            self._shares = {**kept, today: self.sweep.total("recent_open") / all_}

    def document(self) -> object:
        """Give all that a restart must not lose; it begins with a look at what is next."""
        shares = [[day, round(share, 4)] for day, share in self._shares.items()]
        names = sorted(self._names)
        return {"sweep": self.sweep.document(), "names": names, "shares": shares} if names else None

    def restore(self, document: object) -> None:
        """Take both up, where they can be read."""
        if isinstance(document, dict) and isinstance(names := document.get("names"), list):
            self.sweep.restore(document.get("sweep"))
            self._names = frozenset(str(name) for name in names)
            self._shares = {int(day): float(share) for day, share in document.get("shares", ())}
