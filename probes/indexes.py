"""Tables and their indexes: how tables are read, and which foreign keys no index serves.

Rows by kind: `table` (the 1,000 largest by pages), `foreign_key` (the 1,000 largest without an index), `total` (one).
Cost: catalogues only, some 20 ms at 2,000 tables, every five minutes. Sizes are relpages * 8192 as of the last vacuum
or analyze: a size function, and pg_get_expr too, would wait behind an exclusive lock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.probe import Kind, Measurement, Memory, Metric, Probe, Row, Scope, Session
from probes.indexes_names import candidates
from probes.indexes_remedy import by_table, places
from probes.indexes_rules import MissingForeignKey

# An index serves a key when its leading columns are the key's in any order, in the collation of the columns; of
# partial ones only `where COLUMN is not null`, which any equality implies. The predicate is read from its node tree.
# Of a partitioned table an index on itself serves, or one on each of its partitions (whose columns may be numbered
# differently). A key that is not enforced (18) has no trigger that would look for rows.
SQL = r"""
    with recursive keys as materialized (
        select k.oid as key, k.conname::text as constraint_name, k.conrelid as relid, k.confrelid as parent_relid,
               k.conkey as numbers, c.relkind = 'p' as partitioned
          from pg_catalog.pg_constraint k
          join pg_catalog.pg_class c on c.oid = k.conrelid
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where k.contype = 'f'
           and k.conparentid = 0
           and c.relpersistence <> 't'
           and n.nspname <> 'information_schema'
           and n.nspname not like 'pg\_%'
    ),
    members as (
        select key, relid, 0::oid as above, 0 as level, numbers, partitioned
          from keys
         union all
        select m.key, i.inhrelid, i.inhparent, m.level + 1,
               array(select a.attnum
                       from unnest(m.numbers) with ordinality as u (number, place)
                       join pg_catalog.pg_attribute o on o.attrelid = m.relid and o.attnum = u.number
                       join pg_catalog.pg_attribute a on a.attrelid = i.inhrelid and a.attname = o.attname
                      order by u.place),
               c.relkind = 'p'
          from members m
          join pg_catalog.pg_inherits i on i.inhparent = m.relid
          join pg_catalog.pg_class c on c.oid = i.inhrelid and c.relkind in ('r', 'p')
         where m.partitioned
    ),
    served as materialized (
        select m.*,
               exists (select
                         from pg_catalog.pg_index i
                         join pg_catalog.pg_class x on x.oid = i.indexrelid
                         join pg_catalog.pg_am a on a.oid = x.relam
                        where i.indrelid = m.relid
                          and i.indisvalid
                          and i.indisready
                          and i.indnkeyatts >= cardinality(m.numbers)
                          and (a.amname = 'btree' or a.amname = 'hash' and cardinality(m.numbers) = 1)
                          and (i.indkey::int2[])[0:cardinality(m.numbers) - 1] @> m.numbers
                          and (i.indkey::int2[])[0:cardinality(m.numbers) - 1] <@ m.numbers
                          and (i.indpred is null
                               or substring(i.indpred::text from
                                  '^\{NULLTEST :arg \{VAR :varno 1 :varattno (\d+) [^{}]*\} :nulltesttype 1 ')::int2
                                  = any (m.numbers))
                          and (0 = all (i.indcollation::oid[])
                               or not exists (select
                                                from unnest(i.indkey::int2[], i.indcollation::oid[])
                                                     as u (number, indexed)
                                                join pg_catalog.pg_attribute t
                                                  on t.attrelid = i.indrelid and t.attnum = u.number
                                               where u.number = any (m.numbers)
                                                 and u.indexed <> t.attcollation))) as served
          from members m
    ),
    lacking as materialized (
        select min(s.key::bigint)::oid as key,
               (array_agg(k.constraint_name order by k.constraint_name))[1:10] as constraints
          from served s
          join keys k using (key)
         where s.level = 0
           and not s.served
           and (not s.partitioned
                or exists (select from served l where l.key = s.key and not l.partitioned and not l.served)
                or not exists (select from served l where l.key = s.key and not l.partitioned))
           and coalesce((select (to_jsonb(c) ->> 'conenforced')::boolean
                           from pg_catalog.pg_constraint c
                          where c.oid = s.key), true)
           and not exists (select
                             from pg_catalog.pg_depend d
                            where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                              and d.objid = s.relid
                              and d.deptype = 'e')
         group by s.relid, array(select number from unnest(s.numbers) as u (number) order by 1)
    ),
    parents as (
        select k.key, k.parent_relid as relid
          from lacking
          join keys k using (key)
         union all
        select p.key, i.inhrelid
          from parents p
          join pg_catalog.pg_class c on c.oid = p.relid and c.relkind = 'p'
          join pg_catalog.pg_inherits i on i.inhparent = p.relid
    ),
    changes as (
        select key,
               coalesce(sum(pg_catalog.pg_stat_get_tuples_deleted(relid)), 0)::bigint as deletes,
               coalesce(sum(pg_catalog.pg_stat_get_tuples_updated(relid)), 0)::bigint as updates
          from parents
         group by key
    ),
    trees as (
        select s.key,
               coalesce(sum(c.relpages) filter (where not s.partitioned), 0)::bigint as relpages,
               coalesce(sum(c.reltuples) filter (where not s.partitioned and c.reltuples >= 0), -1)::float8 as reltuples,
               coalesce(sum(pg_catalog.pg_stat_get_live_tuples(s.relid)), 0)::bigint as n_live_tup,
               coalesce(sum(pg_catalog.pg_stat_get_tuples_inserted(s.relid)), 0)::bigint as inserted,
               count(*) filter (where s.level > 0) as partitions,
               case when count(*) between 2 and 51 then
                    jsonb_agg(jsonb_build_array(n.nspname, c.relname, s.relid::bigint, s.above::bigint,
                                                s.partitioned, s.served)
                              order by s.level, n.nspname, c.relname)::text end as tree
          from lacking
          join served s using (key)
          join pg_catalog.pg_class c on c.oid = s.relid
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         group by s.key
    ),
    largest as materialized (
        select c.oid, n.nspname::text as schema, c.relname::text as "table", c.relpages, c.reltuples::float8
          from pg_catalog.pg_class c
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'm')
           and c.relpersistence <> 't'
           and n.nspname <> 'information_schema'
           and n.nspname not like 'pg\_%'
         order by c.relpages desc, c.oid
         limit 1000
    )
    select 'table' as kind, l.schema, l."table", '' as constraint_name,
           l.relpages::bigint as relpages, l.reltuples, l.relpages::bigint * 8192 as size_bytes,
           pg_catalog.pg_stat_get_live_tuples(l.oid) as n_live_tup,
           pg_catalog.pg_stat_get_numscans(l.oid) as seq_scan,
           pg_catalog.pg_stat_get_tuples_returned(l.oid) as seq_tup_read,
           (select coalesce(sum(pg_catalog.pg_stat_get_numscans(i.indexrelid)), 0)::bigint
              from pg_catalog.pg_index i
             where i.indrelid = l.oid) as idx_scan,
           pg_catalog.pg_stat_get_tuples_inserted(l.oid) as n_tup_ins,
           pg_catalog.pg_stat_get_tuples_updated(l.oid) as n_tup_upd,
           pg_catalog.pg_stat_get_tuples_deleted(l.oid) as n_tup_del,
           null::text[] as constraints, null::text[] as columns,
           null::text as parent_schema, null::text as parent_table,
           null::bigint as inserted, null::bigint as parent_deletes, null::bigint as parent_updates,
           null::boolean as managed, null::bigint as partitions, null::text as tree,
           null::bigint as foreign_keys, null::bigint as foreign_keys_without_index
      from largest l
     union all
    (select 'foreign_key', n.nspname::text, c.relname::text, k.constraint_name,
            t.relpages, t.reltuples, t.relpages * 8192, t.n_live_tup, null, null, null, null, null, null,
            f.constraints,
            array(select a.attname::text
                    from unnest(k.numbers) with ordinality as u (number, place)
                    join pg_catalog.pg_attribute a on a.attrelid = k.relid and a.attnum = u.number
                   order by u.place),
            q.nspname::text, p.relname::text,
            t.inserted, h.deletes, h.updates,
            r.rolname like 'supabase\_%'
            or n.nspname = 'auth' and exists (select
                                                from pg_catalog.pg_class m
                                               where m.relnamespace = n.oid
                                                 and m.relname = 'schema_migrations'),
            t.partitions, t.tree, null, null
       from lacking f
       join keys k using (key)
       join trees t using (key)
       join changes h using (key)
       join pg_catalog.pg_class c on c.oid = k.relid
       join pg_catalog.pg_namespace n on n.oid = c.relnamespace
       join pg_catalog.pg_roles r on r.oid = n.nspowner
       join pg_catalog.pg_class p on p.oid = k.parent_relid
       join pg_catalog.pg_namespace q on q.oid = p.relnamespace
      order by t.relpages desc nulls last, 2, 3, 4
      limit 1000)
     union all
    select 'total', '', '', '', null, null, null, null, null, null, null, null, null, null, null, null, null, null,
           null, null, null, null, null, null,
           (select count(*) from keys), (select count(*) from lacking)
"""

SHOWN = 20
"""How many of the largest tables get metrics of their own."""

TAKEN = """
    select n.nspname::text as schema, c.relname::text as name
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relname = any ($1::text[]::name[])
"""


async def detail(session: Session, _memory: Memory, seen: Measurement) -> Measurement:
    """Learn which names new indexes may not have, and lay out what is exported."""
    keys = by_table(seen.rows)
    wanted = (place for siblings in keys.values() for row in siblings for place in places(row, siblings))
    names = {name for place in wanted for name in candidates(place)}
    taken = await session.fetch(TAKEN, sorted(names)) if names else ()
    return replace(seen, details={(row["schema"], row["name"]): row for row in taken}, exposed=exposed(seen))


def exposed(seen: Measurement) -> Sequence[Row]:
    """Give the total and the largest tables, these with the growth of their counters."""
    tables = [row for row in seen.rows if row["kind"] == "table"][:SHOWN]
    grown = {place(row): row for row in seen.grown or ()}
    growth = [{**row, **{name: grown.get(place(row), {}).get(name, 0) for name in COUNTERS}} for row in tables]
    return [*(row for row in seen.rows if row["kind"] == "total"), *growth]


def place(row: Row) -> tuple[object, object]:
    """Give a table's full name."""
    return row["schema"], row["table"]


COUNTERS: Mapping[str, str] = {
    "seq_scan": "Sequential scans of a table, parallel workers counted too.",
    "seq_tup_read": "Live rows read by sequential scans of a table.",
}

GAUGES: Mapping[str, str] = {
    "foreign_keys": "Foreign keys of user tables.",
    "foreign_keys_without_index": "Foreign keys that no index serves, those on the same columns counted once.",
}

PROBE = Probe(
    name="indexes",
    scope=Scope.DATABASE,
    every=300,
    window=1800,
    sql={14: SQL},
    detail=detail,
    key=("kind", "schema", "table", "constraint_name"),
    labels=("schema", "table"),
    counts=("idx_scan", "n_tup_ins", "n_tup_upd", "n_tup_del"),
    metrics=(
        *(Metric(column, Kind.COUNTER, text) for column, text in COUNTERS.items()),
        *(Metric(column, Kind.GAUGE, text) for column, text in GAUGES.items()),
    ),
    rules=(MissingForeignKey(),),
)
