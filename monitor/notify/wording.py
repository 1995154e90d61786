"""The words every receiver shares: what an alert is called, where it is, how long it lasts, where to read on; which of
a notice is news and which still stands; and text made safe to show.
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

from monitor.model import Alert, State
from monitor.notice import Notice

# Control characters, halves of surrogate pairs, and the marks that turn the direction of writing: names come from
# strangers' databases, and must neither drive a terminal nor look like what they are not.
UNSAFE = ("Cc", "Cs")
TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

UNREACHABLE = "target.unreachable"
SEEN_NO_MORE = frozenset({"", "not seen any more"})
"""What ends an unreachable target because it answers again; anything else (watched no longer …) does not say so."""

SIGNS = {
    "critical": "\U0001f534",
    "warning": "\U0001f7e0",
    "info": "\U0001f535",
    "resolved": "\U0001f7e2",
    "fixed": "\U0001f7e2",
    "no effect": "\U0001f7e1",
    "worse": "\U0001f534",
}
"""The coloured dot before each `word`, in chats."""

MINUTE, HOUR, DAY = 60, 3600, 86400


def plain(text: str) -> str:
    """The text without what drives terminals; line breaks and tabs stay."""
    return "".join(one for one in text if one in "\n\t" or not (unicodedata.category(one) in UNSAFE or one in TURNING))


def line(text: str) -> str:
    """The same on one line."""
    return " ".join(plain(text).split())


def state(alert: Alert) -> str:
    """`critical`, or `resolved` when it is over."""
    return "resolved" if alert.state is State.RESOLVED else alert.finding.severity.value


def word(alert: Alert) -> str:
    """The same as it is said to people: of what a remedy ended also whether it was fixed."""
    over = alert.state is State.RESOLVED
    return alert.outcome.value if over and alert.outcome else state(alert)


def title(alert: Alert) -> str:
    """What is wrong, or that a target is back; on one line that is never empty."""
    if came_back(alert):
        return f"{line(alert.finding.target.server)} is back after {span(lasting(alert))}"
    return line(alert.finding.title) or line(alert.finding.rule) or "finding"


def came_back(alert: Alert) -> bool:
    """Tell whether this is the end of a target's absence."""
    over = alert.state is State.RESOLVED
    return over and alert.finding.rule == UNREACHABLE and alert.ended_by in SEEN_NO_MORE


def span(seconds: float) -> str:
    """A time span as people say it: `45 s`, `12 min`, `4 h`, `4 h 20 min`, `2 d 3 h`."""
    whole = max(int(seconds), 0)
    if whole < 2 * MINUTE:
        return f"{whole} s"
    if whole < 2 * HOUR:
        return f"{whole // MINUTE} min"
    large, small, unit, rest = (HOUR, MINUTE, "h", "min") if whole < 2 * DAY else (DAY, HOUR, "d", "h")
    over = whole % large // small
    return f"{whole // large} {unit}" + (f" {over} {rest}" if over else "")


def lasting(alert: Alert, now: datetime | None = None) -> float:
    """For how many seconds it stood, or has stood by now."""
    end = alert.ends_at if alert.state is State.RESOLVED else now
    return ((end or alert.last_seen) - alert.starts_at).total_seconds()


def ending(alert: Alert) -> str:
    """How long it lasted and what ended it: `lasted 12 min (its database is gone)`."""
    if came_back(alert):
        return f"was away for {span(lasting(alert))}"
    why = line(alert.ended_by)
    return f"lasted {span(lasting(alert))}" + (f" ({why})" if why else "")


def standing_for(alert: Alert, now: datetime) -> str:
    """How long it has stood, and who has taken note: `for 4 h, acknowledged by Ann`."""
    known = f", acknowledged by {line(alert.acked.author)}" if alert.acked else ""
    return f"for {span(lasting(alert, now))}{known}"


def place(alert: Alert) -> str:
    """`server/database`, or `server`; after a failover also where it was before."""
    before = f", moved from {line(alert.moved_from)}" if alert.moved_from else ""
    return line(str(alert.finding.target)) + before


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


def divided(notice: Notice) -> tuple[list[Alert], list[Alert]]:
    """The alerts that are news, and those that still stand; the worst first in each. What is over is always news."""
    ordered = worst_first(notice.alerts)
    news = [one for one in ordered if one.state is State.RESOLVED or one.finding.fingerprint in notice.news]
    told = {id(one) for one in news}
    return news, [one for one in ordered if id(one) not in told]


def longest(alerts: Sequence[Alert], now: datetime) -> str:
    """How long the one that has stood longest has stood."""
    return span(max(lasting(alert, now) for alert in alerts))


def kinds(alerts: Sequence[Alert]) -> list[tuple[int, str]]:
    """How many there are by rule and target, the most first: `(300, "tables.bloat on shop/shop")`."""
    counts = Counter((alert.finding.rule, str(alert.finding.target)) for alert in alerts)
    return [(count, f"{line(rule)} on {line(where)}") for (rule, where), count in counts.most_common()]
