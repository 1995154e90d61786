"""What is asked only of the tables looked at closely: names, autovacuum's limits, sizes; and of partitioned ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import itemgetter

from monitor.probe import ProbeTimeout, Row, Session

SIZES_EVERY = timedelta(minutes=5)

# The limits are those autovacuum computes (autovacuum.c, relation_needs_vacanalyze); the cap came with PostgreSQL 18.
# No row of a table that was dropped meanwhile.
CLOSE = """
    with given as materialized (
        select pg_catalog.current_setting('autovacuum_vacuum_threshold')::float8 as vacuum_base,
               pg_catalog.current_setting('autovacuum_vacuum_scale_factor')::float8 as vacuum_scale,
               nullif(pg_catalog.current_setting('autovacuum_vacuum_max_threshold', true), '')::float8 as vacuum_cap,
               pg_catalog.current_setting('autovacuum_analyze_threshold')::float8 as analyze_base,
               pg_catalog.current_setting('autovacuum_analyze_scale_factor')::float8 as analyze_scale,
               pg_catalog.current_setting('autovacuum')::boolean
               and pg_catalog.current_setting('track_counts')::boolean as server_on,
               pg_catalog.current_setting('block_size')::bigint as block_size
    ),
    vacuuming as materialized (
        select p.relid from pg_catalog.pg_stat_progress_vacuum p where p.datname = current_database()
    ),
    analyzing as materialized (
        select p.relid from pg_catalog.pg_stat_progress_analyze p where p.datname = current_database()
    )
    select t.relid, t.schema, t."table", t.row_estimate, t.server_on, t.table_on, t.heap_bytes, t.xid_age,
           case when t.vacuum_cap >= 0 then least(t.vacuum_limit, t.vacuum_cap) else t.vacuum_limit end as vacuum_limit,
           t.analyze_limit,
           t.vacuuming, t.analyzing,
           extract(epoch from t.vacuumed_at)::float8 as last_vacuum_timestamp_seconds,
           extract(epoch from t.analyzed_at)::float8 as last_analyze_timestamp_seconds,
           extract(epoch from clock_timestamp() - t.vacuumed_at)::float8 as vacuumed_ago,
           extract(epoch from clock_timestamp() - t.analyzed_at)::float8 as analyzed_ago
      from (select c.oid::bigint as relid, n.nspname::text as schema, c.relname::text as "table",
                   c.reltuples::float8 as row_estimate,
                   g.server_on, o.table_on,
                   c.relpages * g.block_size as heap_bytes,
                   pg_catalog.age(c.relfrozenxid) as xid_age,
                   coalesce(o.vacuum_base, g.vacuum_base)
                   + coalesce(o.vacuum_scale, g.vacuum_scale) * greatest(c.reltuples, 0) as vacuum_limit,
                   coalesce(o.vacuum_cap, g.vacuum_cap) as vacuum_cap,
                   coalesce(o.analyze_base, g.analyze_base)
                   + coalesce(o.analyze_scale, g.analyze_scale) * greatest(c.reltuples, 0) as analyze_limit,
                   c.oid in (select relid from vacuuming) as vacuuming,
                   c.oid in (select relid from analyzing) as analyzing,
                   greatest(pg_catalog.pg_stat_get_last_vacuum_time(c.oid),
                            pg_catalog.pg_stat_get_last_autovacuum_time(c.oid)) as vacuumed_at,
                   greatest(pg_catalog.pg_stat_get_last_analyze_time(c.oid),
                            pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid)) as analyzed_at
              from pg_catalog.pg_class c
              join pg_catalog.pg_namespace n on n.oid = c.relnamespace
             cross join given g
             cross join lateral (
                   select coalesce(bool_and(e.value::boolean) filter (where e.name = 'autovacuum_enabled'), true)
                              as table_on,
                          max(e.value::float8) filter (where e.name = 'autovacuum_vacuum_threshold') as vacuum_base,
                          max(e.value::float8) filter (where e.name = 'autovacuum_vacuum_scale_factor')
                              as vacuum_scale,
                          max(e.value::float8) filter (where e.name = 'autovacuum_vacuum_max_threshold')
                              as vacuum_cap,
                          max(e.value::float8) filter (where e.name = 'autovacuum_analyze_threshold')
                              as analyze_base,
                          max(e.value::float8) filter (where e.name = 'autovacuum_analyze_scale_factor')
                              as analyze_scale
                     from pg_catalog.pg_options_to_table(c.reloptions) as e (name, value)) o
             where c.oid = any ($1::bigint[]::oid[])) t
     limit 2000
"""

# Whoever holds the horizon keeps dead rows from being removed; vacuum's own snapshot does not. A standby's feedback
# and a slot have no beginning, only an age in transactions.
HORIZON = """
    select greatest((select max(extract(epoch from clock_timestamp() - a.xact_start))
                       from pg_catalog.pg_stat_activity a
                      where a.datname = current_database()
                        and (a.backend_xmin is not null or a.backend_xid is not null)
                        and a.pid <> pg_catalog.pg_backend_pid()
                        and a.pid not in (select pid from pg_catalog.pg_stat_progress_vacuum)),
                    (select max(extract(epoch from clock_timestamp() - p.prepared))
                       from pg_catalog.pg_prepared_xacts p
                      where p.database = current_database()), 0)::float8 as held_seconds,
           greatest((select max(pg_catalog.age(s.xmin)) from pg_catalog.pg_replication_slots s),
                    (select max(pg_catalog.age(a.backend_xmin))
                       from pg_catalog.pg_stat_activity a
                      where a.backend_type = 'walsender'), 0)::bigint as held_transactions,
           (select count(*) from pg_catalog.pg_stat_activity where backend_type = 'autovacuum worker') as workers,
           pg_catalog.current_setting('autovacuum_max_workers')::int as workers_limit
"""

# A size function waits behind a granted and behind an awaited exclusive lock: of the table, its TOAST table, or an
# index of either. Those are left out; one that comes in between is met by lock_timeout.
SIZES = """
    with locked as materialized (
        select l.relation
          from pg_catalog.pg_locks l
          join pg_catalog.pg_database d on d.oid = l.database
         where l.locktype = 'relation'
           and l.mode = 'AccessExclusiveLock'
           and d.datname = current_database()
    ),
    free as materialized (
        select c.oid
          from pg_catalog.pg_class c
         where c.oid = any ($1::bigint[]::oid[])
           and c.oid not in (select relation from locked)
           and c.reltoastrelid not in (select relation from locked)
           and not exists (select
                             from pg_catalog.pg_index i
                            where i.indrelid in (c.oid, c.reltoastrelid)
                              and i.indexrelid in (select relation from locked))
         limit 1000
    )
    select oid::bigint as relid,
           pg_catalog.pg_total_relation_size(oid) as total_bytes,
           pg_catalog.pg_indexes_size(oid) as index_bytes
      from free
"""

# Autovacuum analyzes partitions, never what they are partitions of. Roots only: analyzing one does those below it.
PARENTS = r"""
    with recursive tree as (
        select c.oid as root, c.oid as relid, c.relkind::text as kind
          from pg_catalog.pg_class c
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where c.relkind = 'p'
           and not c.relispartition
           and c.relpersistence <> 't'
           and n.nspname <> 'information_schema'
           and n.nspname not like 'pg\_%'
         union all
        select t.root, c.oid, c.relkind::text
          from tree t
          join pg_catalog.pg_inherits i on i.inhparent = t.relid
          join pg_catalog.pg_class c on c.oid = i.inhrelid
         where t.kind = 'p'
    ),
    summed as materialized (
        select t.root, count(*) as partitions, bool_or(t.kind = 'f') as foreign_parts,
               sum(case when c.reltuples >= 0 then c.reltuples
                        else pg_catalog.pg_stat_get_live_tuples(t.relid) end)::float8 as rows
          from tree t
          join pg_catalog.pg_class c on c.oid = t.relid
         where t.kind <> 'p'
         group by t.root
         order by rows desc, t.root
         limit 1000
    )
    select n.nspname::text as schema, c.relname::text as "table", c.reltuples::float8 as row_estimate,
           s.partitions, s.rows
      from summed s
      join pg_catalog.pg_class c on c.oid = s.root
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where not s.foreign_parts
"""


NOBODY: Row = {"held_seconds": 0.0, "held_transactions": 0, "workers": 0, "workers_limit": 1}
"""What is known of the horizon where nobody asked: no table has dead rows."""


relid_of: Callable[[Row], int] = itemgetter("relid")


class Slow:
    """What is asked every five minutes only: exact sizes by oid, and the parents of partitions."""

    def __init__(self) -> None:
        self.asked_at: datetime | None = None
        self.sizes: Mapping[object, Row] = {}
        self.parents: Sequence[Row] = ()

    async def refresh(self, session: Session, relids: Collection[int], now: datetime) -> None:
        """Ask again when it is time; sizes that cannot be had without waiting stay as they were."""
        if self.asked_at is not None and timedelta(0) <= now - self.asked_at < SIZES_EVERY:
            return
        self.asked_at = now
        self.parents = await session.fetch(PARENTS)
        try:
            rows = await session.fetch(SIZES, sorted(relids))
        except ProbeTimeout:
            return
        wanted = {relid: row for relid, row in self.sizes.items() if relid in relids}
        self.sizes = {**wanted, **{row["relid"]: row for row in rows}}


async def close(session: Session, relids: Iterable[int]) -> dict[int, Row]:
    """Give what is known of these tables, by oid."""
    wanted = sorted(set(relids))
    rows = await session.fetch(CLOSE, wanted) if wanted else ()
    return {relid_of(row): row for row in rows}


async def horizon(session: Session) -> Row:
    """Tell who could keep vacuum from its work."""
    (row,) = await session.fetch(HORIZON)
    return row
