"""Indexes that no query uses, on the primary or on any of its standbys."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.advisors.index.drops import Decision, Fate, Limits, decide
from monitor.advisors.index.reading import KEEP, counted, described, object_of, read, removal, unread
from monitor.advisors.index.upkeep import write_ms_per_day
from monitor.advisors.index.uses import Uses, everywhere, uses_of
from monitor.errors import Needs, ProbeSkipped
from monitor.measurement import KIB, Measurement, duration, plural, size
from monitor.model import Area, Confidence, Finding, NoVerdict, Severity
from monitor.rule import Advisor, Book
from monitor.shape import Shape
from monitor.shaped import PROBE, shape_of

DAY = 86400.0
MISSING = "index.missing"
STALE_SECONDS = 7200.0
"""Four readings: what a standby that is down had counted before says nothing of later."""

RARE = (
    "Ask first who wanted it: what runs at the end of a quarter or a year, in an emergency, or on a standby that is "
    "not watched here, leaves no trace. "
)
UNCOUNTED = "no scan is counted, as track_counts is off; set it on: autovacuum needs it as well"
UNWATCHED = (
    "Only the counters are known to be so old, not the index: the daemon knows once it has seen it for as long. If it "
    "is new, or the database was restored since, wait. "
)
EXPRESSION = (
    "It is on an expression, whose statistics the planner uses though it never reads the index: CREATE STATISTICS on "
    "the expression keeps them. "
)


@dataclass(frozen=True, kw_only=True)
class Unused(Advisor):
    """No query has used this index for a long time.

    Why: it is written with every insert and most updates, takes disk, cache and backups, and helps nobody.
    What to do: ask who wanted it, then drop it; the rollback makes it again.
    When it is wrong: jobs that run more seldom than `min_age`, such as those at the end of a quarter: raise it, or
    ignore the index. An index that was used before counts after `unused_for` only. Counted are scans on the primary
    and on every target that is its standby (`replica_of`); standbys that nobody watches are not known here. Never
    accused: indexes that are unique, keep a constraint, serve a foreign key, replication or CLUSTER, could take
    over another's work, or would be read together with one that index.missing proposes; those below `min_bytes`; a
    part of a partitioned table's index (it is judged as a whole). The server does not tell since when an index
    exists: until it was watched for `min_age`, confidence is low; one that came while we watched has to be that
    old.
    Cost: none beyond the reading of the probe shape.
    """

    id: ClassVar[str] = "index.unused"
    area: ClassVar[Area] = Area.PERFORMANCE
    reads: ClassVar[tuple[str, ...]] = (PROBE,)
    hears: ClassVar[tuple[str, ...]] = (MISSING,)
    severity: Severity = Severity.INFO
    hold: float = 3600.0
    keep: float = KEEP
    every: float = 600.0
    min_age: float = 14 * DAY
    unused_for: float = 92 * DAY
    min_bytes: float = 40 * KIB

    async def advise(self, book: Book) -> Sequence[Finding | NoVerdict]:
        seen, shape = read(book)
        if not shape.counting:
            return [NoVerdict(reason=UNCOUNTED, needs=Needs.SETTING)]
        others, silent = _standbys(book, seen)
        uses = everywhere(uses_of(shape, seen.taken_at), others.values())
        limits = Limits(min_age=self.min_age, unused_for=self.unused_for, min_bytes=self.min_bytes)
        decided = await asyncio.to_thread(decide, shape, uses, relied_on(shape, book.found(MISSING)), limits)
        decisions = [each for each in decided.values() if not each.index.parent]
        unused = [each for each in decisions if each.fate is Fate.UNUSED]
        if unused and silent:
            return [
                NoVerdict(reason=f"scans on {name} are not known: {why}", needs=needs) for name, why, needs in silent
            ]
        findings = [self._accuse(seen, shape, each, [*others]) for each in unused]
        return [*unread(shape), *self._young(shape, decisions), *findings]

    def _young(self, shape: Shape, decisions: Iterable[Decision]) -> Iterator[NoVerdict]:
        """Say of how many indexes it is too early to speak."""
        young = [each for each in decisions if each.fate is Fate.YOUNG]
        if not young:
            return
        idle = max(each.use.idle for each in young)
        known = f"at most {duration(idle)} of it are known" if idle else "since when they are counted is not known"
        count = plural(len(young), "index", "indexes")
        reason = f"{count} without a scan {counted(shape)}; {duration(self.min_age)} without one are needed, {known}"
        if lost := sum(not each.use.complete for each in young):
            reason += f"; {plural(lost, 'index', 'indexes')} not seen on a standby"
        yield NoVerdict(reason=reason, needs=Needs.HISTORY, subject=count)

    def _accuse(self, seen: Measurement, shape: Shape, decision: Decision, standbys: Sequence[str]) -> Finding:
        index, table, use = decision.index, decision.table, decision.use
        caution = RARE + ("" if use.watched else UNWATCHED)
        if any(not key.column for key in index.keys):
            caution += EXPRESSION
        price = write_ms_per_day(shape, table, index.method)
        return self.finding(
            seen,
            subject=index.full_name,
            object=object_of(index),
            summary=f"{table.full_name}: {described(index)}, {size(decision.size_bytes)}, "
            + (
                f"was not used for {duration(use.idle)}"
                if use.watched
                else f"no scan is counted in {duration(use.idle)}"
            )
            + (f", nor on {', '.join(standbys)}" if standbys else ""),
            impact=f"{size(decision.size_bytes)} of disk and cache, written with every insert and most updates"
            + (f" ({price:,.0f} ms a day)" if price else ""),
            remedy=removal(index, table, caution),
            confidence=Confidence.HIGH if use.watched else Confidence.LOW,
            table=table.full_name,
            columns=[key.expression for key in index.keys],
            size_bytes=round(decision.size_bytes),
            scans=use.scans,
            last_scan=use.last_scan.isoformat() if use.last_scan else None,
            unused_seconds=round(use.idle),
            counted_seconds=shape.counted_seconds,
            standbys=list(standbys),
            write_ms_per_day=price,
            limit_seconds=self.unused_for if use.scans else self.min_age,
            limit_bytes=self.min_bytes,
        )


def relied_on(shape: Shape, proposals: Iterable[Finding]) -> frozenset[int]:
    """Give the indexes, by oid, that plans with proposed ones read: no scan of theirs was counted so far."""
    named = {
        name for each in proposals if isinstance(of := each.evidence.get("relies_on"), list | tuple) for name in of
    }
    indexes = (index for table in shape.tables.values() for index in table.indexes) if named else ()
    return frozenset(index.oid for index in indexes if index.full_name in named)


def _standbys(book: Book, own: Measurement) -> tuple[dict[str, Uses], list[tuple[str, str, Needs | None]]]:
    """Read what the other servers of its replication counted; and of whom that is not known, and why."""
    uses: dict[str, Uses] = {}
    silent: list[tuple[str, str, Needs | None]] = []
    for name, seen in book.family(PROBE).items():
        if seen is None:
            silent.append((name, "its indexes were not read yet", Needs.HISTORY))
            continue
        try:
            shape = shape_of(seen)
        except ProbeSkipped as skipped:
            silent.append((name, str(skipped), skipped.needs or Needs.TIME))
            continue
        uses[name] = uses_of(shape, seen.taken_at)
        if not shape.counting:
            silent.append((name, UNCOUNTED, Needs.SETTING))
        age = (own.taken_at - seen.taken_at).total_seconds()
        if age > STALE_SECONDS:
            silent.append((name, f"it was read {duration(age)} ago", Needs.TIME))
    return uses, silent
