"""One group of alerts at one receiver: what it was told of them, when it is looked at next, what is to be said then."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from hashlib import sha256
from json import dumps

from monitor.findings.route import Branch
from monitor.model import Alert, Severity, State
from monitor.notice import Notice
from monitor.store.records import FIRING
from monitor.store.records import ToldRow as Told

RESOLVED = State.RESOLVED.value


class Mute(Enum):
    """What of an alert that fires is kept back; its end is told to whoever believes that it fires in any case."""

    NONE = auto()
    REPEATS = auto()
    """Acked: the first message is told, and a risen severity, but nothing again."""
    ALL = auto()
    """Silenced or inhibited."""


Muted = Callable[[Alert], Mute]


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a group has to say, by fingerprint."""

    alerts: Mapping[str, Alert]
    news: frozenset[str]


class Group:
    """A group's members and marks. `next` is the next look at it; None: `last` message plus the interval, if any."""

    def __init__(self, receiver: str, name: str, branch: Branch) -> None:
        self.receiver, self.name = receiver, name
        self.branch = branch
        self.labels: Mapping[str, str] = {}
        self.members: dict[str, Alert] = {}
        self.departed: dict[str, Alert] = {}
        """Alerts that were told here and fire on elsewhere: for this receiver they are over."""
        self.marks: dict[str, Told] = {}
        self.last: datetime | None = None
        self.next: datetime | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Receiver and name."""
        return self.receiver, self.name

    @property
    def due(self) -> datetime | None:
        """When it must be looked at; None: nothing can come of it."""
        if self.next is not None:
            return self.next
        return None if self.last is None else self.last + self.interval

    @property
    def interval(self) -> timedelta:
        return timedelta(seconds=self.branch.group_interval)

    @property
    def empty(self) -> bool:
        return not (self.members or self.departed or self.marks)

    def believes(self, fingerprint: str) -> bool:
        """Tell whether the receiver was told last that this alert fires."""
        mark = self.marks.get(fingerprint)
        return mark is not None and mark.fires

    def spoke(self, at: datetime) -> None:
        self.last = at if self.last is None else max(self.last, at)

    def expect(self, alert: Alert, now: datetime) -> None:
        """An alert fires: what was never spoken of waits for `group_wait`, counted from when the alert fired."""
        if self.last is not None:
            return
        wait = timedelta(seconds=self.branch.group_wait)
        ready = min(max(now, (alert.fired_at or now) + wait), now + wait)
        self.next = ready if self.next is None else min(self.next, ready)

    def set_back(self, now: datetime) -> Iterator[Told]:
        """The clock shows less than before: wait anew from now. Give the marks from the future, moved to now."""
        longest = self.interval if self.last else timedelta(seconds=self.branch.group_wait)
        self.last = self.last and min(self.last, now)
        self.next = self.next and min(self.next, now + longest)
        yield from [replace(mark, at=now) for mark in self.marks.values() if mark.at > now]

    def says(self, now: datetime, muted: Muted, *, ends: bool) -> Said | None:
        """Give what is to be said now: all that can be said when something of it is news, or a repetition, or None."""
        over = dict(self._over()) if ends else {}
        firing = [(key, alert, muted(alert)) for key, alert in self.members.items() if alert.state is State.FIRING]
        if over or any(self._wakes(key, alert, mute) for key, alert, mute in firing):
            alerts = {key: alert for key, alert, mute in firing if mute is not Mute.ALL} | over
            return Said(alerts=alerts, news=frozenset(filter(lambda key: self._new(key, alerts[key]), alerts)))
        if self.last is None or now - self.last < timedelta(seconds=self.branch.repeat_interval):
            return None
        again = {key: alert for key, alert, mute in firing if mute is Mute.NONE}
        return Said(alerts=again, news=frozenset()) if again else None

    def heard(self, said: Said, now: datetime) -> Iterator[Told]:
        """Give the marks that follow from a message; all move on to its time, which a restart must know."""
        self.spoke(now)
        for key, alert in said.alerts.items():
            yield Told(receiver=self.receiver, group=self.name, fingerprint=key, status=alert.status, at=now)
        for key, mark in list(self.marks.items()):
            if mark.fires and key not in said.alerts:
                yield replace(mark, at=now)

    def stale(self, now: datetime, *, ends: bool) -> list[str]:
        """Give the marks that are of no more use: ends that keep no distance any more, or that nobody wants to hear."""
        over = set() if ends else {key for key, _ in self._over()}
        return [
            key for key, mark in self.marks.items() if (key in over if mark.fires else now - mark.at >= self.interval)
        ]

    def _over(self) -> Iterator[tuple[str, Alert]]:
        for key, alert in (*self.members.items(), *self.departed.items()):
            if alert.state is State.RESOLVED and self.believes(key):
                yield key, as_told(alert, self.marks[key])

    def _wakes(self, key: str, alert: Alert, mute: Mute) -> bool:
        """Tell whether an alert that fires makes a message necessary."""
        if mute is Mute.ALL or not self._new(key, alert):
            return False
        mark = self.marks.get(key)
        told = severity_told(mark) if mark is not None else None
        return mute is Mute.NONE or told is None or told.rank < alert.finding.severity.rank

    def _new(self, key: str, alert: Alert) -> bool:
        mark = self.marks.get(key)
        return mark is None or mark.status != alert.status


def severity_told(mark: Told) -> Severity | None:
    """Give the severity a receiver knows of an alert that fires for it."""
    word = mark.status.removeprefix(FIRING)
    return Severity(word) if word in set(Severity) and mark.fires else None


def as_told(alert: Alert, mark: Told) -> Alert:
    """Give an alert with the severity the receiver knows: what ends for it is what it was told of."""
    severity = severity_told(mark)
    if severity is None or severity is alert.finding.severity:
        return alert
    return replace(alert, finding=replace(alert.finding, severity=severity))


def departed(alert: Alert, mark: Told, now: datetime) -> Alert:
    """Give an alert that is routed elsewhere as its former receiver is to see it: over."""
    former = as_told(alert, mark)
    if alert.state is State.RESOLVED:
        return former
    why = "it is routed elsewhere now" if former is alert else f"its severity is now {alert.finding.severity}"
    return replace(former, state=State.RESOLVED, ends_at=max(now, alert.starts_at), ended_by=why, acked=None)


def notice(group: Group, said: Said, now: datetime) -> Notice:
    """Put into a message what a group has to say."""
    worst_first = sorted(said.alerts, key=lambda key: _weight(said.alerts[key], key, news=key in said.news))
    return Notice(
        receiver=group.receiver,
        group=group.name,
        labels=group.labels,
        alerts=tuple(said.alerts[key] for key in worst_first),
        news=said.news,
        created_at=now,
        key=_key(group, said, now),
    )


def _weight(alert: Alert, fingerprint: str, *, news: bool) -> tuple[bool, int, bool, datetime, str]:
    """What fires before what is over, worse before milder, news before what is known, older before newer."""
    over = alert.state is State.RESOLVED
    return over, -alert.finding.severity.rank, not news, alert.fired_at or alert.starts_at, fingerprint


def _key(group: Group, said: Said, now: datetime) -> str:
    """Give the idempotency key: receiver, group, moment, and what is news since when."""
    news = [
        (key, alert.status, str(alert.ends_at if alert.state is State.RESOLVED else alert.fired_at))
        for key, alert in sorted(said.alerts.items())
        if key in said.news
    ]
    text = dumps([group.receiver, group.name, now.isoformat(), news])
    return sha256(text.encode()).hexdigest()[:32]
