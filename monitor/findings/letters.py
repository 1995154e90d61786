"""Letters, as the outbox keeps them: a notice on its way, how several become one or one two, and who may pass whom."""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from monitor.model import Alert
from monitor.notice import Notice

SUMMARY = "summary"
"""The group of a message that says what many groups would have said."""

STUBBORN = 5
"""A message that failed so often in a row may itself be what its receiver fails at."""

PASSED = 12
"""A part or summary that failed so often, some twenty minutes if nothing else is sent, holds up its own alerts only.

A receiver that fails at random must not get a group's messages out of order: that half of all tries fail is common,
that one message fails so often by chance is not.
"""

HOPELESS = 24
"""After so many failures in a row, an hour or more, a message is tried in halves even if nothing else gets through."""


Completed = Callable[[Sequence[Alert]], Awaitable[Sequence[Alert]]]
"""Gives alerts with all they said: a digest looks back on such as are lean by now; never raises."""


async def as_they_are(alerts: Sequence[Alert]) -> Sequence[Alert]:
    """Where no alert is lean, nothing is completed."""
    return alerts


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A notice on its way to its receiver."""

    id: str
    """Sorts as the entries came; parts (`ID.0`, `ID.1`) stand where the whole stood."""
    receiver: str
    group: str
    notice: Notice
    created_at: datetime
    """When the newest news in it was news (of a summary: the oldest message in it); its deadline counts from here."""
    due_at: datetime
    tries: int = 0
    """How often it was tried in vain."""
    state: Literal["waiting", "dead"] = "waiting"
    why: str = ""
    """What went wrong with the last try."""

    @property
    def part(self) -> bool:
        """Tell a part of a message that was refused as a whole: it goes out as it is."""
        return "." in self.id

    @property
    def root(self) -> str:
        """The id of the whole that it is, or is a part of."""
        return self.id.partition(".")[0]

    @property
    def stuck(self) -> bool:
        """Tell a part or a summary that failed so often that what has nothing to do with it may pass."""
        return self.tries >= PASSED and (self.part or self.group == SUMMARY)

    @property
    def divisible(self) -> bool:
        """Tell whether it can be told in two messages."""
        return len(self.notice.alerts) > 1 and self.notice.digest is None

    def spoils(self, failures: int, *, heard: bool) -> bool:
        """Tell, of one that has failed again, whether it may be this message that its receiver fails at.

        `heard`: that one took something before, and then failed so often in a row. So it took others meanwhile; of a
        part it is enough that nothing else failed since the last success, which may have been the other part.
        """
        tries = self.tries + 1
        alone = heard and tries >= STUBBORN and tries + self.part > failures
        return self.divisible and (alone or (tries >= HOPELESS and not self.part))

    @property
    def alone(self) -> bool:
        """Tell what is never said in one with others."""
        return self.part or self.stuck or self.notice.digest is not None

    @property
    def told(self) -> frozenset[str]:
        """The fingerprints of the alerts it tells of; a digest looks back and may come at any time."""
        if self.notice.digest is not None:
            return frozenset()
        return frozenset(alert.finding.fingerprint for alert in self.notice.alerts)


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What is to be stored, all or nothing: entries as they are now, and ids of those that are no more."""

    entries: tuple[Entry, ...] = ()
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Load:
    """What one receiver is to be told at one moment."""

    receiver: str
    notices: Sequence[Notice]
    flood: int = 0
    """So many notices wait as the one message that they will be anyway; 0: they are few."""


class Ahead:
    """What stands before an entry, and whether the entry must wait for it.

    A group's messages come in order, and a summary speaks for any group. Parts of one message wait for each other in
    no order, and what is stuck is waited for only by messages about the same alerts.
    """

    def __init__(self) -> None:
        self._roots: dict[str, set[str]] = {}
        self._stuck: list[frozenset[str]] = []

    def bars(self, entry: Entry) -> bool:
        """Tell whether this one must wait."""
        if self._stuck and any(not entry.told.isdisjoint(held) for held in self._stuck):
            return True
        groups = self._roots if entry.group == SUMMARY else {entry.group, SUMMARY}
        return any(self._roots.get(group, set()) - {entry.root} for group in groups)

    def add(self, entry: Entry) -> None:
        """Count this one among those before."""
        if entry.stuck:
            self._stuck.append(entry.told)
        else:
            self._roots.setdefault(entry.group, set()).add(entry.root)


def parted(stuck: Notice, newer: Notice) -> tuple[Notice, Notice | None]:
    """Give what is stuck with its alerts as the newer notice knows them, and what that has to say beside them.

    None: nothing. The rest keeps its key, for it was never sent.
    """
    held = {alert.finding.fingerprint for alert in stuck.alerts}
    known = {alert.finding.fingerprint: alert for alert in newer.alerts}
    keys = f"{stuck.key}\x00{newer.key}"
    own = replace(
        stuck,
        alerts=tuple(known.get(alert.finding.fingerprint, alert) for alert in stuck.alerts),
        news=stuck.news | (newer.news & held),
        created_at=newer.created_at if newer.news & held else stuck.created_at,
        key=f"newer-{hashlib.sha256(keys.encode(errors='surrogatepass')).hexdigest()[:32]}",
    )
    others = tuple(alert for alert in newer.alerts if alert.finding.fingerprint not in held)
    rest = replace(newer, alerts=others, news=newer.news - held)
    return own, rest if others and (rest.news or not newer.news) else None


def merged(old: Notice, newer: Notice) -> Notice:
    """The newer one, and what is still untold of the old one; mere repetition makes nothing younger."""
    untold = {fingerprint: alert for alert in old.alerts if (fingerprint := alert.finding.fingerprint) in old.news}
    standing = {alert.finding.fingerprint: alert for alert in newer.alerts}
    return replace(
        newer,
        alerts=tuple({**untold, **standing}.values()),
        news=old.news | newer.news,
        created_at=newer.created_at if newer.news else old.created_at,
    )


def summary(notices: Sequence[Notice]) -> Notice:
    """All alerts and all news of several notices, the newer state of each alert, and the labels all have in common."""
    alerts = {alert.finding.fingerprint: alert for notice in notices for alert in notice.alerts}
    common = set.intersection(*(set(notice.labels.items()) for notice in notices))
    keys = "\x00".join(notice.key for notice in notices)
    return replace(
        notices[-1],
        group=SUMMARY,
        labels=dict(sorted(common)),
        alerts=tuple(alerts.values()),
        news=frozenset().union(*(notice.news for notice in notices)),
        key=f"{SUMMARY}-{hashlib.sha256(keys.encode(errors='surrogatepass')).hexdigest()[:32]}",
    )


def loads(notices: Iterable[Notice], most: Callable[[str], int]) -> list[Load]:
    """Divide notices by receiver; `most` says how many one may get before they are a flood."""
    by_receiver: dict[str, list[Notice]] = {}
    for notice in notices:
        by_receiver.setdefault(notice.receiver, []).append(notice)
    return [
        Load(receiver=name, notices=own)
        if len(own) <= most(name)
        else Load(receiver=name, notices=[summary(own)], flood=len(own))
        for name, own in by_receiver.items()
    ]


def halves(notice: Notice) -> tuple[Notice, Notice]:
    middle = len(notice.alerts) // 2
    first, second = notice.alerts[:middle], notice.alerts[middle:]
    return _part(notice, first, "0"), _part(notice, second, "1")


def _part(notice: Notice, alerts: Sequence[Alert], mark: str) -> Notice:
    news = notice.news & {alert.finding.fingerprint for alert in alerts}
    return replace(notice, alerts=tuple(alerts), news=news, key=f"{notice.key}.{mark}")
