"""A rolling sweep: a big table read in the order of a key, a few slices a run, exact once every slice was looked at.

The server finds where a slice ends; what a full turn found stands until its slice is looked at again. Bounds are kept
from turn to turn, so that no key need be compared here: slices that grew are split, small neighbours are joined.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

from monitor.probe import ProbeTimeout
from probes.auth_sweep_kept import SLICES, Slice, together

TARGET = 0.010
"""Seconds a slice should take: far from what a user of the server could notice."""

STALE = 86400.0
"""Seconds after which a turn is no longer taken up after a restart: its counts would be told as if they were new."""

LEAST, SMALL, FIRST, MOST = 100, 500, 1_000, 10_000
"""Keys in a slice: the first find caches cold; fewer than SMALL cost as much, so that only a timeout asks for them."""

SHRINK = 0.25
"""A slice that was slow is followed by one of a quarter at least: it may have waited for another's work."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """What a visitor is to look at: at most `rows` keys after `after` (None: from the first), up to `until` with it."""

    after: str | None
    until: str | None
    rows: int


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What a visitor saw: `upto` is the key it came to, the span's own `until` where nothing was left over."""

    upto: str | None
    rows: int
    counts: Mapping[str, int]
    suspects: Mapping[int, int] = field(default_factory=dict)
    """Hashes of keys that must be seen twice; handed to the next visit of the slice."""
    again: bool = False
    """Somebody became suspect just now: look here once more, first thing in the next run."""


Visitor: TypeAlias = Callable[[Span, Mapping[int, int]], Awaitable[Visit]]
"""Looks at a span; the second argument is the suspects of the look before."""


@dataclass(frozen=True, kw_only=True)
class _Slice:
    """The keys after the slice before it, up to `until`; None: to the table's end."""

    until: str | None
    rows: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    suspects: Mapping[int, int] = field(default_factory=dict)
    again: bool = False
    turn: int = 0
    """The turn in which it was last looked at."""


class Sweep:
    """One table's sweep; kept in a probe's memory, also over a restart."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._slices: list[_Slice] = [_Slice(until=None)]
        self._turn = 1
        self._at = 0
        """Which slice comes next."""
        self._rows = FIRST
        self.turned_at: float | None = None
        """When the last full turn ended, in seconds since 1970."""

    @property
    def turning(self) -> bool:
        """Tell whether a turn is under way."""
        return self._at > 0

    @property
    def whole(self) -> bool:
        """Tell whether every slice was looked at, be it in several turns."""
        return self.turned_at is not None

    @property
    def doubtful(self) -> bool:
        """Tell whether a slice waits for its second look."""
        return any(each.again for each in self._slices)

    def total(self, name: str) -> int:
        """Add up the newest count of each slice."""
        return sum(each.counts.get(name, 0) for each in self._slices)

    @property
    def rows(self) -> int:
        """How many keys the slices held when they were last looked at."""
        return sum(each.rows for each in self._slices)

    def progress(self, estimate: float = 0) -> float:
        """Give the share of the keys that this turn has looked at; `estimate` is for the first, which knows no end."""
        seen = sum(each.rows for each in self._slices[: self._at])
        known = self.rows if self.whole else max(estimate, self.rows)
        return min(1.0, seen / known) if known and self.turning else float(self.whole)

    async def run(self, visit: Visitor, seconds: float) -> None:
        """Look at slices until the time is used up or the turn is over: those in doubt first, and always at one.

        What the visitor raises goes on up; the sweep goes on from there next time. A timeout halves the slices.
        """
        began = self._clock()
        for place in [place for place, each in enumerate(self._slices) if each.again][::-1]:
            await self._look(place, visit)
            if self._clock() - began >= seconds:
                return
        while True:
            await self._look(self._at, visit)
            self._at += 1
            if self._at >= len(self._slices):
                self._at, self._turn, self.turned_at = 0, self._turn + 1, time.time()
                return
            if self._clock() - began >= seconds:
                return

    async def check(self, visit: Visitor) -> None:
        """Look once more at the slices in doubt, and at nothing else."""
        for place in [place for place, each in enumerate(self._slices) if each.again][::-1]:
            await self._look(place, visit)

    async def _look(self, place: int, visit: Visitor) -> None:
        """Look at a slice and put what it showed in its place; what it had left over becomes a slice after it."""
        joined = self._joined(place)
        old, after = self._slices[place : place + joined], self._slices[place - 1].until if place else None
        span = Span(after=after, until=old[-1].until, rows=self._rows)
        before = {key: value for each in old for key, value in each.suspects.items()}
        began = self._clock()
        try:
            seen = await visit(span, before)
        except ProbeTimeout:
            self._rows = max(LEAST, self._rows // 2)
            raise
        self._pace(self._clock() - began, seen.rows)
        now = _after(span, seen, old, self._turn)
        self._slices[place : place + joined] = now
        self._at += len(now) - joined if place < self._at else 0

    def _joined(self, place: int) -> int:
        """Tell how many slices to look at together: small neighbours, none of them in doubt."""
        count, rows = 1, self._slices[place].rows
        for each in self._slices[place + 1 :]:
            if each.again or self._slices[place].again or each.turn == 0 or not 0 < rows + each.rows <= self._rows // 2:
                break
            count, rows = count + 1, rows + each.rows
        return count

    def _pace(self, took: float, rows: int) -> None:
        """Make slices smaller at once when they take too long, and larger when one that was not small is quick."""
        if took > 2 * TARGET:
            self._rows = max(min(self._rows, SMALL), int(self._rows * max(TARGET / took, SHRINK)))
        elif took < TARGET / 2 and rows >= self._rows // 4:  # a small one says nothing of large ones
            self._rows = min(MOST, self._rows * 2)

    def document(self, most: int = SLICES) -> object:
        """Give what a restart must not lose, in about so many slices; suspects are seen twice again."""
        each_one: list[Slice] = [(each.until, each.rows, dict(each.counts), each.turn) for each in self._slices]
        at, slices = together(each_one, self._at, most)
        return {"turned_at": self.turned_at, "turn": self._turn, "at": at, "slices": [list(each) for each in slices]}

    def restore(self, document: object) -> None:
        """Go on where `document` stood; from the beginning where it cannot be read, or is too old."""
        try:
            slices, turn, at, turned_at = _read(document)
        except (TypeError, ValueError, KeyError, IndexError):
            return
        fresh = turned_at is None or time.time() - turned_at < STALE
        if fresh and slices and slices[-1].until is None and 0 <= at < len(slices):
            self._slices, self._turn, self._at, self.turned_at = slices, turn, at, turned_at


class Sweeps:
    """A probe's sweeps on one database, by name."""

    def __init__(self) -> None:
        self._sweeps: dict[str, Sweep] = {}

    def of(self, name: str) -> Sweep:
        """Give the sweep of this name, made anew the first time."""
        return self._sweeps.setdefault(name, Sweep())

    def only(self, names: Iterable[str]) -> None:
        """Forget the sweeps of other names."""
        kept = set(names)
        self._sweeps = {name: sweep for name, sweep in self._sweeps.items() if name in kept}

    def document(self) -> object:
        """Give all sweeps' documents."""
        most = max(1, SLICES // max(1, len(self._sweeps)))
        return {name: sweep.document(most) for name, sweep in self._sweeps.items()} or None

    def restore(self, document: object) -> None:
        """Take up each sweep that can be read."""
        for name, each in document.items() if isinstance(document, dict) else ():
            self.of(str(name)).restore(each)


def _after(span: Span, seen: Visit, old: Sequence[_Slice], turn: int) -> list[_Slice]:
    """Give what stands after a look; of a slice that held more than was looked at, the rest with what it had left."""
    looked = _Slice(
        until=seen.upto, rows=seen.rows, counts=seen.counts, suspects=seen.suspects, again=seen.again, turn=turn
    )
    if seen.upto == span.until:
        return [looked]
    names = {name for each in old for name in each.counts}
    rest = {name: max(0, sum(each.counts.get(name, 0) for each in old) - seen.counts.get(name, 0)) for name in names}
    rows = max(0, sum(each.rows for each in old) - seen.rows)
    suspects = {key: value for each in old for key, value in each.suspects.items()}
    doubt, turn = any(each.again for each in old), min(each.turn for each in old)
    return [looked, _Slice(until=span.until, rows=rows, counts=rest, suspects=suspects, again=doubt, turn=turn)]


def _read(document: object) -> tuple[list[_Slice], int, int, float | None]:
    if not isinstance(document, dict):
        raise TypeError(document)
    slices = [
        _Slice(until=until, rows=int(rows), counts={str(name): int(n) for name, n in counts.items()}, turn=int(turn))
        for until, rows, counts, turn in document["slices"]
    ]
    bounds = [each.until for each in slices]
    if not all(isinstance(bound, str) for bound in bounds[:-1]) or any(a == b for a, b in pairwise(bounds)):
        raise ValueError("bounds")
    turned_at = document["turned_at"]
    return slices, int(document["turn"]), int(document["at"]), None if turned_at is None else float(turned_at)
