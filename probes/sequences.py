r"""Sequences, and the integer keys they feed: how much of their range is used, and when the rest will be.

Also foreign keys of a smaller type than the key they point to. Blind for keys that an application numbers itself
(max(id) takes rights on the table), and for sequences without SELECT, except bigint ones, which take centuries.
Cost: the catalogue, 50 µs a sequence (10,000: 0.5 s); a page and a lock each of the 500 with the shortest ranges.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.probe import Measurement, Memory, Probe, Row, Scope, Session, gauges, of_kind
from probes.sequences_course import Courses
from probes.sequences_rules import SequenceExhaustion

# A column is fed by the sequences it owns (serial, identity) and by those its default names. Inherited columns are
# left out: partitions have the type of their parent. pg_sequence_last_value takes a row exclusive lock, so that it
# would wait behind `alter sequence`, and keeps it up to the end of the transaction: of very many, the shared table of
# locks would be full, and the application's statements would fail. So only 500 are read, shortest ranges first.
# Before PostgreSQL 18 it refuses without rights instead of giving NULL, and on a standby it refuses unlogged ones.
SQL = r"""
    with busy as materialized (
        select distinct relation
          from pg_catalog.pg_locks
         where locktype = 'relation'
           and database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
           and mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    ),
    sequences as materialized (
        select s.seqrelid, n.nspname::text as schema, c.relname::text as sequence, s.seqtypid,
               s.seqincrement, s.seqmin, s.seqmax, s.seqcycle, s.seqincrement > 0 as ascending,
               p.readable, p.locked
          from pg_catalog.pg_sequence s
          join pg_catalog.pg_class c on c.oid = s.seqrelid
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         cross join lateral (
                select pg_catalog.has_sequence_privilege(c.oid, 'SELECT, USAGE')
                       and (c.relpersistence = 'p' or not pg_catalog.pg_is_in_recovery()) as readable,
                       c.oid in (select relation from busy) as locked) p
         where c.relpersistence <> 't'
    ),
    feeds as (
        select d.objid as seqrelid, d.refobjid as relid, d.refobjsubid as number
          from pg_catalog.pg_depend d
         where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
           and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
           and d.refobjsubid > 0
           and d.deptype in ('a', 'i')
           and d.objid in (select seqrelid from sequences)
         union
        select d.refobjid, f.adrelid, f.adnum
          from pg_catalog.pg_depend d
          join pg_catalog.pg_attrdef f on f.oid = d.objid
         where d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
           and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
           and d.refobjid in (select seqrelid from sequences)
    ),
    keys as materialized (
        select f.seqrelid, f.relid, f.number, a.atttypid
          from feeds f
          join pg_catalog.pg_attribute a on a.attrelid = f.relid and a.attnum = f.number
         where a.attinhcount = 0
           and not a.attisdropped
    ),
    columns as (
        select seqrelid, relid, number, atttypid, false as referencing
          from keys
         union all
        select k.seqrelid, o.conrelid, a.attnum, a.atttypid, true
          from keys k
          join pg_catalog.pg_constraint o on o.confrelid = k.relid and o.contype = 'f' and o.conparentid = 0
          join pg_catalog.pg_attribute a
            on a.attrelid = o.conrelid
           and a.attnum = o.conkey[pg_catalog.array_position(o.confkey, k.number::int2)]
         where a.atttypid in ('pg_catalog.int2'::pg_catalog.regtype, 'pg_catalog.int4'::pg_catalog.regtype)
           and a.atttypid <> k.atttypid
           and (k.atttypid <> 'pg_catalog.int2'::pg_catalog.regtype)
    ),
    bounded as (
        select s.*, c.relid, c.number, c.atttypid, coalesce(c.referencing, false) as referencing,
               case c.atttypid when 'pg_catalog.int2'::pg_catalog.regtype then 32767
                               when 'pg_catalog.int4'::pg_catalog.regtype then 2147483647
                               else 9223372036854775807 end as widest
          from sequences s
          left join columns c on c.seqrelid = s.seqrelid
    ),
    limited as (
        select b.*,
               case when ascending then least(seqmax, widest) else greatest(seqmin, -widest - 1) end as limit_value,
               case when ascending then widest < seqmax else -widest - 1 > seqmin end as overflows,
               widest < 9223372036854775807
               and case when ascending then widest <= seqmax else -widest - 1 >= seqmin end as by_column
          from bounded b
    ),
    ending as materialized (
        select l.*,
               case when ascending then limit_value::float8 - seqmin else seqmax - limit_value::float8 end
               / abs(seqincrement) as steps
          from limited l
         where overflows or not seqcycle
    ),
    picked as materialized (
        select seqrelid, bool_and(readable and not locked) as free
          from ending
         group by seqrelid
         order by min(steps), seqrelid
         limit 500
    ),
    values_read as materialized (
        select seqrelid, case when free then pg_catalog.pg_sequence_last_value(seqrelid) end as last_value
          from picked
    ),
    used as (
        select e.*, v.last_value,
               case when last_value is null then 0::float8
                    when ascending then (last_value::float8 - seqmin) / nullif(limit_value::float8 - seqmin, 0)
                    else (seqmax - last_value::float8) / nullif(seqmax - limit_value::float8, 0) end as used_ratio
          from ending e
          join values_read v on v.seqrelid = e.seqrelid
    ),
    listed as (
        select u.*, not readable and steps < 1e15 as unseen
          from used u
    ),
    fullest as (
        select l.*
          from listed l
         order by (case when unseen then 0 else used_ratio end) desc nulls last, seqrelid, relid, number
         limit 500
    ),
    unread as (
        select l.*
          from listed l
         where unseen
         order by l.seqrelid, l.relid, l.number
         limit 100
    )
    select 'sequence' as kind, f.schema, f.sequence, pg_catalog.format_type(f.seqtypid, null) as sequence_type,
           n.nspname::text as table_schema, c.relname::text as "table", a.attname::text as "column",
           pg_catalog.format_type(f.atttypid, null) as column_type,
           f.referencing, f.by_column, f.ascending, f.unseen, f.locked,
           f.seqmin as min_value, f.seqmax as max_value, f.limit_value, f.widest, f.last_value, f.used_ratio,
           extract(epoch from pg_catalog.clock_timestamp())::float8 as at, current_user::text as reader,
           null::bigint as known, null::bigint as not_readable, null::bigint as beyond
      from (select * from fullest union select * from unread) f
      left join pg_catalog.pg_class c on c.oid = f.relid
      left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      left join pg_catalog.pg_attribute a on a.attrelid = f.relid and a.attnum = f.number
     union all
    select 'total', '', '', null, '', '', '', null, null, null, null, null, null,
           null, null, null, null, null, null, null, null,
           (select count(*) from sequences), (select count(*) from sequences where not readable),
           (select count(distinct seqrelid)
              from ending
             where steps < 1e15
               and seqrelid not in (select seqrelid from picked))
"""

SHOWN = 20
"""How many of the fullest get metrics of their own."""


async def detail(_session: Session, memory: Memory, seen: Measurement) -> Measurement:
    """Put beside each row how fast it was used of late, and lay out what is exported."""
    rows = memory.of(Courses).take(seen.rows)
    return replace(seen, rows=rows, exposed=exposed(rows))


def exposed(rows: Sequence[Row]) -> Sequence[Row]:
    """Give the total and the fullest that could be read, each place once."""
    totals = of_kind(rows, "total")
    readable = [row for row in of_kind(rows, "sequence") if not row["unseen"] and not row["locked"]]
    readable.sort(key=lambda row: -float(str(row["used_ratio"] or 0)))
    places: dict[tuple[object, ...], Row] = {}
    for row in readable:
        own = {**row, **{label: row[label] or "" for label in LABELS}}
        places.setdefault(tuple(own[label] for label in LABELS), own)
    return [*totals, *list(places.values())[:SHOWN]]


LABELS = ("schema", "sequence", "table_schema", "table", "column")

GAUGES: Mapping[str, str] = {
    "used_ratio": "How much of its range a sequence, or the integer column it feeds, has used.",
    "known": "Sequences of the database.",
    "not_readable": "Sequences whose value the monitor's role may not read.",
}

PROBE = Probe(
    name="sequences",
    scope=Scope.DATABASE,
    every=900,
    sql={14: SQL},
    detail=detail,
    labels=LABELS,
    metrics=gauges(GAUGES),
    rules=(SequenceExhaustion(),),
)
