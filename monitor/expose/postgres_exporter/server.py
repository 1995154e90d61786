"""The table's first half: what is told of a server and of its databases as wholes."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.expose.postgres_exporter.words import Collector, Theirs, counter, gauge
from monitor.expose.text import legal
from monitor.measurement import Row

MILLISECONDS = 1000
"""What they give in milliseconds, as the server does."""


class Settings(Collector):
    """A metric for each setting, named by it and by its base unit."""

    def told(self, row: Row) -> Iterable[Theirs]:
        """Name the one metric of a row."""
        name = f"pg_settings_{legal(str(row['setting']))}{row['suffix']}"
        return [gauge(name, "value", str(row["told"]))]


DATABASE = {"datid": "datid", "datname": "database"}

STATIC = Collector(
    name="static",
    probe="exporter_settings",
    kind="version",
    labels={"server": "server", "short_version": "short_version", "version": "version"},
    metrics=(gauge("pg_static", "one", "The server's version; always 1."),),
)
POSTMASTER = Collector(
    name="postmaster",
    probe="server",
    metrics=(gauge("pg_postmaster_start_time_seconds", "start_time_seconds", "When the server was started."),),
)
REPLICATION = Collector(
    name="replication",
    probe="exporter_replication",
    kind="server",
    metrics=(
        gauge("pg_replication_is_replica", "is_replica", "1: the server is a standby."),
        gauge("pg_replication_lag_seconds", "lag_seconds", "How far a standby is behind its primary."),
        gauge(
            "pg_replication_last_replay_seconds",
            "last_replay_seconds",
            "Age of the last transaction that a standby replayed.",
        ),
    ),
)
STAT_DATABASE = Collector(
    name="stat_database",
    probe="server",
    labels=DATABASE,
    present="database",
    metrics=(
        gauge("pg_stat_database_numbackends", "sessions", "Sessions now."),
        counter("pg_stat_database_xact_commit", "commits", "Transactions committed."),
        counter("pg_stat_database_xact_rollback", "rollbacks", "Transactions rolled back."),
        counter("pg_stat_database_blks_read", "blocks_read", "Blocks read from outside shared buffers."),
        counter("pg_stat_database_blks_hit", "blocks_hit", "Blocks found in shared buffers."),
        counter("pg_stat_database_tup_returned", "rows_read", "Rows that scans returned."),
        counter("pg_stat_database_tup_fetched", "rows_fetched", "Rows fetched through indexes."),
        counter("pg_stat_database_tup_inserted", "rows_inserted", "Rows inserted."),
        counter("pg_stat_database_tup_updated", "rows_updated", "Rows updated."),
        counter("pg_stat_database_tup_deleted", "rows_deleted", "Rows deleted."),
        counter("pg_stat_database_conflicts", "conflicts", "Queries cancelled by recovery, on a standby."),
        counter("pg_stat_database_temp_files", "temp_files", "Temporary files written."),
        counter("pg_stat_database_temp_bytes", "temp_bytes", "Bytes written to temporary files."),
        counter("pg_stat_database_deadlocks", "deadlocks", "Deadlocks."),
        counter(
            "pg_stat_database_blk_read_time",
            "block_read_seconds",
            "Milliseconds spent reading blocks, with track_io_timing.",
            factor=MILLISECONDS,
        ),
        counter(
            "pg_stat_database_blk_write_time",
            "block_write_seconds",
            "Milliseconds spent writing blocks, with track_io_timing.",
            factor=MILLISECONDS,
        ),
        counter("pg_stat_database_stats_reset", "stats_reset", "When these statistics were reset."),
        counter("pg_stat_database_active_time_seconds_total", "active_seconds", "Time sessions spent in statements."),
    ),
)
DATABASE_SIZE = Collector(
    name="database",
    probe="sizes",
    kind="database",
    labels={"datname": "name"},
    metrics=(gauge("pg_database_size_bytes", "bytes", "Size on disk."),),
)
DATABASE_LIMIT = Collector(
    name="database",
    probe="exporter_settings",
    kind="database",
    labels={"datname": "database"},
    metrics=(gauge("pg_database_connection_limit", "connection_limit", "Sessions it may have; -1: no limit."),),
)
WRAPAROUND = Collector(
    name="database_wraparound",
    probe="vacuum",
    kind="database",
    labels={"datname": "database"},
    metrics=(
        gauge(
            "pg_database_wraparound_age_datfrozenxid_seconds",
            "xid_age",
            "Age of the oldest id that is not frozen; in transactions, whatever the name says.",
        ),
        gauge(
            "pg_database_wraparound_age_datminmxid_seconds",
            "mxid_age",
            "Age of the oldest multixact that is needed; in multixacts, whatever the name says.",
        ),
    ),
)
ACTIVITY = Collector(
    name="stat_activity",
    probe="exporter_activity",
    kind="sessions",
    labels={
        "datname": "database",
        "state": "state",
        "usename": "role",
        "application_name": "application",
        "backend_type": "backend_type",
        "wait_event_type": "wait_event_type",
        "wait_event": "wait_event",
    },
    metrics=(
        gauge("pg_stat_activity_count", "sessions", "Sessions in this state."),
        gauge("pg_stat_activity_max_tx_duration", "oldest_seconds", "Age of the oldest transaction.", merge=max),
    ),
)
LONG_RUNNING = Collector(
    name="long_running_transactions",
    probe="exporter_activity",
    kind="oldest",
    metrics=(
        gauge(
            "pg_long_running_transactions_oldest_timestamp_seconds",
            "oldest_seconds",
            "Age of the oldest transaction; no timestamp, whatever the name says.",
        ),
    ),
)
LOCKS = Collector(
    name="locks",
    probe="exporter_activity",
    kind="locks",
    labels={"datname": "database", "mode": "mode"},
    metrics=(gauge("pg_locks_count", "locks", "Locks held or awaited."),),
)
ROLES = Collector(
    name="roles",
    probe="exporter_settings",
    kind="role",
    labels={"rolname": "role"},
    metrics=(gauge("pg_roles_connection_limit", "connection_limit", "Sessions it may have; -1: no limit."),),
)
SETTINGS = Settings(name="settings", probe="exporter_settings", kind="setting", labels={"server": "server"}, metrics=())

COLLECTORS = (
    STATIC,
    POSTMASTER,
    REPLICATION,
    STAT_DATABASE,
    DATABASE_SIZE,
    DATABASE_LIMIT,
    WRAPAROUND,
    LONG_RUNNING,
    LOCKS,
    SETTINGS,
    ROLES,
    ACTIVITY,
)
