"""How everything stands right now, laid out for page, API and metrics; reading it touches no database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter

from monitor.findings.ledger import Ledger
from monitor.model import Alert, Severity, State
from monitor.standing import ServerStanding
from monitor.status import NotEvaluated, TargetStatus


class Shelf:
    """The shelf: every server's standing, and the ledger's alerts."""

    def __init__(self, ledger: Ledger) -> None:
        self.servers: dict[str, ServerStanding] = {}
        self._ledger = ledger
        self._gone: dict[str, Mapping[str, str]] = {}
        """The labels of servers that are watched no more."""
        self._revision = 0
        self._sorted: Sequence[Alert] | None = None

    def follow(self, ledger: Ledger) -> None:
        """Show another ledger's alerts from now on."""
        self._ledger = ledger
        self.changed()

    def changed(self) -> None:
        """Say that something on the shelf is new."""
        self._revision += 1
        self._sorted = None

    @property
    def ready(self) -> bool:
        """Tell whether every server has been asked once."""
        return bool(self.servers) and all(standing.up is not None for standing in self.servers.values())

    @property
    def revision(self) -> int:
        """A number that grows with every change."""
        return self._revision

    def targets(self) -> Sequence[TargetStatus]:
        """Give every server as it stands."""
        return [standing.status() for standing in self.servers.values()]

    def alerts(self) -> Sequence[Alert]:
        """Give all alerts, open ones first, worst and newest first."""
        if self._sorted is None:
            self._sorted = _worst_first(self._ledger.alerts)
        return self._sorted

    def alert(self, fingerprint: str) -> Alert | None:
        """Give one alert; None: it is over and forgotten, or never was."""
        return self._ledger.get(fingerprint)

    def drop(self, server: str) -> None:
        """Take a server off; what is told of its end is told by the labels that it had."""
        standing = self.servers.pop(server, None)
        if standing is not None:
            self._gone[server] = standing.server.labels

    def keep_labels(self, servers: Collection[str]) -> None:
        """Of servers that are watched no more, remember the labels of these only."""
        self._gone = {server: labels for server, labels in self._gone.items() if server in servers}

    def labels(self, server: str) -> Mapping[str, str]:
        """Give the labels that the configuration puts on a server, or put on it last."""
        standing = self.servers.get(server)
        return standing.server.labels if standing else self._gone.get(server, {})

    def labelled(self, alert: Alert) -> Alert:
        """Give an alert with its target's labels; that of a target which was gone before we began has them already."""
        server = alert.source.server
        labels = self.labels(server) if server in self.servers or server in self._gone else alert.labels
        return alert if labels == alert.labels else replace(alert, labels=labels)

    def not_evaluated(self) -> Sequence[NotEvaluated]:
        """Give the rules that could not say, by target."""
        return [entry for standing in self.servers.values() for entry in standing.not_evaluated()]


def _worst_first(alerts: Sequence[Alert]) -> Sequence[Alert]:
    """Sort in two steps, without a key made for each: of thousands that takes too long."""
    lots: dict[bool, dict[Severity, list[Alert]]] = {over: {each: [] for each in Severity} for over in (False, True)}
    for alert in sorted(alerts, key=attrgetter("starts_at"), reverse=True):
        lots[alert.state is State.RESOLVED][alert.finding.severity].append(alert)
    worst_first = sorted(Severity, key=attrgetter("rank"), reverse=True)
    return tuple(alert for over in (False, True) for severity in worst_first for alert in lots[over][severity])
