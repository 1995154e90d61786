"""Statements that became slower than they were: each against its own earlier hours, and against chance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import sqrt
from typing import ClassVar

from monitor.advisors.regressed_words import advice, cold, drowned, figures, times_as, up_for
from monitor.advisors.statement_rows import grounds, identity, rows_by_key
from monitor.advisors.statement_times import SURE, Slower, Times, swings, times, was_so
from monitor.history.past import Baseline, History, Key, Stretch
from monitor.history.tide import MANY, common, is_high
from monitor.measurement import Row, duration, plural
from monitor.model import Area, Confidence, Finding, NoVerdict, Object, Remedy
from monitor.rule import Advisor, Book
from monitor.sql.text import StatementKind
from monitor.summed import described, table_names

RUNGS, RUNG = 6, 1.5
"""The newest stretch, and longer ones of half as many calls again each: what few calls cannot show, more may."""

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

MODE_SECONDS = 600.0
"""What may be one of its ways, or a swing, must last that long."""

STORM_SECONDS, FAR = 60.0, 4.0
"""While the server as a whole is slower, who is slower still must be so for that long, for spikes end sooner; who is so
by this factor, in two readings."""

CHANCE = 0.1
"""So many of all rise by chance."""

OUTSIDE = 2
"""So many statements on other tables that did not become slower, and the table is to blame, not the server."""

UNKNOWN: Row = {"kind": "unknown"}

LASTING = 0.8
"""The part of the time, and of its readings, that must be known and have been high."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What is said of all: how many are slower, of how many, and the tables to blame for it."""

    many: int
    compared: int
    tables: frozenset[str]
    sharing: int
    """Statements that name one of them."""


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
    Many at once: where three statements, and more than a fifth of those with 4 calls, take 1.5 times as long in one
    reading, it is the server: only who is twice as slow as the second slowest is accused, for a minute (four times as
    slow: in two readings), or all of them when they share a table and no others rose; after half an hour of it one
    finding is about the database. What took mixed times before, and takes even ones now, must last ten minutes,
    and so must what is less than 2.5 times as slow where earlier hours differ by 5 % and more.
    False alarms by kind of simulated load, and with all kinds at once: tests/property/test_false_alarms.py and
    test_noisy_load.py. Known to remain: a spike that slows one or two statements and no others is no spike to us; with
    all kinds at once and swings of 20 % that last 20 minutes, about six false alarms in a target-month.
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
    together_after: float = 1800.0

    async def advise(self, book: Book) -> Sequence[Finding | NoVerdict]:
        seen, history = grounds(book, self.min_history)
        rows = rows_by_key(seen, book.target.database)
        level = cache(lambda seconds: common(history.tides(seconds)))
        compared, slower = 0, list[Slower]()
        for key, before in self._known(history, book.target.database):
            row = rows.get(key, UNKNOWN)
            if row["kind"] == StatementKind.UTILITY:
                continue
            compared += 1
            if found := self._slower(history, key, before):
                now, blocks = found
                each = Slower(row=row, key=key, now=now, before=before, blocks_read=blocks, common=level(now.over))
                slower.append(each)
        is_cold = up_for(book, seen) < self.warm_up
        blamed = _to_blame(slower, rows.values())
        sharing = sum(not blamed.isdisjoint(table_names(row)) for row in rows.values())
        said = Said(many=len(slower), compared=compared, tables=blamed, sharing=sharing)
        return [
            *self._verdicts(book, history, slower, said, is_cold=is_cold),
            *(() if is_cold else self._server(book, history, slower, said)),
        ]

    def _verdicts(
        self, book: Book, history: History, slower: Sequence[Slower], said: Said, *, is_cold: bool
    ) -> Iterator[Finding | NoVerdict]:
        for each in slower:
            if is_cold and each.chilled:
                yield cold(each)
            elif each.common > 1 and not self._stands_out(history, each, said):
                yield drowned(each)
            else:
                yield self._accusation(book, each, said)

    def _stands_out(self, history: History, slower: Slower, said: Said) -> bool:
        """Tell whether it is slower than all others are, or its table is to blame; of more than one reading."""
        if slower.tables & said.tables and not self._flooded(history, slower, said):
            return True
        times_as_slow = slower.now.mean / (slower.common * slower.before.median)
        if times_as_slow < self.factor:
            return False
        longer = max(RUNG, STORM_SECONDS / max(slower.now.over, 1.0)) if times_as_slow < FAR else RUNG
        stretch = history.recent(slower.key, slower.now.calls * longer)
        return stretch is not None and self._stands_through(history, slower, stretch)

    def _stands_through(self, history: History, slower: Slower, stretch: Stretch) -> bool:
        """Tell whether it is slower than all others through a longer stretch, in every part of it."""
        longer, level = times(stretch), common(history.tides(stretch.seconds))
        stands = longer.mean >= self.factor * level * slower.before.median
        return stands and self._lasts(history, slower.key, longer, slower.before, alone=False)

    def _flooded(self, history: History, slower: Slower, said: Said) -> bool:
        """Tell whether more rose at some time than name the table."""
        return any(each.risen > said.sharing + CHANCE * each.witnesses for each in history.tides(slower.now.over))

    def _server(self, book: Book, history: History, slower: Sequence[Slower], said: Said) -> Iterator[Finding]:
        """Say it once for all of them, if they are many, when it has lasted for longer than a backup."""
        tides = history.tides(self.together_after)
        high = sum(map(is_high, tides)) if len(history.tides(LASTING * self.together_after)) < len(tides) else 0
        together = [each for each in slower if each.common > 1]
        if len(together) < MANY or said.tables or high < max(LASTING * len(tides), 1):
            return
        times = common(tides)
        name = book.target.database or book.target.server
        yield self.finding(
            book.target,
            subject=name,
            object=Object("database", name=name),
            in_database=book.target.database,
            severity=self.severity,
            summary=f"{len(together)} of {plural(said.compared, 'statement')} became slower at once and stayed so for "
            f"{duration(self.together_after)}, up to {times_as(times)} times",
            impact="every user waits longer, and connections are held longer than the pools were built for",
            remedy=Remedy(
                caution="It is not one statement: look at the server's disks, CPU, memory and other tenants."
            ),
            confidence=Confidence.MEDIUM,
            count=len(together),
            compared_statements=said.compared,
            common_times=round(times, 2),
        )

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
            now = times(stretch)
            if not now.agrees:
                return None
            if self._proved(history, key, now, before):
                return now, stretch.values["shared_blks_read"] / now.calls
            at_least = RUNG * now.calls
        return None

    def _proved(self, history: History, key: Key, now: Times, before: Baseline) -> bool:
        return (
            self._costs(now, before)
            and self._certain(now, before)
            and self._lasts(history, key, now, before)
            and (not (was_so(now, before) or swings(now, before)) or self._goes_on(history, key, now, before))
        )

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

    def _goes_on(self, history: History, key: Key, now: Times, before: Baseline) -> bool:
        """Tell whether it lasts for longer than one of its ways ever should."""
        stretch = history.recent(key, now.calls * max(MODE_SECONDS / now.over, 1.0)) if now.over > 0 else None
        return stretch is not None and self._rises(stretch.values, before)

    def _lasts(self, history: History, key: Key, now: Times, before: Baseline, *, alone: bool = True) -> bool:
        """Tell whether it is more than some calls that waited for one and the same thing: every part shows it."""
        if now.evenness * now.calls < CARRIED * self.min_calls:
            return False
        rest = now
        for part in PARTS if now.evenness < EVEN else PARTS[:1]:
            newest = history.recent(key, part * now.calls)
            newer = rest if newest is None else times(newest)
            older = rest.without(newer)
            if older.calls < PART * rest.calls:
                return alone and rest is now and now.evenness >= ALONE and now.mean >= SURE * before.median
            if older.mean < self.factor * before.median:
                return False
            rest = newer
        return rest.mean >= self.factor * before.median

    def _accusation(self, book: Book, slower: Slower, said: Said) -> Finding:
        now, before = slower.now, slower.before
        return self.finding(
            book.target,
            subject=slower.key[-1],
            object=Object("statement", name=slower.key[-1]),
            in_database=book.target.database,
            severity=self.severity,
            summary=f"a {described(slower.row)} takes {duration(now.mean)} a call, "
            f"{times_as(now.mean / before.median)} times the {duration(before.median)} it took "
            f"({plural(now.calls, 'call')} in {duration(now.over)})"
            + (f"; {said.many} of {said.compared} statements are slower" if slower.common > 1 else ""),
            impact="users wait longer, and each call holds its connection longer than the pool was built for",
            remedy=Remedy(caution=advice(slower.row)),
            confidence=Confidence.MEDIUM if slower.common > 1 or slower.row is UNKNOWN else Confidence.HIGH,
            **figures(slower, self.factor),
            slower_statements=said.many,
            compared_statements=said.compared,
            **identity(slower.row),
        )


def _to_blame(slower: Sequence[Slower], rows: Iterable[Row]) -> frozenset[str]:
    """Give the tables that all of them, if many, name, while statements on others are as they were."""
    shared = frozenset.intersection(*(each.tables for each in slower)) if len(slower) >= MANY else frozenset[str]()
    outside = sum(not shared.intersection(table_names(row)) for row in rows)
    return shared if outside >= OUTSIDE else frozenset()
