"""How things stand: servers, probes' newest runs, what could not be judged; the shelf all that lies on; and what
becomes of the findings: who keeps them quiet, their past, and how store and receivers fare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
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
    replica_of: str | None = None
    """The server that it is a standby of, as the configuration says."""
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


@dataclass(frozen=True, kw_only=True)
class SilenceStatus:
    """A silence: what is not told from when until when, who says so, and why."""

    id: str
    matchers: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    author: str
    comment: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """What an alert came to, when and why."""

    at: datetime
    state: str
    severity: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Past:
    """An alert's steps, oldest first; None when they cannot be read, and `reason` says why."""

    steps: Sequence[Step] | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ReceiverStatus:
    """One receiver: how many messages wait for it since when, how many were given up, and why it fails."""

    name: str
    waiting: int = 0
    oldest: datetime | None = None
    dead: int = 0
    """Also those of before the last start, as far as the store has them."""
    failing: str = ""


@dataclass(frozen=True, kw_only=True)
class IgnoreStatus:
    """One entry of `ignore:` as the configuration has it."""

    rule: str
    target: str | None
    database: str | None
    subject: str | None
    reason: str
    until: date | None
    state: str
    """`used`, `unused` (it has met no finding since it was read) or `expired`."""


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """What one statement did in one hour."""

    begins: datetime
    figures: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Hours:
    """Hours of some statements, in their order; None when they cannot be read, and `reason` says why."""

    buckets: Sequence[Sequence[Bucket]] | None
    reason: str = ""


class Workload(Protocol):
    """What statements do, pools and indexes; only `hours` touches a database, our own store."""

    @property
    def window(self) -> float:
        """Give the seconds over which they are watched; soon after a start it was less."""

    async def statements(self, target: str | None = None) -> Sequence[Mapping[str, object]]:
        """Give the busiest statements of one server or of all, by the time they took, as the snapshot lists them."""

    async def hours(self, statements: Sequence[Mapping[str, object]], count: int) -> Hours:
        """Give the newest hours of some of them, each oldest first."""

    def pools(self) -> Sequence[Mapping[str, object]]:
        """Give slots, sessions and pools of all servers, as the snapshot lists them."""

    def indexes(self, target: str) -> Sequence[Mapping[str, object]]:
        """Give the indexes of one server as they were read last."""


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

    def alert(self, fingerprint: str) -> Alert | None:
        """Give one alert; None: it is over and forgotten, or never was."""

    def labelled(self, alert: Alert) -> Alert:
        """Give an alert with its target's labels."""

    def not_evaluated(self) -> Sequence[NotEvaluated]:
        """Give the rules that could not say, by target."""


class Handling(Protocol):
    """What becomes of the findings; only `completed` and `history` touch a database, our own store."""

    def silences(self, now: datetime) -> Sequence[SilenceStatus]:
        """Give the silences that work, the one that ends last first."""

    def silenced_by(self, alert: Alert, now: datetime) -> SilenceStatus | None:
        """Give the silence that keeps an alert quiet which is not over."""

    def inhibited_by(self, alert: Alert) -> Alert | None:
        """Give the firing alert that explains one which is not over, so that nobody is told of it."""

    def store(self) -> str:
        """Say why the store cannot be used; empty while it can."""

    def configuration(self) -> str:
        """Say why what the configuration says by now is not what runs; empty while it is."""

    def receivers(self) -> Sequence[ReceiverStatus]:
        """Give every receiver that a route names."""

    def ignores(self, today: date) -> Sequence[IgnoreStatus]:
        """Give what the configuration says to ignore."""

    async def completed(self, alerts: Sequence[Alert]) -> Sequence[Alert]:
        """Give alerts with all they said; what cannot be read says why in `finding.missing`."""

    async def history(self, fingerprint: str) -> Past:
        """Give an alert's past."""


@dataclass(frozen=True, kw_only=True)
class Glance:
    """All there is to be shown, at one moment."""

    shelf: Shelf
    handling: Handling
    now: datetime

    def marks(self, alert: Alert) -> tuple[str, ...]:
        """Give the words for what keeps an alert quiet that is not over."""
        quiet = {
            "acked": alert.acked,
            "silenced": self.handling.silenced_by(alert, self.now),
            "inhibited": self.handling.inhibited_by(alert),
        }
        return tuple(word for word, why in quiet.items() if why is not None)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a list that is too long to be read whole; `total` counts the whole."""

    entries: Sequence[Mapping[str, object]]
    total: int


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

    async def audited(self, begin: int, count: int) -> Part:
        """Give who changed what, newest first, leaving out the first `begin`; raises StoreError."""

    async def dead_letters(self, begin: int, count: int) -> Part:
        """Give the messages that were given up, why, and some of what they told, newest first; raises StoreError."""

    async def reload(self, author: str) -> str:
        """Read the configuration anew; gives why it could not be taken over, or nothing."""
