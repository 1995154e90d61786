"""The rule about tables and btrees that are mostly room nobody uses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    MIB,
    Area,
    Confidence,
    Finding,
    Measurement,
    Needs,
    NoVerdict,
    Object,
    Remedy,
    Row,
    Rule,
    identifier,
    number,
    plural,
    share,
    size,
)
from probes.bloat_reading import RIGHTS, STALE

ESTIMATE = "estimate"


@dataclass(frozen=True, kw_only=True)
class Bloat(Rule):
    """A table or its indexes are mostly room that nobody uses.

    Why: scans read it, the cache holds it, backups copy it. Rows that were deleted or updated leave room that vacuum
    gives back to the table for new rows, and hardly ever to the system.
    What to do: see why it came to that (autovacuum that is too slow or off, a transaction or a slot that held the
    horizon, one large delete), and mend that first. Indexes are then rebuilt by `reindex index concurrently`. A table
    takes pg_repack or pg_squeeze, or `vacuum full` in a maintenance window.
    When it is wrong: a table that was just emptied and fills again, such as a queue or a staging table, uses the room
    soon. It is an estimate unless `method` says pgstattuple: by the mean width of each column, on 34 shapes of tables
    within 5 points of the size, 10 for indexes on text (benchmarks/README.md); indexes on several columns that repeat
    may be worse than it says. Duplicates in an index may be kept as lists, whose length is known by n_distinct only:
    the confidence is low there. Not judged: TOAST tables, indexes of other methods, standbys, what was not analyzed
    since a fifth of its rows changed.
    Cost: none beyond the probe's one query, and what measuring by pgstattuple may read.
    """

    id: ClassVar[str] = "tables.bloat"
    area: ClassVar[Area] = Area.CAPACITY
    keep: float = 3600.0
    min_bytes: float = 256 * MIB
    ratio: float = 0.5

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        tables: dict[object, list[Row]] = {}
        for row in seen.rows:
            if row["kind"] != "total":
                tables.setdefault(row["table_oid"], []).append(row)
        yield from self._hidden([row for rows in tables.values() for row in rows])
        for rows in tables.values():
            if accused := [row for row in rows if self._bloated(row)]:
                yield self._accuse(seen, accused)
            elif unsaid := [row for row in rows if row["unsaid"] not in (None, RIGHTS) and self._large(row)]:
                yield _no_statistics(unsaid[0])

    def _large(self, row: Row) -> bool:
        return number(row, "size_bytes") >= self.min_bytes

    def _bloated(self, row: Row) -> bool:
        wasted = number(row, "wasted_bytes")
        return wasted >= self.min_bytes and wasted >= self.ratio * number(row, "size_bytes")

    def _hidden(self, rows: Sequence[Row]) -> Iterator[NoVerdict]:
        """Say of each schema what would show the statistics of its large tables."""
        hidden = [row for row in rows if row["unsaid"] == RIGHTS and self._large(row)]
        for schema in sorted({str(row["schema"]) for row in hidden}):
            count = len({row["table_oid"] for row in hidden if row["schema"] == schema})
            name = identifier(schema)
            reason = (
                f"the monitor's role sees no statistics of {plural(count, 'large table')} of the schema {name}. "
                f"Either: create extension pgstattuple (it measures, as far as the budget goes, and shows no row); or, "
                f"to let the role read the rows: grant select on all tables in schema {name} to "
                f"{identifier(str(hidden[0]['reader']))} (no row level security may bind it)"
            )
            yield NoVerdict(reason=reason, needs=Needs.RIGHTS, subject=name)

    def _accuse(self, seen: Measurement, accused: Sequence[Row]) -> Finding:
        heap = [row for row in accused if row["kind"] == "heap"]
        indexes = [row for row in accused if row["kind"] == "index"]
        wasted, whole = (sum(number(row, column) for row in accused) for column in ("wasted_bytes", "size_bytes"))
        schema, table = str(accused[0]["schema"]), str(accused[0]["table"])
        measured = all(row["method"] != ESTIMATE for row in accused)
        parts = [*(["the table"] if heap else []), *([plural(len(indexes), "index", "indexes")] if indexes else [])]
        return self.finding(
            seen,
            subject=identifier(schema, table),
            object=Object("table", schema=schema, name=table),
            summary=f"{'' if measured else 'about '}{size(wasted)} of {size(whole)} unused ({share(wasted, whole)}) in "
            f"{' and '.join(parts)}{'' if measured else ', by an estimate'}",
            impact="scans, cache and backups carry room that holds nothing",
            remedy=_rewritten(accused[0], indexes) if heap else _rebuilt(indexes),
            confidence=_confidence(accused),
            count=len(accused),
            wasted_bytes=round(wasted),
            size_bytes=round(whole),
            ratio=round(wasted / whole, 3),
            table_wasted_bytes=round(sum(number(row, "wasted_bytes") for row in heap)),
            indexes=[_described(row) for row in indexes[:20]],
            method=" and ".join(sorted({str(row["method"]) for row in accused})),
            limit_bytes=self.min_bytes,
            limit_ratio=self.ratio,
        )


def _confidence(rows: Sequence[Row]) -> Confidence:
    if all(row["method"] != ESTIMATE for row in rows):
        return Confidence.HIGH
    return Confidence.MEDIUM if all(row["certain"] for row in rows) else Confidence.LOW


def _described(row: Row) -> str:
    wasted, whole = number(row, "wasted_bytes"), number(row, "size_bytes")
    return f"{identifier(str(row['index']))}: {size(wasted)} of {size(whole)}"


def _no_statistics(row: Row) -> NoVerdict:
    table = identifier(str(row["schema"]), str(row["table"]))
    why = "changed much since it was analyzed" if row["unsaid"] == STALE else "has no statistics on some columns"
    return NoVerdict(reason=f"{table} {why}; run: analyze {table}", needs=Needs.TIME, subject=table)


def _name(row: Row) -> str:
    return identifier(str(row["schema"]), str(row["index"]))


def _rebuilt(indexes: Sequence[Row]) -> Remedy:
    return Remedy(
        sql=tuple(f"reindex index concurrently {_name(row)}" for row in indexes),
        caution="Reads and writes go on; it needs room for a second copy, waits for open transactions, and runs "
        "outside a transaction. If it is broken off it leaves an invalid index that ends in _ccnew: drop that, then "
        "try again. "
        "The table's owner may run it, on managed services too. There is nothing to undo.",
    )


def _rewritten(row: Row, indexes: Sequence[Row]) -> Remedy:
    table = identifier(str(row["schema"]), str(row["table"]))
    also = f" Its bloated indexes ({len(indexes)}) are rebuilt on the way." if indexes else ""
    return Remedy(
        caution=f"vacuum full {table} gives the room back, but nobody can read or write the table meanwhile, and it "
        "needs room for a second copy. pg_repack (an extension that RDS, Cloud SQL, Azure and Supabase offer) or "
        f"pg_squeeze do it while work goes on.{also} See first that vacuum keeps up (tables.dead_tuples, "
        "sessions.long_transaction), or it comes back; where the table will fill again, leave it."
    )
