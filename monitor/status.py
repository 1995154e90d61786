"""How things stand: servers, probes' newest runs, what could not be judged; and the shelf all that lies on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from monitor.errors import Needs
from monitor.model import Alert, Result, Target


@dataclass(frozen=True, kw_only=True)
class ProbeStatus:
    """How the newest run of one probe on one target ended; `rows` are the rows it read."""

    target: Target
    probe: str
    result: Result
    reason: str = ""
    needs: Needs | None = None
    taken_at: datetime
    last_success: datetime | None = None
    duration_seconds: float = 0.0
    rows: int = 0


@dataclass(frozen=True, kw_only=True)
class NotEvaluated:
    """A rule that could not say anything, or nothing of one subject, and why."""

    target: Target
    rule: str
    reason: str
    needs: Needs
    subject: str | None = None


@dataclass(frozen=True, kw_only=True)
class TargetStatus:
    """One server as it stands: reachable since when or not and why, and every probe's newest run."""

    server: str
    kind: str = "postgres"
    labels: Mapping[str, str] = field(default_factory=dict)
    up: bool
    reason: str = ""
    since: datetime | None = None
    """When `up` took its present value."""
    server_version: str = ""
    databases: tuple[str, ...] = ()
    probes: tuple[ProbeStatus, ...] = ()
    not_applicable: Mapping[str | None, int] = field(default_factory=dict)
    """Rules without a subject here, counted by database (None: the server as a whole)."""
    own_seconds: float = 0.0
    """Wall time of our own statements on it: an upper bound of what we cost."""


class Shelf(Protocol):
    """What the daemon lays out for page, API and metrics; reading it touches no database."""

    @property
    def ready(self) -> bool:
        """Tell whether every server has been asked once."""

    @property
    def revision(self) -> int:
        """A number that grows with every change of what lies here."""

    def targets(self) -> Sequence[TargetStatus]:
        """Give every server as it stands."""

    def alerts(self) -> Sequence[Alert]:
        """Give pending and firing alerts, and those resolved lately, worst and newest first."""

    def not_evaluated(self) -> Sequence[NotEvaluated]:
        """Give the rules that could not say, by target."""
