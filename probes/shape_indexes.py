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

# Of the opclasses only those have a name that are not the default for what they index: that is the default one of the
# very type, else of a preferred or polymorphic one. What an expression's type is cannot be told where the opclass keeps
# another one; there a default is taken for the default. last_idx_scan came with 16: before, its name finds the null.
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
           i.indoption::int2[] as options,
           array(select case when a.attcollation = u.oid then 0 else u.oid::bigint end
                   from unnest(i.indcollation::oid[], (i.indkey::int2[])[0:i.indnkeyatts - 1])
                        with ordinality as u (oid, number, place)
                   left join pg_catalog.pg_attribute a
                     on a.attrelid = i.indrelid and a.attnum = u.number and u.number <> 0
                  order by u.place) as collations,
           case when i.indexprs is not null then
               array(select case when u.number = 0
                                 then pg_catalog.pg_get_indexdef(i.indexrelid, u.place::int, false) else '' end
                       from pg_catalog.unnest(i.indkey::int2[]) with ordinality as u (number, place)
                      order by u.place) end as expressions,
           array(select case when o.opcdefault
                              and x_a.attoptions is null
                              and (o.opcintype = coalesce(nullif(b.typbasetype, 0), b.oid)
                                   or p.typispreferred
                                   or p.typtype = 'p'
                                   or u.number = 0 and o.opckeytype <> 0) then ''
                             else case when q.nspname = 'pg_catalog' then '' else pg_catalog.quote_ident(q.nspname)
                                                                                  || '.' end
                                  || pg_catalog.quote_ident(o.opcname)
                                  || coalesce((select '(' || pg_catalog.string_agg(
                                                          pg_catalog.quote_ident(e.option_name) || '='
                                                          || pg_catalog.quote_literal(e.option_value), ', ') || ')'
                                                 from pg_catalog.pg_options_to_table(x_a.attoptions) e), '') end
                   from unnest(i.indclass::oid[], (i.indkey::int2[])[0:i.indnkeyatts - 1])
                        with ordinality as u (opclass, number, place)
                   join pg_catalog.pg_opclass o on o.oid = u.opclass
                   join pg_catalog.pg_namespace q on q.oid = o.opcnamespace
                   join pg_catalog.pg_type p on p.oid = o.opcintype
                   join pg_catalog.pg_attribute x_a on x_a.attrelid = i.indexrelid and x_a.attnum = u.place
                   left join pg_catalog.pg_attribute t_a on t_a.attrelid = i.indrelid and t_a.attnum = u.number
                                                        and u.number <> 0
                   join pg_catalog.pg_type b on b.oid = coalesce(t_a.atttypid, x_a.atttypid)
                  order by u.place) as opclasses,
           pg_catalog.pg_get_expr(i.indpred, i.indrelid) as predicate,
           i.indisunique as unique,
           nulls_not_distinct,
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
     cross join (select null::timestamptz as last_idx_scan) absent
      join pg_catalog.pg_index i on i.indrelid = any ($1::bigint[]::oid[])
     cross join lateral (select coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)
                                as nulls_not_distinct) newer
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
