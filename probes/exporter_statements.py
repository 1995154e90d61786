"""For `compat: [postgres_exporter]` only: the 100 statements with the most time so far, by query id as it counts them.

No text is read. Cost: all entries of pg_stat_statements without their texts, 16 ms for 1,500, once a minute.
"""

from monitor.probe import Probe, Scope

SQL_14 = """
    select d.datname::text as database,
           pg_catalog.pg_get_userbyid(s.userid)::text as role,
           s.queryid::text as queryid,
           sum(s.calls)::bigint as calls,
           sum(s.total_exec_time) / 1000 as exec_seconds,
           sum(s.rows)::bigint as rows,
           sum(s.blk_read_time) / 1000 as block_read_seconds,
           sum(s.blk_write_time) / 1000 as block_write_seconds
      from pg_stat_statements(false) s
      join pg_catalog.pg_database d on d.oid = s.dbid
     where s.queryid is not null
     group by 1, 2, 3
     order by 5 desc, 3
     limit 100
"""
SQL_17 = """
    select d.datname::text as database,
           pg_catalog.pg_get_userbyid(s.userid)::text as role,
           s.queryid::text as queryid,
           sum(s.calls)::bigint as calls,
           sum(s.total_exec_time) / 1000 as exec_seconds,
           sum(s.rows)::bigint as rows,
           sum(s.shared_blk_read_time) / 1000 as block_read_seconds,
           sum(s.shared_blk_write_time) / 1000 as block_write_seconds
      from pg_stat_statements(false) s
      join pg_catalog.pg_database d on d.oid = s.dbid
     where s.queryid is not null
     group by 1, 2, 3
     order by 5 desc, 3
     limit 100
"""

PROBE = Probe(
    name="exporter_statements",
    scope=Scope.SERVER,
    every=60,
    sql={14: SQL_14, 17: SQL_17},
    needs=("extension:pg_stat_statements", "role:pg_read_all_stats"),
    key=("database", "role", "queryid"),
    compat="postgres_exporter",
    enabled=False,
)
