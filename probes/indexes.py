"""Tables and their indexes: how tables are read, and which foreign keys no index serves.

Rows by kind: `table` (the 1,000 largest by pages), `foreign_key` (the 1,000 largest without an index), `total` (one).
Cost: catalogues only, 10 µs a table and 40 µs a foreign key (100,000 keys: 4 s). Sizes are relpages * 8192 as of the
last vacuum or analyze: a size function, and pg_get_expr too, would wait behind an exclusive lock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.probe import (
    Measurement,
    Memory,
    Probe,
    Row,
    Scope,
    Session,
    Trend,
    counters,
    gauges,
    index_names,
    of_kind,
)
from probes.indexes_remedy import by_table, places
from probes.indexes_rules import MissingForeignKey
from probes.indexes_standing import PLACE, Scans, followed, listed, standing, things
from probes.tables import Databases

# An index serves a key when its leading columns are the key's in any order, in the collation of the columns; of
# partial ones only `where COLUMN is not null`, which any equality implies. The predicate is read from its node tree.
# Of a partitioned table an index on itself serves, or one on each of its partitions (whose columns may be numbered
# differently). A key that is not enforced has no trigger that would look for rows; before PostgreSQL 18 the column
# conenforced is not there, and its name finds the `true` around it.
# No join of two such readings: the planner knows nothing of their sizes, and would loop.
SQL = r"""
    with recursive members as (
        select k.oid as key, k.conname::text as constraint_name, k.conrelid as root, k.confrelid as parent,
               k.conkey as root_numbers, k.conrelid as relid, 0::oid as above, 0 as level, k.conkey as numbers,
               c.relkind = 'p' as partitioned
          from pg_catalog.pg_constraint k
          join pg_catalog.pg_class c on c.oid = k.conrelid
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where k.contype = 'f'
           and k.conparentid = 0
           and c.relpersistence <> 't'
           and n.nspname <> 'information_schema'
           and n.nspname not like 'pg\_%'
         union all
        select m.key, m.constraint_name, m.root, m.parent, m.root_numbers, i.inhrelid, i.inhparent, m.level + 1,
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
    unserved as (
        select key, constraint_name, root, parent, root_numbers,
               array_agg(relid order by level, relid) as relids,
               array_agg(above order by level, relid) as aboves,
               array_agg(partitioned order by level, relid) as partitioneds,
               array_agg(served order by level, relid) as serveds
          from served
         group by key, constraint_name, root, parent, root_numbers
        having not bool_or(served and level = 0)
           and not coalesce(bool_and(served) filter (where not partitioned), false)
    ),
    lacking as materialized (
        select distinct on (u.root, o.ordered)
               u.*,
               array_agg(u.constraint_name) over (partition by u.root, o.ordered) as constraints
          from unserved u
         cross join (select true) as absent (conenforced)
         cross join lateral (select array(select number from unnest(u.root_numbers) as n (number) order by 1))
               as o (ordered)
         where (select conenforced from pg_catalog.pg_constraint where oid = u.key)
           and not exists (select
                             from pg_catalog.pg_depend d
                            where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                              and d.objid = u.root
                              and d.deptype = 'e')
         order by u.root, o.ordered, u.key
    ),
    shown as materialized (
        select l.*, t.*
          from lacking l
         cross join lateral (
                select coalesce(sum(c.relpages) filter (where c.relkind = 'r'), 0)::bigint as relpages,
                       coalesce(sum(c.reltuples) filter (where c.relkind = 'r' and c.reltuples >= 0), -1)::float8
                           as reltuples
                  from unnest(l.relids) as u (relid)
                  join pg_catalog.pg_class c on c.oid = u.relid) t
         order by t.relpages desc, l.key
         limit 1000
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
    (select 'foreign_key', n.nspname::text, c.relname::text, f.constraint_name,
            f.relpages, f.reltuples, f.relpages * 8192,
            (select sum(pg_catalog.pg_stat_get_live_tuples(relid))::bigint from unnest(f.relids) as u (relid)),
            null, null, null, null, null, null,
            f.constraints,
            array(select a.attname::text
                    from unnest(f.root_numbers) with ordinality as u (number, place)
                    join pg_catalog.pg_attribute a on a.attrelid = f.root and a.attnum = u.number
                   order by u.place),
            q.nspname::text, p.relname::text,
            (select sum(pg_catalog.pg_stat_get_tuples_inserted(relid))::bigint from unnest(f.relids) as u (relid)),
            h.deletes, h.updates,
            r.rolname like 'supabase\_%'
            or n.nspname = 'auth' and exists (select
                                                from pg_catalog.pg_class m
                                               where m.relnamespace = n.oid
                                                 and m.relname = 'schema_migrations'),
            cardinality(f.relids) - 1,
            case when f.partitioneds[1] and cardinality(f.relids) <= 51 then
                (select jsonb_agg(jsonb_build_array(tn.nspname, tc.relname, u.relid::bigint, u.above::bigint,
                                                    u.partitioned, u.served) order by u.place)::text
                   from unnest(f.relids, f.aboves, f.partitioneds, f.serveds) with ordinality
                        as u (relid, above, partitioned, served, place)
                   join pg_catalog.pg_class tc on tc.oid = u.relid
                   join pg_catalog.pg_namespace tn on tn.oid = tc.relnamespace) end,
            null, null
       from shown f
       join pg_catalog.pg_class c on c.oid = f.root
       join pg_catalog.pg_namespace n on n.oid = c.relnamespace
       join pg_catalog.pg_roles r on r.oid = n.nspowner
       join pg_catalog.pg_class p on p.oid = f.parent
       join pg_catalog.pg_namespace q on q.oid = p.relnamespace
      cross join lateral (
             with recursive tree as (
                 select f.parent as relid
                  union all
                 select i.inhrelid
                   from tree t
                   join pg_catalog.pg_class g on g.oid = t.relid and g.relkind = 'p'
                   join pg_catalog.pg_inherits i on i.inhparent = t.relid
             )
             select coalesce(sum(pg_catalog.pg_stat_get_tuples_deleted(relid)), 0)::bigint as deletes,
                    coalesce(sum(pg_catalog.pg_stat_get_tuples_updated(relid)), 0)::bigint as updates
               from tree) h)
     union all
    select 'total', '', '', '', null, null, null, null, null, null, null, null, null, null, null, null, null, null,
           null, null, null, null, null, null,
           (select count(*) from served where level = 0), (select count(*) from lacking)
"""

SHOWN = 20
"""How many of the largest tables get metrics of their own."""
FOLLOWED = 40
"""So many of the largest indexes of a server, of all its databases together, are followed over time."""

TAKEN = """
    select n.nspname::text as schema, c.relname::text as name
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relname = any ($1::text[]::name[])
"""


async def detail(session: Session, memory: Memory, seen: Measurement) -> Measurement:
    """Learn which indexes there are and which names new ones may not have, and lay out what is exported."""
    keys = by_table(seen.rows)
    wanted = (place for siblings in keys.values() for row in siblings for place in places(row, siblings))
    names = {name for place in wanted for name in index_names.candidates(place)}
    taken = await session.fetch(TAKEN, sorted(names)) if names else ()
    known: dict[object, Row] = {(row["schema"], row["name"]): row for row in taken}
    stand = await standing(session)
    grown, most = memory.of(Scans).grown(stand), memory.server.of(Databases).each(seen, FOLLOWED)
    return replace(
        seen,
        details={**known, PLACE: stand},
        exposed=exposed(seen),
        asides={PLACE: [*followed(stand, grown, most)]},
        listed=lambda: listed(stand),
    )


def exposed(seen: Measurement) -> Sequence[Row]:
    """Give the total and the largest tables, these with the growth of their counters."""
    tables = [*of_kind(seen.rows, "table")][:SHOWN]
    grown = {place(row): row for row in seen.grown or ()}
    growth = [{**row, **{name: grown.get(place(row), {}).get(name, 0) for name in COUNTERS}} for row in tables]
    return [*of_kind(seen.rows, "total"), *growth]


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
    things=things,
    key=("kind", "schema", "table", "constraint_name"),
    labels=("schema", "table"),
    trends=(
        Trend(
            name="indexes",
            aside=PLACE,
            key=("schema", "index"),
            gauges=("size_bytes",),
            rates=("scans",),
            every=300,
            most=FOLLOWED,
        ),
    ),
    counts=("idx_scan", "n_tup_ins", "n_tup_upd", "n_tup_del"),
    metrics=(
        *counters(COUNTERS),
        *gauges(GAUGES),
    ),
    rules=(MissingForeignKey(),),
)
