"""What the replication probe asks: of the server, its standbys, slots, conflicts and subscriptions.

Positions are bytes since the beginning of the WAL, so that one less the other is a distance. `$1` is the server's own.
"""

from collections.abc import Mapping

# A standby's own position is what it has received; after a restart that may lie behind what it has replayed.
# primary_conninfo may hold a password: only whether it is set is asked, and only by who may read it. The receiver's
# conninfo shows none; of it the name is read by which the primary knows this standby.
SERVER = """
    with receiver as (
        select pid, status::text as status, last_msg_receipt_time, slot_name::text as slot,
               coalesce(substring(conninfo from '(?:^| )application_name=([^ ]+)'),
                        substring(conninfo from 'fallback_application_name=([^ ]+)')) as application,
               pg_catalog.pg_wal_lsn_diff(latest_end_lsn, '0/0') as announced
          from pg_catalog.pg_stat_wal_receiver
         limit 1
    )
    select extract(epoch from pg_catalog.clock_timestamp())::float8 as at,
           pg_catalog.pg_is_in_recovery() as in_recovery,
           pg_catalog.pg_wal_lsn_diff(
               case when pg_catalog.pg_is_in_recovery()
                    then greatest(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn())
                    else pg_catalog.pg_current_wal_lsn() end, '0/0')::float8 as position,
           (select announced from receiver)::float8 as announced,
           case when pg_catalog.pg_is_in_recovery()
                then pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_replay_lsn(), '0/0') end::float8 as replayed,
           case when pg_catalog.pg_is_in_recovery()
                then extract(epoch from pg_catalog.clock_timestamp()
                                        - pg_catalog.pg_last_xact_replay_timestamp()) end::float8 as transaction_age,
           case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_get_wal_replay_pause_state() end as pause_state,
           (select pid is not null from receiver) as receiver_runs,
           (select status from receiver) as receiver_status,
           (select application from receiver) as receiver_application,
           (select slot from receiver) as receiver_slot,
           (select extract(epoch from pg_catalog.clock_timestamp() - last_msg_receipt_time)::float8
              from receiver) as silent_seconds,
           case when pg_catalog.pg_has_role('pg_read_all_settings', 'usage')
                then pg_catalog.current_setting('primary_conninfo') <> '' end as has_primary,
           extract(epoch from pg_catalog.current_setting('wal_receiver_timeout')::interval)::float8 as receiver_timeout,
           extract(epoch from pg_catalog.current_setting('recovery_min_apply_delay')::interval)::float8 as apply_delay,
           pg_catalog.current_setting('synchronous_standby_names') as synchronous_names,
           pg_catalog.current_setting('synchronous_commit') as synchronous_commit,
           pg_catalog.current_setting('hot_standby_feedback') as feedback,
           pg_catalog.current_setting('max_standby_streaming_delay') as streaming_delay,
           pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_slot_wal_keep_size'))::float8 as slot_limit_bytes,
           (select count(*) from pg_catalog.pg_subscription) as subscriptions
"""

# Without the right to read all statistics a sender's state is NULL, and its name as well.
# pg_receivewal tells what it wrote, flushes by the segment, and replays nothing.
STANDBYS = """
    with senders as (
        select s.application_name, s.state, s.sync_state, s.reply_time, s.write_lag, s.flush_lag, s.replay_lag,
               l.slot_name::text as slot_name,
               l.slot_type = 'logical' as logical,
               pg_catalog.pg_wal_lsn_diff(s.sent_lsn, '0/0')::float8 as sent,
               pg_catalog.pg_wal_lsn_diff(s.write_lsn, '0/0')::float8 as written,
               pg_catalog.pg_wal_lsn_diff(s.flush_lsn, '0/0')::float8 as flushed,
               pg_catalog.pg_wal_lsn_diff(coalesce(s.replay_lsn, s.write_lsn), '0/0')::float8 as replayed
          from pg_catalog.pg_stat_replication s
          left join pg_catalog.pg_replication_slots l on l.active_pid = s.pid
    )
    select coalesce(nullif(s.application_name, ''), 'unnamed') as application,
           coalesce(s.slot_name, '') as slot,
           coalesce(s.logical, false) as logical,
           count(*)::int as connections,
           bool_or(s.state is null) as hidden,
           coalesce(bool_and(s.state = 'startup' and s.slot_name is null), false) as starting,
           bool_or(s.state = 'backup') as backup,
           bool_or(s.state = 'catchup') as catching_up,
           count(*) filter (where s.state = 'streaming')::int as streaming,
           count(*) filter (where s.sync_state in ('sync', 'quorum'))::int as synchronous,
           min(s.flushed) as flushed,
           min(s.replayed) as replayed,
           max(extract(epoch from s.reply_time))::float8 as replied_at,
           max(greatest($1::float8 - s.sent, 0)) as sent_lag_bytes,
           max(greatest($1::float8 - s.written, 0)) as write_lag_bytes,
           max(greatest($1::float8 - s.flushed, 0)) as flush_lag_bytes,
           max(greatest($1::float8 - s.replayed, 0)) as replay_lag_bytes,
           extract(epoch from max(s.write_lag))::float8 as write_lag_seconds,
           extract(epoch from max(s.flush_lag))::float8 as flush_lag_seconds,
           extract(epoch from max(s.replay_lag))::float8 as measured_lag_seconds
      from senders s
     group by 1, 2, 3
     order by max(greatest($1::float8 - s.replayed, 0)) desc nulls first, 1, 2
     limit 200
"""

# What later versions have besides is read by name: 16 has `conflicting`; 17 the reason, inactive_since and synced.
SLOTS = """
    select s.slot_name::text as slot,
           s.slot_type::text as slot_type,
           s.active,
           s.temporary,
           s.wal_status::text as wal_status,
           s.safe_wal_size::float8 as safe_bytes,
           greatest($1::float8 - pg_catalog.pg_wal_lsn_diff(s.restart_lsn, '0/0')::float8, 0) as retained_bytes,
           pg_catalog.age(s.xmin) as xmin_age_transactions,
           pg_catalog.age(s.catalog_xmin) as catalog_xmin_age_transactions,
           coalesce(r.spill_txns, 0)::float8 as spilled_transactions,
           coalesce(r.spill_bytes, 0)::float8 as spilled_bytes,
           later.own ->> 'invalidation_reason' as invalidated,
           coalesce((later.own ->> 'conflicting')::boolean, false) as conflicting,
           coalesce((later.own ->> 'synced')::boolean and pg_catalog.pg_is_in_recovery(), false) as synced,
           extract(epoch from pg_catalog.clock_timestamp()
                              - (later.own ->> 'inactive_since')::timestamptz)::float8 as inactive_seconds
      from pg_catalog.pg_replication_slots s
     cross join lateral pg_catalog.to_jsonb(s) as later (own)
      left join pg_catalog.pg_stat_replication_slots r on r.slot_name = s.slot_name::text
     order by retained_bytes desc nulls last, 1
     limit 200
"""

# The last column came with 16.
CONFLICTS = """
    select coalesce(sum(c.confl_tablespace), 0)::float8 as tablespace,
           coalesce(sum(c.confl_lock), 0)::float8 as lock,
           coalesce(sum(c.confl_snapshot), 0)::float8 as snapshot,
           coalesce(sum(c.confl_bufferpin), 0)::float8 as bufferpin,
           coalesce(sum(c.confl_deadlock), 0)::float8 as deadlock,
           coalesce(sum((pg_catalog.to_jsonb(c) ->> 'confl_active_logicalslot')::bigint), 0)::float8 as logicalslot
      from pg_catalog.pg_stat_database_conflicts c
"""

SUBSCRIPTIONS: Mapping[int, str] = {
    14: """
    select d.datname::text as database,
           s.subname::text as subscription,
           s.subenabled as enabled,
           w.workers,
           extract(epoch from pg_catalog.clock_timestamp() - w.heard)::float8 as silent_seconds,
           0::float8 as apply_errors,
           0::float8 as sync_errors
      from pg_catalog.pg_subscription s
      join pg_catalog.pg_database d on d.oid = s.subdbid
     cross join lateral (select count(pid)::int as workers, max(last_msg_receipt_time) as heard
                           from pg_catalog.pg_stat_get_subscription(s.oid)
                          where relid is null) w
     order by 1, 2
     limit 200
""",
    15: """
    select d.datname::text as database,
           s.subname::text as subscription,
           s.subenabled as enabled,
           w.workers,
           extract(epoch from pg_catalog.clock_timestamp() - w.heard)::float8 as silent_seconds,
           e.apply_error_count::float8 as apply_errors,
           e.sync_error_count::float8 as sync_errors
      from pg_catalog.pg_subscription s
      join pg_catalog.pg_database d on d.oid = s.subdbid
     cross join lateral (select count(pid)::int as workers, max(last_msg_receipt_time) as heard
                           from pg_catalog.pg_stat_get_subscription(s.oid)
                          where relid is null) w
     cross join lateral pg_catalog.pg_stat_get_subscription_stats(s.oid) e
     order by 1, 2
     limit 200
""",
}
