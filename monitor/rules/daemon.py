"""Rules about the daemon itself: who hears of findings, where they are kept, and the configuration it runs by.

The rows of their measurement: receiver (receiver, reason), store (reason), config (reason); none, all is well. And
one for each entry of `ignore:`: ignore (entry, reason, until, met, answered, seconds).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from monitor.errors import Needs
from monitor.measurement import Measurement, Row, duration, number, of_kind
from monitor.model import Area, Finding, NoVerdict, Object, Remedy, Severity
from monitor.rule import Rule


@dataclass(frozen=True, kw_only=True)
class ReceiverFailing(Rule):
    """A receiver takes no messages.

    Why: findings are made and nobody hears of them.
    What to do: read the reason; check the receiver's address and token.
    When it is wrong: a chat service's short outage, shorter than `hold`.
    Cost: none.
    """

    id: ClassVar[str] = "receiver.failing"
    area: ClassVar[Area] = Area.OPERATIONS
    hold: float = 60.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in of_kind(seen.rows, "receiver"):
            yield self.finding(
                seen,
                subject=str(row["receiver"]),
                object=Object("receiver", name=str(row["receiver"])),
                summary=f"the last deliveries failed: {row['reason']}",
                impact="findings do not reach the people behind it",
                remedy=Remedy(caution="Check the receiver's address and token; the log names each failure."),
                reason=str(row["reason"]),
            )


@dataclass(frozen=True, kw_only=True)
class StoreDegraded(Rule):
    """The state store cannot be written.

    Why: findings live in memory only; a restart would announce them again or forget them.
    What to do: look at the disk and the rights of the store's file or database; writing is tried again all the time.
    When it is wrong: never.
    Cost: none.
    """

    id: ClassVar[str] = "store.degraded"
    area: ClassVar[Area] = Area.OPERATIONS
    severity: Severity = Severity.CRITICAL
    hold: float = 5.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in of_kind(seen.rows, "store"):
            yield self.finding(
                seen,
                subject="store",
                object=Object("setting", name="store"),
                summary=str(row["reason"]),
                impact="a restart would announce findings again, or forget them",
                remedy=Remedy(caution="Free the disk, or mend the store's rights; nothing is lost until a restart."),
                reason=str(row["reason"]),
            )


@dataclass(frozen=True, kw_only=True)
class ReloadFailed(Rule):
    """The configuration was changed, and the new one cannot be used.

    Why: the old one goes on running, which is not what somebody believes.
    What to do: mend what `monitor check-config FILE` says, and reload again.
    When it is wrong: never.
    Cost: none.
    """

    id: ClassVar[str] = "config.reload_failed"
    area: ClassVar[Area] = Area.OPERATIONS

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in of_kind(seen.rows, "config"):
            yield self.finding(
                seen,
                subject="config",
                object=Object("setting", name="config"),
                summary=str(row["reason"]),
                impact="the old configuration goes on running",
                remedy=Remedy(caution="Run monitor check-config on the file, mend it, and reload."),
                reason=str(row["reason"]),
            )


@dataclass(frozen=True, kw_only=True)
class IgnoreUnused(Rule):
    """An entry of `ignore:` has met no finding.

    Why: what it was made for is mended, or it is misspelt and hides nothing; one day it may hide what nobody meant.
    What to do: remove the entry, or mend its globs.
    When it is wrong: findings that come and go, such as those of quarter-end reports; give `after` so long a time.
    Cost: none.
    """

    id: ClassVar[str] = "ignore.unused"
    area: ClassVar[Area] = Area.OPERATIONS
    severity: Severity = Severity.INFO
    after: float = 3600.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in of_kind(seen.rows, "ignore"):
            if row["met"] or _over(row, seen):
                continue
            entry, seconds = str(row["entry"]), number(row, "seconds")
            if not row["answered"]:
                yield NoVerdict(
                    reason="not every server that it may concern answers", needs=Needs.HISTORY, subject=entry
                )
            elif seconds < self.after:
                yield NoVerdict(reason=f"in force for {duration(seconds)} only", needs=Needs.HISTORY, subject=entry)
            else:
                yield self.finding(
                    seen,
                    subject=entry,
                    object=Object("setting", name="ignore"),
                    summary=f"it has met no finding for {duration(seconds)}; its reason was: {row['reason']}",
                    impact="it hides nothing now, and may one day hide what nobody meant",
                    remedy=Remedy(caution="Remove this entry of ignore: from the configuration, or mend its globs."),
                    reason=str(row["reason"]),
                )


@dataclass(frozen=True, kw_only=True)
class IgnoreExpired(Rule):
    """An entry of `ignore:` is past its day.

    Why: what it covers is told again; whoever wrote it believes it is not.
    What to do: remove the entry, or give it a later `until`.
    When it is wrong: never; the day `until` itself is still ignored, in UTC.
    Cost: none.
    """

    id: ClassVar[str] = "ignore.expired"
    area: ClassVar[Area] = Area.OPERATIONS
    severity: Severity = Severity.INFO

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in of_kind(seen.rows, "ignore"):
            if _over(row, seen):
                yield self.finding(
                    seen,
                    subject=str(row["entry"]),
                    object=Object("setting", name="ignore"),
                    summary=f"it ended with {row['until']}; its reason was: {row['reason']}",
                    impact="what it covers is told again",
                    remedy=Remedy(caution="Remove this entry of ignore: from the configuration, or set a later until."),
                    reason=str(row["reason"]),
                    until=str(row["until"]),
                )


def _over(row: Row, seen: Measurement) -> bool:
    until = row["until"]
    return isinstance(until, date) and until < seen.taken_at.date()


MONITOR_RULES: tuple[Rule, ...] = (
    ReceiverFailing(),
    StoreDegraded(),
    ReloadFailed(),
    IgnoreUnused(),
    IgnoreExpired(),
)
"""Judge the daemon itself, whose target is named `pgarchitect`."""
