"""The table's second part: write-ahead log, checkpoints, slots, standbys."""

from __future__ import annotations

from monitor.expose.postgres_exporter.server import MILLISECONDS
from monitor.expose.postgres_exporter.words import Collector, counter, gauge

ARCHIVER = Collector(
    name="stat_archiver",
    probe="wal",
    kind="archiver",
    metrics=(
        counter("pg_stat_archiver_archived_count", "archived", "WAL files archived."),
        counter("pg_stat_archiver_failed_count", "archive_failures", "Attempts to archive that failed."),
        gauge("pg_stat_archiver_last_archive_age", "last_archived_age_seconds", "Seconds since a file was archived."),
    ),
)
# From 17 on the checkpoints' numbers stand in a view of their own. Dashboards go on asking for the old names, so that
# both are there; theirs has the new ones only.
CHECKPOINTS = Collector(
    name="stat_bgwriter",
    probe="wal",
    kind="checkpoints",
    metrics=(
        counter("pg_stat_bgwriter_checkpoints_timed_total", "checkpoints_timed", "Checkpoints by time."),
        counter("pg_stat_bgwriter_checkpoints_req_total", "checkpoints_requested", "Checkpoints by request."),
        counter(
            "pg_stat_bgwriter_checkpoint_write_time_total",
            "checkpoint_write_seconds",
            "Milliseconds checkpoints spent writing files.",
            factor=MILLISECONDS,
        ),
        counter(
            "pg_stat_bgwriter_checkpoint_sync_time_total",
            "checkpoint_sync_seconds",
            "Milliseconds checkpoints spent synchronising files.",
            factor=MILLISECONDS,
        ),
        counter("pg_stat_bgwriter_buffers_checkpoint_total", "checkpoint_buffers", "Buffers checkpoints wrote."),
        counter(
            "pg_stat_bgwriter_buffers_clean_total", "background_writer_buffers", "Buffers the background writer wrote."
        ),
        counter(
            "pg_stat_bgwriter_maxwritten_clean_total",
            "background_writer_stopped",
            "Times the background writer stopped because it had written too much.",
        ),
        counter("pg_stat_bgwriter_buffers_backend_total", "backend_buffers", "Buffers sessions wrote; up to 16."),
        counter(
            "pg_stat_bgwriter_buffers_backend_fsync_total",
            "backend_fsyncs",
            "Times a session had to synchronise a file itself; up to 16.",
        ),
        counter("pg_stat_bgwriter_buffers_alloc_total", "buffers_allocated", "Buffers allocated."),
    ),
)
RESET = counter("pg_stat_bgwriter_stats_reset_total", "stats_reset", "When these statistics were reset.")
BEFORE_17 = Collector(
    name="stat_bgwriter", probe="wal", kind="checkpoints", present="buffers_allocated", metrics=(RESET,)
)
WRITER = Collector(name="stat_bgwriter", probe="wal", kind="background_writer", metrics=(*CHECKPOINTS.metrics, RESET))
CHECKPOINTER = Collector(
    name="stat_checkpointer",
    probe="wal",
    kind="checkpoints",
    present="restartpoints_timed",
    metrics=(
        counter("pg_stat_checkpointer_num_timed_total", "checkpoints_timed", "Checkpoints by time."),
        counter("pg_stat_checkpointer_num_requested_total", "checkpoints_requested", "Checkpoints by request."),
        counter("pg_stat_checkpointer_restartpoints_timed_total", "restartpoints_timed", "Restartpoints by time."),
        counter("pg_stat_checkpointer_restartpoints_req_total", "restartpoints_requested", "Restartpoints by request."),
        counter("pg_stat_checkpointer_restartpoints_done_total", "restartpoints_done", "Restartpoints performed."),
        counter(
            "pg_stat_checkpointer_write_time_total",
            "checkpoint_write_seconds",
            "Milliseconds spent writing files.",
            factor=MILLISECONDS,
        ),
        counter(
            "pg_stat_checkpointer_sync_time_total",
            "checkpoint_sync_seconds",
            "Milliseconds spent synchronising files.",
            factor=MILLISECONDS,
        ),
        counter("pg_stat_checkpointer_buffers_written_total", "checkpoint_buffers", "Buffers written."),
        counter("pg_stat_checkpointer_stats_reset_total", "stats_reset", "When these statistics were reset."),
    ),
)
WAL = Collector(
    name="wal",
    probe="wal",
    kind="directory",
    metrics=(
        gauge("pg_wal_segments", "segments", "Files in the WAL directory."),
        gauge("pg_wal_size_bytes", "directory_bytes", "Size of the WAL directory."),
    ),
)
SLOTS = Collector(
    name="replication_slots",
    probe="exporter_replication",
    kind="slot",
    labels={"slot_name": "slot", "database": "slot_database"},
    metrics=(
        gauge("pg_replication_slots_active", "active", "1: somebody reads the slot."),
        gauge("pg_replication_slots_pg_wal_lsn_diff", "retained_bytes", "WAL kept for the slot."),
    ),
)
SLOTS_BY_TYPE = Collector(
    name="replication_slots",
    probe="exporter_replication",
    kind="slot",
    labels={"slot_name": "slot", "slot_type": "slot_type"},
    metrics=(
        gauge("pg_replication_slots_slot_current_wal_lsn", "position", "The server's own WAL position."),
        gauge("pg_replication_slots_slot_confirmed_flush_lsn", "confirmed", "Position an active reader confirmed."),
        gauge("pg_replication_slots_slot_is_active", "active", "1: somebody reads the slot."),
        gauge("pg_replication_slots_safe_wal_size_bytes", "safe_bytes", "WAL that may be written before it is lost."),
    ),
)
SLOT_STATUS = Collector(
    name="replication_slots",
    probe="exporter_replication",
    kind="slot",
    labels={"slot_name": "slot", "slot_type": "slot_type", "wal_status": "wal_status"},
    present="wal_status",
    metrics=(gauge("pg_replication_slots_wal_status", "has_status", "How safe the slot's WAL is; always 1."),),
)
STANDBYS = Collector(
    name="stat_replication",
    probe="exporter_replication",
    kind="standby",
    labels={
        "application_name": "application",
        "client_addr": "address",
        "state": "state",
        "slot_name": "slot",
        "pid": "pid",
    },
    metrics=(
        gauge("pg_stat_replication_pg_current_wal_lsn_bytes", "position", "The server's own WAL position."),
        gauge("pg_stat_replication_pg_wal_lsn_diff", "lag_bytes", "WAL that the standby has not replayed."),
    ),
)
RECEIVER = Collector(
    name="stat_wal_receiver",
    probe="exporter_replication",
    kind="receiver",
    labels={"upstream_host": "upstream", "slot_name": "slot", "status": "status"},
    metrics=(
        counter("pg_stat_wal_receiver_receive_start_lsn", "start_position", "Where receiving began."),
        gauge("pg_stat_wal_receiver_receive_start_tli", "start_timeline", "Timeline where receiving began."),
        counter("pg_stat_wal_receiver_flushed_lsn", "flushed", "Position received and flushed."),
        gauge("pg_stat_wal_receiver_received_tli", "received_timeline", "Timeline received last."),
        counter("pg_stat_wal_receiver_last_msg_send_time", "sent_at", "When the last message was sent."),
        counter("pg_stat_wal_receiver_last_msg_receipt_time", "received_at", "When the last message was received."),
        counter("pg_stat_wal_receiver_latest_end_lsn", "latest_end", "Position reported back last."),
        counter("pg_stat_wal_receiver_latest_end_time", "latest_end_at", "When a position was reported back last."),
        gauge("pg_stat_wal_receiver_upstream_node", "upstream_node", "Number of the node in a repmgr slot's name."),
    ),
)

COLLECTORS = (
    ARCHIVER,
    CHECKPOINTS,
    BEFORE_17,
    WRITER,
    CHECKPOINTER,
    WAL,
    SLOTS,
    SLOTS_BY_TYPE,
    SLOT_STATUS,
    STANDBYS,
    RECEIVER,
)
