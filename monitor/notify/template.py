"""A user's own words for one receiver's messages: a template file that replaces the built-in text, or gives way to it.

A template sees the notice (VARIABLES) with its alerts as the documents the webhook sends, and each one's age.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from monitor.draw.messages import BadTemplate, Message
from monitor.model import Alert, State
from monitor.notice import Digest, Notice
from monitor.notify.document import document, moment, news_first
from monitor.notify.summary import figures, summary
from monitor.notify.wording import line, place, plain, tally

ALERTS = 500
"""So many alerts a template sees; the others are counted."""
VARIABLES = {
    "receiver": "the receiver's name",
    "group": "the group's name",
    "labels": "what the alerts are grouped by",
    "key": "the message's idempotency key",
    "created_at": "when the message was made, ISO 8601",
    "tally": "`2 firing, 1 resolved`",
    "repetition": "true when nothing of it is news",
    "count": "how many alerts there are",
    "alerts": "the first 500 of them, news first, the worst first",
    "left_out": "how many there are beyond those",
    "firing": "those of them that fire",
    "resolved": "those that are over",
    "external_url": "our own address, or none",
    "digest": "none, or of a digest: title, since, new, still, over, fixed (how many), lists (title, alerts), left_out",
}
"""The names a template may use. Each alert is the webhook's document with `place` (`server/database`) and `seconds`
(how long it has stood, or stood). Filters beside jinja2's: sql, duration, size, plural. A template that does not name
`digest` leaves digests to the built-in words."""


@dataclass(frozen=True, kw_only=True)
class Template:
    """A template that was read and compiled; two of one name and text are the same."""

    name: str
    source: str = field(repr=False)
    message: Message = field(repr=False, compare=False)

    @classmethod
    def load(cls, path: Path) -> Template:
        """Read a template file; raises BadTemplate, a ValueError, with file, line and what is wrong."""
        try:
            source = path.read_text(encoding="utf-8")
        except OSError as error:
            raise BadTemplate(f"{path.name}: cannot be read ({error.strerror or type(error).__name__})") from None
        except UnicodeError:
            raise BadTemplate(f"{path.name}: is not UTF-8") from None
        return cls.of(source, path.name)

    @classmethod
    def of(cls, source: str, name: str = "template") -> Template:
        """Compile a template's text."""
        return cls(name=name, source=source, message=Message(name, source, VARIABLES))

    def serves(self, notice: Notice) -> bool:
        """Tell whether it is for this notice: a digest is left to those who know of digests."""
        return notice.digest is None or "digest" in self.message.uses

    def write(self, notice: Notice, external_url: str | None, safe: Callable[[str], str] = str) -> str:
        """Give the template's text, or raise BadTemplate. It may take a second: not for the event loop.

        `safe` is applied to every text that comes from the notice: names must not be mentions or links in a chat.
        """
        seen = variables(notice, external_url)
        return plain(self.message.write({name: _safe(value, safe) for name, value in seen.items()}))

    def text(self, notice: Notice, external_url: str | None, built_in: Callable[[], str]) -> str:
        """Give the template's text or, when it fails, the built-in one below a line that says so and why."""
        try:
            return self.write(notice, external_url)
        except BadTemplate as problem:
            return f"{failed(problem)}\n\n{built_in()}"


def _safe(value: object, safe: Callable[[str], str]) -> object:
    """Make every text in a value safe; the keys are ours, but for labels, which are names."""
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, Mapping):
        return {key: _safe(inner, safe) for key, inner in value.items()}
    if isinstance(value, list):
        return [_safe(inner, safe) for inner in value]
    return value


def failed(problem: BadTemplate) -> str:
    """Say in one line that a template failed and why; no value of the message is in it."""
    return f"[the template failed, so these are the built-in words: {line(str(problem))}]"


def variables(notice: Notice, external_url: str | None) -> Mapping[str, object]:
    """Give what a template sees: plain texts, numbers, lists and dicts, nothing of our own."""
    ordered = news_first(notice)
    documents = [_document(alert, notice, external_url) for alert in ordered[:ALERTS]]
    return {
        "receiver": notice.receiver,
        "group": notice.group,
        "labels": dict(notice.labels),
        "key": notice.key,
        "created_at": moment(notice.created_at),
        "tally": tally(ordered),
        "repetition": not notice.news,
        "count": len(ordered),
        "alerts": documents,
        "left_out": len(ordered) - len(documents),
        "firing": [each for each in documents if each["status"] == "firing"],
        "resolved": [each for each in documents if each["status"] == "resolved"],
        "external_url": external_url,
        "digest": notice.digest and _digest(notice, notice.digest, external_url),
    }


def _digest(notice: Notice, digest: Digest, external_url: str | None) -> dict[str, object]:
    told = summary(notice)
    return {
        **figures(digest),
        "lists": [
            {"title": title, "alerts": [_document(alert, notice, external_url) for alert in alerts]}
            for title, alerts in told.lists
        ],
        "left_out": told.left_out,
    }


def _document(alert: Alert, notice: Notice, external_url: str | None) -> dict[str, object]:
    over = alert.state is State.RESOLVED and alert.ends_at is not None
    until: datetime = alert.ends_at if over and alert.ends_at else notice.created_at
    seconds = max(0.0, (until - alert.starts_at).total_seconds())
    return {**document(alert, notice, external_url), "place": place(alert), "seconds": seconds}


__all__ = ["VARIABLES", "BadTemplate", "Template", "failed"]
