"""The counters of every table of a database, as packed columns: ten thousand tables travel as some megabytes of bytes.

A table is known by its oid here; names are asked only of those that are looked at closely.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from monitor.probe import Memory, Row, Session

Column: TypeAlias = "array[Any]"
"""Numbers side by side, 8 bytes each."""

COUNTERS = (
    "seq_scans", "seq_rows_read", "index_scans", "index_rows_fetched",
    "rows_inserted", "rows_updated", "rows_hot_updated", "rows_deleted",
    "vacuums", "autovacuums", "analyzes", "autoanalyzes",
    "heap_blocks_read", "heap_blocks_hit", "index_blocks_read", "index_blocks_hit",
    "toast_blocks_read", "toast_blocks_hit",
)  # fmt: skip
LEVELS = ("pages", "live_rows", "dead_rows", "rows_modified")
"""What stands in a table now; pages as of the last vacuum or analyze."""

# The pulse grows whenever anything is done to a table: what asks for no block of it, or of its indexes where those
# suffice, is counted besides (to insert into a new page asks for none). By oid: tables keep their places from reading
# to reading, and a new one comes last. Numbers travel as bytes side by side, so none may be missing. The catalogue and
# temporary tables are left out.
PULSE = r"""
    select pg_catalog.string_agg(pg_catalog.int8send(t.oid::bigint), '') as relid,
           pg_catalog.string_agg(pg_catalog.int8send(t.pulse), '') as pulse,
           pg_catalog.pg_stat_get_db_stat_reset_time(max(t.datid)) as stats_reset
      from (select c.oid, d.oid as datid,
                   pg_catalog.pg_stat_get_blocks_fetched(c.oid)
                   + pg_catalog.pg_stat_get_numscans(c.oid)
                   + pg_catalog.pg_stat_get_tuples_inserted(c.oid)
                   + pg_catalog.pg_stat_get_vacuum_count(c.oid)
                   + pg_catalog.pg_stat_get_autovacuum_count(c.oid)
                   + pg_catalog.pg_stat_get_analyze_count(c.oid)
                   + pg_catalog.pg_stat_get_autoanalyze_count(c.oid)
                   + coalesce(i.fetched, 0) as pulse
              from pg_catalog.pg_class c
              join pg_catalog.pg_namespace n on n.oid = c.relnamespace
              join pg_catalog.pg_database d on d.datname = current_database()
              left join (select indrelid, sum(pg_catalog.pg_stat_get_blocks_fetched(indexrelid))::bigint as fetched
                           from pg_catalog.pg_index
                          group by indrelid) i on i.indrelid = c.oid
             where c.relkind in ('r', 'm')
               and c.relpersistence <> 't'
               and n.nspname <> 'information_schema'
               and n.nspname not like 'pg\_%'
             order by c.oid
             limit 100000) t
"""

# Of the tables whose pulse moved.
SQL = """
    select pg_catalog.string_agg(pg_catalog.int8send(t.oid::bigint), '') as relid,
           pg_catalog.string_agg(pg_catalog.int8send(t.relpages::bigint), '') as pages,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_live_tuples(t.oid)), '') as live_rows,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_dead_tuples(t.oid)), '') as dead_rows,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_mod_since_analyze(t.oid)), '')
               as rows_modified,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_numscans(t.oid)), '') as seq_scans,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_tuples_returned(t.oid)), '')
               as seq_rows_read,
           pg_catalog.string_agg(pg_catalog.int8send(t.index_scans), '') as index_scans,
           pg_catalog.string_agg(pg_catalog.int8send(t.index_rows + pg_catalog.pg_stat_get_tuples_fetched(t.oid)), '')
               as index_rows_fetched,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_tuples_inserted(t.oid)), '')
               as rows_inserted,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_tuples_updated(t.oid)), '')
               as rows_updated,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_tuples_hot_updated(t.oid)), '')
               as rows_hot_updated,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_tuples_deleted(t.oid)), '')
               as rows_deleted,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_vacuum_count(t.oid)), '') as vacuums,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_autovacuum_count(t.oid)), '')
               as autovacuums,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_analyze_count(t.oid)), '') as analyzes,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_autoanalyze_count(t.oid)), '')
               as autoanalyzes,
           pg_catalog.string_agg(pg_catalog.int8send(greatest(pg_catalog.pg_stat_get_blocks_fetched(t.oid)
                                                              - pg_catalog.pg_stat_get_blocks_hit(t.oid), 0)), '')
               as heap_blocks_read,
           pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.pg_stat_get_blocks_hit(t.oid)), '')
               as heap_blocks_hit,
           pg_catalog.string_agg(pg_catalog.int8send(greatest(t.index_fetched - t.index_hit, 0)), '')
               as index_blocks_read,
           pg_catalog.string_agg(pg_catalog.int8send(t.index_hit), '') as index_blocks_hit,
           pg_catalog.string_agg(pg_catalog.int8send(greatest(t.toast_fetched - t.toast_hit, 0)), '')
               as toast_blocks_read,
           pg_catalog.string_agg(pg_catalog.int8send(t.toast_hit), '') as toast_blocks_hit
      from (select c.oid, c.relpages,
                   coalesce(i.scans, 0)::bigint as index_scans, coalesce(i.rows, 0)::bigint as index_rows,
                   coalesce(i.fetched, 0)::bigint as index_fetched, coalesce(i.hit, 0)::bigint as index_hit,
                   case when c.reltoastrelid <> 0 then pg_catalog.pg_stat_get_blocks_fetched(c.reltoastrelid)
                        else 0 end as toast_fetched,
                   case when c.reltoastrelid <> 0 then pg_catalog.pg_stat_get_blocks_hit(c.reltoastrelid)
                        else 0 end as toast_hit
              from unnest($1::bigint[]::oid[]) as u (oid)
              join pg_catalog.pg_class c on c.oid = u.oid
             cross join lateral (
                   select sum(pg_catalog.pg_stat_get_numscans(x.indexrelid)) as scans,
                          sum(pg_catalog.pg_stat_get_tuples_fetched(x.indexrelid)) as rows,
                          sum(pg_catalog.pg_stat_get_blocks_fetched(x.indexrelid)) as fetched,
                          sum(pg_catalog.pg_stat_get_blocks_hit(x.indexrelid)) as hit
                     from pg_catalog.pg_index x
                    where x.indrelid = c.oid) i
             limit 100000) t
"""

NAMES = (*LEVELS, *COUNTERS)


class Kept:
    """The columns read last, one place a table; those handed out earlier stay as they are."""

    def __init__(self) -> None:
        self.relids = _column(None)
        self.places: Mapping[int, int] = {}
        self.columns: dict[str, Column] = {name: _column(None) for name in NAMES}
        self.pulses = _column(None)

    def place(self, relids: Column) -> None:
        """Give every table its place; new ones have no pulse yet."""
        if relids == self.relids:
            return
        places = [self.places.get(relid, -1) for relid in relids]
        for name, column in self.columns.items():
            self.columns[name] = array("q", [column[place] if place >= 0 else 0 for place in places])
        self.pulses = array("q", [self.pulses[place] if place >= 0 else -1 for place in places])
        self.relids, self.places = relids, {relid: place for place, relid in enumerate(relids)}

    def moved(self, pulses: Column) -> list[int]:
        """Tell which tables are to be read anew."""
        before, self.pulses = self.pulses, pulses
        return [relid for relid, new, old in zip(self.relids, pulses, before, strict=True) if new != old]

    def take(self, row: Row) -> None:
        """Take what was read anew into columns of its own."""
        at = [self.places[relid] for relid in _column(row["relid"])]
        for name in NAMES:
            column = self.columns[name][:]
            for place, value in zip(at, _column(row[name]), strict=True):
                column[place] = value
            self.columns[name] = column


async def observe(session: Session, memory: Memory, _options: object) -> Sequence[Row]:
    """Read the counters of the tables that were used since the last reading."""
    (row,) = await session.fetch(PULSE)
    kept = memory.of(Kept)
    kept.place(_column(row["relid"]))
    moved = kept.moved(_column(row["pulse"]))
    if moved:
        (read,) = await session.fetch(SQL, moved)
        kept.take(read)
    return [{"relid": kept.relids, "pulse": kept.pulses, **kept.columns, "stats_reset": row["stats_reset"]}]


def _column(sent: object) -> Column:
    """Unpack one column, sent as network order has it; nothing at all is NULL."""
    column: Column = array("q")
    column.frombytes(sent if isinstance(sent, bytes) else b"")
    if sys.byteorder == "little":
        column.byteswap()
    return column
