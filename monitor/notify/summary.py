"""A digest in words that every receiver shares: its heading, its time, and what it lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.model import Alert, State
from monitor.notice import Digest, Notice
from monitor.notify.document import moment
from monitor.notify.wording import ending, line, standing_for

WORST = 5
WITH_LINKS = ("The worst", "Open")
"""What the worst five stand below; the second where there are no more than those."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a digest says, in the order it is said."""

    heading: str
    """`Daily digest: 3 new, 12 still open, 4 over`."""
    period: str
    """`Between 2026-11-21 07:00 and 2026-11-22 07:00 UTC`."""
    lists: Sequence[tuple[str, Sequence[Alert]]]
    """Titles, and what stands below them; none is empty."""
    left_out: int
    """How many alerts are counted only."""


def summary(notice: Notice) -> Summary:
    """Put a digest's notice into words."""
    digest = notice.digest or Digest(title="Digest", since=notice.created_at, new=0, still=0, over=0)
    others = [alert for alert in notice.alerts if alert.state is not State.RESOLVED][WORST:]
    lists = (
        (WITH_LINKS[0] if others else WITH_LINKS[1], worst(notice)),
        ("New", [alert for alert in others if alert.finding.fingerprint in notice.news]),
        ("Still open", [alert for alert in others if alert.finding.fingerprint not in notice.news]),
        ("Over", [alert for alert in notice.alerts if alert.state is State.RESOLVED]),
    )
    return Summary(
        heading=f"{line(digest.title)}: {counts(digest)}",
        period=f"Between {digest.since:%Y-%m-%d %H:%M} and {notice.created_at:%Y-%m-%d %H:%M} UTC",
        lists=[(title, alerts) for title, alerts in lists if alerts],
        left_out=digest.count - len(notice.alerts),
    )


def worst(notice: Notice) -> list[Alert]:
    """The worst of what fires: a digest's alerts begin with them."""
    return [alert for alert in notice.alerts if alert.state is not State.RESOLVED][:WORST]


def figures(digest: Digest) -> dict[str, object]:
    """Give a digest's own figures as a document."""
    return {
        "title": digest.title,
        "since": moment(digest.since),
        "new": digest.new,
        "still": digest.still,
        "over": digest.over,
        "fixed": digest.fixed,
    }


def counts(digest: Digest) -> str:
    """`3 new, 12 still open, 4 over`."""
    if not digest.count:
        return "nothing new, nothing open"
    fixed = f" ({digest.fixed} fixed)" if digest.fixed else ""
    return f"{digest.new} new, {digest.still} still open, {digest.over} over{fixed}"


def since(alert: Alert, notice: Notice) -> str:
    """How long an alert of the digest has stood, or stood and why it ended."""
    return ending(alert) if alert.state is State.RESOLVED else standing_for(alert, notice.created_at)
