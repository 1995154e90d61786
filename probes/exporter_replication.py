"""For `compat: [postgres_exporter]` only: lag, slots, standbys and the WAL receiver in that exporter's numbers.

Positions are bytes since the beginning of the WAL. Cost: four small views, 6 ms.
"""

from collections.abc import Sequence

from monitor.probe import Memory, Probe, Row, Scope, Session
from probes.pool_groups import safe

SERVER = """
    select 'server' as kind,
           r.recovering::int as is_replica,
           case when not r.recovering
                  or pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn() then 0
                else r.age end as lag_seconds,
           case when r.recovering then r.age else 0 end as last_replay_seconds
      from (select pg_catalog.pg_is_in_recovery() as recovering,
                   greatest(0, extract(epoch from clock_timestamp()
                                                  - pg_catalog.pg_last_xact_replay_timestamp()))::float8 as age) r
"""
SLOTS = """
    select 'slot' as kind,
           s.slot_name::text as slot,
           s.slot_type::text as slot_type,
           coalesce(s.database::text, '') as slot_database,
           s.active::int as active,
           s.wal_status::text as wal_status,
           (s.wal_status is not null)::int as has_status,
           s.safe_wal_size::float8 as safe_bytes,
           pg_catalog.pg_wal_lsn_diff(w.position, s.restart_lsn)::float8 as retained_bytes,
           pg_catalog.pg_wal_lsn_diff(w.position, '0/0')::float8 as position,
           case when s.active
                then pg_catalog.pg_wal_lsn_diff(coalesce(s.confirmed_flush_lsn, '0/0'), '0/0')::float8
            end as confirmed
      from pg_catalog.pg_replication_slots s
     cross join (select case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_receive_lsn()
                             else pg_catalog.pg_current_wal_lsn() end as position) w
     order by s.slot_name
     limit 200
"""
STANDBYS = """
    select 'standby' as kind,
           s.pid::text as pid,
           coalesce(s.application_name, '') as application,
           coalesce(pg_catalog.host(s.client_addr), '') as address,
           coalesce(s.state, '') as state,
           coalesce(l.slot_name::text, '') as slot,
           pg_catalog.pg_wal_lsn_diff(w.position, '0/0')::float8 as position,
           pg_catalog.pg_wal_lsn_diff(w.position, s.replay_lsn)::float8 as lag_bytes
      from pg_catalog.pg_stat_replication s
      left join pg_catalog.pg_replication_slots l on l.active_pid = s.pid
     cross join (select case when not pg_catalog.pg_is_in_recovery()
                             then pg_catalog.pg_current_wal_lsn() end as position) w
     order by s.pid
     limit 200
"""
RECEIVER = """
    select 'receiver' as kind,
           coalesce(sender_host, '') as upstream,
           coalesce(slot_name::text, '') as slot,
           status::text as status,
           pg_catalog.pg_wal_lsn_diff(receive_start_lsn, '0/0')::float8 as start_position,
           receive_start_tli as start_timeline,
           pg_catalog.pg_wal_lsn_diff(flushed_lsn, '0/0')::float8 as flushed,
           received_tli as received_timeline,
           extract(epoch from last_msg_send_time)::float8 as sent_at,
           extract(epoch from last_msg_receipt_time)::float8 as received_at,
           pg_catalog.pg_wal_lsn_diff(latest_end_lsn, '0/0')::float8 as latest_end,
           extract(epoch from latest_end_time)::float8 as latest_end_at,
           substring(slot_name from '^repmgr_slot_([0-9]+)$')::float8 as upstream_node
      from pg_catalog.pg_stat_wal_receiver
     where status is not null
     limit 1
"""


async def observe(session: Session, _memory: Memory, _options: object) -> Sequence[Row]:
    """Ask each view; what a standby calls itself is told as far as it gives no secret away."""
    standbys = [{**row, "application": safe(row["application"])} for row in await session.fetch(STANDBYS)]
    others = [row for sql in (SERVER, SLOTS, RECEIVER) for row in await session.fetch(sql)]
    return [*others, *standbys]


PROBE = Probe(
    name="exporter_replication",
    scope=Scope.SERVER,
    every=15,
    observe=observe,
    needs=("role:pg_read_all_stats",),
    compat="postgres_exporter",
    enabled=False,
)
