"""The questions of the wal probe: one a view, in each version's columns, so that one that fails loses only itself."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question: `kind` of its rows, its text by lowest version, and whether once a minute is enough."""

    kind: str
    sql: Mapping[int, str]
    seldom: bool = False

    def text(self, major: int) -> str | None:
        """Give the text for a version; None where that has no such view."""
        fitting = [lowest for lowest in self.sql if lowest <= major]
        return self.sql[max(fitting)] if fitting else None


# Up to 17 num_timed counts checkpoints that were skipped for lack of anything to write, too.
CHECKPOINTS_14 = """
    select stats_reset,
           checkpoints_timed,
           checkpoints_req as checkpoints_requested,
           checkpoint_write_time / 1000 as checkpoint_write_seconds,
           checkpoint_sync_time / 1000 as checkpoint_sync_seconds,
           buffers_checkpoint as checkpoint_buffers,
           buffers_clean as background_writer_buffers,
           maxwritten_clean as background_writer_stopped,
           buffers_backend as backend_buffers,
           buffers_backend_fsync as backend_fsyncs,
           buffers_alloc as buffers_allocated
      from pg_catalog.pg_stat_bgwriter
"""
CHECKPOINTS_17 = """
    select stats_reset,
           num_timed as checkpoints_timed,
           num_requested as checkpoints_requested,
           restartpoints_timed,
           restartpoints_req as restartpoints_requested,
           restartpoints_done,
           write_time / 1000 as checkpoint_write_seconds,
           sync_time / 1000 as checkpoint_sync_seconds,
           buffers_written as checkpoint_buffers
      from pg_catalog.pg_stat_checkpointer
"""
WRITER_17 = """
    select stats_reset,
           buffers_clean as background_writer_buffers,
           maxwritten_clean as background_writer_stopped,
           buffers_alloc as buffers_allocated
      from pg_catalog.pg_stat_bgwriter
"""
WAL_14 = """
    select stats_reset,
           wal_records as records,
           wal_fpi as full_page_images,
           wal_bytes::float8 as bytes,
           wal_buffers_full as buffers_full,
           wal_write as writes,
           wal_sync as syncs,
           wal_write_time / 1000 as write_seconds,
           wal_sync_time / 1000 as sync_seconds
      from pg_catalog.pg_stat_wal
"""
WAL_18 = """
    select w.stats_reset,
           w.wal_records as records,
           w.wal_fpi as full_page_images,
           w.wal_bytes::float8 as bytes,
           w.wal_buffers_full as buffers_full,
           i.writes,
           i.syncs,
           i.write_seconds,
           i.sync_seconds
      from pg_catalog.pg_stat_wal w
     cross join (select coalesce(sum(writes), 0)::bigint as writes,
                        coalesce(sum(fsyncs), 0)::bigint as syncs,
                        coalesce(sum(write_time), 0) / 1000 as write_seconds,
                        coalesce(sum(fsync_time), 0) / 1000 as sync_seconds
                   from pg_catalog.pg_stat_io
                  where object = 'wal' and context = 'normal') i
"""
ARCHIVER = """
    select stats_reset,
           archived_count as archived,
           failed_count as archive_failures,
           last_failed_wal,
           extract(epoch from clock_timestamp() - last_archived_time)::float8 as last_archived_age_seconds,
           extract(epoch from clock_timestamp() - last_failed_time)::float8 as last_failed_age_seconds,
           extract(epoch from clock_timestamp() - stats_reset)::float8 as counted_seconds
      from pg_catalog.pg_stat_archiver
"""
# Whether archive_command is set is read of all that may see it, its text of nobody.
POSITION = """
    select case when r.recovering then 'standby' else 'primary' end as kind,
           extract(epoch from clock_timestamp())::float8 as at,
           case when not r.recovering
                then pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')::float8 end as written_bytes,
           case when r.recovering
                then pg_catalog.pg_wal_lsn_diff(greatest(pg_catalog.pg_last_wal_receive_lsn(),
                                                         pg_catalog.pg_last_wal_replay_lsn()), '0/0')::float8
            end as received_bytes,
           case when r.recovering
                then pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_replay_lsn(), '0/0')::float8
            end as replayed_bytes,
           s.*
      from (select pg_catalog.pg_is_in_recovery() as recovering) r
     cross join (select max(setting::float8 * 1048576) filter (where name = 'max_wal_size') as max_wal_size_bytes,
                        max(setting::float8 * 1048576) filter (where name = 'min_wal_size') as min_wal_size_bytes,
                        max(setting::float8 * 1048576) filter (where name = 'wal_keep_size') as wal_keep_size_bytes,
                        max(nullif(setting::float8, -1) * 1048576) filter (where name = 'max_slot_wal_keep_size')
                            as max_slot_wal_keep_size_bytes,
                        max(setting::float8) filter (where name = 'wal_segment_size') as segment_bytes,
                        max(setting::float8) filter (where name = 'checkpoint_timeout') as checkpoint_timeout_seconds,
                        max(setting::float8) filter (where name = 'checkpoint_completion_target')
                            as checkpoint_completion_target,
                        max(setting) filter (where name = 'archive_mode') as archive_mode,
                        bool_or(setting <> '' and setting <> '(disabled)')
                            filter (where name in ('archive_command', 'archive_library')) as archiving_set,
                        max(source) filter (where name = 'max_wal_size') as max_wal_size_source,
                        max(sourcefile) filter (where name = 'max_wal_size') as max_wal_size_file
                   from pg_catalog.pg_settings) s
"""
DIRECTORY = """
    select count(*) as segments,
           coalesce(sum(size), 0)::float8 as directory_bytes
      from pg_catalog.pg_ls_waldir()
     where name ~ '^[0-9A-F]{24}$'
"""
WAITING = """
    select count(*) as archive_waiting
      from pg_catalog.pg_ls_archive_statusdir()
     where name like '%.ready'
"""
SLOT = """
    select slot_name::text as slot,
           active as slot_active,
           pg_catalog.pg_wal_lsn_diff(case when pg_catalog.pg_is_in_recovery()
                                           then pg_catalog.pg_last_wal_replay_lsn()
                                           else pg_catalog.pg_current_wal_lsn() end,
                                      restart_lsn)::float8 as slot_bytes,
           safe_wal_size::float8 as slot_safe_bytes
      from pg_catalog.pg_replication_slots
     where restart_lsn is not null
     order by restart_lsn - '0/0'::pg_catalog.pg_lsn, slot_name
     limit 1
"""
IO_16 = """
    select case when backend_type in ('client backend', 'autovacuum worker', 'checkpointer', 'background writer',
                                      'walsender') then backend_type else 'other' end as backend_type,
           object,
           context,
           max(stats_reset) as stats_reset,
           coalesce(sum(reads), 0)::bigint as io_reads,
           coalesce(sum(reads * op_bytes), 0)::float8 as io_read_bytes,
           coalesce(sum(read_time), 0) / 1000 as io_read_seconds,
           coalesce(sum(writes), 0)::bigint as io_writes,
           coalesce(sum(writes * op_bytes), 0)::float8 as io_write_bytes,
           coalesce(sum(write_time), 0) / 1000 as io_write_seconds,
           coalesce(sum(extends), 0)::bigint as io_extends,
           coalesce(sum(hits), 0)::bigint as io_hits,
           coalesce(sum(evictions), 0)::bigint as io_evictions,
           coalesce(sum(fsyncs), 0)::bigint as io_fsyncs
      from pg_catalog.pg_stat_io
     group by 1, 2, 3
    having sum(coalesce(reads, 0) + coalesce(writes, 0) + coalesce(extends, 0) + coalesce(hits, 0)) > 0
     order by 1, 2, 3
     limit 100
"""
IO_18 = IO_16.replace("reads * op_bytes", "read_bytes").replace("writes * op_bytes", "write_bytes")

QUESTIONS = (
    Question(kind="checkpoints", sql={14: CHECKPOINTS_14, 17: CHECKPOINTS_17}),
    Question(kind="background_writer", sql={17: WRITER_17}),
    Question(kind="wal", sql={14: WAL_14, 18: WAL_18}),
    Question(kind="archiver", sql={14: ARCHIVER}),
    Question(kind="position", sql={14: POSITION}),
    Question(kind="io", sql={16: IO_16, 18: IO_18}),
    Question(kind="directory", sql={14: DIRECTORY}, seldom=True),
    Question(kind="waiting", sql={14: WAITING}, seldom=True),
    Question(kind="slot", sql={14: SLOT}, seldom=True),
)
