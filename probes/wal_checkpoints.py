"""The rule that sees checkpoints come by the amount of WAL, and computes the max_wal_size that ends it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from monitor.probe import (
    GIB,
    MIB,
    Finding,
    Measurement,
    Needs,
    NoVerdict,
    Remedy,
    Row,
    duration,
    literal,
    number,
    share,
    size,
)
from probes.wal_rules import WalRule, row_of, unread

Counts: TypeAlias = tuple[float, float]
"""Checkpoints of the window: requested, and timed."""


@dataclass(frozen=True, kw_only=True)
class CheckpointsRequested(WalRule):
    """Checkpoints come by the amount of WAL, not by the clock.

    Why: each checkpoint writes all changed pages, and each page's first change after it goes into the WAL whole; more
    of them than checkpoint_timeout asks for is writing twice and thrice.
    What to do: raise max_wal_size, so that the WAL of one checkpoint_timeout fits: the remedy computes that from
    the WAL written in the window. It costs that much disk, and a longer recovery after a crash.
    When it is wrong: a bulk load of more than half an hour. Manual checkpoints and base backups are told apart: only
    as many requests count as the amount of WAL explains. Lifetime totals mix load and rest, and are not judged.
    Cost: none beyond the probe's queries.
    """

    id: ClassVar[str] = "wal.checkpoints_requested"
    hold: float = 900.0
    keep: float = 600.0
    ratio: float = 0.5
    min_requested: float = 8.0
    min_window: float = 1500.0
    margin: float = 0.25
    most_bytes: float = 64 * GIB

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        position = row_of(seen.rows, "primary")
        if position is None:
            absent = row_of(seen.rows, "standby")
            yield NoVerdict(reason="a standby makes no checkpoints", needs=None) if absent else unread(seen, "position")
            return
        if seen.lifetime:
            yield NoVerdict(reason="lifetime totals mix load and rest", needs=Needs.HISTORY)
            return
        grown, written = row_of(seen.changes, "checkpoints"), row_of(seen.changes, "primary")
        if grown is None or written is None:
            yield NoVerdict(reason="growth of checkpoints is not known yet", needs=Needs.HISTORY)
            return
        requested, timed = number(grown, "checkpoints_requested"), number(grown, "checkpoints_timed")
        by_amount = min(requested, number(written, "written_bytes") / distance(position))
        if by_amount < self.min_requested and seen.window_seconds >= self.min_window:
            return
        if seen.window_seconds < self.min_window:
            if requested:
                yield self._too_short(seen)
        elif by_amount > self.ratio * (requested + timed):
            rate = number(written, "written_bytes") / seen.window_seconds
            yield self._accuse(seen, position, by_amount, rate, (requested, timed))

    def _too_short(self, seen: Measurement) -> NoVerdict:
        watched, wanted = duration(seen.window_seconds), duration(self.min_window)
        return NoVerdict(reason=f"watched for {watched}; it takes {wanted} to tell load from rest", needs=Needs.HISTORY)

    def _accuse(self, seen: Measurement, position: Row, by_amount: float, rate: float, counts: Counts) -> Finding:
        requested, timed = counts
        every = seen.window_seconds / max(requested + timed, 1)
        return self.accuse(
            seen,
            summary=f"a checkpoint every {duration(every)} instead of every "
            f"{duration(number(position, 'checkpoint_timeout_seconds'))}: {share(by_amount, requested + timed)} of "
            f"them because {size(number(position, 'max_wal_size_bytes'))} of WAL (max_wal_size) were full",
            impact="pages are written, and copied whole into the WAL, more often than needed",
            remedy=enlarged(position, self.fitting(position, rate), self.most_bytes),
            count=round(by_amount),
            requested=round(requested),
            timed=round(timed),
            interval_seconds=round(every),
            timeout_seconds=round(number(position, "checkpoint_timeout_seconds")),
            wal_bytes_per_second=round(rate),
            max_wal_size_bytes=round(number(position, "max_wal_size_bytes")),
            window_seconds=round(seen.window_seconds),
        )

    def fitting(self, position: Row, rate: float) -> float:
        """Give the max_wal_size that holds one timeout's WAL, with a margin, rounded up and bounded."""
        target, now = 1 + number(position, "checkpoint_completion_target"), number(position, "max_wal_size_bytes")
        wanted = rate * number(position, "checkpoint_timeout_seconds") * target * (1 + self.margin)
        step = GIB if wanted > GIB else 64 * MIB
        return min(max(math.ceil(wanted / step) * step, 2 * now), max(self.most_bytes, now))


def distance(position: Row) -> float:
    """Give the amount of WAL after which the server asks for a checkpoint (CalculateCheckpointSegments in xlog.c)."""
    most, target = number(position, "max_wal_size_bytes"), number(position, "checkpoint_completion_target")
    segment = number(position, "segment_bytes")
    return max(math.floor(most / segment / (1 + target)), 1) * segment


def enlarged(position: Row, wanted: float, most: float) -> Remedy:
    """Give the statements that raise max_wal_size, and those that take it back."""
    now, source = number(position, "max_wal_size_bytes"), str(position["max_wal_size_source"])
    disk = (
        f"pg_wal may then grow to {size(wanted)}: see that its disk has that much to spare. Recovery takes longer "
        "after a crash. On managed services set it in the parameter group, or the provider's console."
    )
    if source == "command line":
        return Remedy(caution=f"max_wal_size is set on the server's command line: change it there, to {size(wanted)}.")
    if wanted <= now:
        return Remedy(caution=f"max_wal_size is at {size(most)} already: look for what writes so much WAL.")
    ours = str(position["max_wal_size_file"] or "").endswith("postgresql.auto.conf")
    back = f"alter system set max_wal_size = {literal(megabytes(now))}" if ours else "alter system reset max_wal_size"
    return Remedy(
        sql=(f"alter system set max_wal_size = {literal(megabytes(wanted))}", "select pg_catalog.pg_reload_conf()"),
        rollback=(back, "select pg_catalog.pg_reload_conf()"),
        caution=disk,
    )


def megabytes(count: float) -> str:
    """Write bytes as the server's settings do: `2048MB`."""
    return f"{count / MIB:.0f}MB"
