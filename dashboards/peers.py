"""Which metrics of postgres_exporter (0.20, pgbouncer_exporter for `pgbouncer_…`) and pgwatch (5) say what ours say.

Theirs may differ in unit (pgwatch has milliseconds for our seconds) and in labels, and their counters may be gauges.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Peer(NamedTuple):
    """What a metric is called elsewhere; empty: nobody there has it."""

    exporter: str = ""
    pgwatch: str = ""


DATABASE: Mapping[str, str] = {
    "commits_total": "xact_commit",
    "rollbacks_total": "xact_rollback",
    "blocks_read_total": "blks_read",
    "blocks_hit_total": "blks_hit",
    "rows_read_total": "tup_returned",
    "rows_fetched_total": "tup_fetched",
    "rows_inserted_total": "tup_inserted",
    "rows_updated_total": "tup_updated",
    "rows_deleted_total": "tup_deleted",
    "deadlocks_total": "deadlocks",
    "conflicts_total": "conflicts",
    "temp_files_total": "temp_files",
    "temp_bytes_total": "temp_bytes",
    "sessions": "numbackends",
}
"""Columns of pg_stat_database that both peers call as the server does."""

PEERS: Mapping[str, Peer] = {
    "pgarchitect_up": Peer("pg_up", "pgwatch_instance_up_is_up"),
    **{
        f"pgarchitect_server_{ours}": Peer(f"pg_stat_database_{it}", f"pgwatch_db_stats_{it}")
        for ours, it in DATABASE.items()
    },
    "pgarchitect_server_active_seconds_total": Peer(
        "pg_stat_database_active_time_seconds_total", "pgwatch_db_stats_active_time"
    ),
    "pgarchitect_server_session_seconds_total": Peer("", "pgwatch_db_stats_session_time"),
    "pgarchitect_server_idle_in_transaction_seconds_total": Peer("", "pgwatch_db_stats_idle_in_transaction_time"),
    "pgarchitect_server_sessions_begun_total": Peer("", "pgwatch_db_stats_sessions"),
    "pgarchitect_server_sessions_lost_total": Peer("", "pgwatch_db_stats_sessions_abandoned + …_fatal + …_killed"),
    "pgarchitect_server_checksum_failures": Peer("", "pgwatch_db_stats_checksum_failures"),
    "pgarchitect_server_start_time_seconds": Peer(
        "pg_postmaster_start_time_seconds", "pgwatch_db_stats_postmaster_uptime_s"
    ),
    "pgarchitect_server_max_connections": Peer("pg_settings_max_connections", "pgwatch_backends_max_connections"),
    "pgarchitect_server_shared_buffers_bytes": Peer("pg_settings_shared_buffers_bytes", ""),
    "pgarchitect_server_work_mem_bytes": Peer("pg_settings_work_mem_bytes", ""),
    "pgarchitect_server_in_recovery_mode": Peer("pg_replication_is_replica", "pgwatch_db_stats_in_recovery_int"),
    "pgarchitect_pool_sessions": Peer("pg_stat_activity_count", "pgwatch_backends_active, …_idle, …_idleintransaction"),
    "pgarchitect_pool_oldest_transaction_seconds": Peer(
        "pg_stat_activity_max_tx_duration", "pgwatch_backends_longest_tx_seconds"
    ),
    "pgarchitect_pool_oldest_xmin_age_transactions": Peer("", "pgwatch_backends_max_xmin_age_tx"),
    "pgarchitect_pool_waiting_sessions": Peer("", "pgwatch_backends_waiting"),
    "pgarchitect_statements_calls_total": Peer("pg_stat_statements_calls_total", "pgwatch_stat_statements_calls"),
    "pgarchitect_statements_exec_seconds_total": Peer(
        "pg_stat_statements_seconds_total", "pgwatch_stat_statements_total_time"
    ),
    "pgarchitect_statements_rows_total": Peer("pg_stat_statements_rows_total", "pgwatch_stat_statements_rows"),
    "pgarchitect_indexes_seq_scan_total": Peer("pg_stat_user_tables_seq_scan", "pgwatch_table_stats_seq_scan"),
    "pgarchitect_indexes_seq_tup_read_total": Peer(
        "pg_stat_user_tables_seq_tup_read", "pgwatch_table_stats_seq_tup_read"
    ),
    "pgarchitect_wal_checkpoints_timed_total": Peer(
        "pg_stat_bgwriter_checkpoints_timed_total; 17: pg_stat_checkpointer_num_timed_total",
        "pgwatch_bgwriter_checkpoints_timed; 17: pgwatch_checkpointer_num_timed",
    ),
    "pgarchitect_wal_checkpoints_requested_total": Peer(
        "pg_stat_bgwriter_checkpoints_req_total; 17: pg_stat_checkpointer_num_requested_total",
        "pgwatch_bgwriter_checkpoints_req; 17: pgwatch_checkpointer_num_requested",
    ),
    "pgarchitect_wal_checkpoint_write_seconds_total": Peer(
        "pg_stat_bgwriter_checkpoint_write_time_total; 17: pg_stat_checkpointer_write_time_total",
        "pgwatch_bgwriter_checkpoint_write_time; 17: pgwatch_checkpointer_write_time",
    ),
    "pgarchitect_wal_checkpoint_sync_seconds_total": Peer(
        "pg_stat_bgwriter_checkpoint_sync_time_total; 17: pg_stat_checkpointer_sync_time_total",
        "pgwatch_bgwriter_checkpoint_sync_time; 17: pgwatch_checkpointer_sync_time",
    ),
    "pgarchitect_wal_checkpoint_buffers_total": Peer(
        "pg_stat_bgwriter_buffers_checkpoint_total; 17: pg_stat_checkpointer_buffers_written_total",
        "pgwatch_bgwriter_buffers_checkpoint; 17: pgwatch_checkpointer_buffers_written",
    ),
    "pgarchitect_wal_restartpoints_timed_total": Peer(
        "pg_stat_checkpointer_restartpoints_timed_total", "pgwatch_checkpointer_restartpoints_timed"
    ),
    "pgarchitect_wal_restartpoints_requested_total": Peer(
        "pg_stat_checkpointer_restartpoints_req_total", "pgwatch_checkpointer_restartpoints_req"
    ),
    "pgarchitect_wal_restartpoints_done_total": Peer(
        "pg_stat_checkpointer_restartpoints_done_total", "pgwatch_checkpointer_restartpoints_done"
    ),
    "pgarchitect_wal_background_writer_buffers_total": Peer(
        "pg_stat_bgwriter_buffers_clean_total", "pgwatch_bgwriter_buffers_clean"
    ),
    "pgarchitect_wal_background_writer_stopped_total": Peer(
        "pg_stat_bgwriter_maxwritten_clean_total", "pgwatch_bgwriter_maxwritten_clean"
    ),
    "pgarchitect_wal_backend_buffers_total": Peer(
        "pg_stat_bgwriter_buffers_backend_total", "pgwatch_bgwriter_buffers_backend"
    ),
    "pgarchitect_wal_backend_fsyncs_total": Peer(
        "pg_stat_bgwriter_buffers_backend_fsync_total", "pgwatch_bgwriter_buffers_backend_fsync"
    ),
    "pgarchitect_wal_buffers_allocated_total": Peer(
        "pg_stat_bgwriter_buffers_alloc_total", "pgwatch_bgwriter_buffers_alloc"
    ),
    "pgarchitect_wal_archived_total": Peer("pg_stat_archiver_archived_count", "pgwatch_archiver_archived_count"),
    "pgarchitect_wal_archive_failures_total": Peer("pg_stat_archiver_failed_count", "pgwatch_archiver_failed_count"),
    "pgarchitect_wal_last_archived_age_seconds": Peer("pg_stat_archiver_last_archive_age", ""),
    "pgarchitect_wal_last_failed_age_seconds": Peer("", "pgwatch_archiver_seconds_since_last_failure"),
    "pgarchitect_wal_segments": Peer("pg_wal_segments", ""),
    "pgarchitect_wal_directory_bytes": Peer("pg_wal_size_bytes", "pgwatch_wal_size_wal_size_b"),
    "pgarchitect_wal_written_bytes_total": Peer(
        "pg_stat_replication_pg_current_wal_lsn_bytes", "pgwatch_wal_xlog_location_b"
    ),
    "pgarchitect_wal_io_reads_total": Peer("", "pgwatch_stat_io_reads"),
    "pgarchitect_wal_io_writes_total": Peer("", "pgwatch_stat_io_writes"),
    "pgarchitect_wal_io_fsyncs_total": Peer("", "pgwatch_stat_io_fsyncs"),
    "pgarchitect_settings_value": Peer("pg_settings_NAME", ""),
    "pgarchitect_sizes_database_bytes": Peer("pg_database_size_bytes", "pgwatch_db_size_size_b"),
}


def peer(metric: str) -> Peer:
    """Give what a metric is called elsewhere; those of a PgBouncer are called as pgbouncer_exporter calls them."""
    if metric.startswith("pgarchitect_pgbouncer_"):
        return Peer(metric.removeprefix("pgarchitect_"), "")
    return PEERS.get(metric, Peer())
