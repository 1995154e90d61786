"""One look at everything, as data: what was asked, found, and not evaluated; and the verdict that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from monitor.errors import Needs
from monitor.kinds import POSTGRES
from monitor.model import Ack, Finding, Severity, Target
from monitor.report.traced import Traced
from monitor.rule import Judge
from monitor.status import NotEvaluated, ProbeStatus


class Verdict(StrEnum):
    """The architect's last word."""

    BLOCKED = "blocked"
    CHANGES_REQUESTED = "changes requested"
    NOT_EVALUATED = "not evaluated"
    APPROVED = "approved"


@dataclass(frozen=True, kw_only=True)
class LookedAt:
    """One database, or a server as a whole (`target.database` None), and how its probes went."""

    target: Target
    kind: str = POSTGRES
    up: bool
    reason: str = ""
    server_version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    not_applicable: int = 0
    probes: Sequence[ProbeStatus] = ()


@dataclass(frozen=True, kw_only=True)
class Quiet:
    """A silence over a finding: who asked for it, why, and until when."""

    author: str
    comment: str
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the daemon's ledger knows of a finding that stands: since when, for which time, and who has taken note."""

    since: datetime
    occurrences: int = 1
    acked: Ack | None = None
    silenced: Quiet | None = None


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A rule that was asked, and in how many places (servers, databases) it spoke; what it said is in the review."""

    judge: Judge
    answered: int = 0
    """Where it could judge, though perhaps not every single object."""
    idle: int = 0
    """Where what it judges is not there."""
    ignored: int = 0
    """How many of its findings the configuration says to ignore."""


@dataclass(frozen=True, kw_only=True)
class Review:
    """Everything a report says. `statements`, `pools` and `tables` are rows of plain JSON values, largest first."""

    generated_at: datetime
    window_seconds: float
    targets: Sequence[LookedAt]
    findings: Sequence[Finding] = ()
    """Worst first, then by area, target and subject."""
    ignored: int = 0
    """How many findings the configuration says to ignore; they are not among `findings`."""
    known: Mapping[str, Known] = field(default_factory=dict)
    """By fingerprint, where the daemon's history was asked for."""
    traced: Traced = field(default_factory=Traced)
    """What was kept over time, where the daemon's history was asked for."""
    checked: Sequence[Checked] = ()
    """Every rule that was asked; empty where nobody counted."""
    not_evaluated: Sequence[NotEvaluated] = ()
    statements: Sequence[Mapping[str, object]] = ()
    pools: Sequence[Mapping[str, object]] = ()
    tables: Sequence[Mapping[str, object]] = ()

    @property
    def verdict(self) -> Verdict:
        """Decide as CONTRACT §Snapshot JSON says; missing history alone does not spoil an approval."""
        severities = {finding.severity for finding in self.findings}
        if Severity.CRITICAL in severities:
            return Verdict.BLOCKED
        if Severity.WARNING in severities:
            return Verdict.CHANGES_REQUESTED
        unknown = any(entry.needs is not Needs.HISTORY for entry in self.not_evaluated)
        if unknown or not all(looked.up for looked in self.targets):
            return Verdict.NOT_EVALUATED
        return Verdict.APPROVED
