"""Who hears of which alert, and when: groups along the routing tree, followed through time.

It owns no clock and does no I/O: alerts and `now` come in, notices go out. All it must not forget lies in the marks of
what was told, so that a router made of stored marks and the ledger's alerts goes on as if there had been no restart.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor.findings.episode import without_suspicion
from monitor.findings.group import RESOLVED, Group, Mute, Muted, departed, notice
from monitor.findings.intervals import TimeInterval
from monitor.findings.route import Branch, Route
from monitor.model import Alert, Severity, State
from monitor.notice import Notice
from monitor.store.records import ToldKey
from monitor.store.records import ToldRow as Told

__all__ = ["Mute", "Muted", "Plan", "Router", "Told"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be sent, and the marks to store with it in one transaction."""

    notices: list[Notice] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    forgotten: list[ToldKey] = field(default_factory=list)
    """Marks that are of no more use."""


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where an alert belongs as long as it looks like this."""

    state: State
    severity: Severity
    labels: Mapping[str, str]
    homes: tuple[Group, ...]
    left: tuple[Group, ...]
    """Groups it was told in and does not belong to any more."""

    def fits(self, alert: Alert) -> bool:
        return self.state is alert.state and self.severity is alert.finding.severity and self.labels == alert.labels


class Router:
    """Plans the notices. `intervals` are those the routes name; `quiet_ends` the receivers that want no ends told."""

    def __init__(
        self,
        route: Route,
        told: Iterable[Told] = (),
        *,
        intervals: Mapping[str, Sequence[TimeInterval]] | None = None,
        quiet_ends: Collection[str] = (),
    ) -> None:
        self._tree = route.resolved()
        self._intervals = dict(intervals or {})
        self._quiet_ends = frozenset(quiet_ends)
        self._receivers = {branch.receiver for branch in self._tree.walk()}
        self._groups: dict[tuple[str, str], Group] = {}
        self._places: dict[str, _Place] = {}
        self._holders: dict[str, set[Group]] = {}
        self._changes: dict[ToldKey, Told | None] = {}
        self._now: datetime | None = None
        _check_names(self._tree, self._intervals)
        for mark in told:
            self._mark(mark)
        self._changes.clear()

    @property
    def known(self) -> int:
        """Count the alerts it knows of; those that are gone are work, too."""
        return max(len(self._places), len(self._holders))

    def plan(self, alerts: Sequence[Alert], now: datetime, muted: Muted) -> Plan:
        """Give what is to be said at `now` (UTC). `alerts` is the whole ledger: what is not there has never been.

        The marks are taken for stored: a plan that could not be written must be written again, it does not come back.
        `muted` is asked only of alerts that fire, when their group is due.
        """
        if self._now is None or now < self._now:
            self._set_back(now)
        self._now = now
        self._tidy(now)
        self._take_in(alerts, now)
        notices = self._look(now, muted)
        changes, self._changes = self._changes, {}
        return Plan(
            notices=notices,
            told=[mark for mark in changes.values() if mark is not None],
            forgotten=[key for key, mark in changes.items() if mark is None],
        )

    def due(self, now: datetime) -> datetime | None:
        """Give when `plan` must be called at the latest; None: not before an alert changes."""
        moments = [due for group in self._groups.values() if (due := group.due) is not None]
        if self._now is None:
            return now
        return max(now, min(moments)) if moments else None

    # Alerts and their groups

    def _take_in(self, alerts: Sequence[Alert], now: datetime) -> None:
        there: set[str] = set()
        for alert in alerts:
            fingerprint = alert.finding.fingerprint
            there.add(fingerprint)
            self._meet(fingerprint, alert, now)
        for fingerprint in (self._places.keys() | self._holders.keys()) - there:
            self._leave(fingerprint)
            for group in tuple(self._holders.get(fingerprint, ())):
                self._forget(group, fingerprint)

    def _meet(self, fingerprint: str, alert: Alert, now: datetime) -> None:
        if alert.state is not State.FIRING and not self._believed(fingerprint):
            self._leave(fingerprint)
            return
        known = alert if alert.state is not State.PENDING else without_suspicion(alert)
        if known is None:
            return
        place = self._places.get(fingerprint)
        if place is None or not place.fits(known):
            place = self._settle(fingerprint, known, now)
        for group in place.homes:
            group.members[fingerprint] = known

    def _believed(self, fingerprint: str) -> bool:
        """Tell whether somebody was told that it fires, and not yet that it is over."""
        return any(group.believes(fingerprint) for group in self._holders.get(fingerprint, ()))

    def _settle(self, fingerprint: str, alert: Alert, now: datetime) -> _Place:
        """Find an alert's groups; what was told of it elsewhere moves along, or is over there."""
        labels = alert.all_labels
        homes = {group.key: group for branch in self._tree.matching(labels) for group in [self._group(branch, labels)]}
        for group in homes.values():
            group.members[fingerprint] = alert
            if alert.state is State.FIRING:
                group.expect(alert, now)
        self._leave(fingerprint, keep=homes)
        left = self._carry(fingerprint, alert, homes.values(), now)
        place = _Place(
            state=alert.state,
            severity=alert.finding.severity,
            labels=alert.labels,
            homes=tuple(homes.values()),
            left=tuple(left),
        )
        self._places[fingerprint] = place
        return place

    def _carry(self, fingerprint: str, alert: Alert, homes: Collection[Group], now: datetime) -> list[Group]:
        """Look after the groups that were told of an alert and are not its own: give those that must hear its end."""
        left: list[Group] = []
        for group in sorted(self._holders.get(fingerprint, ()), key=lambda group: group.key):
            if group in homes or not group.believes(fingerprint):
                continue
            heirs = [home for home in homes if home.receiver == group.receiver]
            if heirs:
                self._move(fingerprint, group, heirs)
            elif group.receiver in self._receivers:
                self._part(fingerprint, alert, group, now)
                left.append(group)
            else:
                self._forget(group, fingerprint)
        return left

    def _move(self, fingerprint: str, group: Group, heirs: Sequence[Group]) -> None:
        """Its receiver hears of it in another group now and knows what it was told; the old one keeps its distance."""
        mark = group.marks[fingerprint]
        heir = next((heir for heir in heirs if not heir.believes(fingerprint)), None)
        if heir is not None:
            self._mark(replace(mark, group=heir.name))
        self._mark(replace(mark, status=RESOLVED))

    def _part(self, fingerprint: str, alert: Alert, group: Group, now: datetime) -> None:
        """Its receiver hears of it no more, so for that one it is over."""
        former = departed(alert, group.marks[fingerprint], now)
        group.departed[fingerprint] = former
        labels = former.all_labels
        for branch in self._tree.matching(labels):
            if (branch.receiver, branch.group_name(branch.shared(labels))) == group.key:
                self._group(branch, labels)

    def _group(self, branch: Branch, labels: Mapping[str, str]) -> Group:
        shared = branch.shared(labels)
        group = self._group_at(branch.receiver, branch.group_name(shared))
        group.branch, group.labels = branch, shared
        return group

    def _group_at(self, receiver: str, name: str) -> Group:
        """Give a group that may be known from its marks alone; then the root's times stand in."""
        group = self._groups.get((receiver, name))
        if group is None:
            group = self._groups[receiver, name] = Group(receiver, name, self._tree)
        return group

    def _leave(self, fingerprint: str, keep: Collection[tuple[str, str]] = ()) -> None:
        """Take an alert out of its groups, but for those to keep; a group of which nothing is known goes."""
        place = self._places.pop(fingerprint, None)
        if place is None:
            return
        for group in place.left:
            group.departed.pop(fingerprint, None)
        for group in place.homes:
            if group.key not in keep:
                group.members.pop(fingerprint, None)
                if group.empty:
                    self._groups.pop(group.key, None)

    # What is said

    def _look(self, now: datetime, muted: Muted) -> list[Notice]:
        """Look at each group that is due; none speaks while its route is mute."""
        mute = {name for name, several in self._intervals.items() if any(one.contains(now) for one in several)}
        notices: list[Notice] = []
        for group in [group for group in self._groups.values() if (due := group.due) is not None and due <= now]:
            group.next = now + group.interval
            ends = group.receiver not in self._quiet_ends
            if mute.isdisjoint(group.branch.mute_time_intervals):
                said = group.says(now, muted, ends=ends)
                if said is not None:
                    notices.append(notice(group, said, now))
                    for mark in group.heard(said, now):
                        self._mark(mark)
            self._sweep(group, now, ends=ends)
        return notices

    def _tidy(self, now: datetime) -> None:
        """Drop groups that have kept their distance long enough, so that the next alert begins a new one."""
        idle = [group for group in self._groups.values() if not group.members and not group.departed]
        for group in idle:
            if group.last is None or group.last + group.interval <= now:
                self._sweep(group, now, ends=True)

    def _sweep(self, group: Group, now: datetime, *, ends: bool) -> None:
        for fingerprint in group.stale(now, ends=ends):
            self._forget(group, fingerprint)
        for fingerprint in [each for each in group.departed if not group.believes(each)]:
            del group.departed[fingerprint]
        if group.empty:
            self._groups.pop(group.key, None)

    # Marks

    def _mark(self, mark: Told) -> None:
        group = self._group_at(mark.receiver, mark.group)
        group.marks[mark.fingerprint] = mark
        group.spoke(mark.at)
        self._holders.setdefault(mark.fingerprint, set()).add(group)
        self._changes[mark.key] = mark

    def _forget(self, group: Group, fingerprint: str) -> None:
        self._changes[group.marks.pop(fingerprint).key] = None
        holders = self._holders[fingerprint]
        holders.discard(group)
        if not holders:
            del self._holders[fingerprint]

    def _set_back(self, now: datetime) -> None:
        for group in self._groups.values():
            for mark in group.set_back(now):
                self._mark(mark)


def _check_names(tree: Branch, intervals: Mapping[str, object]) -> None:
    unknown = {name for branch in tree.walk() for name in branch.mute_time_intervals} - intervals.keys()
    if unknown:
        raise ValueError(f"mute_time_intervals: there is no time interval {min(unknown)!r}")
