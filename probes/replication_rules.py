"""What is judged of standbys and subscribers: how far they lag, as seen from either end."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    GIB,
    MIB,
    Area,
    Confidence,
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
    identifier,
    number,
    of_kind,
    size,
)

APPLY = (
    "Look on it at pg_get_wal_replay_pause_state(), at long queries that replay waits for "
    "(max_standby_streaming_delay), and at its processor and disk."
)
HIDDEN = "the monitor's role is not shown the details of standbys; run: monitor grants"


@dataclass(frozen=True, kw_only=True)
class Lag(Rule):
    """A standby or subscriber lags behind.

    Why: reads from it are old, a failover to it loses what it has not received, and the sender keeps the WAL meanwhile.
    What to do: see which step is slow. Not sent or not received: the network, or a standby that hangs. Received and not
    replayed: replay is paused, waits for a query, or does not keep up with the writers of the primary.
    When it is wrong: a standby that lags on purpose. Its own recovery_min_apply_delay is taken off when it is asked
    itself; for its primary name it in `delayed`, then only what it received counts. Bytes count once they have stood
    for `settled_seconds`, so that a bulk load alone is none; a logical subscriber is judged by bytes, for many
    confirm late. Where both ends are targets (`replica_of`), only the standby's own word is told, unless the primary's
    is graver or the standby is down.
    Cost: none beyond the probe's questions.
    """

    id: ClassVar[str] = "replication.lag"
    area: ClassVar[Area] = Area.OPERATIONS
    keep: float = 60.0
    warning_bytes: float = 100 * MIB
    critical_bytes: float = GIB
    warning_seconds: float = 60.0
    critical_seconds: float = 300.0
    settled_seconds: float = 30.0
    silent_seconds: float = 12.0
    delayed: tuple[str, ...] = ()

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        (server,) = of_kind(seen.rows, "server")
        senders = [row for row in of_kind(seen.rows, "standby") if not row["backup"]]
        if not senders and not server["in_recovery"] and not server["subscriptions"]:
            yield NoVerdict(reason="nothing replicates from or to this server", needs=None)
        for row in senders:
            yield from self._sender(seen, row)
        for row in of_kind(seen.rows, "subscription"):
            yield from self._idle(seen, row)
        if server["in_recovery"]:
            yield from self._deaf(seen, server)
            yield from self._own(seen, server)

    def _level(self, lag_bytes: float, seconds: float, *, by_time: bool = True) -> Severity | None:
        """Weigh how far behind somebody is; `by_time`: seconds alone are a fault."""
        if by_time and seconds > self.critical_seconds:
            return Severity.CRITICAL
        if seconds >= self.settled_seconds and lag_bytes > self.critical_bytes:
            return Severity.CRITICAL
        if (by_time and seconds > self.warning_seconds) or (
            seconds >= self.settled_seconds and lag_bytes > self.warning_bytes
        ):
            return self.severity
        return None

    def _sender(self, seen: Measurement, row: Row) -> Iterator[Finding | NoVerdict]:
        subject = str(row["name"])
        if row["hidden"]:
            yield NoVerdict(reason=HIDDEN, needs=Needs.RIGHTS)
            return
        delayed = row["name"] in self.delayed
        behind = row["flush_lag_bytes" if delayed else "replay_lag_bytes"]
        seconds = row["received_lag_seconds" if delayed else "lag_seconds"]
        if not isinstance(behind, float) or not isinstance(seconds, float):
            yield NoVerdict(
                reason="how long a standby lags shows from the second reading on", needs=Needs.HISTORY, subject=subject
            )
            return
        silent = min(number(row, "unanswered_seconds"), seconds)
        level = self._level(behind, seconds, by_time=not row["logical"])
        if level is None and not row["logical"] and silent >= self.silent_seconds:
            level = self.severity
        if row["catching_up"] and level is Severity.CRITICAL:
            level = Severity.WARNING
        if level is not None:
            yield self._accuse(seen, row, behind=behind, seconds=seconds, level=level)

    def _accuse(self, seen: Measurement, row: Row, *, behind: float, seconds: float, level: Severity) -> Finding:
        return self.finding(
            seen,
            subject=str(row["name"]),
            object=Object("subscription" if row["logical"] else "standby", name=str(row["name"])),
            summary=f"{size(behind)} and {duration(seconds)} behind: {self._cause(row)[0]}",
            impact="reads from it are old, and a failover to it would lose or delay what it lacks",
            remedy=Remedy(caution=self._cause(row)[1]),
            severity=level,
            lag_bytes=round(behind),
            lag_seconds=round(seconds),
            sent_lag_bytes=_rounded(row, "sent_lag_bytes"),
            flush_lag_bytes=_rounded(row, "flush_lag_bytes"),
            replay_lag_bytes=_rounded(row, "replay_lag_bytes"),
            unanswered_seconds=_rounded(row, "unanswered_seconds"),
            slot=str(row["slot"]),
            connections=round(number(row, "connections")),
            limit_bytes=self.warning_bytes,
            limit_seconds=self.warning_seconds,
        )

    def _cause(self, row: Row) -> tuple[str, str]:
        """Say which step is slow, and what to look at."""
        if number(row, "unanswered_seconds") >= self.silent_seconds:
            return "it does not answer", "See whether it hangs, is stopped, or has lost its network."
        if row["catching_up"]:
            return "it is catching up", "Wait if the figures fall; else its disk or the network is too slow."
        if number(row, "flush_lag_bytes") > number(row, "replay_lag_bytes") / 2:
            return "the WAL does not arrive", "Look at the network between the two, and at the standby's disk."
        return (
            "it has received the WAL and not applied it",
            APPLY,
        )

    def _idle(self, seen: Measurement, row: Row) -> Iterator[Finding]:
        """Judge a subscription that nobody applies: its worker fails, or cannot connect."""
        idle = number(row, "idle_seconds")
        if idle > self.warning_seconds:
            yield self.finding(
                seen,
                in_database=str(row["database"]),
                subject=identifier(str(row["subscription"])),
                object=Object("subscription", name=str(row["subscription"])),
                summary=f"it is enabled, and nobody has applied it for {duration(idle)}",
                impact="changes of the publisher do not arrive, and it keeps their WAL",
                remedy=Remedy(caution="The log here says why the worker ends: a conflict, or the connection."),
                severity=Severity.CRITICAL if idle > self.critical_seconds else self.severity,
                idle_seconds=round(idle),
                apply_errors=round(number(row, "apply_errors")),
                limit_seconds=self.warning_seconds,
            )

    def _deaf(self, seen: Measurement, server: Row) -> Iterator[Finding | NoVerdict]:
        """Judge whether a standby hears from its primary at all."""
        if server["deaf_seconds"] is None:
            hidden = server["has_primary"] is None
            reason = "it follows an archive, which does not tell how far the primary is"
            yield NoVerdict(reason=HIDDEN if hidden else reason, needs=Needs.RIGHTS if hidden else Needs.SETTING)
            return
        deaf = number(server, "deaf_seconds")
        if deaf > self.warning_seconds or (seen.snapshot and deaf > 0):
            yield self.finding(
                seen,
                subject=seen.target.server,
                object=Object("standby", name=seen.target.server),
                summary=f"this standby has heard nothing from its primary for {duration(deaf)}",
                impact="it falls behind with every write, and its reads do not show it",
                remedy=Remedy(
                    caution="Its log says why: the primary is away, refuses it (pg_hba.conf, password), or no longer "
                    "has the WAL; then the standby has to be made anew."
                ),
                severity=Severity.CRITICAL if deaf > self.critical_seconds else self.severity,
                confidence=Confidence.MEDIUM if seen.snapshot else Confidence.HIGH,
                deaf_seconds=round(deaf),
                known_as=_name(server),
                limit_seconds=self.warning_seconds,
            )

    def _own(self, seen: Measurement, server: Row) -> Iterator[Finding | NoVerdict]:
        """Judge a standby by what it has received and not replayed."""
        behind, delay = number(server, "lag_bytes"), number(server, "apply_delay")
        if server["lag_seconds"] is None:
            yield NoVerdict(
                reason="how long a standby lags shows from the second reading on",
                needs=Needs.HISTORY,
                subject=seen.target.server,
            )
            return
        seconds = max(number(server, "lag_seconds") - delay, 0)
        level = self._level(0 if delay else behind, seconds)
        if level is None:
            return
        paused = server["pause_state"] == "paused"
        yield self.finding(
            seen,
            subject=seen.target.server,
            object=Object("standby", name=seen.target.server),
            summary=f"this standby is {size(behind)} and {duration(seconds)} behind"
            + (": its replay is paused" if paused else " with what it has received"),
            impact="its reads are old, and a promotion has to replay all of it first",
            remedy=self._resume() if paused else Remedy(caution="Look at long queries here, at processor and disk."),
            severity=level,
            lag_bytes=round(behind),
            lag_seconds=round(seconds),
            apply_delay_seconds=round(delay),
            pause_state=str(server["pause_state"]),
            known_as=_name(server),
            limit_bytes=self.warning_bytes,
            limit_seconds=self.warning_seconds,
        )

    def _resume(self) -> Remedy:
        return Remedy(
            sql=("select pg_catalog.pg_wal_replay_resume()",),
            rollback=("select pg_catalog.pg_wal_replay_pause()",),
            caution="Ask who paused it and why. Only a superuser may resume it unless the function was granted; on "
            "managed services it is the provider's to do. A standby whose max_connections and the like are below the "
            "primary's pauses by itself: there set them first.",
        )


def _name(server: Row) -> str | None:
    return None if server["known_as"] is None else str(server["known_as"])


def _rounded(row: Row, column: str) -> int | None:
    value = row[column]
    return round(value) if isinstance(value, float) else None
