"""Rules about the daemon itself: who hears of findings, where they are kept, and the configuration it runs by.

The rows of their measurement: receiver (receiver, reason), store (reason), config (reason); none, all is well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from monitor.measurement import Measurement
from monitor.model import Area, Finding, NoVerdict, Object, Remedy, Severity
from monitor.rule import Rule
from monitor.rules.own import facts


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
        for row in facts(seen, "receiver"):
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
        for row in facts(seen, "store"):
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
        for row in facts(seen, "config"):
            yield self.finding(
                seen,
                subject="config",
                object=Object("setting", name="config"),
                summary=str(row["reason"]),
                impact="the old configuration goes on running",
                remedy=Remedy(caution="Run monitor check-config on the file, mend it, and reload."),
                reason=str(row["reason"]),
            )


MONITOR_RULES: tuple[Rule, ...] = (ReceiverFailing(), StoreDegraded(), ReloadFailed())
"""Judge the daemon itself, whose target is named `pgarchitect`."""
