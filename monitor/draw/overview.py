"""What the first page shows of each thing: the worst whole, the others in groups, and of every list only its head."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from monitor.draw.health import STATES, firing_by_server, health
from monitor.draw.outlook import Outlook, outlook
from monitor.draw.search import Search
from monitor.model import Alert, Severity
from monitor.status import Glance

WORST, GROUPS, FEW, SERVERS = 3, 30, 10, 24
"""Findings shown whole, groups of others, lines of every other list, and targets on the first page."""
LOOKED_AT = 500
"""Findings among which the worst that nobody has taken note of are looked for."""
APART = 3
"""So many findings of one rule stand each by itself; more of them are one line."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Findings of one rule and severity that stand on one line."""

    first: Alert
    count: int
    servers: Sequence[str]

    @property
    def address(self) -> str:
        """Give the address under which all of them stand."""
        finding = self.first.finding
        return Search(rule=finding.rule, severity=finding.severity.value, state="firing").address


def front(glance: Glance, rules: Collection[str]) -> Mapping[str, object]:
    """Give what the template of the first page is filled with; `rules` are the ids of all that judge."""
    view = outlook(glance.shelf, rules)
    worst = _worst(view.firing, glance)
    return {
        **_lists(view, worst),
        **_servers(view, glance),
        "silences": glance.handling.silences(glance.now),
        "receivers": glance.handling.receivers(),
        "store": glance.handling.store(),
        "marks": glance.marks,
        "rule_count": len(rules),
        "few": FEW,
    }


def _lists(view: Outlook, worst: Sequence[Alert]) -> Mapping[str, object]:
    shown = {alert.finding.fingerprint for alert in worst}
    others = groups(alert for alert in view.firing if alert.finding.fingerprint not in shown)
    return {
        "view": view,
        "worst": worst,
        "counts": Counter(alert.finding.severity.value for alert in view.firing),
        "groups": others[:GROUPS],
        "more": sum(group.count for group in others[GROUPS:]),
        "unknown_rules": len({rule for each in view.unknown for rule in each.rules}),
    }


def _servers(view: Outlook, glance: Glance) -> Mapping[str, object]:
    firing = firing_by_server(view.firing)
    stands = [(target, health(target, glance.now)) for target in view.targets]
    stands.sort(key=lambda each: (STATES.index(each[1].word), each[0].server))
    costs = max(view.targets, key=lambda target: target.own_seconds, default=None)
    return {
        "servers": [(target, stand, firing.get(target.server, "")) for target, stand in stands[:SERVERS]],
        "healths": Counter(stand.word for _, stand in stands),
        "own_seconds": sum(target.own_seconds for target in view.targets),
        "dearest": costs if costs and costs.own_seconds and len(view.targets) > 1 else None,
    }


def _worst(firing: Sequence[Alert], glance: Glance) -> list[Alert]:
    """Give the worst that nobody has taken note of, each of another rule."""
    found: dict[str, Alert] = {}
    for alert in islice(firing, LOOKED_AT):
        told = alert.finding.severity is not Severity.INFO and alert.finding.rule not in found
        if told and not glance.marks(alert):
            found[alert.finding.rule] = alert
        if len(found) == WORST:
            break
    return list(found.values())


def groups(firing: Iterable[Alert]) -> list[Group]:
    """Put those of one rule and severity on one line where there are many; worst first, as they come."""
    together: dict[tuple[Severity, str], list[Alert]] = {}
    for alert in firing:
        together.setdefault((alert.finding.severity, alert.finding.rule), []).append(alert)
    return [each for alerts in together.values() for each in _group(alerts)]


def _group(alerts: Sequence[Alert]) -> list[Group]:
    if len(alerts) <= APART:
        return [Group(first=alert, count=1, servers=(alert.finding.target.server,)) for alert in alerts]
    servers = dict.fromkeys(alert.finding.target.server for alert in alerts)
    return [Group(first=alerts[0], count=len(alerts), servers=tuple(servers))]
