"""The whole table: every collector, the ones that matter most first, and why some of theirs are not served."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from monitor.expose.postgres_exporter import server, tables, wal
from monitor.expose.postgres_exporter.words import Collector

COLLECTORS: Final[tuple[Collector, ...]] = (*server.COLLECTORS, *wal.COLLECTORS, *tables.COLLECTORS)

PROBES: Final = frozenset(collector.probe for collector in COLLECTORS)
"""The probes that are read for it; who turns one off goes without what stands in its rows."""

OLD = "only of servers before PostgreSQL 10"
EXTENSION = "its collector is off by default there, and needs the extension pg_buffercache"

UNSERVED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pg_buffercache_summary_buffers_used": EXTENSION,
        "pg_buffercache_summary_buffers_unused": EXTENSION,
        "pg_buffercache_summary_buffers_dirty": EXTENSION,
        "pg_buffercache_summary_buffers_pinned": EXTENSION,
        "pg_buffercache_summary_usagecount_avg": EXTENSION,
        "pg_process_idle_seconds": "a histogram, off by default there; see pg_stat_activity_count",
        "pg_replication_slots_pg_xlog_location_diff": OLD,
        "pg_stat_replication_pg_xlog_location_diff": OLD,
        "pg_xlog_location_bytes": OLD,
        "pg_stat_activity_autovacuum_timestamp_seconds": "off by default there; it is made of statements' texts",
        "pg_stat_statements_query_id": "off by default there; no text of a statement becomes a label here",
        "pg_statio_user_indexes_idx_blks_read_total": "off by default there; a series for every index",
        "pg_statio_user_indexes_idx_blks_hit_total": "off by default there; a series for every index",
    }
)
"""Their metrics that we do not give, and why."""
