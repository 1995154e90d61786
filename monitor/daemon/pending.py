"""What the store does not have yet: collected as it happens, written in one transaction, put back when that fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from monitor.findings.letters import Entry
from monitor.model import Alert
from monitor.store.records import (
    AuditEntry,
    LedgerWrite,
    OutboxEntry,
    OutboxState,
    SilenceRow,
    ToldKey,
    ToldRow,
    Transition,
)


class Pending:
    """Changes by what they concern: of one thing, only the newest state waits. None: it is no more."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._alerts: dict[str, Alert | None] = {}
        self._told: dict[ToldKey, ToldRow | None] = {}
        self._outbox: dict[str, OutboxEntry | None] = {}
        self._silences: dict[str, SilenceRow] = {}
        self._transitions: list[Transition] = []
        self._audit: list[AuditEntry] = []

    def __bool__(self) -> bool:
        """Tell whether anything waits."""
        return any((self._alerts, self._told, self._outbox, self._silences, self._transitions, self._audit))

    def holds(self, fingerprint: str) -> bool:
        """Tell whether the newest state of an alert is not written yet."""
        return fingerprint in self._alerts

    def alert(self, alert: Alert) -> None:
        """Save an alert."""
        self._alerts[alert.finding.fingerprint] = alert

    def dropped(self, fingerprints: Iterable[str]) -> None:
        """Delete alerts."""
        self._alerts |= dict.fromkeys(fingerprints)

    def step(self, transition: Transition) -> None:
        """Add to an alert's history."""
        self._transitions.append(transition)

    def marked(self, told: Mapping[ToldKey, ToldRow], forgotten: Iterable[ToldKey]) -> None:
        """Save the marks of who was told what, and delete those that are of no more use."""
        self._told |= dict.fromkeys(forgotten)
        self._told |= told

    def letters(self, entries: Sequence[Entry], gone: Sequence[str]) -> None:
        """Save entries of the outbox as they are now, and delete those that are no more."""
        self._outbox |= {entry.id: stored(entry) for entry in entries}
        self._outbox |= dict.fromkeys(gone)

    def silence(self, silence: SilenceRow) -> None:
        """Save a silence."""
        self._silences[silence.id] = silence

    def noted(self, entry: AuditEntry) -> None:
        """Add a line to the audit log."""
        self._audit.append(entry)

    def take(self) -> LedgerWrite:
        """Give everything, and begin anew."""
        write = LedgerWrite(
            alerts=[alert for alert in self._alerts.values() if alert is not None],
            dropped=[fingerprint for fingerprint, alert in self._alerts.items() if alert is None],
            transitions=self._transitions,
            told=[mark for mark in self._told.values() if mark is not None],
            untold=[key for key, mark in self._told.items() if mark is None],
            outbox=[entry for entry in self._outbox.values() if entry is not None],
            sent=[key for key, entry in self._outbox.items() if entry is None],
            silences=list(self._silences.values()),
            audit=self._audit,
        )
        self._begin()
        return write

    def put_back(self, write: LedgerWrite) -> None:
        """Let what could not be written wait again; what came meanwhile is newer."""
        alerts = {alert.finding.fingerprint: alert for alert in write.alerts}
        self._alerts = {**dict.fromkeys(write.dropped), **alerts, **self._alerts}
        self._told = {**dict.fromkeys(write.untold), **{mark.key: mark for mark in write.told}, **self._told}
        entries = {entry.id: entry for entry in write.outbox}
        self._outbox = {**entries, **dict.fromkeys(write.sent), **self._outbox}
        self._silences = {**{silence.id: silence for silence in write.silences}, **self._silences}
        self._transitions = [*write.transitions, *self._transitions]
        self._audit = [*write.audit, *self._audit]


def stored(entry: Entry) -> OutboxEntry:
    """Give an entry of the outbox as the store keeps it."""
    return OutboxEntry(
        id=entry.id,
        due_at=entry.due_at,
        tries=entry.tries,
        state=OutboxState(entry.state),
        why=entry.why,
        notice=entry.notice,
    )


def restored(stored: OutboxEntry) -> Entry:
    """Give a stored entry as the outbox knows it."""
    return Entry(
        id=stored.id,
        receiver=stored.notice.receiver,
        group=stored.notice.group,
        notice=stored.notice,
        created_at=stored.notice.created_at,
        due_at=stored.due_at,
        tries=stored.tries,
        state="waiting" if stored.state is OutboxState.WAITING else "dead",
        why=stored.why,
    )
