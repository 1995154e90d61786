"""Tables, their columns and the columns' statistics, as catalogue queries: none of these waits for a lock.

Types and names are written as one has to write them where search_path is pg_catalog alone.
"""

MOST = 10_000
"""Tables that are read; of more, the largest."""

# The catalogue and temporary tables are left out. Managed: as the probe indexes tells it. reltuples and relpages of a
# partitioned table are -1 until it is analyzed, and its relpages afterwards too.
TABLES = r"""
    with own as materialized (
             select oid, nspname, nspowner
               from pg_catalog.pg_namespace
              where nspname <> 'information_schema'
                and nspname not like 'pg\_%'
         ),
         read as materialized (
             select c.*, n.nspname, n.nspowner, pg_catalog.count(*) over () as total
               from pg_catalog.pg_class c
               join own n on n.oid = c.relnamespace
              where c.relkind in ('r', 'p', 'm', 'f')
                and c.relpersistence <> 't'
              order by c.relkind <> 'p', c.relpages desc, c.oid
              limit $1
         )
    select c.oid::bigint as oid,
           c.nspname::text as schema,
           c.relname::text as name,
           c.relkind::text as kind,
           c.reltuples::float8 as rows,
           greatest(c.relpages, 0)::bigint as pages,
           c.relallvisible::bigint as all_visible,
           c.relrowsecurity as row_security,
           c.relispartition as partition,
           case when c.relispartition or c.relhassubclass or c.relkind in ('r', 'f') then
               array(select i.inhparent::bigint
                       from pg_catalog.pg_inherits i
                      where i.inhrelid = c.oid
                      order by i.inhseqno) end as parents,
           (select e.extname::text
              from pg_catalog.pg_depend d
              join pg_catalog.pg_extension e on e.oid = d.refobjid
             where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
               and d.objid = c.oid
               and d.objsubid = 0
               and d.deptype = 'e') as owner,
           (select r.rolname like 'supabase\_%' from pg_catalog.pg_roles r where r.oid = c.nspowner)
           or c.nspname = 'auth' and exists (select
                                               from pg_catalog.pg_class m
                                              where m.relnamespace = c.relnamespace
                                                and m.relname = 'schema_migrations') as managed,
           (select o.option_value
              from pg_catalog.pg_options_to_table(c.reloptions) o
             where o.option_name = 'fillfactor') as fillfactor,
           pg_catalog.pg_stat_get_tuples_inserted(c.oid) as inserted,
           pg_catalog.pg_stat_get_tuples_updated(c.oid) as updated,
           pg_catalog.pg_stat_get_tuples_hot_updated(c.oid) as hot_updated,
           pg_catalog.pg_stat_get_tuples_deleted(c.oid) as deleted,
           pg_catalog.pg_stat_get_numscans(c.oid) as sequential_scans,
           c.total
      from read c
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
           pg_catalog.array_agg(t.typcollation::bigint order by a.attnum) as type_collations
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
     where c.oid in (select attcollation from pg_catalog.pg_attribute where attcollation <> 0)
     limit 5000
"""

# A barrier keeps conditions of joins out of pg_stats; one on the row outside gets in, and finds a table by its index.
# Values only of booleans and enums: theirs stand in the schema.
STATISTICS = """
    select u.oid,
           a.attnum as number,
           s.null_frac::float8 as null_frac,
           s.avg_width,
           s.n_distinct::float8 as n_distinct,
           s.correlation::float8 as correlation,
           s.most_common_freqs as frequencies,
           case when t.typtype = 'e' or t.oid = 'pg_catalog.bool'::pg_catalog.regtype
                then s.most_common_vals::text::text[] end as values
      from pg_catalog.unnest($1::bigint[]) as u (oid)
      join pg_catalog.pg_class c on c.oid = u.oid::oid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     cross join lateral (select *
                           from pg_catalog.pg_stats s
                          where s.schemaname = n.nspname
                            and s.tablename = c.relname
                            and s.inherited = (c.relkind = 'p')
                         offset 0) s
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = s.attname
      join pg_catalog.pg_type t on t.oid = a.atttypid
"""
