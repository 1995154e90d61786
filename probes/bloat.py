r"""Bloat: how much of the largest tables and btrees is room that a rewrite would give back. An estimate, and says so.

From pg_class and pg_stats, so for columns that the monitor's role may read; no TOAST tables, no other index methods.
Suspects are measured by pgstattuple where it is installed (pg_monitor may use it), reading `bytes_per_run` at most.
Cost, every 30 min: 0.4 ms for each of the 200 largest tables, 0.2 ms for each of the 300 largest indexes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from monitor.probe import (
    MIB,
    Measurement,
    Memory,
    Probe,
    ProbeSkipped,
    Row,
    Scope,
    Session,
    gauges,
    number,
)
from probes.bloat_exact import measure
from probes.bloat_reading import estimated
from probes.bloat_rules import Bloat

# relpages and reltuples are of the same moment, that of the last vacuum or analyze. A statistic is not visible without
# SELECT on its column, nor under row level security. The statistics of a partition are its own, not inherited ones.
SQL = r"""
    with busy as materialized (
        select distinct relation
          from pg_catalog.pg_locks
         where locktype = 'relation'
           and database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
           and mode = 'AccessExclusiveLock'
    ),
    tables as materialized (
        select c.oid, n.nspname, c.relname, c.relpages, c.reltuples, c.relallvisible, c.relnatts, c.reloptions
          from pg_catalog.pg_class c
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'm')
           and c.relpersistence <> 't'
           and c.relpages >= 128
           and n.nspname <> 'information_schema'
           and n.nspname not like 'pg\_%'
         order by c.relpages desc, c.oid
         limit 200
    ),
    btrees as materialized (
        select x.oid, t.oid as table_oid, n.nspname, t.relname, x.relname as index, x.relpages, x.reltuples,
               x.relnatts, x.reloptions, i.indkey::int2[] as keys, i.indclass::oid[] as classes, i.indisunique,
               i.indnkeyatts
          from pg_catalog.pg_index i
          join pg_catalog.pg_class x on x.oid = i.indexrelid
          join pg_catalog.pg_class t on t.oid = i.indrelid
          join pg_catalog.pg_namespace n on n.oid = t.relnamespace
          join pg_catalog.pg_am m on m.oid = x.relam
         where x.relkind = 'i'
           and m.amname = 'btree'
           and i.indisvalid
           and i.indisready
           and x.relpersistence <> 't'
           and x.relpages >= 128
           and n.nspname <> 'information_schema'
           and n.nspname not like 'pg\_%'
         order by x.relpages desc, x.oid
         limit 300
    )
    select t.oid::bigint as oid, t.oid::bigint as table_oid, t.nspname::text as schema, t.relname::text as "table",
           '' as index, t.relpages::bigint, t.reltuples::float8, (t.relpages - t.relallvisible)::bigint as unsettled,
           t.relnatts::int as attributes, t.reloptions,
           pg_catalog.pg_stat_get_mod_since_analyze(t.oid) as modified, t.reltuples::float8 as table_tuples,
           pg_catalog.has_table_privilege(t.oid, 'select') and not pg_catalog.row_security_active(t.oid) as readable,
           t.oid in (select relation from busy) as locked,
           false as is_unique, false as includes, c.*, current_user::text as reader
      from tables t
     cross join lateral (
            select pg_catalog.array_agg(a.attlen::int order by a.attnum) as lengths,
                   pg_catalog.array_agg(a.attalign::text order by a.attnum) as aligns,
                   pg_catalog.array_agg(a.atttypid = 'pg_catalog.bpchar'::pg_catalog.regtype order by a.attnum)
                       as steadies,
                   pg_catalog.array_agg(true order by a.attnum) as images,
                   pg_catalog.array_agg(s.avg_width::float8 order by a.attnum) as widths,
                   pg_catalog.array_agg(s.null_frac::float8 order by a.attnum) as nulls,
                   pg_catalog.array_agg(s.n_distinct::float8 order by a.attnum) as distincts
              from pg_catalog.pg_attribute a
              left join pg_catalog.pg_stats s
                on s.schemaname = t.nspname and s.tablename = t.relname and s.attname = a.attname and not s.inherited
             where a.attrelid = t.oid
               and a.attnum > 0
               and not a.attisdropped
               and a.attgenerated <> 'v') c
     union all
    select b.oid::bigint, b.table_oid::bigint, b.nspname::text, b.relname::text,
           b.index::text, b.relpages::bigint, b.reltuples::float8, b.relpages::bigint,
           b.relnatts::int, b.reloptions,
           pg_catalog.pg_stat_get_mod_since_analyze(b.table_oid),
           (select reltuples::float8 from pg_catalog.pg_class where oid = b.table_oid),
           pg_catalog.has_table_privilege(b.table_oid, 'select')
           and not pg_catalog.row_security_active(b.table_oid)
           and (0 <> all (b.keys) or pg_catalog.has_table_privilege(b.oid, 'select')),
           b.oid in (select relation from busy) or b.table_oid in (select relation from busy),
           b.indisunique, b.indnkeyatts < b.relnatts, c.*, current_user::text
      from btrees b
     cross join lateral (
            select pg_catalog.array_agg(a.attlen::int order by a.attnum),
                   pg_catalog.array_agg(a.attalign::text order by a.attnum),
                   pg_catalog.array_agg(a.atttypid = 'pg_catalog.bpchar'::pg_catalog.regtype order by a.attnum),
                   pg_catalog.array_agg(exists (select
                                                  from pg_catalog.pg_opclass o
                                                  join pg_catalog.pg_amproc p
                                                    on p.amprocfamily = o.opcfamily
                                                   and p.amproclefttype = o.opcintype
                                                   and p.amprocrighttype = o.opcintype
                                                   and p.amprocnum = 4
                                                 where o.oid = b.classes[a.attnum - 1]) order by a.attnum),
                   pg_catalog.array_agg(s.avg_width::float8 order by a.attnum),
                   pg_catalog.array_agg(s.null_frac::float8 order by a.attnum),
                   pg_catalog.array_agg(s.n_distinct::float8 order by a.attnum)
              from pg_catalog.pg_attribute a
              left join pg_catalog.pg_attribute k
                on k.attrelid = b.table_oid and k.attnum = b.keys[a.attnum - 1] and b.keys[a.attnum - 1] > 0
              left join pg_catalog.pg_stats s
                on s.schemaname = b.nspname
               and s.tablename = case when k.attname is null then b.index else b.relname end
               and s.attname = coalesce(k.attname, a.attname)
               and not s.inherited
             where a.attrelid = b.oid
               and a.attnum > 0) c
"""

SHOWN = 20
"""How many of the largest relations get metrics of their own."""
LABELS = ("schema", "table", "index")


@dataclass(frozen=True, kw_only=True)
class BloatOptions:
    """What `probes: {bloat: …}` sets."""

    bytes_per_run: float = 256 * MIB
    """So much may be read each time to measure suspects by pgstattuple; 0: nothing is measured."""

    def __post_init__(self) -> None:
        """Refuse a budget that is none."""
        if self.bytes_per_run < 0:
            raise ValueError("bytes_per_run should be 0 or more")


async def observe(session: Session, memory: Memory, options: object) -> Sequence[Row]:
    """Estimate every large relation, and measure the suspects among them where that can be done."""
    if session.facts.in_recovery:
        raise ProbeSkipped("a standby has the bloat of its primary, and is mended there", None)
    rows = [estimated(row) for row in await session.fetch(SQL)]
    budget = options.bytes_per_run if isinstance(options, BloatOptions) else 0.0
    measured = await measure(session, memory, rows, budget)
    unsaid = sum(row["unsaid"] is not None for row in measured)
    total = {"kind": "total", "relations": len(measured), "not_estimated": unsaid}
    return [{**dict.fromkeys(LABELS, ""), **total}, *measured]


async def detail(_session: Session, _memory: Memory, seen: Measurement) -> Measurement:
    """Lay out what is exported: the total, and the largest of what could be judged."""
    known = [row for row in seen.rows[1:] if row["unsaid"] is None]
    largest = sorted(known, key=lambda row: -number(row, "size_bytes"))[:SHOWN]
    return replace(seen, exposed=[{**dict.fromkeys(GAUGES), **row} for row in (seen.rows[0], *largest)])


GAUGES: Mapping[str, str] = {
    "size_bytes": "Size of a large table without indexes and TOAST, or of a large btree, as of its last vacuum.",
    "wasted_bytes": "Bytes of a large table or btree that a rewrite would give back, by an estimate.",
    "relations": "Tables and btrees that are large enough to be looked at.",
    "not_estimated": "Large tables and btrees of which nothing can be said.",
}

PROBE = Probe(
    name="bloat",
    scope=Scope.DATABASE,
    every=1800,
    observe=observe,
    detail=detail,
    options=BloatOptions(),
    labels=LABELS,
    metrics=gauges(GAUGES),
    rules=(Bloat(),),
)
