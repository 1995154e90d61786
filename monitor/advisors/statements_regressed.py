"""Statements that became slower than they were: each against its own earlier hours, and against chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import ClassVar

from monitor.advisors.statement_rows import PLAN, grounds, identity, rows_by_key
from monitor.errors import Needs
from monitor.history import Baseline, History, Key, Stretch
from monitor.measurement import Measurement, Row, duration, plural
from monitor.model import Area, Confidence, Finding, NoVerdict, Object, Remedy, Scalar
from monitor.rule import Advisor, Book
from monitor.sqltext import StatementKind
from monitor.summed import described, table_names

RUNGS, RUNG = 6, 1.5
"""The newest stretch, and longer ones of half as many calls again each: what few calls cannot show, more may."""

SLACK = 0.01
"""What sums of squares may lack by rounding: they are differences of numbers that grew for months."""

PARTS = (0.4, 0.2, 0.1)
"""The newest parts of a stretch that are looked at by themselves: not halves, so that two readings are two parts."""

PART = 0.25
"""An older part of less than this of a stretch is no witness."""

ALONE = 0.45
"""Where one reading is all there is: how even its times must be. Log-normal ones of sigma 0.8 are; of calls that waited
once for one lock, two thirds of all that the reading has would have to."""

EVEN = 0.2
"""Log-normal times of sigma 1.2 have 0.24. What is less even is carried by few calls, and has to last longer."""

CARRIED = 0.64
"""So many calls must carry it, by (sum x)^2 / sum x^2, as a part of `min_calls`: 32 of 50. Twenty connections that wait
for a lock in each of two readings come to 30; 50 calls of sigma 0.6 to 35."""

BLOCK_SECONDS = 0.001
"""What a block may take from a network disk, when the caches are cold."""

UNKNOWN: Row = {"kind": "unknown"}

MOST_OF_THEM, FEW = 0.5, 4
"""When more than this part of the judged statements is slower, and as many are judged, it is not the statement."""


@dataclass(frozen=True, kw_only=True)
class Times:
    """Calls of one statement: how many, how long they took, and over which time they came."""

    calls: float
    seconds: float
    squares: float
    over: float

    @property
    def mean(self) -> float:
        """The mean of their times; nought of none."""
        return self.seconds / self.calls if self.calls > 0 else 0.0

    @property
    def deviation(self) -> float:
        """The standard deviation of single times."""
        return sqrt(max(self.squares / self.calls - self.mean**2, 0.0)) if self.calls > 0 else 0.0

    @property
    def agrees(self) -> bool:
        """Tell whether the counters can be of the same calls: a mean of squares is no less than the mean's square."""
        return self.squares * self.calls >= (1 - SLACK) * self.seconds**2

    @property
    def evenness(self) -> float:
        """One when all took as long; near the part of those that took long, when the others took next to nothing."""
        return self.seconds**2 / (self.calls * self.squares) if self.squares > 0 else 1.0

    def without(self, newer: Times) -> Times:
        """Give what came before a newer part."""
        return Times(
            calls=self.calls - newer.calls,
            seconds=max(self.seconds - newer.seconds, 0.0),
            squares=max(self.squares - newer.squares, 0.0),
            over=self.over - newer.over,
        )


@dataclass(frozen=True, kw_only=True)
class Slower:
    """One statement that is slower than it was; `row`: what the newest reading says of it."""

    key: Key
    row: Row
    now: Times
    before: Baseline
    blocks_read: float

    @property
    def excess(self) -> float:
        """Seconds a call that were not there before."""
        return self.now.mean - self.before.median

    @property
    def chilled(self) -> bool:
        """Tell whether the blocks it had to read may have made it slower by half or more, all else being as it was."""
        return 2 * self.blocks_read * BLOCK_SECONDS >= self.before.median

    @property
    def cores(self) -> float:
        """The share of one core that this is."""
        return self.excess * self.now.calls / self.now.over if self.now.over > 0 else 0.0


@dataclass(frozen=True, kw_only=True)
class Regressed(Advisor):
    """A statement became slower than it was.

    Why: what a statement used to take is what its users and its connection pool are built for; at twice the time
    half the calls fit through, and the cause (a plan, an index, growth) seldom goes away by itself.
    What to do: see what changed. Compare its plan with the one it should have; look whether an index of these tables
    was dropped or became invalid, whether a table grew, whether its statistics are stale (analyze it), and what was
    deployed when it began. If many statements became slower at once, look at the server: disks, CPU, a backup.
    When it is wrong: the same text with other values (a big customer's report), or a job that runs at this hour only,
    until seven days of this hour are known. After some days the new time is what it is compared with. Utility
    statements are not judged; nor, for `warm_up` after the server's start, what reads so many blocks that cold caches
    may explain it; nor a slowdown below `min_excess_ms` a call or `min_cores` of a core.
    Where the limits come from: simulated equal load (tests/property/test_regressed.py). `errors` 4: means of 50
    log-normal times (sigma 1.2) exceed twice the true mean by 4 of their own standard errors less than once in four
    million; by 3 they do in one of a million, too often for 500 statements in a month. `spreads` 4: as much for the
    hours' means. A threefold slowdown shows within two cycles at 10 calls a second, else within 50 calls, where single
    calls differ as little as most do (sigma 0.6); within four cycles, or 150 calls, up to sigma 1.2.
    Cost: none beyond the probe statements; a few hundred numbers compared.
    """

    id: ClassVar[str] = "statements.regressed"
    area: ClassVar[Area] = Area.PERFORMANCE
    reads: ClassVar[tuple[str, ...]] = ("statements",)
    keep: float = 600.0
    every: float = 15.0
    factor: float = 2.0
    min_calls: float = 50.0
    min_history: float = 86400.0
    min_hours: float = 6.0
    spreads: float = 4.0
    errors: float = 4.0
    min_excess_ms: float = 0.5
    min_cores: float = 0.002
    warm_up: float = 1800.0

    async def advise(self, book: Book) -> Sequence[Finding | NoVerdict]:
        seen, history = grounds(book, self.min_history)
        rows = rows_by_key(seen, book.target.database)
        compared, slower = 0, list[Slower]()
        for key, before in self._known(history, book.target.database):
            row = rows.get(key, UNKNOWN)
            if row["kind"] == StatementKind.UTILITY:
                continue
            compared += 1
            if found := self._slower(history, key, before):
                slower.append(Slower(row=row, key=key, now=found[0], before=before, blocks_read=found[1]))
        cold = _up_for(book, seen) < self.warm_up
        return [
            _cold(each) if cold and each.chilled else self._accusation(book, each, len(slower), compared)
            for each in slower
        ]

    def _known(self, history: History, database: str | None) -> Iterator[tuple[Key, Baseline]]:
        """Give the statements of which enough is known."""
        for key in [*history.keys()]:
            before = history.baseline(key) if key[0] == database else None
            if before and before.median > 0 and before.hours >= self.min_hours and before.weight >= self.min_calls:
                yield key, before

    def _slower(self, history: History, key: Key, before: Baseline) -> tuple[Times, float] | None:
        """Give the newest calls that are slower for certain, and the blocks each had to read."""
        at_least = self.min_calls
        for _ in range(RUNGS):
            stretch = history.recent(key, at_least)
            if stretch is None or not self._rises(stretch.values, before):
                return None
            now = _times(stretch)
            if not now.agrees:
                return None
            if self._costs(now, before) and self._certain(now, before) and self._lasts(history, key, now, before):
                return now, stretch.values["shared_blks_read"] / now.calls
            at_least = RUNG * now.calls
        return None

    def _rises(self, values: Mapping[str, float], before: Baseline) -> bool:
        """Tell whether the mean is so much higher; of nearly all statements nothing else is asked."""
        return values["exec_seconds"] >= self.factor * before.median * values["calls"]

    def _costs(self, now: Times, before: Baseline) -> bool:
        excess = now.mean - before.median
        return 1000 * excess >= self.min_excess_ms and excess * now.calls >= self.min_cores * now.over

    def _certain(self, now: Times, before: Baseline) -> bool:
        """Tell whether neither the hours' own spread nor the luck of so many calls explains it."""
        error = max(now.deviation, before.within) / sqrt(now.calls)
        return now.mean - before.median > max(self.spreads * before.spread, self.errors * error)

    def _lasts(self, history: History, key: Key, now: Times, before: Baseline) -> bool:
        """Tell whether it is more than some calls that waited for one and the same thing: every part shows it."""
        if now.evenness * now.calls < CARRIED * self.min_calls:
            return False
        rest = now
        for part in PARTS if now.evenness < EVEN else PARTS[:1]:
            newest = history.recent(key, part * now.calls)
            newer = rest if newest is None else _times(newest)
            older = rest.without(newer)
            if older.calls < PART * rest.calls:
                return rest is now and now.evenness >= ALONE
            if older.mean < self.factor * before.median:
                return False
            rest = newer
        return rest.mean >= self.factor * before.median

    def _accusation(self, book: Book, slower: Slower, many: int, compared: int) -> Finding:
        now, before = slower.now, slower.before
        together = compared >= FEW and many > MOST_OF_THEM * compared
        return self.finding(
            book.target,
            subject=slower.key[-1],
            object=Object("statement", name=slower.key[-1]),
            in_database=book.target.database,
            severity=self.severity,
            summary=f"a {described(slower.row)} takes {duration(now.mean)} a call, "
            f"{_times_as(now.mean / before.median)} times the {duration(before.median)} it took "
            f"({plural(now.calls, 'call')} in {duration(now.over)})"
            + (f"; so do {many} of {compared} statements: look at the server first" if together else ""),
            impact="users wait longer, and each call holds its connection longer than the pool was built for",
            remedy=Remedy(caution=_advice(slower.row, together=together)),
            confidence=Confidence.MEDIUM if together or slower.row is UNKNOWN else Confidence.HIGH,
            **self._figures(slower),
            slower_statements=many,
            compared_statements=compared,
            **identity(slower.row),
        )

    def _figures(self, slower: Slower) -> dict[str, Scalar]:
        now, before = slower.now, slower.before
        return {
            "mean_ms": round(1000 * now.mean, 3),
            "before_ms": round(1000 * before.median, 3),
            "times": round(now.mean / before.median, 2),
            "limit_times": self.factor,
            "calls": round(now.calls),
            "stretch_seconds": round(now.over, 1),
            "before_calls": round(before.weight),
            "before_hours": before.hours,
            "before_spread_ms": round(1000 * before.spread, 3),
            "same_hour": before.same_hour,
            "excess_cores": round(slower.cores, 4),
            "blocks_read_per_call": round(slower.blocks_read, 2),
        }


def _times_as(factor: float) -> str:
    """Write a factor for people: `2.7`, `273`."""
    return f"{factor:.1f}" if factor < 10 else f"{factor:,.0f}"  # noqa: PLR2004 - two digits are enough


def _times(stretch: Stretch) -> Times:
    values = stretch.values
    return Times(
        calls=values["calls"],
        seconds=values["exec_seconds"],
        squares=values["exec_squares"],
        over=stretch.seconds,
    )


def _up_for(book: Book, seen: Measurement) -> float:
    """Give how long the server had been up at the reading; for ever where that is not known."""
    server = book.last("server")
    starts = [row.get("start_time_seconds") for row in server.rows] if server else []
    started = [start for start in starts if isinstance(start, float)]
    return seen.taken_at.timestamp() - max(started) if started else inf


def _cold(slower: Slower) -> NoVerdict:
    reason = "it is slower than it was, but the server was started lately and it reads blocks into empty caches"
    return NoVerdict(reason=reason, needs=Needs.HISTORY, subject=slower.key[-1])


def _advice(row: Row, *, together: bool) -> str:
    tables = table_names(row)
    named = f" of {', '.join(tables)}" if tables else ""
    first = (
        "Many statements became slower at once: look at the server's disks, CPU and locks first. " if together else ""
    )
    return (
        f"{first}See what changed when it began: a deployment, an index{named} that was dropped or is invalid, a table "
        f"that grew, statistics that are stale (analyze). {PLAN}."
    )
