"""The server and its databases: version, uptime, the settings that bound it, and pg_stat_database's counters.

One row a database, and one with an empty name for the server as a whole (pg_stat_database's row for shared objects).
Cost: one catalogue view, under a millisecond for a hundred databases.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from monitor.probe import (
    Area,
    Finding,
    Measurement,
    Memory,
    Needs,
    NoVerdict,
    Object,
    Probe,
    Remedy,
    Rule,
    Scope,
    Session,
    Severity,
    counters,
    duration,
    gauges,
    number,
)
from probes.server_rules import (
    ChecksumFailures,
    Deadlocks,
    RecoveryConflicts,
    RollbackRatio,
    SessionsLost,
    TempFiles,
)

SQL = """
    select coalesce(d.datname::text, '') as database,
           d.datid::bigint as datid,
           d.stats_reset,
           d.numbackends::int as sessions,
           d.xact_commit as commits,
           d.xact_rollback as rollbacks,
           d.blks_read as blocks_read,
           d.blks_hit as blocks_hit,
           d.tup_returned as rows_read,
           d.tup_fetched as rows_fetched,
           d.tup_inserted as rows_inserted,
           d.tup_updated as rows_updated,
           d.tup_deleted as rows_deleted,
           d.deadlocks,
           d.conflicts,
           d.temp_files,
           d.temp_bytes,
           d.blk_read_time / 1000 as block_read_seconds,
           d.blk_write_time / 1000 as block_write_seconds,
           d.session_time / 1000 as session_seconds,
           d.active_time / 1000 as active_seconds,
           d.idle_in_transaction_time / 1000 as idle_in_transaction_seconds,
           d.sessions as sessions_begun,
           d.sessions_abandoned + d.sessions_fatal + d.sessions_killed as sessions_lost,
           d.sessions_abandoned,
           d.sessions_fatal,
           d.sessions_killed,
           coalesce(d.checksum_failures, 0) as checksum_failures,
           d.checksum_last_failure::text as checksum_last_failure,
           pg_catalog.pg_is_in_recovery() as in_recovery,
           case when d.datid = 0 then s.version_num end as version_num,
           case when d.datid = 0 then s.started_at end as start_time_seconds,
           case when d.datid = 0 then s.max_connections end as max_connections,
           case when d.datid = 0 then s.shared_buffers_bytes end as shared_buffers_bytes,
           case when d.datid = 0 then s.work_mem_bytes end as work_mem_bytes,
           case when d.datid = 0 then pg_catalog.pg_is_in_recovery()::int end as in_recovery_mode
      from pg_catalog.pg_stat_database d
      left join pg_catalog.pg_database c on c.oid = d.datid
     cross join (select pg_catalog.current_setting('server_version_num')::int as version_num,
                        extract(epoch from pg_catalog.pg_postmaster_start_time())::float8 as started_at,
                        pg_catalog.current_setting('max_connections')::int as max_connections,
                        pg_catalog.pg_size_bytes(pg_catalog.current_setting('shared_buffers')) as shared_buffers_bytes,
                        pg_catalog.pg_size_bytes(pg_catalog.current_setting('work_mem')) as work_mem_bytes) s
     where c.datistemplate is not true
     order by d.datid
     limit 10000
"""


@dataclass(frozen=True, kw_only=True)
class Restarted(Rule):
    """The server was restarted.

    Why: everybody was disconnected, and caches began cold; an unplanned restart is a crash to look into.
    What to do: if nobody planned it, read the server's log around the start time.
    When it is wrong: never; a planned restart is news of no weight, hence only info.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "server.restarted"
    area: ClassVar[Area] = Area.OPERATIONS
    severity: Severity = Severity.INFO
    keep: float = 600.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        start = seen.details.get("start")
        if start is None:
            yield NoVerdict(reason="a restart shows from the second reading on", needs=Needs.HISTORY)
            return
        if start["before_seconds"] == start["now_seconds"]:
            return
        up = seen.taken_at.timestamp() - number(start, "now_seconds")
        yield self.finding(
            seen,
            subject=seen.target.server,
            object=Object("server", name=seen.target.server),
            summary=f"up for {duration(max(up, 0))}; it had run since an earlier start",
            impact="every session was cut off, and caches began cold",
            remedy=Remedy(caution="If nobody planned it, read the server's log around the start time."),
            uptime_seconds=round(up),
            start_time_seconds=round(number(start, "now_seconds")),
        )


class Start:
    """The start time seen last."""

    seconds: float | None = None

    def document(self) -> object:
        """Give it."""
        return self.seconds

    def restore(self, document: object) -> None:
        """Take it up."""
        if isinstance(document, float):
            self.seconds = document


async def detail(session: Session, memory: Memory, seen: Measurement) -> Measurement:
    """Put the start time before and now side by side."""
    kept, before = memory.of(Start), memory.of(Start).seconds
    kept.seconds = session.facts.started_at
    if before is None:
        return seen
    return replace(seen, details={"start": {"before_seconds": before, "now_seconds": kept.seconds}})


COUNTERS = {
    "commits": "Transactions committed.",
    "rollbacks": "Transactions rolled back.",
    "blocks_read": "Blocks read from outside shared buffers.",
    "blocks_hit": "Blocks found in shared buffers.",
    "rows_read": "Live rows fetched by sequential scans and index entries returned by index scans.",
    "rows_fetched": "Live rows fetched by index scans.",
    "rows_inserted": "Rows inserted.",
    "rows_updated": "Rows updated.",
    "rows_deleted": "Rows deleted.",
    "deadlocks": "Deadlocks detected.",
    "conflicts": "Queries cancelled by recovery on a standby.",
    "temp_files": "Temporary files written.",
    "temp_bytes": "Bytes written to temporary files.",
    "session_seconds": "Time spent in sessions.",
    "active_seconds": "Time spent executing statements.",
    "idle_in_transaction_seconds": "Time spent idle in a transaction.",
    "sessions_begun": "Sessions established.",
    "sessions_lost": "Sessions lost, killed, or ended by a fatal error.",
}

GAUGES = {
    "sessions": "Sessions connected now.",
    "checksum_failures": "Data pages that failed their checksum, as the server counts them.",
    "version_num": "The server's version as a number, 180004 for 18.4.",
    "start_time_seconds": "When the server started, in seconds since 1970.",
    "max_connections": "The setting max_connections.",
    "shared_buffers_bytes": "The setting shared_buffers.",
    "work_mem_bytes": "The setting work_mem.",
    "in_recovery_mode": "1 on a standby, 0 on a primary.",
}

PROBE = Probe(
    name="server",
    scope=Scope.SERVER,
    every=15,
    window=600,
    sql={14: SQL},
    detail=detail,
    key=("database",),
    labels=("database",),
    reset_column="stats_reset",
    complete=True,
    counts=("sessions_abandoned", "sessions_fatal", "sessions_killed"),
    metrics=(
        *gauges(GAUGES),
        *counters(COUNTERS),
    ),
    rules=(
        RollbackRatio(),
        Deadlocks(),
        SessionsLost(),
        TempFiles(),
        ChecksumFailures(),
        RecoveryConflicts(),
        Restarted(),
    ),
)
