"""Which tables of a database have the oldest ids that are not frozen, and what stands in the way of freezing them.

TOAST tables go by the names of their tables. `vacuum` tells of them when a database comes near the wraparound.
Cost: one look through pg_class, 20 ms for 10,000 tables, every five minutes. No table is touched, and no lock taken.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from monitor.probe import Measurement, Memory, Probe, Row, Scope, Session

MOST = 20
"""So many tables are told by name; one more is read to see whether these are all."""

SQL = """
    with oldest as materialized (
        select oid, pg_catalog.age(relfrozenxid)::bigint as xid_age,
               case when relminmxid <> '0' then pg_catalog.mxid_age(relminmxid) else 0 end::bigint as mxid_age
          from pg_catalog.pg_class
         where relkind in ('r', 'm', 't') and relfrozenxid <> '0'
         order by greatest(pg_catalog.age(relfrozenxid),
                           case when relminmxid <> '0' then pg_catalog.mxid_age(relminmxid) end) desc, oid
         limit 21
    ),
    locked as materialized (
        select distinct relation
          from pg_catalog.pg_locks
         where database in (0, (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database()))
           and pid is distinct from pg_catalog.pg_backend_pid()
           and mode not in ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
           and relation in (select oid from oldest)
    )
    select n.nspname::text as schema,
           coalesce(main.relname, c.relname)::text as name,
           max(o.xid_age) as xid_age,
           max(o.mxid_age) as mxid_age,
           bool_or(c.relpersistence = 't') as temporary,
           bool_or(coalesce(coalesce(main.reloptions, c.reloptions)::text like '%autovacuum_enabled=false%'
                            or coalesce(main.reloptions, c.reloptions)::text like '%autovacuum_enabled=off%', false))
               as switched_off,
           bool_or(v.relid is not null) as vacuumed_now,
           bool_or(l.relation is not null and v.relid is null) as locked
      from oldest o
      join pg_catalog.pg_class c on c.oid = o.oid
      left join pg_catalog.pg_class main
        on main.oid = case when c.relkind = 't' then substring(c.relname from '^pg_toast_([0-9]+)$')::oid end
       and main.reltoastrelid = c.oid
      join pg_catalog.pg_namespace n on n.oid = coalesce(main.relnamespace, c.relnamespace)
      left join pg_catalog.pg_stat_progress_vacuum v on v.relid = o.oid
      left join locked l on l.relation = o.oid
     group by 1, 2
     order by greatest(max(o.xid_age), max(o.mxid_age)) desc, 1, 2
     limit 21
"""


class Oldest:
    """What was read last of each database of a server: all probes of the server share it."""

    def __init__(self) -> None:
        self._tables: dict[str, Sequence[Row]] = {}

    def take(self, database: str, rows: Sequence[Row]) -> None:
        """Keep a reading."""
        self._tables[database] = rows

    def of(self, databases: Collection[str]) -> Mapping[str, Sequence[Row]]:
        """Give what is known of these databases; the others are gone, and forgotten."""
        self._tables = {name: rows for name, rows in self._tables.items() if name in databases}
        return self._tables


async def detail(session: Session, memory: Memory, seen: Measurement) -> Measurement:
    """Hand the tables to `vacuum`, which judges databases."""
    memory.server.of(Oldest).take(session.facts.database, seen.rows)
    return seen


PROBE = Probe(
    name="vacuum_tables",
    scope=Scope.DATABASE,
    every=300,
    sql={14: SQL},
    detail=detail,
    key=("schema", "name"),
    feeds=("vacuum",),
)
