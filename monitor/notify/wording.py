"""The words every receiver shares: what an alert is called, where it is, where to read on; text made safe to show."""

import unicodedata
from collections.abc import Sequence
from urllib.parse import quote

from monitor.model import Alert, State

# Control characters, halves of surrogate pairs, and the marks that turn the direction of writing: names come from
# strangers' databases, and must neither drive a terminal nor look like what they are not.
UNSAFE = ("Cc", "Cs")
TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: str) -> str:
    """The text without what drives terminals; line breaks and tabs stay."""
    return "".join(one for one in text if one in "\n\t" or not (unicodedata.category(one) in UNSAFE or one in TURNING))


def line(text: str) -> str:
    """The same on one line."""
    return " ".join(plain(text).split())


def state(alert: Alert) -> str:
    """`critical`, or `resolved` when it is over."""
    return "resolved" if alert.state is State.RESOLVED else alert.finding.severity.value


def title(alert: Alert) -> str:
    """What is wrong, on one line that is never empty."""
    return line(alert.finding.title) or alert.finding.rule or "finding"


def place(alert: Alert) -> str:
    """`server/database`, or `server`."""
    return line(str(alert.finding.target))


def page(external_url: str | None, alert: Alert) -> str | None:
    """The URL of the finding's page, where we know our own address."""
    return external_url and f"{external_url.rstrip('/')}/findings/{quote(alert.finding.fingerprint)}"


def terminated(statement: str) -> str:
    """A statement ready to paste: with its semicolon, which a closing comment must not swallow."""
    bare = plain(statement).strip()
    if bare.endswith(";"):
        return bare
    return f"{bare}\n;" if "--" in bare.rpartition("\n")[2] else f"{bare};"


def worst_first(alerts: Sequence[Alert]) -> list[Alert]:
    """Firing before resolved, the worst first; otherwise as they came."""
    return sorted(alerts, key=lambda alert: (alert.state is State.RESOLVED, -alert.finding.severity.rank))


def tally(alerts: Sequence[Alert]) -> str:
    """`2 firing, 1 resolved`."""
    over = sum(alert.state is State.RESOLVED for alert in alerts)
    parts = [f"{count} {word}" for count, word in ((len(alerts) - over, "firing"), (over, "resolved")) if count]
    return ", ".join(parts)
