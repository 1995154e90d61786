"""Sweeping a big link: slice after slice within a share of the time, so that no statement is long.

A turn goes through both directions. Whoever is suspect is looked at again, in the same slice, at each run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

from monitor.probe import Row, number, sight, sight_newest, sight_slices
from probes.auth_links_ask import Ask
from probes.auth_links_looks import Seen, counters
from probes.auth_links_newest import KEYS, Newest, Side
from probes.auth_links_shape import Shape
from probes.auth_links_suspects import BETWEEN_LOOKS, MOST, Ages, Span, Suspects, Wanted
from probes.auth_sight import as_list

MOST_KEYS, FIRST_KEYS = 50_000, 2000
LEAST_KEYS = {"keys": 5000, "blocks": 1000, "users": 1000}
"""A slice by keys costs 3 ms before its first key, and 5,000 keys cost as much again: fewer save nothing."""
SLICE_SECONDS = 0.008
REST = 6 * 3600.0
"""Counters may lag or be reset: unchanged ones are believed no longer than this."""
REPLAYED = "select pg_catalog.pg_last_wal_replay_lsn()::text as state"
NIL = "00000000-0000-0000-0000-000000000000"
WAYS = {"keys": sight_slices.BY_KEYS, "blocks": sight_slices.BY_BLOCKS, "users": sight_slices.BY_USERS}
NEW = {"new_keys": sight_newest.NEW_KEYS, "new_rows": sight_newest.NEW_ROWS, "new_users": sight_newest.NEW_USERS}
LOOKS = {**WAYS, **NEW}
ODD = "its ids are written in too many ways for users without a row to be looked for: make it a uuid"


class LinkSweep:
    """What is known of one link from its slices."""

    def __init__(self, ways: Sequence[str]) -> None:
        self.ways = ways
        self.way = 0
        """Which of the ways the turn is on."""
        self.at: str | None = None
        self.keys = FIRST_KEYS
        self.passed = 0
        """Keys the turn went by, on this way."""
        self.began = 0.0
        self.began_state: object = None
        self.turned_at: float | None = None
        """The end of the last whole turn; None before the first."""
        self.turned_state: object = None
        self.orphans, self.missing = Suspects(), Suspects()
        self.odd: set[int] = set()
        """Users written in none of the common ways; more than MOST are too many."""
        self._odd_now: set[int] = set()
        self.newest = Newest()

    def progress(self, shape: Shape) -> float:
        """Give the running turn's share that is done, 0 to 1."""
        if self.at is None and self.way == 0:
            return 0.0 if self.turned_at is None else 1.0
        blocks = self.ways[self.way] == "blocks"
        done = int(self.at or 0) / max(shape.blocks, 1) if blocks else self.passed / max(shape.users, shape.rows, 1)
        return min((self.way + min(done, 1.0)) / len(self.ways), 0.99)

    def looked(self, shape: Shape) -> float:
        """Give the share of the keys that were looked at at least once."""
        return self.progress(shape) if self.turned_at is None else 1.0

    @property
    def fresh(self) -> bool:
        """Tell whether anybody awaits the second look."""
        return self.orphans.fresh or self.missing.fresh

    async def run(self, ask: Ask, seconds: float) -> None:
        """Look again at the suspects' slices, half of the time at most, then go on with the turn."""
        now_state = await _state(ask)
        began = time.monotonic()
        await self.new(ask, seconds / 4, now_state)
        if self._unchanged(now_state):
            if not (self.orphans.settled and self.missing.settled):
                await self.again(ask, seconds)
            return
        await self.again(ask, seconds / 2)
        await self._on(ask, seconds - (time.monotonic() - began), now_state)

    async def new(self, ask: Ask, seconds: float, state: object) -> None:
        """Look at the newest of both sides that are older than the grace: a slice of each, and more while time is."""
        until, clocks = time.monotonic() + seconds, ask.clocks
        self.newest.ways(clocks, state)
        for way, clock in clocks.items():
            side, ripe = self.newest.sides[way], math.floor(clock - ask.grace)
            if side.rests(ripe) or not side.begin(ripe):
                continue
            while await self._step_new(ask, way, side) and time.monotonic() < until:
                pass

    async def _step_new(self, ask: Ask, way: str, side: Side) -> bool:
        """Look at the next slice of a pass; tell whether there is one after it."""
        first, last = f"{side.at:.0f}", f"{side.until:.0f}"
        row = await self._slice(ask, NEW[way], first, KEYS, last)
        next_ = None if row["next"] is None else str(row["next"])
        self._take(ask, Span(way, first, next_ or last), row, again=True)
        side.passed(None if next_ is None or float(next_) >= side.until else float(next_))
        return side.at is not None

    def _unchanged(self, now_state: object) -> bool:
        """Tell whether another turn would meet the rows that the last one met."""
        same = self.turned_state is not None and self.turned_state == now_state
        rests = self.at is None and self.way == 0 and self.turned_at is not None
        return same and rests and time.time() - (self.turned_at or 0.0) < REST

    async def again(self, ask: Ask, seconds: float) -> None:
        """Look at the slices with suspects, those seen longest ago first."""
        until, now, one = time.monotonic() + seconds, time.time(), False
        last: dict[Span, float] = {}
        for at, span in (*self.orphans.spans(), *self.missing.spans()):
            if span.way in NEW and span.way not in ask.clocks:  # its index is gone: the sweep will come by
                continue
            last[span] = max(at, last.get(span, 0.0))
        for span in sorted(last, key=lambda each: last[each]):
            if now - last[span] < BETWEEN_LOOKS:
                continue
            if one and time.monotonic() >= until:
                return
            one = True
            row = await self._slice(ask, LOOKS[span.way], span.first, None, span.next)
            self._take(ask, span, row, again=True)

    async def _on(self, ask: Ask, seconds: float, now_state: object) -> None:
        """Go on with the turn, to its end at most."""
        until = time.monotonic() + seconds
        while True:
            way = self.ways[self.way]
            if self.at is None:
                self.at, self.passed = "0" if way == "blocks" else NIL, 0
                if self.way == 0:
                    self.began, self.began_state = time.time(), now_state
            if await self._step(ask, way) or time.monotonic() >= until:
                return

    async def _step(self, ask: Ask, way: str) -> bool:
        """Look at one slice; tell whether it ended the turn."""
        first, began = str(self.at), time.monotonic()
        try:
            row = await self._slice(ask, WAYS[way], first, self.keys, self._next_block(ask, way))
        finally:
            took = time.monotonic() - began
            self.passed += self.keys
            self.keys = _paced(way, self.keys, took)
        span = Span(way, first, None if row["next"] is None else str(row["next"]))
        self._take(ask, span, row, again=False)
        self.at = span.next
        return span.next is None and self._ended(way)

    def _next_block(self, ask: Ask, way: str) -> str | None:
        """Give where a slice by blocks ends; by keys, the statement itself finds out."""
        if way != "blocks":
            return None
        many = max(1, self.keys * ask.shape.blocks // max(ask.shape.rows, 1))
        upto = int(self.at or 0) + many
        return None if upto >= ask.shape.blocks else str(upto)

    def _ended(self, way: str) -> bool:
        """Close a way; tell whether it was the turn's last."""
        if way == "blocks":
            self.odd, self._odd_now = self._odd_now, set()
        if way != "users":
            self.orphans.turned(self.began)
        if way != "blocks":
            self.missing.turned(self.began)
        self.way = (self.way + 1) % len(self.ways)
        if self.way:
            return False
        self.turned_at, self.turned_state = time.time(), self.began_state
        return True

    async def _slice(self, ask: Ask, way: sight.Function, first: str, keys: int | None, next_: str | None) -> Row:
        return await ask.eye.slice(way, ask.column, (ask.grace, first, keys, next_, ask.column.of_everybody))

    def _take(self, ask: Ask, span: Span, row: Row, *, again: bool) -> None:
        now = time.time()
        ages = zip(_ints(row["orphan_old"]), _ints(row["orphan_unaged"]), strict=True)
        met: dict[int, Ages] = dict(zip(_ints(row["orphan_keys"]), ages, strict=True))
        self.orphans.take(span, met, int(number(row, "orphans")), now, again=again)
        self._odd_now.update(_ints(row["odd_keys"])[: MOST + 1 - len(self._odd_now)])
        lone = zip(_ints(row["missing_keys"]), as_list(row["missing_old"]), strict=True)
        users: dict[int, Ages] = {key: (int(bool(old)), 0) for key, old in lone}
        odd = [users.pop(key)[0] for key in [*users] if key in self.odd or key in self._odd_now]
        self.missing.take(span, users, int(number(row, "missing")) - sum(odd), now, again=again)

    def seen(self, ask: Ask) -> Seen:
        """Give what all slices add up to."""
        now = time.time()
        orphans, missing = self.orphans.counts(now, ask.grace), self.missing.counts(now, ask.grace)
        unseen = ask.users_unseen or (ODD if max(len(self.odd), len(self._odd_now)) > MOST else "")
        return Seen(
            orphans=orphans.old,
            unaged=orphans.unaged,
            missing=0 if unseen else missing.old,
            missing_once=missing.old + missing.once,
            eligible=ask.shape.users if missing.old + missing.once else None,
            clean=not self.orphans.held and not self.missing.held,
            looked=self.looked(ask.shape),
            progress=self.progress(ask.shape),
            at=self.turned_at,
            new_ages={way: self.newest.age(way, clock) for way, clock in ask.clocks.items()},
            new_wait=ask.new_wait,
            index_helps=ask.index_helps,
            users_unseen=unseen,
        )

    def accused(self, grace: float) -> tuple[Wanted, Wanted]:
        """Give the rows and the users that are counted, hashed."""
        now = time.time()
        return self.orphans.accused(now, grace), self.missing.accused(now, grace)

    def document(self) -> Mapping[str, object]:
        """Give what a restart must not forget, as JSON has it; the counters' state is not among it."""
        return {
            "ways": list(self.ways),
            "way": self.way,
            "at": self.at,
            "passed": self.passed,
            "began": self.began,
            "turned_at": self.turned_at,
            "orphans": self.orphans.document(),
            "missing": self.missing.document(),
            "odd": sorted(self.odd),
            "newest": self.newest.document(),
        }

    @classmethod
    def restored(cls, document: Mapping[str, object]) -> LinkSweep:
        """Go on from a document; what is none raises one of the errors that say so."""
        made = cls([str(way) for way in as_list(document["ways"]) if way in WAYS])
        made.way = int(str(document["way"])) % len(made.ways)
        made.at = None if document["at"] is None else str(document["at"])
        made.passed, made.began = int(str(document["passed"])), float(str(document["began"]))
        made.turned_at = None if document["turned_at"] is None else float(str(document["turned_at"]))
        made.orphans.restore(document["orphans"])
        made.missing.restore(document["missing"])
        made.odd = set(_ints(document["odd"]))
        made.newest.restore(document.get("newest", {}))
        return made


def _paced(way: str, keys: int, took: float) -> int:
    """Give how many keys the next slice should have for its statement to take the time it may."""
    factor = min(2.0, max(0.5, SLICE_SECONDS / max(took, 1e-6)))
    return min(MOST_KEYS, max(LEAST_KEYS[way], int(keys * factor)))


async def _state(ask: Ask) -> object:
    """Give what changes with any row of either table; on a standby, with anything at all."""
    if ask.session.facts.in_recovery:
        return (await ask.session.fetch(REPLAYED))[0]["state"]
    return await counters(ask.session, ask.eye, ask.column)


def _ints(values: object) -> list[int]:
    return [int(str(value)) for value in as_list(values)]
