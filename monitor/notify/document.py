"""An alert as a plain document, for webhook and templates: the finding's JSON form and what the ledger knows of it."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from monitor.model import Alert, State, as_document
from monitor.notice import Notice
from monitor.notify.wording import divided, page


def document(alert: Alert, notice: Notice, external_url: str | None) -> dict[str, object]:
    """Give what CONTRACT §Alerts promises; every value is one that JSON knows."""
    over, acked = alert.state is State.RESOLVED, alert.acked
    return {
        **as_document(alert.finding),
        "evidence": finite(alert.finding.evidence),
        "status": "resolved" if over else "firing",
        "starts_at": moment(alert.starts_at),
        "ends_at": moment(alert.ends_at) if over and alert.ends_at else None,
        "ended_by": alert.ended_by if over else "",
        "moved_from": alert.moved_from,
        "outcome": alert.outcome.value if over and alert.outcome else None,
        "idempotency_key": f"{notice.key}:{alert.finding.fingerprint}",
        "labels": dict(alert.all_labels),
        "news": is_news(alert, notice),
        "url": page(external_url, alert),
        "acked": acked
        and {
            "author": acked.author,
            "comment": acked.comment,
            "at": moment(acked.at),
            "severity": acked.severity.value,
        },
    }


def is_news(alert: Alert, notice: Notice) -> bool:
    """Tell whether this receiver has not heard of it; that it is over is always news."""
    return alert.state is State.RESOLVED or alert.finding.fingerprint in notice.news


def news_first(notice: Notice) -> list[Alert]:
    """Give a notice's alerts: news before what still stands; in each, firing before resolved, and the worst first."""
    news, standing = divided(notice)
    return [*news, *standing]


def moment(time: datetime) -> str:
    """Write a time in UTC: `2026-11-22T15:04:05+00:00`."""
    return time.astimezone(UTC).isoformat()


def finite(value: object) -> object:
    """Make tuples lists, and null of what JSON has no number for."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): finite(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [finite(inner) for inner in value]
    return value
