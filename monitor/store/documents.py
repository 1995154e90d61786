"""Findings, alerts, notices and targets as JSON text of plain types, and back again without a loss.

The text is ASCII: names and messages may hold what a database refuses (NUL, half a surrogate pair), escapes never do.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TypeVar

from monitor.model import (
    Ack,
    Alert,
    Area,
    Confidence,
    Finding,
    Object,
    Remedy,
    Scalar,
    Severity,
    State,
    Target,
    as_document,
)
from monitor.notice import Digest, Notice
from monitor.proof import Cure
from monitor.store.cures import cure, cure_document, proof, sign

T = TypeVar("T")


def target_text(target: Target) -> str:
    return json.dumps([target.server, target.database])


def target_from_text(text: str) -> Target:
    """Raise ValueError when the text is not a target's."""
    return _read("target", text, _target)


def finding_text(finding: Finding) -> str:
    """What is no JSON scalar (a date, a Decimal from a careless rule) is kept as its text."""
    keys = {"keys": list(finding.keys)} if finding.keys else {}
    return json.dumps({**_finding_document(finding), **keys}, default=str)


def finding_from_text(text: str) -> Finding:
    """Raise ValueError when the text is not a finding's."""
    return _read("finding", text, _finding)


def ack_text(ack: Ack | None) -> str | None:
    return None if ack is None else json.dumps(_ack_document(ack))


def ack_from_text(text: str | None) -> Ack | None:
    """Raise ValueError when the text is not an acknowledgement's."""
    return None if text is None else _read("acknowledgement", text, _ack)


def cure_text(known: Cure | None) -> str | None:
    return None if known is None else json.dumps(cure_document(known))


def cure_from_text(text: str | None) -> Cure | None:
    """Raise ValueError when the text is not a remedy's aftermath."""
    return None if text is None else _read("cure", text, cure)


def labels_text(labels: Mapping[str, str]) -> str | None:
    return json.dumps(dict(labels)) if labels else None


def labels_from_text(text: str | None) -> Mapping[str, str]:
    """Raise ValueError when the text is not that of labels."""
    return {} if text is None else _read("labels", text, _labels)


def alert_document(alert: Alert) -> dict[str, Any]:
    return {
        "finding": _finding_document(alert.finding),
        "source": [alert.source.server, alert.source.database],
        "state": alert.state.value,
        "starts_at": _told(alert.starts_at),
        "last_seen": _told(alert.last_seen),
        "fired_at": alert.fired_at and _told(alert.fired_at),
        "ends_at": alert.ends_at and _told(alert.ends_at),
        "lower_since": alert.lower_since and _told(alert.lower_since),
        "occurrences": alert.occurrences,
        "ack": alert.acked and _ack_document(alert.acked),
        "ended_by": alert.ended_by,
        "cure": alert.cure and cure_document(alert.cure),
        "labels": dict(alert.labels),
        "moved_from": alert.moved_from,
    }


def alert_from_document(document: Mapping[str, Any]) -> Alert:
    """Raise ValueError when the document is not an alert's."""
    return _built("alert", document, _alert)


def notice_text(notice: Notice) -> str:
    """Written alert by alert: a notice may be big, and the encoder lets nobody in between."""
    head = {
        "receiver": notice.receiver,
        "group": notice.group,
        "labels": dict(notice.labels),
        "news": sorted(notice.news),
        "created_at": _told(notice.created_at),
        "key": notice.key,
        "digest": notice.digest and _digest_document(notice.digest),
    }
    alerts = (json.dumps(alert_document(alert), default=str) for alert in notice.alerts)
    return f'{json.dumps(head)[:-1]}, "alerts": [{", ".join(alerts)}]}}'


def notice_from_text(text: str) -> Notice:
    """Raise ValueError when the text is not a notice's."""
    return _read("notice", text, _notice)


def document_text(document: Mapping[str, Any]) -> str:
    return json.dumps(dict(document), default=str)


def document_from_text(text: str) -> dict[str, Any]:
    """Raise ValueError when the text is no JSON object."""
    return _read("document", text, lambda document: {**document})


def _read(kind: str, text: str, build: Callable[[Any], T]) -> T:
    try:
        document = json.loads(text)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not a text of a {kind}") from error
    return _built(kind, document, build)


def _built(kind: str, document: Any, build: Callable[[Any], T]) -> T:
    try:
        return build(document)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"not a {kind}") from error


def _target(pair: Sequence[Any]) -> Target:
    server, database = pair
    return Target(server, database)


def _finding(document: Mapping[str, Any]) -> Finding:
    about, remedy = document["object"], document["remedy"]
    return Finding(
        target=Target(document["target"], document["database"]),
        rule=document["rule"],
        area=Area(document["area"]),
        severity=Severity(document["severity"]),
        subject=document["subject"],
        object=Object(about["kind"], about["schema"], about["name"], about["column"], tuple(about["columns"])),
        title=document["title"],
        summary=document["summary"],
        impact=document["impact"],
        evidence={name: _measured(value) for name, value in document["evidence"].items()},
        remedy=Remedy(
            tuple(remedy["sql"]), tuple(remedy["rollback"]), remedy["caution"], _perhaps(sign, document.get("sign"))
        ),
        confidence=Confidence(document["confidence"]),
        proof=_perhaps(proof, document.get("proof")),
        missing=str(document.get("missing", "")),
        keys=tuple(map(str, document.get("keys", ()))),
    )


def _finding_document(finding: Finding) -> dict[str, Any]:
    """The finding's JSON form, and what only we need: how to see that its remedy was applied, and what it did.

    Without its keys: this form lies in the outbox, too.
    """
    mend = {"sign": finding.remedy.sign, "proof": finding.proof}
    return {**as_document(finding), **{name: asdict(each) for name, each in mend.items() if each is not None}}


def _measured(value: Scalar | list[Scalar]) -> Scalar | Sequence[Scalar]:
    return tuple(value) if isinstance(value, list) else value


def _ack_document(ack: Ack) -> dict[str, Any]:
    return {"author": ack.author, "comment": ack.comment, "at": _told(ack.at), "severity": ack.severity.value}


def _ack(document: Mapping[str, Any]) -> Ack:
    return Ack(
        author=str(document["author"]),
        comment=str(document["comment"]),
        at=_moment(document["at"]),
        severity=Severity(document["severity"]),
    )


def _alert(document: Mapping[str, Any]) -> Alert:
    return Alert(
        finding=_finding(document["finding"]),
        source=_target(document["source"]),
        state=State(document["state"]),
        starts_at=_moment(document["starts_at"]),
        last_seen=_moment(document["last_seen"]),
        fired_at=_perhaps(_moment, document["fired_at"]),
        ends_at=_perhaps(_moment, document["ends_at"]),
        lower_since=_perhaps(_moment, document["lower_since"]),
        occurrences=int(document["occurrences"]),
        acked=_perhaps(_ack, document["ack"]),
        ended_by=str(document["ended_by"]),
        cure=_perhaps(cure, document.get("cure")),
        labels=_labels(document["labels"]),
        moved_from=str(document.get("moved_from", "")),
    )


def _notice(document: Mapping[str, Any]) -> Notice:
    return Notice(
        receiver=str(document["receiver"]),
        group=str(document["group"]),
        labels=_labels(document["labels"]),
        alerts=tuple(map(_alert, document["alerts"])),
        news=frozenset(map(str, document["news"])),
        created_at=_moment(document["created_at"]),
        key=str(document["key"]),
        digest=_perhaps(_digest, document.get("digest")),
    )


def _digest_document(digest: Digest) -> dict[str, Any]:
    return {
        "title": digest.title,
        "since": _told(digest.since),
        "new": digest.new,
        "still": digest.still,
        "over": digest.over,
        "fixed": digest.fixed,
    }


def _digest(document: Mapping[str, Any]) -> Digest:
    return Digest(
        title=str(document["title"]),
        since=_moment(document["since"]),
        new=int(document["new"]),
        still=int(document["still"]),
        over=int(document["over"]),
        fixed=int(document.get("fixed", 0)),
    )


def _labels(labels: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in labels.items()}


def _perhaps(read: Callable[[Any], T], value: Any) -> T | None:
    return None if value is None else read(value)


def _told(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC)
