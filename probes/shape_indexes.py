"""Indexes, and what else of a table the server can only write while nobody holds it exclusively.

pg_get_indexdef, pg_get_expr, pg_get_partkeydef and pg_get_viewdef open the tables they write about: behind an exclusive
lock, be it granted or awaited, they would wait. So locks are looked at first; lock_timeout meets those that come later.
"""

# $1 tables. A lock on an index keeps us from its table as well.
LOCKED = """
    select distinct coalesce(i.indrelid, l.relation)::bigint as oid
      from pg_catalog.pg_locks l
      left join pg_catalog.pg_index i on i.indexrelid = l.relation
     where l.locktype = 'relation'
       and l.mode = 'AccessExclusiveLock'
       and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
"""

# indnullsnotdistinct came with 15 and last_idx_scan with 16: before, their names find those of `absent`.
INDEXES = """
    with path as materialized (
        select pg_catalog.set_config('search_path', 'pg_catalog', true) as is_set
    )
    select i.indrelid::bigint as relid,
           i.indexrelid::bigint as oid,
           n.nspname::text as schema,
           x.relname::text as name,
           m.amname::text as method,
           i.indnkeyatts as keys,
           i.indkey::int2[] as columns,
           i.indoption::int2[] as orders,
           i.indcollation::oid[]::bigint[] as collations,
           i.indclass::oid[]::bigint[] as opclasses,
           array(select a.attoptions::text
                   from pg_catalog.pg_attribute a
                  where a.attrelid = i.indexrelid
                  order by a.attnum) as options,
           case when i.indexprs is not null then
               array(select a.atttypid::bigint
                       from pg_catalog.pg_attribute a
                      where a.attrelid = i.indexrelid
                      order by a.attnum) end as types,
           case when i.indexprs is not null then
               array(select case when u.number = 0
                                 then pg_catalog.pg_get_indexdef(i.indexrelid, u.place::int, false) else '' end
                       from pg_catalog.unnest(i.indkey::int2[]) with ordinality as u (number, place)
                      order by u.place) end as expressions,
           pg_catalog.pg_get_expr(i.indpred, i.indrelid) as predicate,
           i.indisunique as unique,
           (select indnullsnotdistinct
              from pg_catalog.pg_index z
             where z.indexrelid = i.indexrelid) as nulls_not_distinct,
           i.indisprimary as primary,
           (select k.conname::text
              from pg_catalog.pg_constraint k
             where k.conindid = i.indexrelid
               and k.conrelid = i.indrelid
               and k.contype in ('p', 'u', 'x')) as constraint,
           not i.indimmediate as deferrable,
           i.indisreplident or i.indisprimary and c.relreplident = 'd' as replica_identity,
           i.indisclustered as clustered,
           i.indisvalid and i.indisready and i.indislive as valid,
           exists (select
                     from pg_catalog.pg_stat_progress_create_index g
                    where g.index_relid = i.indexrelid
                      and g.datname = pg_catalog.current_database()) as building,
           (select h.inhparent::bigint from pg_catalog.pg_inherits h where h.inhrelid = i.indexrelid) as parent,
           (select e.extname::text
              from pg_catalog.pg_depend d
              join pg_catalog.pg_extension e on e.oid = d.refobjid
             where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
               and d.objid in (i.indexrelid, i.indrelid)
               and d.objsubid = 0
               and d.deptype = 'e'
             limit 1) as owner,
           greatest(x.relpages, 0)::bigint as pages,
           x.reltuples::float8 as tuples,
           pg_catalog.pg_stat_get_numscans(i.indexrelid) as scans,
           (select last_idx_scan
              from pg_catalog.pg_stat_all_indexes s
             where s.indexrelid = i.indexrelid) as last_scan,
           pg_catalog.pg_get_indexdef(i.indexrelid) as definition
      from path
     cross join (select null::timestamptz as last_idx_scan, false as indnullsnotdistinct) absent
      join pg_catalog.pg_index i on i.indrelid = any ($1::bigint[]::oid[])
      join pg_catalog.pg_class x on x.oid = i.indexrelid
      join pg_catalog.pg_class c on c.oid = i.indrelid
      join pg_catalog.pg_namespace n on n.oid = x.relnamespace
      join pg_catalog.pg_am m on m.oid = x.relam
     where path.is_set is not null
     order by i.indexrelid
"""

# $1 partitions and partitioned tables.
PARTITIONING = """
    with path as materialized (
        select pg_catalog.set_config('search_path', 'pg_catalog', true) as is_set
    )
    select c.oid::bigint as oid,
           pg_catalog.pg_get_expr(c.relpartbound, c.oid) as bound,
           case when c.relkind = 'p' then pg_catalog.pg_get_partkeydef(c.oid) end as key
      from path
      join pg_catalog.pg_class c on c.oid = any ($1::bigint[]::oid[])
     where path.is_set is not null
"""

# Of which type each opclass is, and whether its method takes it by default.
OPCLASSES = """
    select o.oid::bigint as oid,
           case when n.nspname = 'pg_catalog' then pg_catalog.quote_ident(o.opcname)
                else pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(o.opcname) end as name,
           o.opcmethod::bigint as method,
           o.opcdefault as by_default,
           o.opcintype::bigint as type,
           t.typispreferred or t.typtype = 'p' as for_others,
           o.opckeytype <> 0 as keeps_another
      from pg_catalog.pg_opclass o
      join pg_catalog.pg_namespace n on n.oid = o.opcnamespace
      join pg_catalog.pg_type t on t.oid = o.opcintype
     limit 5000
"""
