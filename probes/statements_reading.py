"""Reading ten thousand entries of pg_stat_statements for the price of counting them: only what changed travels.

The server marks each entry by a hash of identity, calls and time; we send the marks we know as a bitmap (a Bloom filter
of two bits), and get the entries whose mark is not in it. At most one change in a thousand (with few entries: far
fewer) is taken for known; it is seen with the entry's next call, at the latest with the next full reading.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from monitor.probe import Memory, Needs, ProbeError, ProbeSkipped, ProbeTimeout, Row, Session

KEY = ("queryid", "dbid", "userid", "toplevel")
COUNTERS = (
    "calls", "exec_seconds", "exec_squares", "rows", "shared_blks_hit", "shared_blks_read", "temp_blks_written",
    "wal_bytes",
)  # fmt: skip

FLOATS = frozenset({"exec_seconds", "exec_squares", "wal_bytes"})
Column: TypeAlias = "array[Any]"
"""Numbers side by side, 8 bytes each: ten thousand entries as Python's own objects would take eight times as much."""

_64_BITS = (1 << 64) - 1

FULL_EVERY = 40
"""Readings after which everything is read anew: ten minutes at the default interval."""

BITS, LEAST_BITS = 64, 1 << 17
"""Of the bitmap, for each mark in it at least, and in all: a mark that is not in it looks known once in (BITS / 2)²."""

# $1 the bitmap, $2 its size in bits less one. Without `offset 0` the mark would be computed three times.
# Numbers travel as bytes side by side, which become columns here without an object for each.
# The functions stand in the extension's schema, which is in the search path.
SQL = """
    select pg_catalog.string_agg(pg_catalog.int8send(s.queryid), '') as queryid,
           pg_catalog.string_agg(pg_catalog.int8send(s.dbid::int8), '') as dbid,
           pg_catalog.string_agg(pg_catalog.int8send(s.userid::int8), '') as userid,
           pg_catalog.string_agg(pg_catalog.int8send(s.toplevel::int::int8), '') as toplevel,
           pg_catalog.string_agg(pg_catalog.int8send(s.mark), '') as mark,
           pg_catalog.string_agg(pg_catalog.int8send(s.calls), '') as calls,
           pg_catalog.string_agg(pg_catalog.float8send(s.total_exec_time / 1000), '') as exec_seconds,
           pg_catalog.string_agg(pg_catalog.float8send(s.calls * (s.stddev_exec_time * s.stddev_exec_time
                                                                + s.mean_exec_time * s.mean_exec_time)
                                                     / 1000000), '') as exec_squares,
           pg_catalog.string_agg(pg_catalog.int8send(s.rows), '') as rows,
           pg_catalog.string_agg(pg_catalog.int8send(s.shared_blks_hit), '') as shared_blks_hit,
           pg_catalog.string_agg(pg_catalog.int8send(s.shared_blks_read), '') as shared_blks_read,
           pg_catalog.string_agg(pg_catalog.int8send(s.temp_blks_written), '') as temp_blks_written,
           pg_catalog.string_agg(pg_catalog.float8send(s.wal_bytes::float8), '') as wal_bytes,
           pg_catalog.string_agg(pg_catalog.timestamptz_send(s.stats_since), '') as since,
           (select i.stats_reset from pg_stat_statements_info i) as stats_reset,
           (select i.dealloc from pg_stat_statements_info i) as dealloc,
           (select pg_catalog.json_object_agg(d.oid, d.datname)::text from pg_catalog.pg_database d) as databases,
           (select pg_catalog.json_object_agg(r.oid, r.rolname)::text from pg_catalog.pg_roles r) as roles,
           (select r.oid from pg_catalog.pg_roles r where r.rolname = current_user) as own_role,
           exists (select
                     from pg_catalog.pg_stat_get_activity(null) a
                     join pg_catalog.pg_roles r on r.oid = a.usesysid
                    where r.rolname = current_user
                      and (r.rolsuper
                           or a.application_name is distinct from 'pgarchitect'
                           or exists (select
                                        from pg_catalog.pg_shdepend o
                                       where o.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
                                         and o.refobjid = r.oid
                                         and o.deptype = 'o'))) as own_role_shared,
           pg_catalog.current_setting('pg_stat_statements.track', true) as track,
           pg_catalog.current_setting('pg_stat_statements.max', true)::int as entries_limit,
           pg_catalog.current_setting('block_size')::int as block_size
      from (select queryid, dbid, userid, toplevel, calls, total_exec_time, mean_exec_time, stddev_exec_time, rows,
                   shared_blks_hit, shared_blks_read, temp_blks_written, wal_bytes, stats_since,
                   pg_catalog.hashint8extended(calls, queryid # ((dbid::int8 << 32) | userid::int8)
                                                              # toplevel::int::int8
                                                              # (total_exec_time * 1000)::int8) as mark
              from pg_stat_statements(false)
             where queryid is not null
            offset 0) s
     where pg_catalog.get_bit($1::bytea, s.mark & $2::int8) = 0
        or pg_catalog.get_bit($1::bytea, (s.mark >> 24) & $2::int8) = 0
"""

UNDATED = SQL.replace(" wal_bytes, stats_since,", " wal_bytes, 'epoch'::timestamptz as stats_since,")
"""Before version 1.11 of the extension no entry tells since when it counts."""
UNTOLD = -946_684_800_000_000
"""What it says then: 1970, in microseconds since 2000."""
DATED_FROM = 17
"""PostgreSQL's version that brings 1.11; pg_upgrade keeps an older one."""

VERSION = "select extversion as version from pg_catalog.pg_extension where extname = 'pg_stat_statements'"
OLDEST = (1, 9)
"""PostgreSQL 14's version of the extension: the first with toplevel and pg_stat_statements_info."""

SOURCE = """
    select source in ('user', 'database user', 'session', 'client') as ours
      from pg_catalog.pg_settings
     where name = 'pg_stat_statements.track'
"""


class Known:
    """Every entry as read last, and the marks that tell the server so."""

    def __init__(self) -> None:
        self.columns = _empty()
        self.constants: Row = {}
        self.dated = True
        """Whether entries tell since when they count, until the server says that they do not."""
        self._since = _column({}, "since")
        """When each entry began to count, as far as the server tells."""
        self._places: dict[int, int] = {}
        self._bits = bytearray(128)
        self._noted = 0
        self._readings = 0

    @property
    def marks(self) -> tuple[bytes, int]:
        """The bitmap, and its size in bits less one."""
        return bytes(self._bits), len(self._bits) * 8 - 1

    def refresh(self) -> None:
        """Forget everything when that is due: now and then, and when the bitmap grows full."""
        if self._readings >= FULL_EVERY or self._noted * BITS > len(self._bits) * 8:
            self.forget()

    def forget(self) -> None:
        """Let the next reading be a full one."""
        self._bits = bytearray(128)
        self._noted = self._readings = 0

    def take(self, row: Row) -> None:
        """Take the changed entries in; columns handed out earlier stay as they are."""
        read = {name: _column(row, name) for name in (*KEY, *COUNTERS)}
        if not self._readings:
            self._start(read)
        self._merge(read, _column(row, "since"))
        self._note(_column(row, "mark"))
        self._readings += 1
        self.constants = {name: value for name, value in row.items() if name not in {*read, "mark", "since"}}

    def reading(self) -> Sequence[Row]:
        """Give one row of equally long columns, and the constants."""
        return [{**self.columns, **self.constants}]

    def _start(self, read: Mapping[str, Column]) -> None:
        """Begin a full reading: drop what has gone, else keep the order, which makes growth cheap to find."""
        known = self._places.keys()
        if known and (known - set(_identities(read)) or len(known) != len(self._since)):
            self.columns, self._since = _empty(), _column({}, "since")
            self._places = {}
        size = LEAST_BITS
        while size < 2 * BITS * len(read["calls"]) and size < 1 << 23:
            size *= 2
        self._bits = bytearray(size // 8)

    def _merge(self, read: Mapping[str, Column], since: Column) -> None:
        length = len(self._since)
        places = [*self._placed(_identities(read), since)]
        if not places:
            return
        if not length and len(self._since) == len(places):  # the first of all: nothing to copy
            self.columns = dict(read)
            return
        new = [at for at, place in enumerate(places) if place >= length]
        for name, values in read.items():
            column = self.columns[name]
            pairs = zip(places, values, strict=True)
            changed = [(place, value) for place, value in pairs if place < length and column[place] != value]
            if changed or new:  # else it stays the same column: nothing to compare
                self.columns[name] = _with(column, changed, [values[at] for at in new])

    def _placed(self, entries: Iterable[int], since: Column) -> Iterator[int]:
        """Give each entry's place; one that counts anew (evicted, reset) gets a new one: all it has is growth."""
        for entry, began in zip(entries, since, strict=True):
            place = self._places.setdefault(entry, len(self._since))
            if place < len(self._since) and began != UNTOLD and self._since[place] not in {began, UNTOLD}:
                place = self._places[entry] = len(self._since)
            if place == len(self._since):
                self._since.append(began)
            yield place

    def _note(self, marks: Iterable[int]) -> None:
        bits, mask = self._bits, len(self._bits) * 8 - 1
        for mark in marks:
            for bit in (mark & mask, (mark >> 24) & mask):
                bits[bit >> 3] |= 1 << (bit & 7)
            self._noted += 1


def _empty() -> dict[str, Column]:
    return {name: _column({}, name) for name in (*KEY, *COUNTERS)}


def _with(column: Column, changed: Iterable[tuple[int, Any]], new: Sequence[Any]) -> Column:
    """Give a copy of a column with some values changed and some added."""
    column = column[:]
    for place, value in changed:
        column[place] = value
    column.extend(new)
    return column


def _column(row: Row, name: str) -> Column:
    """Give one aggregated column, sent as network order has it; no row at all makes it NULL."""
    column: Column = array("d" if name in FLOATS else "q")
    sent = row.get(name)
    column.frombytes(sent if isinstance(sent, bytes) else b"")
    if sys.byteorder == "little":
        column.byteswap()
    return column


def _identities(read: Mapping[str, Column]) -> Iterator[int]:
    """Give one number for each entry, its key in 136 bits: a tuple for each of ten thousand would take a megabyte."""
    for queryid, dbid, userid, toplevel in zip(*(read[name] for name in KEY), strict=True):
        yield (((dbid << 32 | userid) << 1 | toplevel) << 64) | (queryid & _64_BITS)


async def observe(session: Session, memory: Memory, _options: object) -> Sequence[Row]:
    """Read what changed; after a reset of all statistics, everything."""
    known = memory.of(Known)
    known.refresh()
    known.dated = known.dated and session.facts.major >= DATED_FROM
    before = known.constants.get("stats_reset")
    row = await _ask(session, known)
    if row["stats_reset"] != before and before is not None:
        known.forget()
        row = await _ask(session, known)
    known.take(row)
    return known.reading()


async def _ask(session: Session, known: Known) -> Row:
    try:
        return (await session.fetch(SQL if known.dated else UNDATED, *known.marks))[0]
    except (ProbeSkipped, ProbeTimeout):
        raise
    except ProbeError:
        await _check_version(session)
        if not known.dated:
            raise
    row = (await session.fetch(UNDATED, *known.marks))[0]
    known.dated = False
    return row


async def _check_version(session: Session) -> None:
    """Name the extension's age when that is why the question failed (pg_upgrade keeps the old version)."""
    for row in await session.fetch(VERSION):
        parts = tuple(int(part) for part in str(row["version"]).split(".") if part.isdigit())
        if parts < OLDEST:
            raise ProbeSkipped(
                f"extension pg_stat_statements is of version {row['version']}, 1.9 is needed; "
                f"run in database {session.facts.database}: alter extension pg_stat_statements update",
                Needs.EXTENSION,
            )


class Names:
    """Databases' and roles' names by oid, decoded anew only when one changed."""

    def __init__(self) -> None:
        self._read: dict[str, dict[int, str]] = {}

    def of(self, text: object) -> Mapping[int, str]:
        """Give the names an aggregated text holds."""
        written = str(text or "{}")
        if written not in self._read:
            names = {int(oid): str(name) for oid, name in json.loads(written).items()}
            self._read = {**dict([*self._read.items()][-1:]), written: names}
        return self._read[written]


async def recording_is_off(session: Session, constants: Row) -> bool:
    """Tell whether nothing is recorded for anybody; that only our own role is left out does not count."""
    if constants.get("track") != "none":
        return False
    return not any(row["ours"] for row in await session.fetch(SOURCE))
