"""Whether one statement is called for each row that another one returned: N+1, told by how both grow together."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, TypeAlias

from monitor.probe import (
    Area,
    Confidence,
    Finding,
    Measurement,
    Needs,
    NoVerdict,
    Object,
    Remedy,
    Row,
    Rule,
    Scalar,
    Severity,
    StatementKind,
    described,
    number,
    plural,
)
from probes.members import Key
from probes.statements_agreement import NONE, Agreement, agreement, single
from probes.statements_rules import confidence, figures, judged
from probes.statements_texts import Texts
from probes.statements_top import View, entry_of, key_of

Doer: TypeAlias = tuple[str, str, str]
"""A database, a role, and a statement's label."""
Step: TypeAlias = Mapping[Doer, tuple[float, float]]
"""Calls and rows of one interval between two readings."""

KEPT = 12
"""Intervals: three minutes at the default."""
OLD = timedelta(minutes=10)
"""What was that long ago is no witness of now."""


@dataclass(frozen=True)
class Walk(Mapping[str, object]):
    """The last intervals, oldest first, as a measurement's detail."""

    steps: Sequence[Step]
    seconds: float

    def __getitem__(self, name: str) -> object:
        """Give a figure by its name, as a row does."""
        return {"intervals": len(self.steps), "seconds": self.seconds}[name]

    def __iter__(self) -> Iterator[str]:
        """Name the figures."""
        return iter(("intervals", "seconds"))

    def __len__(self) -> int:
        """Count the figures."""
        return 2


class Steps:
    """The memory of the last intervals, of the statements that are looked at closely only."""

    def __init__(self) -> None:
        self._steps: deque[tuple[Step, float, datetime]] = deque(maxlen=KEPT)

    def take(self, seen: Measurement, grown: Iterable[Row], chosen: Container[Key], texts: Texts, view: View) -> Walk:
        """Remember what grew since the last reading; a reset or a gap is no interval, and ends none but old ones."""
        if seen.grown is not None:
            self._steps.append((_step(grown, chosen, texts, view), seen.grown_seconds, seen.taken_at))
        while self._steps and seen.taken_at - self._steps[0][2] > OLD:
            self._steps.popleft()
        return Walk(tuple(step for step, _, _ in self._steps), sum(seconds for _, seconds, _ in self._steps))


def _step(rows: Iterable[Row], chosen: Container[Key], texts: Texts, view: View) -> Step:
    step: dict[Doer, tuple[float, float]] = {}
    for row in rows:
        label = texts.labels.get(entry_of(row)) if row["toplevel"] and key_of(row) in chosen else None
        if label is not None:
            doer = (view.database(row), view.role(row), label)
            calls, returned = step.get(doer, (0.0, 0.0))
            step[doer] = (calls + number(row, "calls"), returned + number(row, "rows"))
    return step


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A statement, and the one it seems to follow."""

    child: Doer
    parent: Doer
    ratio: float
    """Calls of the one for each call of the other."""
    sign: str
    intervals: int


@dataclass(frozen=True, kw_only=True)
class NPlusOne(Rule):
    """A statement is called once for each row that another one returned (N+1).

    Why: a list of 50 rows then costs 51 round trips, each with its waiting for the network and its share of the
    server's work, where one would do; the page gets slower with each row.
    What to do: ask for all rows at once, `where id = any($1)`, or join it to the first statement; in an ORM, load the
    relation eagerly (`selectinload`, `include`, `preload`).
    When it is wrong: that two statements grow together is not enough, as all traffic follows the day. In each of
    `min_intervals` intervals of different volume the calls of the one are the rows the other returned, within
    `tolerance` and closer than luck brings strangers, or the same whole multiple (`min_ratio` or more) of its calls.
    One interval that disagrees is passed over beside eight that agree. A lookup of several rows has to compare with a
    value, and is told with less confidence. Still two statements may do so by chance; a cache that is filled by single
    lookups does on purpose. Ignore the fingerprint.
    Cost: none beyond the probe's one query; the last intervals of the busiest statements are remembered.
    """

    id: ClassVar[str] = "statements.n_plus_one"
    area: ClassVar[Area] = Area.PERFORMANCE
    severity: Severity = Severity.INFO
    hold: float = 60.0
    keep: float = 600.0
    calls_per_minute: float = 1000.0
    min_ratio: float = 5.0
    min_intervals: float = 4.0
    tolerance: float = 0.1
    variation: float = 1.2
    few_calls: float = 20.0
    min_window: float = 9.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        rows = {(str(row["database"]), str(row["statement"])): row for row in judged(seen)}
        walk = seen.details.get("steps")
        least = 1 if seen.snapshot else self.min_intervals
        if not isinstance(walk, Walk) or len(walk.steps) < least or walk.seconds < self.min_window:
            known = len(walk.steps) if isinstance(walk, Walk) else 0
            reason = f"{plural(known, 'interval')} between readings; {plural(self.min_intervals, 'is', 'are')} needed"
            yield NoVerdict(reason=reason, needs=Needs.HISTORY)
            return
        totals = _totals(walk.steps)
        told: set[tuple[str, str]] = set()
        for child in sorted(totals, key=lambda doer: -totals[doer][0])[:JUDGED]:
            if totals[child][0] * 60 < self.calls_per_minute * walk.seconds:
                break
            place = (child[0], child[2])
            if place not in told and self._looks_up(rows.get(place)) and self._varies(child, walk.steps):
                pair = self._pair(child, totals, walk.steps, rows)
                if pair is not None:
                    told.add(place)
                    yield self._accusation(seen, pair, rows, totals, walk.seconds)

    def _looks_up(self, row: Row | None) -> bool:
        """Tell a lookup: what could be asked for many keys at once."""
        return row is not None and bool(row["selects"] and row["filtered"] and row["tables"])

    def _pair(
        self,
        child: Doer,
        totals: Mapping[Doer, tuple[float, float]],
        steps: Sequence[Step],
        rows: Mapping[tuple[str, str], Row],
    ) -> Pair | None:
        """Find whom a statement follows: by rows if it can be, else by calls; None when nobody, or not one alone.

        By calls a lookup of one row in one table only: statements of a page go together, and few of the others are
        lookups. A lookup of several rows has to compare with a value, and to do so over several intervals.
        """
        row, alone = rows[child[0], child[2]], single(totals[child])
        if not alone and (not row["matches"] or len(steps) < self.min_intervals):
            return None
        others = [doer for doer in totals if doer[:2] == child[:2] and doer != child]
        parents = [doer for doer in others if rows.get((doer[0], doer[2]), {}).get("selects")]
        pairs = [pair for parent in parents if (pair := self._by_rows(child, parent, totals, steps))]
        if len(steps) < self.min_intervals:
            return pairs[0] if len(pairs) == 1 else None
        if not pairs and alone and row["kind"] == StatementKind.SIMPLE:
            pairs = [pair for parent in parents if (pair := self._by_calls(child, parent, totals, steps))]
        return min(pairs, key=lambda pair: abs(pair.ratio * totals[pair.parent][0] - totals[child][0]), default=None)

    def _by_rows(
        self, child: Doer, parent: Doer, totals: Mapping[Doer, tuple[float, float]], steps: Sequence[Step]
    ) -> Pair | None:
        """Tell whether one is called as often as the other returns rows, interval by interval."""
        calls, (asked, returned) = totals[child][0], totals[parent]
        if not asked or returned < self.min_ratio * asked or abs(calls - returned) > max(calls, returned) / 2:
            return None
        volumes = ((step.get(child, NONE)[0], step.get(parent, NONE)[1]) for step in steps)
        found = agreement(volumes, lambda mine, theirs: self._near(mine, theirs, len(steps)), self.few_calls)
        agreed = self._enough(found)
        if agreed < min(self.min_intervals, len(steps)) or not self._near(*found.sums, len(steps)):
            return None
        if agreed >= self.min_intervals and found.apart(returned / asked) > LUCK * agreed:
            return None
        return Pair(child=child, parent=parent, ratio=calls / asked, sign="rows", intervals=agreed)

    def _enough(self, found: Agreement) -> int:
        """Count the intervals that agree; 0 when one does not, unless many others do, or when too many are joined."""
        if found.joined > JOINED * found.agreed:
            return 0
        passed_over = found.against == 1 and found.agreed >= BESIDE
        return found.agreed if passed_over or not found.against else 0

    def _near(self, mine: float, theirs: float, intervals: int) -> bool:
        """Compare; of a single interval more is asked."""
        allowed = self.tolerance if intervals >= self.min_intervals else self.tolerance / 2
        return abs(mine - theirs) <= allowed * max(mine, theirs)

    def _by_calls(
        self, child: Doer, parent: Doer, totals: Mapping[Doer, tuple[float, float]], steps: Sequence[Step]
    ) -> Pair | None:
        """Tell whether one is called the same whole number of times for each call of the other."""
        calls, asked = totals[child][0], totals[parent][0]
        ratio = round(calls / asked) if asked else 0
        if ratio < self.min_ratio or abs(calls / asked - ratio) > self.tolerance:
            return None
        volumes = ((step.get(child, NONE)[0], step.get(parent, NONE)[0]) for step in steps)
        found = agreement(
            volumes,
            lambda mine, theirs: abs(mine - ratio * theirs) <= min(self.tolerance * theirs, IN_FLIGHT * ratio),
            self.few_calls,
        )
        if found.against or found.agreed < self.min_intervals:
            return None
        return Pair(child=child, parent=parent, ratio=ratio, sign="calls", intervals=found.agreed)

    def _varies(self, child: Doer, steps: Sequence[Step]) -> bool:
        """Ask for several intervals of different volume: what is always as busy is in step with everything."""
        volumes = [calls for step in steps if (calls := step.get(child, NONE)[0]) >= self.few_calls]
        if len(steps) < self.min_intervals:
            return bool(volumes)
        return len(volumes) >= self.min_intervals and max(volumes) >= self.variation * min(volumes)

    def _accusation(
        self,
        seen: Measurement,
        pair: Pair,
        rows: Mapping[tuple[str, str], Row],
        totals: Mapping[Doer, tuple[float, float]],
        seconds: float,
    ) -> Finding:
        database, role, statement = pair.child
        row, other = rows[database, statement], rows[database, pair.parent[2]]
        often = totals[pair.child][0] * 60 / seconds
        evidence: dict[str, Scalar | list[Scalar]] = {**figures(seen, row), "roles": [role]}
        if other["text"]:
            evidence["parent_statement"] = str(other["text"])
        return self.finding(
            seen,
            in_database=database,
            subject=statement,
            object=Object("statement", name=statement),
            summary=f"a {described(row)} is called {pair.ratio:.3g} times for each call of a {described(other)}, "
            f"{often:,.0f} times a minute by {role}",
            impact="each of these calls is a round trip that one call for all rows would save",
            remedy=Remedy(caution=ONE_CALL),
            severity=self.severity,
            confidence=self._sure(seen, pair, row, alone=single(totals[pair.child])),
            **evidence,
            parent=pair.parent[2],
            parent_rows_per_call=round(totals[pair.parent][1] / totals[pair.parent][0], 2),
            parent_calls_per_minute=round(totals[pair.parent][0] * 60 / seconds, 1),
            calls_per_minute=round(often, 1),
            calls_per_parent_call=round(pair.ratio, 2),
            in_step_by=pair.sign,
            intervals=pair.intervals,
            limit_calls_per_minute=self.calls_per_minute,
        )

    def _sure(self, seen: Measurement, pair: Pair, row: Row, *, alone: bool) -> Confidence:
        if pair.intervals < self.min_intervals:
            return Confidence.LOW
        return confidence(seen, row) if pair.sign == "rows" and alone else Confidence.MEDIUM


JUDGED = 20
"""The statements called most often; others are looked at when they are."""
JOINED = 0.34
"""So many of what agrees may be two intervals together: strangers' volumes agree the easier the longer one waits."""
LUCK = 0.06
"""Strangers' calls differ by luck; so small a part of that luck's variance is left to what is in step."""
BESIDE = 8
"""So many intervals that agree outweigh one that does not: a reset of one entry, an eviction, a hiccup."""
IN_FLIGHT = 2.0
"""Calls of the other statement that a reading may find half done."""
ONE_CALL = (
    "Ask once for all rows: where id = any($1) with the keys of the first statement, or join the two; in an ORM load "
    "the relation eagerly."
)


def _totals(steps: Sequence[Step]) -> dict[Doer, tuple[float, float]]:
    totals: dict[Doer, tuple[float, float]] = {}
    for step in steps:
        for doer, (calls, returned) in step.items():
            before = totals.get(doer, NONE)
            totals[doer] = (before[0] + calls, before[1] + returned)
    return totals
