"""Whether pg_stat_statements is so full that it gives up entries, and so the figures of statements."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

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
    duration,
    number,
    plural,
)
from probes.statements_rules import judged

FEW, MANY = 5000, 50_000
"""The server's default for pg_stat_statements.max, and what is dear to read every few seconds."""


class Evictions:
    """What pg_stat_statements gave up, reading by reading, as far back as the window goes."""

    def __init__(self) -> None:
        self._read: deque[tuple[datetime, int, object]] = deque()

    def grown(self, now: datetime, constants: Row, window: float) -> Row:
        """Give the deallocations within the window, and its true length; a reset begins anew."""
        given, reset = constants.get("dealloc"), constants.get("stats_reset")
        total = given if isinstance(given, int) else 0
        if self._read and (self._read[-1][1] > total or self._read[-1][2] != reset):
            self._read.clear()
        self._read.append((now, total, reset))
        while len(self._read) > 1 and self._read[1][0] <= now - timedelta(seconds=window):
            self._read.popleft()
        began, before, _ = self._read[0]
        return {
            "deallocations": total - before,
            "deallocations_seconds": (now - began).total_seconds(),
            "deallocations_ever": total,
        }


@dataclass(frozen=True, kw_only=True)
class Evicting(Rule):
    """pg_stat_statements is full and gives up entries.

    Why: each time it is full the server drops the twentieth of the entries that is used least, with their figures:
    what is called seldom, and every new statement, is lost before anybody looks, and sums over all statements are low.
    Each deallocation also locks the whole list and rewrites the file of texts.
    What to do: raise pg_stat_statements.max and restart; where most entries are variants of a few statements (lists of
    different length, names of temporary tables, constants in utility statements), write those with parameters.
    When it is wrong: one deallocation now and then is how the list stays bounded; that is not judged. It takes
    `min_deallocations` in the window, at a rate of `per_hour` or more.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "statements.evicting"
    area: ClassVar[Area] = Area.PERFORMANCE
    hold: float = 60.0
    keep: float = 900.0
    min_deallocations: float = 2.0
    per_hour: float = 10.0
    min_window: float = 9.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        _ = [*judged(seen)]  # raises where nothing is recorded
        whole = seen.details["whole"]
        count, seconds = number(whole, "deallocations"), number(whole, "deallocations_seconds")
        if seen.lifetime:
            count, seconds = number(whole, "deallocations_ever"), seen.window_seconds
        if seconds < self.min_window:
            reason = f"watched for {duration(seconds)} only; {duration(self.min_window)} are needed"
            yield NoVerdict(reason=reason, needs=Needs.HISTORY)
        elif count >= self.min_deallocations and count * 3600 >= self.per_hour * seconds:
            yield self._accusation(seen, count, seconds)

    def _accusation(self, seen: Measurement, count: float, seconds: float) -> Finding:
        whole = seen.details["whole"]
        limit = number(whole, "entries_limit")
        lost = count * max(limit // 20, 10)
        return self.finding(
            seen,
            subject="pg_stat_statements.max",
            object=Object("setting", name="pg_stat_statements.max"),
            summary=f"pg_stat_statements gave up about {plural(lost, 'entry', 'entries')} in {duration(seconds)} "
            f"({plural(count, 'deallocation')}; it has room for {limit:,.0f})",
            impact="figures of what is called less often, and of new statements, are lost: sums and means are too low",
            remedy=_more_room(round(limit)),
            confidence=Confidence.LOW if seen.lifetime else Confidence.HIGH,
            deallocations=round(count),
            entries_lost=round(lost),
            entries=round(min(number(whole, "entries"), limit)),
            entries_limit=round(limit),
            window_seconds=round(seconds, 1),
            limit_deallocations=self.min_deallocations,
            limit_per_hour=self.per_hour,
        )


def _more_room(limit: int) -> Remedy:
    variants = (
        "If most entries are variants of a few statements (lists of different length, names of temporary tables), "
        "write those with parameters instead: more room fills up too."
    )
    if limit >= MANY:
        return Remedy(caution=f"There is much room already. {variants}")
    return Remedy(
        sql=(f"alter system set pg_stat_statements.max = {min(max(2 * limit, FEW), MANY)}",),
        rollback=(f"alter system set pg_stat_statements.max = {limit}",),
        caution="Takes effect with the next restart of the server, and costs less than 1 KiB of shared memory an "
        f"entry. On a managed service it is set in the provider's console. {variants}",
    )
