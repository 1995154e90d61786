"""What is judged of replication slots, which keep WAL, and of the queries that recovery cancels on a standby."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    GIB,
    Area,
    Finding,
    Measurement,
    NoVerdict,
    Object,
    Remedy,
    Row,
    Rule,
    Severity,
    duration,
    identifier,
    literal,
    number,
    of_kind,
    plural,
    share,
    size,
)

ENDANGERED, LOST = "unreserved", "lost"


@dataclass(frozen=True, kw_only=True)
class Slot(Rule):
    """A replication slot keeps WAL that nobody reads, or has lost what it needs.

    Why: without a limit a forgotten slot fills the disk until the server stops; with max_slot_wal_keep_size the slot is
    lost instead, and its standby or subscriber has to be made anew.
    What to do: start who reads from it, or drop it if that is gone for good. Set max_slot_wal_keep_size in any case.
    When it is wrong: a consumer that is down for a short maintenance. Silence it for that time.
    Cost: one row a slot, under a millisecond.
    """

    id: ClassVar[str] = "replication.slot"
    area: ClassVar[Area] = Area.OPERATIONS
    hold: float = 60.0
    keep: float = 60.0
    warning_bytes: float = GIB
    critical_bytes: float = 10 * GIB
    limit_share: float = 0.8

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        slots = [row for row in of_kind(seen.rows, "slot") if not row["synced"] and not row["temporary"]]
        if not slots:
            yield NoVerdict(reason="the server has no replication slots", needs=None)
        used = {str(row["slot"]) for row in of_kind(seen.rows, "lost", "standby") if row.get("slot")}
        for row in slots:
            level = self._level(row)
            if level is not None:
                yield self._accuse(seen, row, level, missed=str(row["slot"]) in used)

    def _level(self, row: Row) -> Severity | None:
        if row["wal_status"] == LOST or row["invalidated"] or row["conflicting"]:
            return self.severity
        if row["retained_bytes"] is None:
            return None
        retained, limit = number(row, "retained_bytes"), number(row, "limit_bytes")
        if row["wal_status"] == ENDANGERED or (limit > 0 and retained > self.limit_share * limit):
            return self.severity
        if not row["active"] and retained > self.critical_bytes:
            return Severity.CRITICAL
        stuck = row["slot_type"] == "logical" and retained > self.critical_bytes
        return self.severity if stuck or (not row["active"] and retained > self.warning_bytes) else None

    def _accuse(self, seen: Measurement, row: Row, level: Severity, *, missed: bool) -> Finding:
        slot, limit = str(row["slot"]), number(row, "limit_bytes")
        summary, impact = self._words(row)
        return self.finding(
            seen,
            subject=identifier(slot),
            object=Object("replication_slot", name=slot),
            summary=summary,
            impact=impact,
            remedy=self._remedy(row, missed=missed),
            severity=level,
            slot_type=str(row["slot_type"]),
            active=bool(row["active"]),
            wal_status=str(row["wal_status"]),
            invalidation_reason=None if row["invalidated"] is None else str(row["invalidated"]),
            inactive_seconds=None if row["inactive_seconds"] is None else round(number(row, "inactive_seconds")),
            retained_bytes=None if row["retained_bytes"] is None else round(number(row, "retained_bytes")),
            max_slot_wal_keep_size_bytes=round(limit) if limit > 0 else None,
            limit_bytes=self.warning_bytes,
            limit_share=self.limit_share,
        )

    def _words(self, row: Row) -> tuple[str, str]:
        """Say what is the matter, and what comes of it."""
        if self._gone(row):
            why = f" ({row['invalidated']})" if row["invalidated"] else ""
            return f"the slot is lost{why}", "who read from it cannot go on, and has to be made anew"
        kept, limit = number(row, "retained_bytes"), number(row, "limit_bytes")
        who = "whose reader confirms nothing" if row["active"] else "that nobody reads"
        summary = f"{size(kept)} of WAL kept for a slot {who}"
        if not row["active"] and row["inactive_seconds"] is not None:
            summary += f" since {duration(number(row, 'inactive_seconds'))}"
        if limit > 0:
            return f"{summary}, {share(kept, limit)} of the limit", "at max_slot_wal_keep_size the slot is lost"
        return summary, "the disk fills until the server stops"

    @staticmethod
    def _gone(row: Row) -> bool:
        return bool(row["wal_status"] == LOST or row["invalidated"] or row["conflicting"])

    def _remedy(self, row: Row, *, missed: bool) -> Remedy:
        """Print the drop where nothing is lost by it; else it is a person's choice."""
        slot = literal(str(row["slot"]))
        drop = f"select pg_catalog.pg_drop_replication_slot({slot})"
        if row["active"]:
            return Remedy(
                caution="See why its reader confirms nothing: it is stuck, or too slow. It cannot be dropped now."
            )
        if self._gone(row):
            return Remedy(
                sql=(drop,), caution="The slot is of no use any more; its reader needs a new one, and a new copy."
            )
        if row["slot_type"] == "physical" and not missed:
            return Remedy(
                sql=(drop,),
                rollback=(f"select pg_catalog.pg_create_physical_replication_slot({slot}, true)",),
                caution="Make sure that no standby is to come back to it: what it has not read is gone then, and a new "
                "slot keeps WAL from now on only.",
            )
        return Remedy(
            caution=f"Start its reader again. Only if that is gone for good: {drop}. A subscriber then has to be "
            "copied anew, a standby as well unless an archive has the WAL."
        )


@dataclass(frozen=True, kw_only=True)
class RecoveryMisfit(Rule):
    """Recovery keeps cancelling queries of this standby.

    Why: the replay settings do not fit what the standby is used for; errors.conflicts says which database's queries
    die, this rule, after a while, by which cause, and the setting that ends it.
    What to do: snapshot conflicts: hot_standby_feedback, which keeps dead rows on the primary for as long as queries
    run here. Others: a longer max_standby_streaming_delay, which lets the standby lag for as long.
    When it is wrong: a standby that is meant for failover only, on which queries may die.
    Cost: one row of sums, under a millisecond.
    """

    id: ClassVar[str] = "replication.conflicts"
    area: ClassVar[Area] = Area.OPERATIONS
    hold: float = 300.0
    keep: float = 300.0
    count: float = 10.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        (server,) = of_kind(seen.rows, "server")
        if not server["in_recovery"]:
            yield NoVerdict(reason="the server is not a standby", needs=None)
            return
        causes = {str(row["cause"]): number(row, "conflicts") for row in of_kind(seen.changes, "conflict")}
        total = sum(causes.values())
        if total < self.count:
            return
        worst = max(causes, key=lambda cause: causes[cause])
        yield self.finding(
            seen,
            subject=seen.target.server,
            object=Object("standby", name=seen.target.server),
            summary=f"{plural(total, 'query', 'queries')} cancelled in {duration(seen.window_seconds)}, "
            f"{share(causes[worst], total)} of them for {CAUSES.get(worst, worst)}",
            impact="reads sent to this standby fail again and again",
            remedy=_setting(worst, server),
            count=round(total),
            causes=[f"{cause}: {grown:.0f}" for cause, grown in causes.items() if grown],
            hot_standby_feedback=str(server["feedback"]),
            max_standby_streaming_delay=str(server["streaming_delay"]),
            limit_count=self.count,
            window_seconds=round(seen.window_seconds),
        )


CAUSES = {
    "snapshot": "rows that vacuum removed on the primary",
    "lock": "exclusive locks that the primary took",
    "bufferpin": "pages that were pinned",
    "deadlock": "deadlocks with replay",
    "tablespace": "dropped tablespaces",
    "logicalslot": "logical slots that cannot go on",
}


def _setting(cause: str, server: Row) -> Remedy:
    """Give the setting that ends conflicts of this cause; how long a standby may lag is a person's choice."""
    if cause == "snapshot" and server["feedback"] == "off":
        return Remedy(
            sql=("alter system set hot_standby_feedback = on", "select pg_catalog.pg_reload_conf()"),
            rollback=("alter system set hot_standby_feedback = off", "select pg_catalog.pg_reload_conf()"),
            caution="To be run on this standby. The primary then keeps dead rows for as long as queries run here: "
            "bound them by statement_timeout. On managed services set it in the parameter group or console.",
        )
    return Remedy(
        caution=f"Raise max_standby_streaming_delay (now {server['streaming_delay']}) on this standby to what its "
        "longest query takes, if it may lag for as long; or send such queries elsewhere. It needs a reload only; on "
        "managed services the parameter group or console."
    )
