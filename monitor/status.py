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


class Controls(Protocol):
    """What people may change in the running daemon; `author` is for the audit log and for who reads it later."""

    async def ack(self, fingerprint: str, author: str, comment: str) -> bool:
        """Take note of an open alert; False: there is none of that fingerprint. Raises UsageError."""

    async def unack(self, fingerprint: str, author: str) -> bool:
        """Take an ack back; False: there was none."""

    def silences(self) -> Sequence[Mapping[str, object]]:
        """Give every silence as its document, those that work first."""

    async def silence(self, document: Mapping[str, object], author: str) -> Mapping[str, object]:
        """Begin a silence and give its document, with its id.

        Handed in are `matchers` (texts), `starts_at` and `ends_at` (ISO 8601 with zone) and `comment`.
        Raises UsageError or ValueError with what is wrong with them.
        """

    async def unsilence(self, silence_id: str, author: str) -> bool:
        """End a silence now; False: there is none of that id that is not over."""

    async def reload(self, author: str) -> str:
        """Read the configuration anew; gives why it could not be taken over, or nothing."""
