"""Big tables that are read whole again and again for few rows, and the statements that do it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from monitor.errors import Needs, ProbeSkipped
from monitor.measurement import MIB, Measurement, Row, duration, number, plural, size
from monitor.model import Area, Confidence, Finding, NoVerdict, Object, Remedy, Result, Severity
from monitor.proof import Proof, Sign
from monitor.rule import Advisor, Book
from monitor.sql.text import StatementKind, identifier

PAGE = 8192
LOOKING = (
    "Look at the plans of these statements: an index on what their WHERE compares, or their ORDER BY sorts by, is what "
    "they lack, most likely. None was proved yet, so none is proposed."
)
COUNTING = (
    "Look at the plans of these statements: if their WHERE keeps few rows, an index on what it compares is what they "
    "lack; if it keeps most of them, nothing is missing, and only a summary that is kept up to date would read less."
)


@dataclass(frozen=True, kw_only=True)
class _Scanned:
    """A table that is read whole, and how often."""

    schema: str
    name: str
    rows: float
    pages: float
    scans: float
    rows_read: float
    seconds: float
    unique: bool
    """Its name says which table is meant, also without a schema."""

    @property
    def reads(self) -> float:
        """Times the whole table was read: of a parallel scan each worker counts as one scan, but each row once."""
        return min(self.rows_read / self.rows, self.scans)

    @property
    def per_minute(self) -> float:
        """The same by time; all of it where the time is not known."""
        return 60 * self.reads / self.seconds if self.seconds else self.reads

    @property
    def subject(self) -> str:
        """Its name, quoted where needed."""
        return identifier(self.schema, self.name)


@dataclass(frozen=True, kw_only=True)
class SequentialScans(Advisor):
    """A big table is read whole again and again for few rows.

    Why: every such read takes the whole table through memory to find a handful of rows; it gets slower with each row
    that is added, and drives everything else out of the cache.
    What to do: look at the plans of the statements named here, and index what their WHERE clauses compare, or what
    their ORDER BY sorts by. No index was tried yet, hence confidence low: the plan decides.
    When it is wrong: statements that must see every row to answer, such as an unselective filter under LIMIT. Only
    statements that name the table, ask for a part of it, touch at least half of its blocks a call and return less
    than `part` of its rows are accused. One that counts or sums returns few rows of however many: where all do, and
    none compares with a value by `=`, it is news only. Raise `min_bytes`, `reads` or `per_minute`, or ignore the table.
    Cost: none beyond the readings of the probes indexes and statements.
    """

    id: ClassVar[str] = "tables.sequential_scans"
    area: ClassVar[Area] = Area.PERFORMANCE
    reads: ClassVar[tuple[str, ...]] = ("indexes", "statements")
    hold: float = 60.0
    keep: float = 600.0
    min_bytes: float = 8 * MIB
    min_rows: float = 50_000.0
    whole_reads: float = 10.0
    per_minute: float = 1.0
    part: float = 0.01

    async def advise(self, book: Book) -> Sequence[Finding | NoVerdict]:
        tables, statements = book.last("indexes"), book.last("statements")
        if tables is None:
            return [NoVerdict(reason="the tables were not read yet", needs=Needs.HISTORY)]
        if tables.result is not Result.OK:
            return [NoVerdict(reason=tables.reason, needs=tables.needs)]
        return [verdict for table in self._scanned(tables) for verdict in self._verdict(table, tables, statements)]

    def _scanned(self, tables: Measurement) -> Iterator[_Scanned]:
        """Give the big tables that were read whole often enough."""
        grown = [row for row in tables.changes if row.get("kind") == "table"]
        big = [row for row in grown if number(row, "size_bytes") >= self.min_bytes]
        # Of thousands of tables most are small: their names are counted where there is something to tell.
        names = Counter(str(row["table"]) for row in tables.rows if row.get("kind") == "table") if big else Counter()
        for row in big:
            table = _scanned(row, tables.window_seconds, unique=names[str(row["table"])] == 1)
            often = table.reads >= self.whole_reads and table.per_minute >= self.per_minute
            if often and table.rows >= self.min_rows:
                yield table

    def _verdict(
        self, table: _Scanned, tables: Measurement, statements: Measurement | None
    ) -> Iterator[Finding | NoVerdict]:
        reason, needs = _unread(statements)
        naming = [] if statements is None else [*_naming(table, statements, str(tables.target.database))]
        if not reason and not naming:
            reason, needs = "none of the statements known so far names it", Needs.HISTORY
        if statements is None or reason:
            text = f"{table.subject} is read whole again and again, but which statement does it is not known: {reason}"
            yield NoVerdict(reason=text, needs=needs, subject=table.subject)
            return
        wasteful = [row for row in naming if self._wastes(table, row)]
        if wasteful:
            yield replace(self._accusation(table, tables, statements, wasteful), proof=_proof(table))

    def _wastes(self, table: _Scanned, row: Row) -> bool:
        """Tell whether a statement touches most of the table and returns next to nothing of it."""
        calls = number(row, "calls")
        blocks = number(row, "shared_blks_hit") + number(row, "shared_blks_read")
        asks = row["filtered"] and row["kind"] != StatementKind.UTILITY and calls > 0
        return bool(asks and number(row, "rows") < self.part * table.rows * calls and 2 * blocks >= table.pages * calls)

    def _accusation(
        self, table: _Scanned, tables: Measurement, statements: Measurement, wasteful: Sequence[Row]
    ) -> Finding:
        worst = max(wasteful, key=lambda row: number(row, "exec_seconds"))
        labels = [str(row["statement"]) for row in wasteful]
        counting = all(row["aggregates"] for row in wasteful)
        unsure = counting and not any(row["matches"] for row in wasteful)
        asked = plural(len(labels), "statement") + f" asked for under {100 * self.part:g} %"
        if counting:
            asked = plural(len(labels), "statement counts or sums a part", "statements count or sum a part")
        return self.finding(
            tables,
            subject=table.subject,
            object=Object("table", schema=table.schema, name=table.name),
            summary=f"{size(table.pages * PAGE)} with {plural(table.rows, 'row')} read whole {_often(table)}; "
            f"{asked} of it: {', '.join(labels[:3])}",
            impact="the whole table goes through memory for a handful of rows, slower with each row that is added",
            remedy=Remedy(
                caution=COUNTING if counting else LOOKING,
                sign=Sign(kind="index", relation=table.subject, before=_indexes(table, tables)),
            ),
            severity=Severity.INFO if unsure else self.severity,
            confidence=Confidence.LOW,
            count=len(labels),
            statements=labels,
            rows_per_call=round(number(worst, "rows") / number(worst, "calls"), 2),
            mean_ms=round(1000 * number(worst, "exec_seconds") / number(worst, "calls"), 3),
            table_rows=round(table.rows),
            size_bytes=round(table.pages * PAGE),
            scans=round(table.scans),
            whole_reads=round(table.reads, 1),
            reads_per_minute=round(table.per_minute, 2),
            limit_per_minute=self.per_minute,
            window_seconds=round(table.seconds, 1),
            statements_window_seconds=round(statements.window_seconds, 1),
            statement=str(worst["text"]) or None,
        )


def _scanned(row: Row, seconds: float, *, unique: bool) -> _Scanned:
    return _Scanned(
        schema=str(row["schema"]),
        name=str(row["table"]),
        rows=known if (known := number(row, "reltuples")) > 0 else max(number(row, "n_live_tup"), 1.0),
        pages=number(row, "size_bytes") / PAGE,
        scans=number(row, "seq_scan"),
        rows_read=number(row, "seq_tup_read"),
        seconds=seconds,
        unique=unique,
    )


def _indexes(table: _Scanned, tables: Measurement) -> tuple[str, ...]:
    """Give the names of the indexes it has."""
    row = tables.details.get("indexes", {})
    columns = [row.get(name) or [] for name in ("schema", "table", "name")]
    own = [name for schema, other, name in zip(*columns, strict=True) if (schema, other) == (table.schema, table.name)]
    return tuple(sorted(identifier(table.schema, str(name)) for name in own))


def _proof(table: _Scanned) -> Proof | None:
    """The rows a second that these reads take; nothing where the time is not known."""
    if not table.seconds:
        return None
    return Proof(
        probe="indexes",
        metric="seq_tup_read",
        labels={"kind": "table", "schema": table.schema, "table": table.name},
        value=table.rows_read / table.seconds,
        what="rows a second read by sequential scans",
        pace=table.reads / table.seconds,
    )


def _unread(statements: Measurement | None) -> tuple[str, Needs | None]:
    """Say why the statements cannot tell; "" when they can."""
    if statements is None:
        return "no statements were read", Needs.HISTORY
    if statements.result is not Result.OK:
        return statements.reason, statements.needs
    try:
        _ = statements.changes
    except ProbeSkipped as skipped:
        return str(skipped), skipped.needs
    return "", None


def _naming(table: _Scanned, statements: Measurement, database: str) -> Iterator[Row]:
    """Give this database's statements that name the table, by schema, or by a name that can mean no other."""
    for key, row in statements.details.items():
        if not isinstance(key, tuple) or key[0] != "statement" or row["database"] != database:
            continue
        names = row["tables"] if isinstance(row["tables"], tuple) else ()
        if (table.schema, table.name) in names or (table.unique and (None, table.name) in names):
            yield row


def _often(table: _Scanned) -> str:
    times = plural(table.reads, "time")
    return f"{times} in {duration(table.seconds)}" if table.seconds else times
