"""What people change in the running daemon: acks, silences, a reload. Each is audited, stored and acted on at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from uuid import uuid4

from monitor.collect.runner import Clock
from monitor.daemon.desk import Desk
from monitor.daemon.pending import Pending
from monitor.findings.ledger import Change
from monitor.findings.silences import Silence, Silences, silence_document, silence_from_document
from monitor.model import Ack, Finding
from monitor.status import Part
from monitor.store.audit import StoredAudit
from monitor.store.engine import Store
from monitor.store.ledger_book import StoredLedger
from monitor.store.records import AuditEntry, DeadLetter, SilenceRow

Document = Mapping[str, object]


class DaemonControls:
    """The daemon's answer to `monitor.status.Controls`."""

    def __init__(
        self,
        desk: Desk,
        silences: Silences,
        pending: Pending,
        *,
        clock: Clock,
        store: Callable[[], Store],
        reload: Callable[[], Awaitable[str]],
    ) -> None:
        """`store` gives the open store, or raises StoreError."""
        self._desk, self._silences, self._pending, self._clock = desk, silences, pending, clock
        self._store, self._reload = store, reload

    async def ack(self, fingerprint: str, author: str, comment: str) -> bool:
        """Take note of an open alert."""
        alert = self._desk.ledger.get(fingerprint)
        if alert is None:
            return False
        ack = Ack(author=author, comment=comment, at=self._clock.now(), severity=alert.finding.severity)
        return self._changed(self._desk.ledger.ack(fingerprint, ack), author, "ack", {"comment": comment})

    async def unack(self, fingerprint: str, author: str) -> bool:
        """Take an ack back."""
        return self._changed(self._desk.ledger.unack(fingerprint), author, "unack", {})

    def _changed(self, change: Change | None, author: str, action: str, about: Document) -> bool:
        if change is None:
            return False
        self._desk.note([change])
        self._audit(author, action, {"fingerprint": change.alert.finding.fingerprint, **about})
        return True

    def silences(self) -> Sequence[Document]:
        """Give every silence as its document with its state, those that work first."""
        now = self._clock.now()
        shown = [_shown(each, now) for each in self._silences.silences]
        return sorted(shown, key=lambda document: document["state"] != "active")

    async def silence(self, document: Document, author: str) -> Document:
        """Begin a silence; raises ValueError or UsageError with what is wrong."""
        now = self._clock.now()
        begun = {"starts_at": now.isoformat(), **document}
        made = silence_from_document({**begun, "id": uuid4().hex, "author": author, "created_at": now.isoformat()})
        self._silences.add(made, now)
        self._kept(made, author, "silence")
        return _shown(made, now)

    async def unsilence(self, silence_id: str, author: str) -> bool:
        """End a silence now."""
        now, known = self._clock.now(), self._silences.get(silence_id)
        if known is None or known.ends_at <= now:
            return False
        ended = self._silences.expire(silence_id, now)
        if ended is not None:
            self._kept(ended, author, "unsilence")
        return True

    def _kept(self, silence: Silence, author: str, action: str) -> None:
        document = silence_document(silence)
        self._desk.shelf.changed()
        self._pending.silence(SilenceRow(id=silence.id, ends_at=silence.ends_at, document=document))
        self._audit(author, action, document)

    async def audited(self, begin: int, count: int) -> Part:
        """Give who changed what, newest first; what is not written yet is not there yet."""
        stored = StoredAudit(self._store())
        lines = await stored.newest(count, begin)
        return Part(entries=[{**vars(line), "at": line.at.isoformat()} for line in lines], total=await stored.count())

    async def dead_letters(self, begin: int, count: int) -> Part:
        """Give the messages that were given up, newest first: for whom, why, since when, and which findings."""
        stored = StoredLedger(self._store())
        letters = await stored.dead_letters(count, begin)
        return Part(entries=[_letter(each) for each in letters], total=await stored.dead_count())

    async def reload(self, author: str) -> str:
        """Read the configuration anew."""
        self._audit(author, "reload", {})
        return await self._reload()

    def _audit(self, author: str, action: str, document: Document) -> None:
        """Note it, and have it written and acted on."""
        self._pending.noted(AuditEntry(at=self._clock.now(), who=author, action=action, document=document))
        self._desk.wake()


def _letter(letter: DeadLetter) -> Document:
    return {
        "receiver": letter.receiver,
        "reason": letter.why,
        "created_at": letter.created_at.isoformat(),
        "tries": letter.tries,
        "group": letter.group,
        "key": letter.key,
        "digest": letter.digest,
        "findings": [_named(finding) for finding in letter.findings],
        "findings_count": letter.count,
    }


def _named(finding: Finding) -> Document:
    return {
        "fingerprint": finding.fingerprint,
        "rule": finding.rule,
        "severity": finding.severity.value,
        "target": finding.target.server,
        "database": finding.target.database,
        "subject": finding.subject,
        "title": finding.title,
    }


def _shown(silence: Silence, now: datetime) -> Document:
    return {**silence_document(silence), "state": silence.state(now).value}
