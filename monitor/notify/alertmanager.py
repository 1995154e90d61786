"""Tells Alertmanagers (API v2) what fires and what is over; with several, one that accepts is enough: they gossip.

Which alerts, and when again, is the stream's affair: what Alertmanager is not told anew, it ends.
"""

import asyncio
import json
import math
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from types import MappingProxyType
from urllib.parse import urlsplit

import aiohttp

from monitor.errors import DeliveryError
from monitor.model import Alert, Secret, State
from monitor.notify.post import RETRYABLE, wait_asked, word
from monitor.notify.wording import line, page, place, plain, terminated, title

PATH = "/api/v2/alerts"
TIMEOUT_SECONDS = 10.0
SHORT_SECONDS = 1.0
"""The patience with one that failed last time, while another works: it must not hold up the news."""
LASTS_SECONDS = 240.0
BATCH = 500
WELL = range(200, 300)
CONTENTS = frozenset({400, 413, 422})
"""What is said of the alerts rather than of us: other alerts may be taken."""
REDIRECT = range(300, 400)
BUSY = 500
REMEDIES = {
    400: "it does not understand the alerts; is it Alertmanager's API v2?",
    401: "it wants other credentials; mend basic_auth or headers",
    403: "it does not let us in; mend basic_auth or headers",
    404: "there is no Alertmanager's API v2; mend the path in the URL",
    413: "a proxy finds the message too large; allow 5 MB there",
}


@dataclass(frozen=True)
class _Trouble:
    """Why one Alertmanager did not take a batch; after a `refused` one the next batch may still go through."""

    text: str
    refused: bool = False
    retry_after: float | None = None


@dataclass(frozen=True, kw_only=True)
class Alertmanager:
    """A receiver that posts to every URL. It never retries itself and never shows a URL's credentials.

    `runbook` gives the text of a rule's manual page. A path in a URL is kept. Names of header fields are no secret.
    """

    name: str
    urls: tuple[str, ...] = field(repr=False)
    runbook: Callable[[str], str] = field(repr=False)
    external_url: str | None = None
    headers: Mapping[str, Secret] = field(default_factory=dict)
    basic_auth: tuple[str, Secret] | None = None
    timeout: float = TIMEOUT_SECONDS
    _troubles: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def troubles(self) -> Mapping[str, str]:
        """What is wrong with which Alertmanager since it was last told: its host and port, and why."""
        return MappingProxyType(self._troubles)

    async def post(self, alerts: Sequence[Alert], now: datetime, *, lasts: float = LASTS_SECONDS) -> None:
        """Tell all; what fires ends by itself after `lasts` seconds.

        Neighbours with one fingerprint go in one request. Raises DeliveryError when nobody took a batch: the same
        alerts may be posted again, whatever was the matter.
        """
        found: dict[str, _Trouble] = {}
        untaken = False
        async with aiohttp.ClientSession() as session:
            for batch in batches(alerts):
                # Who gave no answer is left alone until the next time; who refused one batch may take another.
                there = {who: url for who, url in self._named().items() if who not in found or found[who].refused}
                body = json.dumps([self._document(alert, now, lasts) for alert in batch]).encode() if there else b""
                heard = await asyncio.gather(*(self._tell(session, who, url, body) for who, url in there.items()))
                found |= {who: trouble for who, trouble in zip(there, heard, strict=True) if trouble}
                untaken = untaken or None not in heard
        if alerts:
            self._troubles.clear()
            self._troubles.update({who: trouble.text for who, trouble in found.items()})
        if untaken:
            raise self._failure(list(found.values()))

    def _failure(self, troubles: Sequence[_Trouble]) -> DeliveryError:
        why = "; ".join(dict.fromkeys(trouble.text for trouble in troubles)) or "there is no URL"
        asked = [trouble.retry_after for trouble in troubles if trouble.retry_after is not None]
        what = f"{self.name}: no Alertmanager took it: {why}"
        return DeliveryError(what, retryable=True, retry_after=min(asked, default=None))

    def _named(self) -> dict[str, str]:
        """Each URL by a name that can be shown."""
        named: dict[str, str] = {}
        for number, url in enumerate(self.urls, start=1):
            host = _host(url) or f"URL {number}"
            named[f"{host} ({number})" if host in named else host] = url
        return named

    async def _tell(self, session: aiohttp.ClientSession, who: str, url: str, body: bytes) -> _Trouble | None:
        failing = who in self._troubles and len(self._troubles) < len(self.urls)
        patience = aiohttp.ClientTimeout(total=min(self.timeout, SHORT_SECONDS) if failing else self.timeout)
        try:
            # A redirect is not followed: it would turn the POST into a GET, and leads where nobody told us to post.
            async with session.post(
                url.rstrip("/") + PATH,
                data=body,
                headers=self._headers(),
                timeout=patience,
                allow_redirects=False,
            ) as answer:
                if answer.status in WELL and answer.content_type == "text/html":
                    return _Trouble(f"HTTP {answer.status}, but a web page; is it Alertmanager, or a proxy before it?")
                return _judged(answer.status, answer.headers.get("Retry-After", ""))
        except (aiohttp.ClientError, OSError, ValueError) as error:  # a TimeoutError is an OSError
            return _Trouble(_reason(error))

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self.basic_auth is not None:
            user, password = self.basic_auth
            headers["Authorization"] = "Basic " + b64encode(f"{user}:{password.reveal()}".encode()).decode()
        return headers | {name: each.reveal().strip() for name, each in self.headers.items()}

    def _document(self, alert: Alert, now: datetime, lasts: float) -> dict[str, object]:
        """Give the alert as a `postableAlert` of Alertmanager's API."""
        ends = _end(alert, now, lasts)
        starts = min(alert.fired_at or alert.starts_at, ends)  # it refuses what ends before it starts: clocks jump
        link = page(self.external_url, alert)
        document: dict[str, object] = {
            "labels": labels(alert),
            "annotations": annotations(alert, self.runbook(alert.finding.rule)),
            "startsAt": _written(starts),
            "endsAt": _written(ends),
        }
        return document | {"generatorURL": link} if link else document


def labels(alert: Alert) -> dict[str, str]:
    """Give the labels without the empty ones (to Alertmanager those are none), under names that it takes."""
    return {
        _label(name): str(text).encode(errors="replace").decode() for name, text in alert.all_labels.items() if text
    }


def annotations(alert: Alert, runbook: str) -> dict[str, str]:
    """Give what people read; empty ones are left out."""
    finding = alert.finding
    facts = {name: _finite(fact) for name, fact in finding.evidence.items()}
    texts = {
        "summary": plain(finding.summary),
        "description": _description(alert),
        "impact": plain(finding.impact),
        "remedy": "\n".join(terminated(statement) for statement in finding.remedy.sql),
        "rollback": "\n".join(terminated(statement) for statement in finding.remedy.rollback),
        "evidence": plain(json.dumps(facts, ensure_ascii=False)),
        "outcome": plain(alert.ended_by) if alert.state is State.RESOLVED and alert.outcome else "",
        "runbook": runbook,
    }
    return {name: text for name, text in texts.items() if text}


def _description(alert: Alert) -> str:
    """Give a paragraph: what kind of thing it is, where, and what the SQL cannot do."""
    what = f"{title(alert)} ({place(alert)}, {line(alert.finding.subject)})."
    return f"{what} {plain(alert.finding.remedy.caution)}".strip()


def batches(alerts: Sequence[Alert]) -> Iterator[list[Alert]]:
    """Cut into requests of at most BATCH, but never between neighbours with one fingerprint."""
    batch: list[Alert] = []
    for _, group in groupby(alerts, key=lambda alert: alert.finding.fingerprint):
        same = list(group)
        if batch and len(batch) + len(same) > BATCH:
            yield batch
            batch = []
        batch += same
    if batch:
        yield batch


def _end(alert: Alert, now: datetime, lasts: float) -> datetime:
    """When Alertmanager is to take it as over; an end that lies ahead of us, as after a jump of the clock, is now."""
    if alert.state is State.FIRING:
        return now + timedelta(seconds=lasts)
    return min(alert.ends_at or now, now)


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _label(name: str) -> str:
    """The name as Prometheus would write it: what it does not allow becomes an underscore."""
    legal = re.sub(r"[^a-zA-Z0-9_]", "_", name)
    return legal if re.match(r"[a-zA-Z_]", legal) else f"_{legal}"


def _finite(fact: object) -> object:
    """JSON knows no infinity."""
    if isinstance(fact, float) and not math.isfinite(fact):
        return None
    return [_finite(each) for each in fact] if isinstance(fact, list | tuple) else fact


def _host(url: str) -> str:
    """Host and port, without credentials; nothing where a stray @ may make a password look like a host."""
    try:
        whole = urlsplit(url).netloc
    except ValueError:
        return ""
    return plain(whole.rpartition("@")[2]) if whole.count("@") == url.count("@") else ""


def _judged(status: int, retry_after: str) -> _Trouble | None:
    if status in WELL:
        return None
    if status in REDIRECT:
        return _Trouble(f"HTTP {status}: it redirects elsewhere; mend the URL")
    if status >= BUSY or status in RETRYABLE:
        return _Trouble(f"HTTP {status}", retry_after=wait_asked(retry_after))
    return _Trouble(f"HTTP {status}: {REMEDIES.get(status, 'refused')}", refused=status in CONTENTS)


def _reason(error: Exception) -> str:
    """What kept a request from being answered."""
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return f"{word(error)}; mend it"
    if isinstance(error, aiohttp.ClientError | OSError):
        return f"no answer ({word(error)})"
    # What aiohttp says of a line break in a header, and of credentials in two places.
    return "its URL, headers and basic_auth do not go together; mend them"
