"""Digests: what one receiver hears of a day or a week at once, instead of alert by alert.

It owns no clock and does no I/O: the ledger's alerts and a time come in, a notice comes out.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.findings.episode import without_suspicion
from monitor.findings.matchers import Matcher, all_match
from monitor.model import Alert, State
from monitor.notice import Digest, Notice
from monitor.proof import Outcome

WORST = 5
LISTED = 65
"""So many of each sort are carried along; the others are counted."""


@dataclass(frozen=True, kw_only=True)
class Periodical:
    """What one receiver wants summed up, and when; `cron` and `time_zone` were checked when they were read."""

    name: str
    receiver: str
    cron: str
    time_zone: str = "UTC"
    matchers: tuple[Matcher, ...] = ()

    @property
    def title(self) -> str:
        """`weekly` is a "Weekly digest"."""
        words = self.name.replace("_", " ").replace("-", " ").strip() or self.name
        return f"{words[:1].upper()}{words[1:]}" + ("" if "digest" in words.lower() else " digest")

    @property
    def mark(self) -> str:
        """What the time of the last one is remembered by."""
        return f"digest:{self.name}"


@dataclass(frozen=True, kw_only=True)
class Sorted:
    """The alerts of a period, each in one list, the worst and oldest first."""

    new: Sequence[Alert]
    still: Sequence[Alert]
    over: Sequence[Alert]


def digest(
    periodical: Periodical, alerts: Sequence[Alert], since: datetime, now: datetime, *, moment: datetime
) -> Notice:
    """Sum up the time between `since` and `now`. It was due at `moment`: made again, it has the same key."""
    found = sort(alerts, since, now, periodical.matchers)
    worst = _worst_first([*found.new, *found.still])[:WORST]
    taken = {id(alert) for alert in worst}
    lists = [[alert for alert in each if id(alert) not in taken] for each in (found.new, found.still, found.over)]
    shown = [*worst, *(alert for each in lists for alert in each[:LISTED])]
    new = {id(alert) for alert in found.new}
    return Notice(
        receiver=periodical.receiver,
        group=f"{periodical.mark}@{moment.isoformat()}",
        labels={},
        alerts=tuple(shown),
        news=frozenset(alert.finding.fingerprint for alert in shown if id(alert) in new),
        created_at=now,
        key=_key(periodical, moment),
        digest=Digest(
            title=periodical.title,
            since=since,
            new=len(found.new),
            still=len(found.still),
            over=len(found.over),
            fixed=sum(alert.outcome is Outcome.FIXED for alert in found.over),
        ),
    )


def sort(alerts: Sequence[Alert], since: datetime, now: datetime, matchers: Sequence[Matcher] = ()) -> Sorted:
    """Sort what fires by whether it began after `since`, and find what ended since then; suspicions do not count."""
    known = [each for alert in alerts if (each := _believed(alert)) and all_match(matchers, each.all_labels)]
    firing = _worst_first([alert for alert in known if alert.state is State.FIRING])
    over = [alert for alert in known if alert.state is State.RESOLVED and _within(alert.ends_at, since, now)]
    return Sorted(
        new=[alert for alert in firing if _began(alert) > since],
        still=[alert for alert in firing if _began(alert) <= since],
        over=_worst_first(over),
    )


def unless(silenced: Callable[[Alert], bool], alerts: Sequence[Alert]) -> list[Alert]:
    """Leave out what nobody wants to hear of now; what is over is told."""
    return [alert for alert in alerts if alert.state is not State.FIRING or not silenced(alert)]


def _believed(alert: Alert) -> Alert | None:
    """Give an alert as people know it."""
    return without_suspicion(alert) if alert.state is State.PENDING else alert


def _began(alert: Alert) -> datetime:
    return alert.fired_at or alert.starts_at


def _within(moment: datetime | None, since: datetime, now: datetime) -> bool:
    return moment is not None and since < moment <= now


def _worst_first(alerts: Sequence[Alert]) -> list[Alert]:
    return sorted(alerts, key=lambda alert: (-alert.finding.severity.rank, alert.starts_at, alert.finding.fingerprint))


def _key(periodical: Periodical, moment: datetime) -> str:
    text = json.dumps([periodical.receiver, periodical.mark, moment.isoformat()])
    return f"digest-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
