"""Sight of columns' statistics: the numbers of pg_stats, which shows a role only the tables it may read.

Of most common values the frequencies alone leave the server, and of histograms nothing: they are people's data. The
values of booleans and enums are given: they stand in the schema.
"""

from monitor.sight.words import Function

# $1 tables. They are found first, as the planner thinks that looking at all of pg_class costs nothing. pg_stats is a
# security barrier: conditions of a join stay outside of it; one on the row outside gets in, and finds a table by its
# index. Of a partitioned table the statistics are those of all its partitions.
COLUMNS = """
    with wanted as materialized (
        select c.oid, n.nspname, c.relname, c.relkind = 'p' as whole
          from pg_catalog.unnest($1::bigint[]) as u (oid)
          join pg_catalog.pg_class c on c.oid = u.oid::oid and c.relkind in ('r', 'p', 'm', 'f')
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    )
    select w.oid::bigint as oid,
           a.attnum as number,
           s.null_frac::float8 as null_frac,
           s.avg_width,
           s.n_distinct::float8 as n_distinct,
           s.correlation::float8 as correlation,
           s.most_common_freqs as frequencies,
           case when a.listed then s.most_common_vals::text::text[] end as labels
      from wanted w
     cross join lateral (select *
                           from pg_catalog.pg_stats s
                          where s.schemaname = w.nspname
                            and s.tablename = w.relname
                            and s.inherited = w.whole
                         offset 0) s
     cross join lateral (select a.attnum, t.typtype = 'e' or t.oid = 'pg_catalog.bool'::pg_catalog.regtype as listed
                           from pg_catalog.pg_attribute a
                           join pg_catalog.pg_type t on t.oid = a.atttypid
                          where a.attrelid = w.oid
                            and a.attname = s.attname
                         offset 0) a
"""

# Distinct values of several columns together, as {"1, 2": 30}, and what follows of what, as {"1 => 2": 0.9}. From 15 on
# those of all partitions are a row of their own; before, its column is not there, and its name finds the one beside it.
GROUPS = """
    with wanted as materialized (
        select c.oid, n.nspname, c.relname, c.relkind = 'p' as whole
          from pg_catalog.unnest($1::bigint[]) as u (oid)
          join pg_catalog.pg_class c on c.oid = u.oid::oid and c.relkind in ('r', 'p', 'm', 'f')
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where exists (select from pg_catalog.pg_statistic_ext e where e.stxrelid = c.oid)
    )
    select w.oid::bigint as oid, s.n_distinct::text as distinct_values, s.dependencies::text as dependencies
      from wanted w
     cross join (select null::boolean as inherited) absent
     cross join lateral (select e.n_distinct, e.dependencies, inherited
                           from pg_catalog.pg_stats_ext e
                          where e.schemaname = w.nspname
                            and e.tablename = w.relname
                         offset 0) s
     where (s.n_distinct is not null or s.dependencies is not null)
       and (s.inherited is null or s.inherited = w.whole)
"""

COLUMN_STATISTICS = Function(
    name="column_statistics",
    arguments="in_tables bigint[]",
    columns=(
        "oid bigint, number smallint, null_frac double precision, avg_width integer, n_distinct double precision, "
        "correlation double precision, frequencies real[], labels text[]"
    ),
    plain=COLUMNS,
)
GROUP_STATISTICS = Function(
    name="group_statistics",
    arguments="in_tables bigint[]",
    columns="oid bigint, distinct_values text, dependencies text",
    plain=GROUPS,
)
SHAPE = (COLUMN_STATISTICS, GROUP_STATISTICS)
