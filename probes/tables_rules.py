"""What is judged of tables: dead rows that stay, statistics that are old, and reads that miss the cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    Area,
    Confidence,
    Finding,
    Measurement,
    NoVerdict,
    Object,
    Remedy,
    Row,
    Rule,
    Severity,
    duration,
    identifier,
    number,
    plural,
    share,
)
from probes.tables_remedy import Cause, analyzed, cause_of_dead, cause_of_stale, vacuumed, words

WHOLE, CLOSE, PARENT = "whole", "close", "parent"
"""Where a measurement's details keep what was asked of the server, of tables, and of partitioned ones."""


def of_tables(seen: Measurement, kind: str = CLOSE) -> Iterator[Row]:
    """Give what is known of the tables looked at closely."""
    yield from (row for key, row in seen.details.items() if isinstance(key, tuple) and key[0] == kind)


def is_standby(seen: Measurement) -> bool:
    """Tell whether somebody else vacuums and analyzes."""
    return bool(seen.details.get(WHOLE, {}).get("in_recovery"))


STANDBY = NoVerdict(reason="a standby's tables are vacuumed and analyzed by its primary", needs=None)


@dataclass(frozen=True, kw_only=True)
class TableRule(Rule):
    """What rules on tables share."""

    area: ClassVar[Area] = Area.OPERATIONS

    def named(self, row: Row) -> tuple[str, Object]:
        """Give a table's name as subject and as object."""
        schema, table = str(row["schema"]), str(row["table"])
        return identifier(schema, table), Object("table", schema=schema, name=table)


@dataclass(frozen=True, kw_only=True)
class DeadTuples(TableRule):
    """Dead rows of a table pile up: vacuum does not come, or cannot remove them.

    Why: every scan reads past dead rows, and their space is not used again: the table and its indexes grow.
    What to do: let autovacuum do its work again where it is switched off; end what holds the horizon
    (sessions.long_transaction says who); else vacuum by hand, and give autovacuum more workers or a higher cost limit.
    When it is wrong: tables that a nightly job fills and empties, between two runs. The limit is the one autovacuum has
    for this very table, `factor` times; fewer than `min_dead` dead rows are no matter (below 1,000 none is looked at).
    A table that is being vacuumed, or was within `after` seconds, is in good hands. Where an old snapshot is the cause,
    this is info: that snapshot has a finding of its own. In a snapshot a table that was never vacuumed is info, too:
    it may have been filled a minute ago.
    Cost: none beyond the probe's questions.
    """

    id: ClassVar[str] = "tables.dead_tuples"
    hold: float = 900.0
    keep: float = 120.0
    factor: float = 2.0
    min_dead: float = 20_000.0
    after: float = 900.0
    held_transactions: float = 1_000_000.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        if is_standby(seen):
            yield STANDBY
            return
        whole = seen.details.get(WHOLE, {})
        for row in of_tables(seen):
            dead, limit = number(row, "dead_rows"), number(row, "vacuum_limit")
            if dead < self.min_dead or dead <= self.factor * limit or row["vacuuming"]:
                continue
            cause = cause_of_dead(row, whole, after=self.after, transactions=self.held_transactions)
            if cause is not None:
                yield self._accuse(seen, row, cause, whole)

    def _accuse(self, seen: Measurement, row: Row, cause: Cause, whole: Row) -> Finding:
        subject, accused = self.named(row)
        dead, live = number(row, "dead_rows"), number(row, "live_rows")
        late = cause is Cause.NEVER and seen.snapshot
        return self.finding(
            seen,
            subject=subject,
            object=accused,
            summary=f"{plural(dead, 'dead row')} ({share(dead, dead + live)} of all); "
            + words(cause, row["vacuumed_ago"], whole),
            impact="scans read past them, and the table and its indexes grow instead of using the space again",
            remedy=vacuumed(subject, cause),
            severity=Severity.INFO if late or cause is Cause.HORIZON else self.severity,
            confidence=Confidence.MEDIUM if late or cause is Cause.HORIZON else Confidence.HIGH,
            count=round(dead),
            live_rows=round(live),
            cause=cause.value,
            autovacuum_limit=round(number(row, "vacuum_limit")),
            factor=self.factor,
            vacuumed_seconds_ago=_rounded(row["vacuumed_ago"]),
        )


@dataclass(frozen=True, kw_only=True)
class StaleStatistics(TableRule):
    """The planner's statistics of a table are missing, or far behind its content.

    Why: plans are made for a table that is no more: wrong joins, wrong scans, statements a thousand times too slow.
    What to do: analyze the table, and let autovacuum do it where it was switched off. Partitioned tables are never
    analyzed by autovacuum, only their partitions: put an analyze of them into a nightly job.
    When it is wrong: a staging table that is filled, read whole and emptied. The limit is the one autovacuum has for
    this very table, `factor` times, with at least `min_rows` rows changed, and the last analyze longer than `after`
    seconds ago. In a snapshot a table that was never analyzed is info: it may have been filled a minute ago.
    Cost: none beyond the probe's questions.
    """

    id: ClassVar[str] = "tables.stale_statistics"
    area: ClassVar[Area] = Area.PERFORMANCE
    hold: float = 1800.0
    keep: float = 120.0
    factor: float = 2.0
    min_rows: float = 10_000.0
    after: float = 1800.0
    parent_factor: float = 2.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        if is_standby(seen):
            yield STANDBY
            return
        for row in of_tables(seen):
            changed, limit = number(row, "rows_modified"), number(row, "analyze_limit")
            if changed < self.min_rows or changed <= self.factor * limit or row["analyzing"]:
                continue
            cause = cause_of_stale(row, after=self.after)
            if cause is not None:
                yield self._accuse(seen, row, cause)
        for row in of_tables(seen, PARENT):
            rows, known = number(row, "rows"), number(row, "row_estimate")
            if rows >= self.min_rows and not known / self.parent_factor <= rows <= known * self.parent_factor:
                yield self._parent(seen, row)

    def _accuse(self, seen: Measurement, row: Row, cause: Cause) -> Finding:
        subject, accused = self.named(row)
        changed = number(row, "rows_modified")
        late = cause is Cause.NEVER and seen.snapshot
        return self.finding(
            seen,
            subject=subject,
            object=accused,
            summary=f"{plural(changed, 'row')} changed since the last analyze; {words(cause, row['analyzed_ago'], {})}",
            impact="the planner chooses plans for a table that is no more",
            remedy=analyzed(subject, cause),
            severity=Severity.INFO if late else self.severity,
            confidence=Confidence.MEDIUM if late else Confidence.HIGH,
            count=round(changed),
            live_rows=round(number(row, "live_rows")),
            cause=cause.value,
            autovacuum_limit=round(number(row, "analyze_limit")),
            factor=self.factor,
            analyzed_seconds_ago=_rounded(row["analyzed_ago"]),
        )

    def _parent(self, seen: Measurement, row: Row) -> Finding:
        subject, accused = self.named(row)
        rows, known = number(row, "rows"), number(row, "row_estimate")
        believed = "it was never analyzed" if known < 0 else f"the planner believes in {known:,.0f}"
        only = "only " if number(seen.details.get(WHOLE, {}), "major") >= ANALYZE_ONLY else ""
        return self.finding(
            seen,
            subject=subject,
            object=accused,
            summary=f"{plural(rows, 'row')} in {plural(number(row, 'partitions'), 'partition')}; {believed}",
            impact="joins and groups over the whole table are planned without knowing what is in it",
            remedy=Remedy(
                sql=(f"analyze {only}{subject}",),
                caution="Autovacuum never does this for a partitioned table: let a nightly job do it.",
            ),
            severity=Severity.INFO,
            confidence=Confidence.MEDIUM,
            count=round(rows),
            planner_rows=round(known),
            partitions=round(number(row, "partitions")),
        )


ANALYZE_ONLY = 18
"""From this version on `analyze only` reads a partitioned table without analyzing each partition again."""


@dataclass(frozen=True, kw_only=True)
class CacheMisses(TableRule):
    """A table is read from outside shared buffers, much of it and again and again.

    Why: what is not in shared buffers comes from the system's cache at best, and from the disk at worst.
    What to do: see which statements read it (`monitor explain tables.sequential_scans`); an index that spares reading
    it whole mends more than memory does. If all of it is needed, more shared_buffers, or a smaller table.
    When it is wrong: batches, dumps and index builds read much once. Fewer than `min_blocks` blocks (1 GiB) in the
    window say nothing, so that small databases and servers that have just started are left alone.
    Cost: none beyond the probe's questions.
    """

    id: ClassVar[str] = "tables.cache_misses"
    area: ClassVar[Area] = Area.PERFORMANCE
    severity: Severity = Severity.INFO
    hold: float = 600.0
    keep: float = 120.0
    hit_ratio: float = 0.90
    min_blocks: float = 131_072.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        near = {row["relid"]: row for row in of_tables(seen)}
        for row in seen.changes:
            read = sum(number(row, f"{part}_blocks_read") for part in PARTS)
            if read < self.min_blocks or row["relid"] not in near:
                continue
            hit = sum(number(row, f"{part}_blocks_hit") for part in PARTS)
            if hit / (hit + read) >= self.hit_ratio:
                continue
            subject, accused = self.named(near[row["relid"]])
            yield self.finding(
                seen,
                subject=subject,
                object=accused,
                summary=f"{share(hit, hit + read)} of {plural(hit + read, 'block')} were found in shared buffers "
                f"({duration(seen.window_seconds)})",
                impact="its statements wait for the system's cache or the disk, and push out what others need",
                remedy=Remedy(caution="Look first at what reads it: an index mends more than memory does."),
                confidence=Confidence.MEDIUM,
                count=round(read),
                blocks_hit=round(hit),
                ratio=round(hit / (hit + read), 3),
                limit_ratio=self.hit_ratio,
                window_seconds=round(seen.window_seconds),
            )


PARTS = ("heap", "index", "toast")


def _rounded(seconds: object) -> int | None:
    return round(seconds) if isinstance(seconds, int | float) else None
