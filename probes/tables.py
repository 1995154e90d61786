"""Tables: how they are read and written, what autovacuum did, and whether it keeps up.

Counters of all tables at each reading; names, limits and series only of the largest and busiest, and of those with
many dead or unanalyzed rows. Sizes by relpages, exact ones every five minutes and never behind a lock.
Cost: 8 µs of the server's time a table with two indexes, 25 µs of one that was used (benchmarks/README.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from heapq import nlargest
from itertools import chain, zip_longest
from operator import itemgetter

from monitor.probe import (
    Measurement,
    Memory,
    Metric,
    Probe,
    Row,
    Scope,
    Session,
    Shape,
    Trend,
    counters,
    gauges,
    number,
)
from probes.members import Members
from probes.tables_close import NOBODY, Slow, close, horizon, relid_of
from probes.tables_reading import COUNTERS, LEVELS, Column, Kept, observe
from probes.tables_rules import CLOSE, PARENT, WHOLE, CacheMisses, DeadTuples, StaleStatistics

__all__ = ["PROBE", "TablesOptions"]

SUSPECTS = 200
"""So many tables with dead rows, and as many with rows not analyzed, are looked at closely."""
WORTH = 1000
"""Fewer rows than this are never worth a look."""
LISTED = 100
"""How many tables a report lists."""
MOST = 500
OTHER = "other"
MISSING = 50
"""So many tables that miss the cache are looked at closely."""
IDLE = (0.0,) * len(COUNTERS)


@dataclass(frozen=True, kw_only=True)
class TablesOptions:
    """What `probes: {tables: …}` sets."""

    top: int = 40
    """How many tables have series of their own, of all databases of a server together; the rest is `other`."""
    hold: float = 600.0
    """How long a table that has fallen behind keeps its series, in seconds."""

    def __post_init__(self) -> None:
        """Refuse what is no number of tables."""
        if not 1 <= self.top <= MOST:
            raise ValueError(f"top should be between 1 and {MOST}")


class Databases:
    """Which databases of a server are read, so that they share the series."""

    def __init__(self) -> None:
        self._read_at: dict[str | None, datetime] = {}

    def each(self, seen: Measurement, top: int) -> int:
        """Give this database's part of `top`."""
        self._read_at[seen.target.database] = seen.taken_at
        recent = seen.taken_at - timedelta(minutes=10)
        self._read_at = {name: at for name, at in self._read_at.items() if at >= recent}
        return max(1, top // len(self._read_at))


async def detail(session: Session, memory: Memory, seen: Measurement) -> Measurement:
    """Choose which tables are looked at closely, ask what they are, and lay out what is exported."""
    options = seen.options if isinstance(seen.options, TablesOptions) else TablesOptions()
    kept = memory.of(Kept)
    columns = {"relid": kept.relids, **kept.columns}
    top = memory.server.of(Databases).each(seen, options.top)
    wanted = max(top, LISTED) if seen.snapshot else top  # only a snapshot makes a report of it
    pages = columns["pages"]
    largest = [columns["relid"][place] for place in nlargest(wanted, range(len(pages)), key=pages.__getitem__)]
    ranked = [(relid,) for relid in ranking(largest[:top], seen.grown or ())]
    members = {
        int(str(relid)) for (relid,) in memory.of(Members).choose(ranked, seen.taken_at, top=top, hold=options.hold)
    }
    suspects = [place for name in ("dead_rows", "rows_modified") for place in worth_a_look(columns[name])]
    busy = [relid_of(row) for row in missing_most(seen)]
    known = await close(session, [*members, *largest, *busy, *(columns["relid"][place] for place in suspects)])
    slow = memory.of(Slow)
    await slow.refresh(session, {*members, *largest}, seen.taken_at)
    near = {relid: {**known[relid], **levels, **slow.sizes.get(relid, {})} for relid, levels in read_of(kept, known)}
    held = await horizon(session) if suspects else NOBODY
    return replace(
        seen,
        details={
            WHOLE: {**held, "in_recovery": session.facts.in_recovery, "major": session.facts.major},
            **{(CLOSE, relid): row for relid, row in near.items()},
            **{(PARENT, row["schema"], row["table"]): row for row in slow.parents},
        },
        exposed=[*exposed(seen, columns, near, members)],
        listed=lambda: listed(near[relid] for relid in largest[:LISTED] if relid in near),
    )


def ranking(largest: Iterable[int], grown: Iterable[Row]) -> list[int]:
    """Rank tables: the largest and those whose blocks are asked for most, in turns."""
    busy = [relid_of(row) for row in nlargest(MOST, grown, key=lambda row: sum(blocks(row)))]
    mixed = chain.from_iterable(zip_longest(largest, busy))
    return [relid for relid in dict.fromkeys(mixed) if relid is not None]


def worth_a_look(column: Column) -> list[int]:
    """Give the places of the largest numbers that are worth a look."""
    if max(column, default=0) < WORTH:
        return []
    found = [place for place, value in enumerate(column) if value >= WORTH]
    return nlargest(SUSPECTS, found, key=column.__getitem__)


counts_of: Callable[[Row], tuple[float, ...]] = itemgetter(*COUNTERS)
blocks: Callable[[Row], tuple[float, ...]] = itemgetter(*(name for name in COUNTERS if "_blocks_" in name))
blocks_read: Callable[[Row], tuple[float, ...]] = itemgetter(*(name for name in COUNTERS if "_blocks_read" in name))


def missing_most(seen: Measurement) -> list[Row]:
    """Give the rows with the most blocks read from outside shared buffers over the window."""
    read = [row for row in seen.window_growth or () if sum(blocks_read(row)) >= WORTH]
    return nlargest(MISSING, read, key=lambda row: sum(blocks_read(row)))


def read_of(kept: Kept, known: Iterable[int]) -> Iterator[tuple[int, Row]]:
    """Give what was read of the known tables; one that came between the two questions waits for the next."""
    for relid in known:
        place = kept.places.get(relid)
        if place is not None:
            yield relid, {name: kept.columns[name][place] for name in LEVELS}


def exposed(
    seen: Measurement, columns: Mapping[str, Column], near: Mapping[int, Row], members: set[int]
) -> Iterator[Row]:
    """Give the members with their growth, and all others as one row."""
    mine = {relid: near[relid] for relid in sorted(members) if relid in near}
    grown: dict[int, Sequence[float]] = dict.fromkeys(mine, IDLE)
    rest = [IDLE]
    for row in seen.grown or ():
        if row["relid"] in mine:
            grown[relid_of(row)] = counts_of(row)
        else:
            rest.append(counts_of(row))
    for relid, row in mine.items():
        yield {
            **{name: row.get(name) for name in GAUGES},
            "schema": row["schema"],
            "table": row["table"],
            **dict(zip(COUNTERS, grown[relid], strict=True)),
        }
    others = {name: sum(columns[name]) - sum(number(row, name) for row in mine.values()) for name in LEVELS}
    yield {
        **dict.fromkeys(GAUGES),
        "schema": "",
        "table": OTHER,
        **others,
        **dict(zip(COUNTERS, map(sum, zip(*rest, strict=True)), strict=True)),
    }


def listed(rows: Iterable[Row]) -> Iterator[tuple[str, Row]]:
    """Give the report's list: the largest tables."""
    for row in rows:
        yield (
            "tables",
            {
                "schema": row["schema"],
                "table": row["table"],
                # After a crash or a reset the counters know nothing; the last vacuum or analyze does.
                "rows": row["live_rows"] or max(round(number(row, "row_estimate")), 0),
                "dead_rows": row["dead_rows"],
                "heap_bytes": row["heap_bytes"],
                "index_bytes": row.get("index_bytes"),
                "total_bytes": row.get("total_bytes"),
                "rows_modified": row["rows_modified"],
                "xid_age": row["xid_age"],
            },
        )


HELP: Mapping[str, str] = {
    "seq_scans": "Sequential scans, parallel workers counted too.",
    "seq_rows_read": "Live rows read by sequential scans.",
    "index_scans": "Scans of the table's indexes.",
    "index_rows_fetched": "Live rows fetched through indexes.",
    "rows_inserted": "Rows inserted.",
    "rows_updated": "Rows updated.",
    "rows_hot_updated": "Rows updated without new index entries.",
    "rows_deleted": "Rows deleted.",
    "vacuums": "Vacuums by hand, without those that were full.",
    "autovacuums": "Vacuums by autovacuum.",
    "analyzes": "Analyzes by hand.",
    "autoanalyzes": "Analyzes by autovacuum.",
    "heap_blocks_read": "Blocks of the table read from outside shared buffers.",
    "heap_blocks_hit": "Blocks of the table found in shared buffers.",
    "index_blocks_read": "Blocks of its indexes read from outside shared buffers.",
    "index_blocks_hit": "Blocks of its indexes found in shared buffers.",
}
GAUGES: Mapping[str, str] = {
    "live_rows": "Live rows, as the statistics estimate them.",
    "dead_rows": "Dead rows, as the statistics estimate them.",
    "rows_modified": "Rows changed since the last analyze.",
    "heap_bytes": "The table itself by its pages at the last vacuum or analyze.",
    "total_bytes": "The table with indexes and TOAST, measured every five minutes.",
    "xid_age": "Transactions since the oldest row that is not frozen.",
    "last_vacuum_timestamp_seconds": "When it was last vacuumed, by hand or by autovacuum, in seconds since 1970.",
    "last_analyze_timestamp_seconds": "When it was last analyzed, by hand or by autovacuum, in seconds since 1970.",
}

METRICS: tuple[Metric, ...] = (
    *counters(HELP),
    *gauges(GAUGES),
)

PROBE = Probe(
    name="tables",
    scope=Scope.DATABASE,
    every=60,
    window=600,
    observe=observe,
    detail=detail,
    shape=Shape.COLUMNS,
    needs=("role:pg_read_all_stats",),
    key=("relid",),
    labels=("schema", "table"),
    metrics=METRICS,
    counts=("toast_blocks_read", "toast_blocks_hit", "pulse"),
    pulse="pulse",
    reset_column="stats_reset",
    complete=True,
    trends=(
        Trend(
            name="tables",
            key=("schema", "table"),
            gauges=("heap_bytes", "total_bytes", "live_rows", "dead_rows"),
            rates=("seq_scans", "index_scans", "rows_inserted", "rows_updated", "rows_deleted"),
            latest=("rows_modified", "xid_age", "last_vacuum_timestamp_seconds", "last_analyze_timestamp_seconds"),
            every=300,
            most=MOST,
        ),
    ),
    options=TablesOptions(),
    rules=(DeadTuples(), StaleStatistics(), CacheMisses()),
)
