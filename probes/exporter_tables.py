"""For `compat: [postgres_exporter]` only: a database's tables as pg_stat_user_tables and pg_statio_user_tables count.

The 500 largest by pages. No size is asked of a table that is locked exclusively, or about to be. Cost: pg_class is
gone through, and of the 500 counters and files' sizes are asked, 60 ms, once a minute.
"""

from monitor.probe import Probe, Scope

SQL = r"""
    with locked as materialized (
        select l.relation
          from pg_catalog.pg_locks l
          join pg_catalog.pg_database d on d.oid = l.database
         where l.locktype = 'relation'
           and l.mode = 'AccessExclusiveLock'
           and d.datname = current_database()
    ),
    largest as materialized (
        select c.oid,
               c.oid in (select relation from locked)
               or c.reltoastrelid in (select relation from locked)
               or exists (select
                            from pg_catalog.pg_index i
                           where i.indrelid in (c.oid, c.reltoastrelid)
                             and i.indexrelid in (select relation from locked)) as locked
          from pg_catalog.pg_class c
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'm', 'p')
           and c.relpersistence <> 't'
           and n.nspname <> 'information_schema'
           and n.nspname not like 'pg\_%'
         order by c.relpages desc, c.oid
         limit 500
    )
    select current_database()::text as datname,
           t.schemaname::text as schema,
           t.relname::text as name,
           t.seq_scan, t.seq_tup_read, t.idx_scan, t.idx_tup_fetch,
           t.n_tup_ins, t.n_tup_upd, t.n_tup_del, t.n_tup_hot_upd,
           t.n_live_tup, t.n_dead_tup, t.n_mod_since_analyze,
           coalesce(extract(epoch from t.last_vacuum), 0)::float8 as last_vacuum,
           coalesce(extract(epoch from t.last_autovacuum), 0)::float8 as last_autovacuum,
           coalesce(extract(epoch from t.last_analyze), 0)::float8 as last_analyze,
           coalesce(extract(epoch from t.last_autoanalyze), 0)::float8 as last_autoanalyze,
           t.vacuum_count, t.autovacuum_count, t.analyze_count, t.autoanalyze_count,
           case when not l.locked then pg_catalog.pg_indexes_size(l.oid) end as index_bytes,
           case when not l.locked then pg_catalog.pg_table_size(l.oid) end as table_bytes,
           i.heap_blks_read::float8 as heap_blks_read, i.heap_blks_hit::float8 as heap_blks_hit,
           i.idx_blks_read::float8 as idx_blks_read, i.idx_blks_hit::float8 as idx_blks_hit,
           i.toast_blks_read::float8 as toast_blks_read, i.toast_blks_hit::float8 as toast_blks_hit,
           i.tidx_blks_read::float8 as tidx_blks_read, i.tidx_blks_hit::float8 as tidx_blks_hit
      from largest l
      join pg_catalog.pg_stat_user_tables t on t.relid = l.oid
      left join pg_catalog.pg_statio_user_tables i on i.relid = l.oid
     order by pg_catalog.pg_stat_get_live_tuples(l.oid) desc, l.oid
     limit 500
"""

PROBE = Probe(
    name="exporter_tables",
    scope=Scope.DATABASE,
    every=60,
    sql={14: SQL},
    key=("schema", "name"),
    compat="postgres_exporter",
    enabled=False,
)
