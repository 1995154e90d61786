"""Statements that no earlier hour knows, and that are slow from the first: what came with a release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from monitor.advisors.statement_rows import PLAN, grounds, identity, rows_by_key
from monitor.errors import Needs, ProbeSkipped
from monitor.history.past import Baseline, History, Key
from monitor.measurement import Measurement, Row, duration, number, plural
from monitor.model import Area, Confidence, Finding, NoVerdict, Object, Remedy, Severity
from monitor.rule import Advisor, Book
from monitor.sql.text import StatementKind
from monitor.summed import described, summed

KNOWN = 0.5
"""The least part of the statements at work that earlier hours must know; else the history is of something else."""

WEEK = timedelta(days=8)
"""With a history shorter than this, a weekly job looks new."""


@dataclass(frozen=True, kw_only=True)
class NewSlow(Advisor):
    """A statement that was never seen before is slow.

    Why: what is new came with a release or with somebody's query tool, and whoever brought it still knows how; a slow
    statement is never cheaper to mend than on its first day.
    What to do: see what was deployed in this hour; look at the statement's plan and give it the index it lacks, before
    its traffic grows.
    When it is wrong: a job that runs more seldom than the history reaches back (confidence is medium below eight
    days), or a statement that was there but not among the busiest: only the upper half of those looked at one by one
    are accused. Nothing is said while more than half of all statements are unknown to earlier hours: then the history
    is of another time (a new release of the monitor, of the server, of the whole application).
    `statements.slow` judges by the same limits. A statement is told once: while this finding fires, that one about
    the same statement is kept quiet (it stands on the page), unless it is more severe. It is new for its first
    24 hours with calls; if it is still slow then, `statements.slow` is heard. Whoever changes the limits of the one
    should change those of the other.
    Cost: none beyond the probe statements.
    """

    id: ClassVar[str] = "statements.new_slow"
    area: ClassVar[Area] = Area.PERFORMANCE
    reads: ClassVar[tuple[str, ...]] = ("statements",)
    hold: float = 30.0
    keep: float = 60.0
    every: float = 15.0
    simple_ms: float = 100.0
    complex_ms: float = 500.0
    min_calls: float = 50.0
    few_calls: float = 3.0
    min_seconds: float = 5.0
    critical_factor: float = 10.0
    min_history: float = 86400.0
    new_hours: float = 24.0

    async def advise(self, book: Book) -> Sequence[Finding | NoVerdict]:
        seen, history = grounds(book, self.min_history)
        _ = seen.changes  # raises where nothing can have grown yet
        past = {key: history.baseline(key) for key in [*history.keys()]}
        known = sum(before is not None for before in past.values())
        if known < KNOWN * len(past):
            raise ProbeSkipped(
                f"{len(past) - known} of {plural(len(past), 'statement')} are in no earlier hour: "
                "the history that is kept is of another time, so none is called new",
                Needs.HISTORY,
            )
        return [*self._verdicts(book, seen, history, past)]

    def _verdicts(
        self, book: Book, seen: Measurement, history: History, past: Mapping[Key, Baseline | None]
    ) -> Iterator[Finding | NoVerdict]:
        seldom = _seldom(seen)
        for key, row in rows_by_key(seen, book.target.database).items():
            if key not in past or not self._slow(row):
                continue
            before = past[key]
            if before is not None:
                if 0 < before.hours < self.new_hours:
                    reason = "earlier hours know it, but too few of them to call it old"
                    yield NoVerdict(reason=reason, needs=Needs.HISTORY, subject=key[-1])
            elif number(row, "exec_seconds") >= seldom:
                yield self._accusation(book, seen, history, row)

    def _limit_ms(self, row: Row) -> float:
        return self.simple_ms if row["kind"] == StatementKind.SIMPLE else self.complex_ms

    def _slow(self, row: Row) -> bool:
        """Judge as `statements.slow` does; without its text a statement has no lasting name."""
        calls, spent = number(row, "calls"), number(row, "exec_seconds")
        often = calls >= self.min_calls or (calls >= self.few_calls and spent >= self.min_seconds)
        named = row["kind"] not in {StatementKind.UTILITY, "unknown"}
        return often and named and 1000 * spent > self._limit_ms(row) * calls

    def _accusation(self, book: Book, seen: Measurement, history: History, row: Row) -> Finding:
        calls, name, limit = number(row, "calls"), str(row["statement"]), self._limit_ms(row)
        mean = number(row, "exec_seconds") / calls
        reaches = seen.taken_at - (history.begins or seen.taken_at)
        return self.finding(
            book.target,
            in_database=book.target.database,
            subject=name,
            object=Object("statement", name=name),
            summary=f"a new {described(row)} takes {duration(mean)} a call ({plural(calls, 'call')} in "
            f"{duration(seen.window_seconds)}; limit {duration(limit / 1000)}); "
            f"no earlier hour of {duration(reaches.total_seconds())} knows it",
            impact="what is slow on its first day gets slower with every row and every user that comes",
            remedy=Remedy(caution=f"See what was deployed within this hour. {PLAN}, and index what it compares."),
            severity=Severity.CRITICAL if 1000 * mean > self.critical_factor * limit else self.severity,
            confidence=Confidence.HIGH if reaches >= WEEK else Confidence.MEDIUM,
            calls=round(calls),
            mean_ms=round(1000 * mean, 3),
            total_seconds=round(number(row, "exec_seconds"), 3),
            limit_ms=limit,
            window_seconds=round(seen.window_seconds, 1),
            history_hours=int(reaches.total_seconds() // 3600),
            **identity(row),
        )


def _seldom(seen: Measurement) -> float:
    """Give the time below which a statement may have been there unseen: that of the busiest ones' middle."""
    top = getattr(seen.options, "top", None)
    spent = sorted((number(row, "exec_seconds") for row in summed(seen)), reverse=True)
    return spent[top // 2] if isinstance(top, int) and len(spent) >= top else 0.0
