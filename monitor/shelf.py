"""How everything stands right now, laid out for page, API and metrics; reading it touches no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.findings.ledger import Ledger
from monitor.model import Alert, State
from monitor.standing import ServerStanding
from monitor.status import NotEvaluated, TargetStatus


class Shelf:
    """The shelf: every server's standing, and the ledger's alerts."""

    def __init__(self, ledger: Ledger) -> None:
        self.servers: dict[str, ServerStanding] = {}
        self._ledger = ledger
        self._revision = 0

    def follow(self, ledger: Ledger) -> None:
        """Show another ledger's alerts from now on."""
        self._ledger = ledger
        self.changed()

    def changed(self) -> None:
        """Say that something on the shelf is new."""
        self._revision += 1

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
        return sorted(self._ledger.alerts, key=_weight)

    def alert(self, fingerprint: str) -> Alert | None:
        """Give one alert; None: it is over and forgotten, or never was."""
        return self._ledger.get(fingerprint)

    def labels(self, server: str) -> Mapping[str, str]:
        """Give the labels that the configuration puts on a server."""
        standing = self.servers.get(server)
        return standing.server.labels if standing else {}

    def labelled(self, alert: Alert) -> Alert:
        """Give an alert with its target's labels."""
        labels = self.labels(alert.source.server)
        return replace(alert, labels=labels) if labels else alert

    def not_evaluated(self) -> Sequence[NotEvaluated]:
        """Give the rules that could not say, by target."""
        return [entry for standing in self.servers.values() for entry in standing.not_evaluated()]


def _weight(alert: Alert) -> tuple[bool, int, float]:
    return alert.state is State.RESOLVED, -alert.finding.severity.rank, -alert.starts_at.timestamp()
