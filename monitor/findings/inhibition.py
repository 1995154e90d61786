"""Inhibition with Alertmanager's meaning: while one alert fires, those it explains are not told.

A server that is down explains whatever else is said of it; who cannot see the users cannot judge links to them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType

from monitor.findings.both_ends import BothEnds
from monitor.findings.matchers import Matcher, Matching, Op, all_match
from monitor.model import Alert, State
from monitor.overlap import Wider


@dataclass(frozen=True, kw_only=True)
class Inhibition:
    """A firing alert that matches `source` mutes those that match `target` and have the same values of `equal`.

    A label that is not there is the empty text, also for `equal`. An alert that matches both sides is not muted by
    one of which the same is true, and so never by itself.
    """

    source: tuple[Matching, ...]
    target: tuple[Matching, ...]
    equal: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.source or not self.target:
            raise ValueError("an inhibition needs a matcher for its source, and one for its target")


@dataclass(frozen=True, kw_only=True)
class _Family:
    """Rules by the word before their dot; a regular expression would load its library, 2 MiB, for every user."""

    of: frozenset[str]
    among: bool = True

    def matches(self, labels: Mapping[str, str], /) -> bool:
        return (labels.get("rule", "").partition(".")[0] in self.of) is self.among


_ABOUT_US = frozenset({"receiver", "store", "config", "ignore"})
"""What concerns the monitor itself stays true, should a server bear the monitor's name."""

BUILT_IN: tuple[Inhibition, ...] = (
    Inhibition(
        source=(Matcher("rule", Op.EQUAL, "target.unreachable"),),
        target=(Matcher("rule", Op.NOT_EQUAL, "target.unreachable"), _Family(of=_ABOUT_US, among=False)),
        equal=("target",),
    ),
    Inhibition(
        source=(Matcher("rule", Op.EQUAL, "auth.cannot_see"),),
        target=(_Family(of=frozenset({"auth_links"})),),
        equal=("target", "database"),
    ),
    # The same statement by the same limits: that it is new says more, and it need not be said twice.
    Inhibition(
        source=(Matcher("rule", Op.EQUAL, "statements.new_slow"),),
        target=(Matcher("rule", Op.EQUAL, "statements.slow"),),
        equal=("target", "database", "subject", "severity"),
    ),
)


NOBODY: Mapping[str, str] = MappingProxyType({})


class Sources:
    """What mutes at this moment: the firing alerts that are an inhibition's source, found by their equal labels."""

    def __init__(
        self, inhibitions: Sequence[Inhibition], alerts: Sequence[Alert], primaries: Mapping[str, str] = NOBODY
    ) -> None:
        """Sort the alerts; `primaries` says of targets that are replicas, of whom."""
        self._others = (BothEnds(primaries, alerts), Wider(alerts))
        self._sides = [_Side(inhibition) for inhibition in inhibitions]
        for alert in alerts:
            if self._sides and alert.state is State.FIRING:
                labels = alert.all_labels
                for side in self._sides:
                    side.add(alert, labels)

    def inhibited_by(self, alert: Alert) -> Alert | None:
        """Give a firing alert that mutes this one."""
        labels = alert.all_labels if any(side.mutes for side in self._sides) else {}
        found = (side.source_of(labels) for side in self._sides if side.mutes)
        others = (other.inhibited_by(alert) for other in self._others)
        return next((source for source in chain(found, others) if source is not None), None)


class _Side:
    """One inhibition's sources by their equal labels; those that match its target too are held apart."""

    def __init__(self, inhibition: Inhibition) -> None:
        self.inhibition = inhibition
        self.plain: dict[tuple[str, ...], Alert] = {}
        self.two_sided: dict[tuple[str, ...], Alert] = {}

    @property
    def mutes(self) -> bool:
        return bool(self.plain or self.two_sided)

    def add(self, alert: Alert, labels: Mapping[str, str]) -> None:
        if all_match(self.inhibition.source, labels):
            known = self.two_sided if all_match(self.inhibition.target, labels) else self.plain
            known.setdefault(self._equal(labels), alert)

    def source_of(self, labels: Mapping[str, str]) -> Alert | None:
        if not all_match(self.inhibition.target, labels):
            return None
        equal = self._equal(labels)
        source = self.plain.get(equal)
        if source is None and not all_match(self.inhibition.source, labels):
            source = self.two_sided.get(equal)
        return source

    def _equal(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(labels.get(label, "") for label in self.inhibition.equal)
