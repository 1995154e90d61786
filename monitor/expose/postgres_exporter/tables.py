"""The table's last part: what there may be many of. It stands last, so that it is the first to find no room."""

from __future__ import annotations

from monitor.expose.postgres_exporter.words import Collector, counter, gauge

TABLE = {"datname": "datname", "schemaname": "schema", "relname": "name"}
STATEMENT = {"user": "role", "datname": "database", "queryid": "queryid"}
VACUUM = {"datname": "database", "relname": "name"}

PROGRESS = Collector(
    name="stat_progress_vacuum",
    probe="exporter_activity",
    kind="vacuum",
    labels=VACUUM,
    metrics=(
        gauge("pg_stat_progress_vacuum_heap_blks", "blocks", "Blocks of the table.", merge=max),
        gauge("pg_stat_progress_vacuum_heap_blks_scanned", "blocks_scanned", "Blocks scanned so far.", merge=max),
        gauge("pg_stat_progress_vacuum_heap_blks_vacuumed", "blocks_vacuumed", "Blocks vacuumed so far.", merge=max),
        gauge("pg_stat_progress_vacuum_index_vacuums", "index_vacuums", "Rounds through the indexes.", merge=max),
        gauge("pg_stat_progress_vacuum_max_dead_tuples", "dead_limit", "Room for dead rows; 17: bytes.", merge=max),
        gauge("pg_stat_progress_vacuum_num_dead_tuples", "dead", "Dead rows collected; 17: bytes.", merge=max),
    ),
)
PHASE = Collector(
    name="stat_progress_vacuum",
    probe="exporter_activity",
    kind="vacuum",
    labels={**VACUUM, "phase": "phase"},
    metrics=(gauge("pg_stat_progress_vacuum_phase", "in_phase", "1: the vacuum is in this phase.", merge=max),),
)
STATEMENTS = Collector(
    name="stat_statements",
    probe="exporter_statements",
    labels=STATEMENT,
    metrics=(
        counter("pg_stat_statements_calls_total", "calls", "Times executed."),
        counter("pg_stat_statements_seconds_total", "exec_seconds", "Time spent executing."),
        counter("pg_stat_statements_rows_total", "rows", "Rows read or changed."),
        counter("pg_stat_statements_block_read_seconds_total", "block_read_seconds", "Time spent reading blocks."),
        counter("pg_stat_statements_block_write_seconds_total", "block_write_seconds", "Time spent writing blocks."),
    ),
)
USER_TABLES = Collector(
    name="stat_user_tables",
    probe="exporter_tables",
    labels=TABLE,
    metrics=(
        counter("pg_stat_user_tables_seq_scan", "seq_scan", "Sequential scans."),
        counter("pg_stat_user_tables_seq_tup_read", "seq_tup_read", "Live rows read by sequential scans."),
        counter("pg_stat_user_tables_idx_scan", "idx_scan", "Scans of its indexes."),
        counter("pg_stat_user_tables_idx_tup_fetch", "idx_tup_fetch", "Live rows fetched through indexes."),
        counter("pg_stat_user_tables_n_tup_ins", "n_tup_ins", "Rows inserted."),
        counter("pg_stat_user_tables_n_tup_upd", "n_tup_upd", "Rows updated."),
        counter("pg_stat_user_tables_n_tup_del", "n_tup_del", "Rows deleted."),
        counter("pg_stat_user_tables_n_tup_hot_upd", "n_tup_hot_upd", "Rows updated without new index entries."),
        gauge("pg_stat_user_tables_n_live_tup", "n_live_tup", "Live rows, estimated."),
        gauge("pg_stat_user_tables_n_dead_tup", "n_dead_tup", "Dead rows, estimated."),
        gauge("pg_stat_user_tables_n_mod_since_analyze", "n_mod_since_analyze", "Rows changed since the last analyze."),
        gauge("pg_stat_user_tables_last_vacuum", "last_vacuum", "When it was vacuumed by hand; 0: never."),
        gauge("pg_stat_user_tables_last_autovacuum", "last_autovacuum", "When autovacuum vacuumed it; 0: never."),
        gauge("pg_stat_user_tables_last_analyze", "last_analyze", "When it was analyzed by hand; 0: never."),
        gauge("pg_stat_user_tables_last_autoanalyze", "last_autoanalyze", "When autovacuum analyzed it; 0: never."),
        counter("pg_stat_user_tables_vacuum_count", "vacuum_count", "Vacuums by hand."),
        counter("pg_stat_user_tables_autovacuum_count", "autovacuum_count", "Vacuums by autovacuum."),
        counter("pg_stat_user_tables_analyze_count", "analyze_count", "Analyzes by hand."),
        counter("pg_stat_user_tables_autoanalyze_count", "autoanalyze_count", "Analyzes by autovacuum."),
        gauge("pg_stat_user_tables_index_size_bytes", "index_bytes", "Size of its indexes."),
        gauge("pg_stat_user_tables_table_size_bytes", "table_bytes", "Size of the table with its TOAST."),
    ),
)
USER_TABLES_IO = Collector(
    name="statio_user_tables",
    probe="exporter_tables",
    labels=TABLE,
    metrics=(
        counter("pg_statio_user_tables_heap_blocks_read", "heap_blks_read", "Blocks of the table read."),
        counter("pg_statio_user_tables_heap_blocks_hit", "heap_blks_hit", "Blocks of the table found in buffers."),
        counter("pg_statio_user_tables_idx_blocks_read", "idx_blks_read", "Blocks of its indexes read."),
        counter("pg_statio_user_tables_idx_blocks_hit", "idx_blks_hit", "Blocks of its indexes found in buffers."),
        counter("pg_statio_user_tables_toast_blocks_read", "toast_blks_read", "Blocks of its TOAST table read."),
        counter("pg_statio_user_tables_toast_blocks_hit", "toast_blks_hit", "Blocks of its TOAST found in buffers."),
        counter("pg_statio_user_tables_tidx_blocks_read", "tidx_blks_read", "Blocks of the TOAST's index read."),
        counter("pg_statio_user_tables_tidx_blocks_hit", "tidx_blks_hit", "Blocks of it found in buffers."),
    ),
)

COLLECTORS = (PROGRESS, PHASE, STATEMENTS, USER_TABLES, USER_TABLES_IO)
