"""Tells any program by a POST of JSON (webhook.schema.json), signed with a shared secret where one is given.

Whoever checks the signature computes HMAC-SHA256 of the X-Pgarchitect-Timestamp header, a full stop and the body's
bytes, compares it with X-Pgarchitect-Signature in constant time, and refuses timestamps older than some minutes.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from urllib.parse import quote

from monitor.model import Alert, Secret
from monitor.notice import Notice
from monitor.notify.document import document, moment, news_first
from monitor.notify.post import DEADLINE_SECONDS, judge, post
from monitor.notify.summary import figures, worst

VERSION = 1
ALERTS = 200
BODY_BYTES = 2_000_000
KEY_CHARACTERS = ":/=,;@+ "
"""What a header may hold beside letters, digits and `_.-~`; the rest is percent-encoded."""
REMEDIES = {
    400: "the document is not understood; does it expect ours?",
    401: "it wants credentials; put them into the URL, or check the secret",
    403: "it may not post there; check the secret",
    404: "there is nothing at that path; mend the webhook's URL",
    405: "it takes no POST; mend the webhook's URL",
    410: "it is gone; mend the webhook's URL",
    413: "the document is too large for it; allow 2 MB there",
}


def schema() -> str:
    """Give the JSON Schema of what is posted."""
    return files("monitor.notify").joinpath("webhook.schema.json").read_text(encoding="utf-8")


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """A receiver that posts our own document. It never retries itself and never shows URL or secret."""

    name: str
    url: Secret
    secret: Secret | None = None
    external_url: str | None = None
    deadline: float = DEADLINE_SECONDS
    now: Callable[[], datetime] = utc_now

    async def send(self, notice: Notice) -> None:
        """Post the notice, or raise DeliveryError."""
        if not notice.empty:
            sent_at = self.now()
            body = bounded(notice, self.external_url, sent_at)
            answer = await post(self.name, self.url, body, self._headers(notice, body, sent_at), self.deadline)
            judge(self.name, answer, REMEDIES)

    def _headers(self, notice: Notice, body: bytes, sent_at: datetime) -> dict[str, str]:
        timestamp = str(int(sent_at.timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "pgarchitect",
            "Idempotency-Key": quote(notice.key, safe=KEY_CHARACTERS),
            "X-Pgarchitect-Timestamp": timestamp,
        }
        if self.secret is not None:
            headers["X-Pgarchitect-Signature"] = signature(self.secret, timestamp, body)
        return headers


def signature(secret: Secret, timestamp: str, body: bytes) -> str:
    """Sign the timestamp with the body, so that neither an old message nor a changed one passes for a new one."""
    signed = hmac.new(secret.reveal().encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"


def bounded(notice: Notice, external_url: str | None, sent_at: datetime) -> bytes:
    """Write the document: at most 200 alerts and 2 MB of them (but one at least), news first; the rest is counted."""
    written: list[str] = []
    room = BODY_BYTES
    for alert in (notice.alerts if notice.digest else news_first(notice))[:ALERTS]:
        one = json.dumps(document(alert, notice, external_url), allow_nan=False)
        room -= len(one)
        if room < 0 and written:
            break
        written.append(one)
    head = {
        "version": VERSION,
        "receiver": notice.receiver,
        "group": notice.group,
        "group_labels": dict(notice.labels),
        "idempotency_key": notice.key,
        "created_at": moment(notice.created_at),
        "sent_at": moment(sent_at),
        "digest": notice.digest and {**figures(notice.digest), "worst": _fingerprints(worst(notice))},
        "left_out": (notice.digest.count if notice.digest else len(notice.alerts)) - len(written),
    }
    return f'{json.dumps(head)[:-1]}, "alerts": [{", ".join(written)}]}}'.encode("ascii")


def _fingerprints(alerts: Sequence[Alert]) -> list[str]:
    return [alert.finding.fingerprint for alert in alerts]
