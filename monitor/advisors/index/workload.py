"""The workload of one database: its statements as queries to plan, and what they write, over one window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from monitor.measurement import Measurement, Row, number
from monitor.planning import Query
from monitor.shape import Shape, Table
from monitor.sql.text import StatementKind
from monitor.sql.writes import Change, written
from monitor.summed import summed

DAY = 86400.0
MOST = 200
"""Statements that are looked at, by the time they took."""
FEW, LONG_SECONDS = 3, 1.0
"""Calls, or seconds of all of them, that make a statement part of the workload: less is somebody trying something."""
BULK = 10_000
"""Rows a call from which on an INSERT is a load and no steady traffic: its price is paid once."""
CUT = "…"
UNKNOWN_TEXT = "its text is not known, cannot be parsed, or is not to be shown"
_READABLE = frozenset({StatementKind.SIMPLE, StatementKind.COMPLEX})


@dataclass(frozen=True, kw_only=True)
class Writing:
    """Rows a day that one statement changes in one table; `columns` are those an UPDATE sets."""

    table: int
    change: Change
    rows: float
    columns: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Queries by the time they took, most first, with figures of `seconds`; writes as rows a day."""

    queries: tuple[Query, ...]
    writings: tuple[Writing, ...] = ()
    seconds: float = 0.0
    lifetime: bool = False
    """The window is the counters' whole life."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Statements by fingerprint that cannot be planned, and why."""
    times: Mapping[str, float] = field(default_factory=dict)
    """Seconds of every statement by fingerprint, those left out too."""

    @property
    def per_day(self) -> float:
        """What figures of the window are multiplied with to be a day's; 1 where the window is not known."""
        return DAY / self.seconds if self.seconds > 0 else 1.0

    def ms_per_day(self, query: Query) -> float:
        """Execution time of a query in ms a day."""
        return 1000 * query.seconds * self.per_day


def workload(seen: Measurement, shape: Shape, database: str) -> Workload:
    """Take one database's statements out of a reading; raises ProbeSkipped where nothing can have grown yet."""
    _ = seen.changes
    here = (row for row in summed(seen) if row["database"] == database and number(row, "calls") > 0)
    rows = [row for row in here if row["kind"] not in _READABLE or _names_ours(row, shape)]
    work = Workload(queries=(), seconds=seen.window_seconds, lifetime=seen.lifetime)
    reasons = {str(row["statement"]): reason for row in rows if (reason := _unreadable(row))}
    able = [row for row in rows if row["kind"] in _READABLE and str(row["statement"]) not in reasons]
    often = [row for row in able if number(row, "calls") >= FEW or number(row, "exec_seconds") >= LONG_SECONDS]
    queries = [_query(row) for row in often[:MOST]]
    reasons |= {str(row["statement"]): f"not among the {MOST} that take most time" for row in often[MOST:]}
    return replace(
        work,
        queries=tuple(queries),
        writings=tuple(each for row in able for each in _writings(row, shape, work.per_day)),
        left_out=reasons,
        times={str(row["statement"]): number(row, "exec_seconds") for row in rows},
    )


def _names_ours(row: Row, shape: Shape) -> bool:
    """Tell whether a statement names a table or view of the application: no index helps with others."""
    tables = row["tables"] if isinstance(row["tables"], tuple) else ()
    views = {(view.schema, view.name) for view in shape.views}
    for schema, name in tables:
        if _tables(shape, schema, name) or any(name == own and schema in {None, place} for place, own in views):
            return True
    return False


def _unreadable(row: Row) -> str:
    """Say why a statement cannot be planned; "" where it can, and for utility statements, which need no index."""
    text = _text(row)
    if row["kind"] == StatementKind.UTILITY:
        return ""
    if row["kind"] not in _READABLE or not text:
        return UNKNOWN_TEXT
    return "its text is too long" if text.endswith(CUT) else ""


def _text(row: Row) -> str:
    """Give a statement's text whole, where more of it is kept than is shown."""
    return str(row.get("whole") or row["text"])


def _query(row: Row) -> Query:
    return Query(
        name=str(row["statement"]),
        text=_text(row),
        calls=number(row, "calls"),
        seconds=number(row, "exec_seconds"),
        rows=number(row, "rows"),
        roles=roles if isinstance(roles := row.get("roles"), tuple) else (),
    )


def _writings(row: Row, shape: Shape, per_day: float) -> Iterator[Writing]:
    """Give what a statement writes; a bulk load is left out, and a table whose name could be any of several."""
    rows, calls = number(row, "rows"), number(row, "calls")
    for each in written(_text(row)):
        tables = _tables(shape, each.schema, each.table)
        if len(tables) == 1 and not (each.change is Change.INSERT and rows >= BULK * calls):
            yield Writing(table=tables[0].oid, change=each.change, rows=rows * per_day, columns=each.columns)


def _tables(shape: Shape, schema: str | None, name: str) -> list[Table]:
    if schema is None:
        return [*shape.bare(name)]
    table = shape.named(schema, name)
    return [table] if table else []
