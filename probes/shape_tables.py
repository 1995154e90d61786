"""Tables and their columns, as catalogue queries: none of these waits for a lock.

Types and names are written as one has to write them where search_path is pg_catalog alone.
"""

MOST = 10_000
"""Tables that are read; of more, the largest."""

# The catalogue and temporary tables are left out. Partitioned ones have no pages, and come first.
LARGEST = r"""
    select pg_catalog.array_agg(r.oid::bigint order by r.place) as oids,
           pg_catalog.array_agg(r.relnatts order by r.place) as widths,
           pg_catalog.max(r.total) as total
      from (select c.oid,
                   c.relnatts,
                   pg_catalog.row_number() over (order by c.relkind <> 'p', c.relpages desc, c.oid) as place,
                   pg_catalog.count(*) over () as total
              from pg_catalog.pg_class c
              join pg_catalog.pg_namespace n on n.oid = c.relnamespace
             where c.relkind in ('r', 'p', 'm', 'f')
               and c.relpersistence <> 't'
               and n.nspname <> 'information_schema'
               and n.nspname not like 'pg\_%'
             order by place
             limit $1) r
"""

# Managed: as the probe indexes tells it. relpages of a partitioned table are -1 once it was analyzed.
TABLES = r"""
    select c.oid::bigint as oid,
           n.nspname::text as schema,
           c.relname::text as name,
           c.relkind::text as kind,
           c.reltuples::float8 as rows,
           greatest(c.relpages, 0)::bigint as pages,
           c.relallvisible::bigint as all_visible,
           c.relrowsecurity as row_security,
           c.relispartition as partition,
           array(select i.inhparent::bigint
                   from pg_catalog.pg_inherits i
                  where i.inhrelid = c.oid
                  order by i.inhseqno) as parents,
           (select e.extname::text
              from pg_catalog.pg_depend d
              join pg_catalog.pg_extension e on e.oid = d.refobjid
             where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
               and d.objid = c.oid
               and d.objsubid = 0
               and d.deptype = 'e') as owner,
           r.rolname like 'supabase\_%'
           or n.nspname = 'auth' and exists (select
                                               from pg_catalog.pg_class m
                                              where m.relnamespace = n.oid
                                                and m.relname = 'schema_migrations') as managed,
           (select o.option_value
              from pg_catalog.pg_options_to_table(c.reloptions) o
             where o.option_name = 'fillfactor') as fillfactor,
           pg_catalog.pg_stat_get_tuples_inserted(c.oid) as inserted,
           pg_catalog.pg_stat_get_tuples_updated(c.oid) as updated,
           pg_catalog.pg_stat_get_tuples_hot_updated(c.oid) as hot_updated,
           pg_catalog.pg_stat_get_tuples_deleted(c.oid) as deleted,
           pg_catalog.pg_stat_get_numscans(c.oid) as sequential_scans,
           coalesce(extract(epoch from greatest(pg_catalog.pg_stat_get_last_analyze_time(c.oid),
                                                pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid)))::float8, 0)
               as analyzed
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_roles r on r.oid = n.nspowner
     where c.oid = any ($1::bigint[]::oid[])
"""

# One row a table, of equally long arrays: as rows, a hundred thousand columns would cost us ten times as much.
COLUMNS = """
    with path as materialized (
        select pg_catalog.set_config('search_path', 'pg_catalog', true) as is_set
    )
    select a.attrelid::bigint as oid,
           pg_catalog.array_agg(a.attnum order by a.attnum) as numbers,
           pg_catalog.array_agg(a.attname::text order by a.attnum) as names,
           pg_catalog.array_agg(pg_catalog.format_type(a.atttypid, a.atttypmod) order by a.attnum) as types,
           pg_catalog.array_agg(a.attnotnull order by a.attnum) as not_null,
           pg_catalog.array_agg(a.attgenerated <> '' order by a.attnum) as generated,
           pg_catalog.array_agg(a.attcollation::bigint order by a.attnum) as collations,
           pg_catalog.array_agg(t.typcollation::bigint order by a.attnum) as type_collations,
           pg_catalog.array_agg(coalesce(nullif(t.typbasetype, 0), t.oid)::bigint order by a.attnum) as base_types
      from path
      join pg_catalog.pg_attribute a
        on a.attrelid = any ($1::bigint[]::oid[]) and a.attnum > 0 and not a.attisdropped
      join pg_catalog.pg_type t on t.oid = a.atttypid
     where path.is_set is not null
     group by a.attrelid
"""

# Which collations order by bytes: libc's C and POSIX, and all that are built in (from 17 on). The default one is the
# database's; before 15 its provider, a column that is not there, is libc.
COLLATIONS = """
    select c.oid::bigint as oid,
           case when n.nspname = 'pg_catalog' then pg_catalog.quote_ident(c.collname)
                else pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.collname) end as name,
           c.collisdeterministic as deterministic,
           case c.collprovider
                when 'd' then d.provider = 'b' or d.provider = 'c' and d.datcollate in ('C', 'POSIX')
                when 'c' then coalesce(c.collcollate in ('C', 'POSIX'), false)
                else c.collprovider = 'b' end as by_bytes
      from pg_catalog.pg_collation c
      join pg_catalog.pg_namespace n on n.oid = c.collnamespace
     cross join (select datcollate, coalesce(pg_catalog.to_jsonb(b) ->> 'datlocprovider', 'c') as provider
                   from pg_catalog.pg_database b
                  where datname = pg_catalog.current_database()) d
     limit 5000
"""
