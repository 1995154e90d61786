"""Which tables changed since the last reading, by the rows of the catalogue that are younger than it.

Every change of the catalogue writes new rows, and a row tells the transaction that wrote it (xmin). Numbers that the
server overwrites in place (pages, rows), and ANALYZE, are told by shape_numbers. What neither tells is met by turns.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from monitor.probe import Session

MOST = 100_000
"""So many changes are told; of more, all may have changed."""
WRAPS = 2**31
"""So many transactions ago an xmin may be one of another age."""

# The horizon: what was not committed then may come to light later. Whose eyes they are decides which statistics show.
MARK = """
    select d.oid::bigint as database,
           pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text as horizon,
           pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text as latest,
           pg_catalog.concat_ws(' ', r.rolname, r.rolsuper, r.rolbypassrls,
                                (select pg_catalog.md5(pg_catalog.string_agg(m.oid::text, ' ' order by m.oid))
                                   from pg_catalog.pg_roles m
                                  where pg_catalog.pg_has_role(m.oid, 'usage'))) as eyes
      from pg_catalog.pg_database d
      join pg_catalog.pg_roles r on r.rolname = current_user
     where d.datname = pg_catalog.current_database()
"""

# $1 horizon. Tables of which a row is younger, with their columns, indexes, constraints and parents; all of a schema
# that was renamed. Views are among them, for what their text says. An age far below 0 is old: xmin came round.
YOUNG = r"""
    with since as materialized (
             select pg_catalog.age($1::text::pg_catalog.xid8::pg_catalog.xid) as age
         ),
         schemas as materialized (
             select n.oid
               from pg_catalog.pg_namespace n
              where pg_catalog.age(n.xmin) <= (select age from since)
                and pg_catalog.age(n.xmin) > -1000000
                and n.nspname not like 'pg\_%'
         ),
         young as (
             select c.oid
               from pg_catalog.pg_class c
              where c.relpersistence <> 't'
                and (pg_catalog.age(c.xmin) <= (select age from since) and pg_catalog.age(c.xmin) > -1000000
                     or c.relnamespace in (select oid from schemas))
              union all
             select a.attrelid
               from pg_catalog.pg_attribute a
              where pg_catalog.age(a.xmin) <= (select age from since)
                and pg_catalog.age(a.xmin) > -1000000
              union all
             select i.indrelid
               from pg_catalog.pg_index i
              where pg_catalog.age(i.xmin) <= (select age from since)
                and pg_catalog.age(i.xmin) > -1000000
              union all
             select k.conrelid
               from pg_catalog.pg_constraint k
              where pg_catalog.age(k.xmin) <= (select age from since)
                and pg_catalog.age(k.xmin) > -1000000
              union all
             select h.inhrelid
               from pg_catalog.pg_inherits h
              where pg_catalog.age(h.xmin) <= (select age from since)
                and pg_catalog.age(h.xmin) > -1000000
              union all
             select r.ev_class
               from pg_catalog.pg_rewrite r
              where pg_catalog.age(r.xmin) <= (select age from since)
                and pg_catalog.age(r.xmin) > -1000000
         )
    select distinct coalesce(x.indrelid, y.oid)::bigint as oid
      from young y
      join pg_catalog.pg_class c on c.oid = y.oid
      left join pg_catalog.pg_index x on x.indexrelid = y.oid
     where c.relpersistence <> 't'
       and c.relkind in ('r', 'p', 'm', 'f', 'v', 'i', 'I')
     limit 100000
"""

# $1 horizon. Types, functions, operators, opclasses and collations that were renamed, moved or altered.
NAMED = r"""
    with since as materialized (
             select pg_catalog.age($1::text::pg_catalog.xid8::pg_catalog.xid) as age
         ),
         schemas as materialized (
             select n.oid
               from pg_catalog.pg_namespace n
              where pg_catalog.age(n.xmin) <= (select age from since)
                and pg_catalog.age(n.xmin) > -1000000
                and n.nspname not like 'pg\_%'
         )
    select 'pg_catalog.pg_type'::pg_catalog.regclass::oid::bigint as class, t.oid::bigint as oid
      from pg_catalog.pg_type t
     where t.typrelid = 0
       and t.typcategory <> 'A'
       and (pg_catalog.age(t.xmin) <= (select age from since) and pg_catalog.age(t.xmin) > -1000000
            or t.typnamespace in (select oid from schemas)
            or t.oid in (select e.enumtypid
                           from pg_catalog.pg_enum e
                          where pg_catalog.age(e.xmin) <= (select age from since)
                            and pg_catalog.age(e.xmin) > -1000000))
     union all
    select 'pg_catalog.pg_proc'::pg_catalog.regclass::oid::bigint, p.oid::bigint
      from pg_catalog.pg_proc p
     where pg_catalog.age(p.xmin) <= (select age from since) and pg_catalog.age(p.xmin) > -1000000
        or p.pronamespace in (select oid from schemas)
     union all
    select 'pg_catalog.pg_operator'::pg_catalog.regclass::oid::bigint, o.oid::bigint
      from pg_catalog.pg_operator o
     where pg_catalog.age(o.xmin) <= (select age from since) and pg_catalog.age(o.xmin) > -1000000
        or o.oprnamespace in (select oid from schemas)
     union all
    select 'pg_catalog.pg_opclass'::pg_catalog.regclass::oid::bigint, o.oid::bigint
      from pg_catalog.pg_opclass o
     where pg_catalog.age(o.xmin) <= (select age from since) and pg_catalog.age(o.xmin) > -1000000
        or o.opcnamespace in (select oid from schemas)
     union all
    select 'pg_catalog.pg_collation'::pg_catalog.regclass::oid::bigint, c.oid::bigint
      from pg_catalog.pg_collation c
     where pg_catalog.age(c.xmin) <= (select age from since) and pg_catalog.age(c.xmin) > -1000000
        or c.collnamespace in (select oid from schemas)
     limit 100000
"""

# $1 classes, $2 oids of those. Arrays of a type are types that depend on it.
DEPENDING = """
    with named as materialized (
             select u.class::oid as class, u.oid::oid as oid
               from rows from (pg_catalog.unnest($1::bigint[]), pg_catalog.unnest($2::bigint[])) as u (class, oid)
              union all
             select u.class::oid, t.typarray
               from rows from (pg_catalog.unnest($1::bigint[]), pg_catalog.unnest($2::bigint[])) as u (class, oid)
               join pg_catalog.pg_type t on t.oid = u.oid::oid
              where u.class::oid = 'pg_catalog.pg_type'::pg_catalog.regclass
                and t.typarray <> 0
         )
    select distinct coalesce(x.indrelid, d.objid)::bigint as oid
      from named n
      join pg_catalog.pg_depend d on d.refclassid = n.class and d.refobjid = n.oid
      left join pg_catalog.pg_index x on x.indexrelid = d.objid
     where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
     limit 100000
"""

# What leaves no row behind when it goes: keys, views, functions and types; what belongs to an extension; statistics of
# several columns.
COUNTS = """
    select (select pg_catalog.concat_ws(' ', pg_catalog.count(*), pg_catalog.sum(k.oid::bigint))
              from pg_catalog.pg_constraint k) as keys,
           (select pg_catalog.concat_ws(' ', pg_catalog.count(*), pg_catalog.sum(r.oid::bigint))
              from pg_catalog.pg_rewrite r) as views,
           (select pg_catalog.concat_ws(' ', pg_catalog.count(*), pg_catalog.sum(p.oid::bigint))
              from pg_catalog.pg_proc p) as functions,
           (select pg_catalog.concat_ws(' ', pg_catalog.count(*), pg_catalog.sum(t.oid::bigint))
              from pg_catalog.pg_type t
             where t.typtype in ('e', 'd')) as types,
           array(select distinct coalesce(x.indrelid, d.objid)::bigint
                   from pg_catalog.pg_depend d
                   left join pg_catalog.pg_index x on x.indexrelid = d.objid
                  where d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
                    and d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    and d.objsubid = 0
                    and d.deptype = 'e') as owned,
           array(select e.stxrelid::bigint || ' ' || pg_catalog.string_agg(e.oid::text || ' ' || e.xmin::text, ' '
                                                                          order by e.oid)
                   from pg_catalog.pg_statistic_ext e
                  group by e.stxrelid
                  order by e.stxrelid
                  limit 10000) as together
"""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Where a reading began: of which database, as who, and the first transaction that may not have been seen."""

    database: int
    eyes: str
    lent: bool
    """Functions are lent for what those eyes do not see."""
    horizon: int
    latest: int

    def follows(self, before: Mark) -> bool:
        """Tell whether what is younger than the mark before is all that could have changed."""
        if (self.eyes, self.lent) != (before.eyes, before.lent):
            return False
        return self.database == before.database and before.horizon <= self.latest < before.horizon + WRAPS


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What tells things that went; `around` those beside tables."""

    around: tuple[object, ...]
    owned: frozenset[int]
    """Tables that belong to an extension, or of which an index does."""
    together: frozenset[str]
    """Statistics of several columns, each table's after its oid."""

    def apart(self, before: Counts) -> frozenset[int]:
        """Give the tables of which one says another thing than the other."""
        texts = self.together ^ before.together
        return (self.owned ^ before.owned) | {int(text.partition(" ")[0]) for text in texts}


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What changed in the catalogue."""

    tables: frozenset[int]
    """Tables and views."""
    anything: bool
    too_many: bool
    """More than were told."""


async def mark_of(session: Session, *, lent: bool) -> Mark:
    """Make a mark."""
    (row,) = await session.fetch(MARK)
    return Mark(
        database=int(str(row["database"])),
        eyes=str(row["eyes"]),
        lent=lent,
        horizon=int(str(row["horizon"])),
        latest=int(str(row["latest"])),
    )


async def counts_of(session: Session) -> Counts:
    """Count."""
    (row,) = await session.fetch(COUNTS)
    return Counts(
        around=tuple(row[name] for name in ("keys", "views", "functions", "types")),
        owned=frozenset(_oids(row["owned"])),
        together=frozenset(map(str, row["together"])) if isinstance(row["together"], list) else frozenset(),
    )


async def changed(session: Session, since: Mark) -> Changes:
    """Tell what changed since."""
    horizon = str(since.horizon)
    tables = [row["oid"] for row in await session.fetch(YOUNG, horizon)]
    named = await session.fetch(NAMED, horizon)
    if named:
        classes, oids = [row["class"] for row in named], [row["oid"] for row in named]
        tables += [row["oid"] for row in await session.fetch(DEPENDING, classes, oids)]
    return Changes(
        tables=frozenset(_oids(tables)),
        anything=bool(tables or named),
        too_many=max(len(tables), len(named)) >= MOST,
    )


def _oids(values: object) -> Collection[int]:
    return [int(str(value)) for value in values] if isinstance(values, list) else []
