"""What is written into the store and read from it, beside alerts: plain rows that judge nothing."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from monitor.model import Alert, Finding
from monitor.notice import Notice

Document: TypeAlias = Mapping[str, Any]
"""What JSON can say, and nothing else."""

FIRING = "firing:"
"""How the status of what fires begins; the severity follows."""

ToldKey: TypeAlias = tuple[str, str, str]
"""Receiver, group, fingerprint."""


@dataclass(frozen=True, kw_only=True)
class ToldRow:
    """What one receiver heard last of one alert, as part of one group."""

    receiver: str
    group: str
    fingerprint: str
    status: str
    at: datetime

    @property
    def key(self) -> ToldKey:
        """Give what there is one mark of."""
        return self.receiver, self.group, self.fingerprint

    @property
    def fires(self) -> bool:
        """Tell whether the receiver was told last that it fires."""
        return self.status.startswith(FIRING)


class OutboxState(StrEnum):
    """Whether a notice is still tried."""

    WAITING = "waiting"
    DEAD = "dead"


@dataclass(frozen=True, kw_only=True)
class OutboxEntry:
    """A notice on its way. The notice of an id never changes; the rest does."""

    id: str
    """Entries created at one moment are given in the order of their ids."""
    due_at: datetime
    tries: int = 0
    state: OutboxState = OutboxState.WAITING
    why: str = ""
    """What went wrong with the last try."""
    notice: Notice


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A notice that is tried no more, and why."""

    id: str
    receiver: str
    group: str
    created_at: datetime
    tries: int
    why: str
    key: str
    findings: tuple[Finding, ...] = ()
    """The first it told of, news before the rest; only where they are asked for."""
    count: int = 0
    """How many findings it told of."""
    digest: bool = False


@dataclass(frozen=True, kw_only=True)
class Transition:
    """One step of an alert: the state it came to, or another word for what happened, and why."""

    fingerprint: str
    at: datetime
    state: str
    severity: str
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class SilenceRow:
    """A silence; the document says it whole, and is not looked into."""

    id: str
    ends_at: datetime
    document: Document


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """Who changed what, when."""

    at: datetime
    who: str
    action: str
    document: Document


@dataclass(frozen=True, kw_only=True)
class LedgerWrite:
    """What one round changed; written whole or not at all.

    What is both dropped and saved stays; an outbox entry that is both changed and sent goes.
    """

    alerts: Collection[Alert] = ()
    dropped: Collection[str] = ()
    """Fingerprints of alerts that are no more."""
    transitions: Collection[Transition] = ()
    told: Collection[ToldRow] = ()
    untold: Collection[ToldKey] = ()
    """Marks that are no more."""
    outbox: Collection[OutboxEntry] = ()
    """New and changed entries."""
    sent: Collection[str] = ()
    """Ids of entries that are no more."""
    silences: Collection[SilenceRow] = ()
    audit: Collection[AuditEntry] = ()

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing to write."""
        parts = (self.alerts, self.dropped, self.transitions, self.told, self.untold, self.outbox, self.sent)
        return not any((*parts, self.silences, self.audit))


@dataclass(frozen=True, kw_only=True)
class LedgerRead:
    """What a restart goes on from: alerts (some of them lean) and waiting entries oldest first."""

    alerts: tuple[Alert, ...]
    told: tuple[ToldRow, ...]
    outbox: tuple[OutboxEntry, ...]
    silences: tuple[SilenceRow, ...]
    dead: tuple[DeadLetter, ...] = ()
    """The newest of what was given up."""
