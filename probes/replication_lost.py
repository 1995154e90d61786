"""What is judged of standbys that were there: that one is gone, and that commits wait for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    Area,
    Finding,
    Measurement,
    Needs,
    NoVerdict,
    Object,
    Remedy,
    Row,
    Rule,
    Severity,
    duration,
    number,
    of_kind,
)
from probes.replication_rules import HIDDEN


@dataclass(frozen=True, kw_only=True)
class StandbyLost(Rule):
    """A standby that was connected is gone.

    Why: nobody can take over, reads sent to it fail, its slot keeps WAL on this server, and where commits wait for it,
    every write hangs: then it is critical at once.
    What to do: start it again, or see in its log why it does not connect.
    When it is wrong: it was taken away on purpose; acknowledge it, it is forgotten after a day. Backups, first copies
    for a subscription, and standbys that stood for less than `settled` are not missed. What left while the monitor
    was away is timed from the monitor's return; standbys of one name count as one, so give each an application_name (or
    a cluster_name, or a slot).
    Cost: none beyond the probe's questions.
    """

    id: ClassVar[str] = "replication.standby_lost"
    area: ClassVar[Area] = Area.OPERATIONS
    after: float = 60.0
    blocked_after: float = 5.0
    settled: float = 300.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        (server,) = of_kind(seen.rows, "server")
        told = False
        if server["synchronous_names"] == "" and not list(of_kind(seen.rows, "standby", "lost")):
            yield NoVerdict(reason="no standby has been seen here", needs=None)
        for row in of_kind(seen.rows, "lost"):
            blocks = row["was_synchronous"] and self._blocks(row)
            if blocks or (number(row, "gone_seconds") > self.after and number(row, "stood_seconds") >= self.settled):
                told = told or bool(blocks)
                yield self._gone(seen, row, blocks=bool(blocks))
        if self._blocks(server) and not told:
            yield self._blocked(seen, server)
        if any(row["hidden"] for row in of_kind(seen.rows, "standby")):
            yield NoVerdict(reason=HIDDEN, needs=Needs.RIGHTS)

    def _blocks(self, row: Row) -> bool:
        return row["blocked_seconds"] is not None and number(row, "blocked_seconds") >= self.blocked_after

    def _gone(self, seen: Measurement, row: Row, *, blocks: bool) -> Finding:
        gone = number(row, "gone_seconds")
        return self.finding(
            seen,
            subject=str(row["name"]),
            object=Object("standby", name=str(row["name"])),
            summary=f"not connected for at least {duration(gone)}" + ("; commits wait for it" if blocks else ""),
            impact="every commit hangs until it is back" if blocks else "it cannot take over, and its reads grow old",
            remedy=Remedy(caution=WAY_OUT if blocks else "Start it, or read in its log why it does not connect."),
            severity=Severity.CRITICAL if blocks else self.severity,
            gone_seconds=round(gone),
            stood_seconds=round(number(row, "stood_seconds")),
            commits_wait=blocks,
            limit_seconds=self.after,
        )

    def _blocked(self, seen: Measurement, server: Row) -> Finding:
        return self.finding(
            seen,
            subject="synchronous_standby_names",
            object=Object("standby", name="synchronous_standby_names"),
            summary="commits wait: too few of the standbys that synchronous_standby_names wants are connected",
            impact="every commit hangs until enough of them are back",
            remedy=Remedy(caution=WAY_OUT),
            severity=Severity.CRITICAL,
            blocked_seconds=round(number(server, "blocked_seconds")),
            commits_wait=True,
        )


WAY_OUT = (
    "Start the standby. If it cannot come soon, take it out of synchronous_standby_names (alter system, then "
    "pg_reload_conf(); on a managed service in its console): commits go on at once, and are safe on this server only."
)
