"""Findings move with the server: what fired on a primary that is gone, or is a standby now, and is found again on the
standby that was promoted in its place, is the same trouble.

Who belongs together says `replica_of`; who is what, the probe `replication`, as far as we watched when it changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.daemon.steps import arrived
from monitor.findings.episode import NOT_SEEN
from monitor.findings.ledger import Change, Ledger
from monitor.measurement import Measurement, of_kind
from monitor.model import Alert, Result, State, Target
from monitor.standing import ServerStanding
from monitor.store.records import Transition

PROBE = "replication"
OWN = frozenset({"target", "probe", "series", "self"})
"""Families of rules that are about the one server, or about us."""
LONGEST = timedelta(hours=1)
"""So long after a promotion findings move."""
SHORTLY = timedelta(minutes=10)
"""What ended so long before the promotion was seen, ended by it."""


class Succession:
    """Who was promoted, and what moved there."""

    def __init__(self, servers: Mapping[str, ServerStanding], step: Callable[[Transition], None]) -> None:
        self._servers, self._step = servers, step
        self._recovers: dict[str, bool] = {}
        self._turned: dict[str, datetime] = {}

    def saw(self, seen: Measurement) -> None:
        """Learn what a server is."""
        if seen.probe != PROBE or seen.result is not Result.OK:
            return
        for row in of_kind(seen.rows, "server"):
            server, recovers = seen.target.server, bool(row["in_recovery"])
            if self._recovers.get(server, recovers) is not recovers:
                self._turned[server] = seen.taken_at
            self._recovers[server] = recovers

    def followed(self, ledger: Ledger, changes: Sequence[Change], now: datetime) -> Sequence[Change]:
        """Give the ledger's changes, and those by which what has begun goes on from what stood elsewhere."""
        went = list(changes)
        for change in changes if self._turned else ():
            alert = change.alert
            begun = not change.dropped and alert.state is not State.RESOLVED and change.before is not State.FIRING
            if begun and (former := self.forerunner(alert, ledger, now)):
                went += ledger.move(former.finding.fingerprint, alert.finding.fingerprint, now)
                self._step(arrived(went[-1].alert, now))
        return went

    def forerunner(self, alert: Alert, ledger: Ledger, now: datetime) -> Alert | None:
        """Give the alert that goes on in this one, which has just begun."""
        finding, server = alert.finding, alert.finding.target.server
        promoted = self._turned.get(server)
        if promoted is None or self._recovers[server] or now - promoted > LONGEST:
            return None
        if finding.rule.partition(".")[0] in OWN or finding.subject == server:
            return None
        for other in self._relatives(server):
            same = replace(finding, target=Target(other, finding.target.database))
            former = ledger.get(same.fingerprint)
            if former is not None and former.starts_at <= promoted and self._left(former, other, promoted):
                return former
        return None

    def _left(self, former: Alert, server: str, promoted: datetime) -> bool:
        """Tell whether an alert stands no more where it was, for want of the primary that it was about."""
        down = self._servers[server].up is False
        if not down and not self._recovers.get(server):
            return False
        if former.state is State.FIRING:
            return down or former.last_seen < self._turned.get(server, former.last_seen)
        ended = former.ends_at is not None and former.ends_at >= promoted - SHORTLY
        return former.state is State.RESOLVED and ended and former.ended_by != NOT_SEEN

    def _relatives(self, server: str) -> Iterator[str]:
        root = self._root(server)
        return (other for other in self._servers if other != server and self._root(other) == root)

    def _root(self, server: str) -> str:
        """Follow `replica_of` up; the configuration has no circles, but a reload may be under way."""
        for _ in self._servers:
            standing = self._servers.get(server)
            if standing is None or standing.server.replica_of is None:
                break
            server = standing.server.replica_of
        return server
