"""Replication that lags is seen from both ends: where both are targets, only the standby's own word is told.

Who follows whom says `replica_of`; by which name its primary knows a standby, the standby says itself.
"""

from collections.abc import Iterable, Mapping, Sequence

from monitor.model import Alert, State

LAG, UNREACHABLE = "replication.lag", "target.unreachable"
STANDBY = "standby"
KNOWN_AS = "known_as"
"""Evidence of a standby's own lag: its name at its primary."""
CONNECTIONS = "connections"
"""Evidence of a lag that a primary sees: how many standbys it is of."""


class BothEnds:
    """The lags that standbys tell of themselves now, by their primary's target and their name there."""

    def __init__(self, primaries: Mapping[str, str], alerts: Iterable[Alert]) -> None:
        firing = [alert for alert in alerts if alert.state is State.FIRING] if primaries else []
        down = {alert.finding.target.server for alert in firing if alert.finding.rule == UNREACHABLE}
        self._own: dict[tuple[str, str], list[Alert]] = {}
        for alert in firing:
            server, name = alert.finding.target.server, alert.finding.evidence.get(KNOWN_AS)
            if alert.finding.rule == LAG and name and server in primaries and server not in down:
                self._own.setdefault((primaries[server], str(name)), []).append(alert)

    def inhibited_by(self, alert: Alert) -> Alert | None:
        """Give what the standby says itself, if it is no milder, and can be about no other standby of that name."""
        found = alert.finding
        told: Sequence[Alert] = self._own.get((found.target.server, found.subject), ()) if self._own else ()
        if found.rule != LAG or found.object.kind != STANDBY or found.evidence.get(CONNECTIONS, 1) != 1:
            return None
        if len({each.finding.target.server for each in told}) != 1:
            return None
        return next((each for each in told if each.finding.severity.rank >= found.severity.rank), None)
