"""Reading slices of one link's table, spans of blocks, and what is remembered of them beside the sweep."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.probe import Row, number, sight_states
from probes.auth_sight import Asking, Way, as_list
from probes.auth_states_traits import Link, StateReading
from probes.auth_sweep import Span, Visit

DENSITY = 100.0  # rows in a block, until the table has shown its own

COUNTS = ("malformed", "users", "duplicate", "duplicate_rows", "deleted", "banned", "compared", "drifted")


@dataclass
class Kept:
    """What is remembered of a link beside its sweep."""

    at: float = -math.inf
    densest: float = 0.0
    """The most rows in a block so far: a slice may hold fewer rows than it should, but not many times as many."""
    took: float = 0.0
    """Seconds the last full turn cost the server, as we saw it."""
    state: object = None
    changes_at: float = math.inf
    """When time alone will change the state of somebody, in seconds since 1970."""
    days: Mapping[int, int] | None = None
    failure: StateReading | None = None
    unseen: str = ""
    """What hides the addresses."""
    blocks: int = 0
    reached: int = 0
    turn: Turn | None = None


@dataclass
class Turn:
    """What the running turn has gathered."""

    state: object
    took: float = 0.0
    changes_at: float = math.inf
    days: dict[int, int] = field(default_factory=dict)


@dataclass(kw_only=True)
class Slices:
    """Looks at slices of one link's table: spans of blocks, written as numbers."""

    way: Way
    link: Link
    kept: Kept
    grace: float
    compares: bool

    def __post_init__(self) -> None:
        """Prepare the question."""
        column, email = self.link.column, self.link.email if self.compares else None
        place = (self.way.schema, *column.place, email)
        self._asking = Asking(way=self.way, function=sight_states.SLICE, place=place, what=column.relation)

    async def __call__(self, span: Span, _before: Mapping[int, int]) -> Visit:
        """Look at the blocks from `after` on, about as many as hold the span's rows."""
        first = int(span.after or 0)
        last = first + max(1, int(span.rows / (self.kept.densest or DENSITY)))
        last = last if span.until is None else min(last, int(span.until))
        began = time.monotonic()
        row, doubles = await self._read(first, last, alone=span.after is None and span.until is None)
        rows, blocks = _count(row, "rows"), _count(row, "blocks")
        self._remember(row, time.monotonic() - began)
        self.kept.blocks, self.kept.reached = blocks, last
        if first < blocks:
            self.kept.densest = max(self.kept.densest, rows / (min(last, blocks) - first))
        ended = last >= blocks if span.until is None else last >= int(span.until)
        lacking = {"uncompared": int(not self.compares), "undoubled": int(self.link.may_double and not doubles)}
        counts = {name: count for name in COUNTS if (count := _count(row, name))} | lacking
        return Visit(upto=span.until if ended else str(last), rows=rows, counts=counts)

    async def _read(self, first: int, last: int, *, alone: bool) -> tuple[Row, bool]:
        """Give the counts, and whether they tell users with two rows: without an index only of a whole table."""
        if alone:
            row = await self._asked(first, last, whole=True, doubles=self.link.may_double)
            if last >= _count(row, "blocks"):
                return row, True
        doubles = self.link.may_double and self.link.traits.indexed
        return await self._asked(first, last, whole=False, doubles=doubles), doubles

    async def _asked(self, first: int, last: int, *, whole: bool, doubles: bool) -> Row:
        return await self._asking.ask(f"({first},0)", f"({last},0)", self.grace, whole, doubles)

    def _remember(self, row: Row, took: float) -> None:
        turn = self.kept.turn
        if turn is None:
            return
        turn.took += took
        if isinstance(row["changes_at"], float):
            turn.changes_at = min(turn.changes_at, row["changes_at"])
        for day, rows in zip(as_list(row["deleted_days"]), as_list(row["deleted_rows"]), strict=True):
            if isinstance(day, int) and isinstance(rows, int):
                turn.days[day] = turn.days.get(day, 0) + rows


def _count(row: Row, name: str) -> int:
    return int(number(row, name))
