"""What advisors on statements share: the grounds they judge on, the newest rows by key, and words about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from monitor.errors import Needs, ProbeSkipped
from monitor.history import History, Key
from monitor.measurement import Measurement, Row, duration
from monitor.model import Result, Scalar
from monitor.rule import Book
from monitor.sqltext import identifier

STATEMENTS = "statements"

PLAN = (
    "Look at its plan (explain (generic_plan) with the text above on PostgreSQL 16 or newer; before that, prepare it, "
    "set plan_cache_mode = force_generic_plan, and explain execute)"
)


def grounds(book: Book, min_history: float) -> tuple[Measurement, History]:
    """Give the newest reading and the history; raises ProbeSkipped where the one or the other is not enough."""
    seen, history = book.last(STATEMENTS), book.history(STATEMENTS)
    if seen is None:
        raise ProbeSkipped("the statements were not read yet", Needs.HISTORY)
    if seen.result is not Result.OK:
        raise ProbeSkipped(seen.reason, seen.needs)
    if seen.details.get("whole", {}).get("off"):
        raise ProbeSkipped(
            "pg_stat_statements.track is none: no statement is recorded; set it to top and reload", Needs.SETTING
        )
    if history is None:
        raise ProbeSkipped("no history of statements is kept", Needs.HISTORY)
    begins = history.begins
    if begins is None or seen.taken_at - begins < timedelta(seconds=min_history):
        there = duration((seen.taken_at - begins).total_seconds()) if begins else "none"
        raise ProbeSkipped(f"{duration(min_history)} of history are needed, there is {there} yet", Needs.HISTORY)
    return seen, history


def rows_by_key(seen: Measurement, database: str | None) -> Mapping[Key, Row]:
    """Give one database's summed statements by the key of their history, the busiest first."""
    rows = [row for key, row in seen.details.items() if isinstance(key, tuple) and key[0] == "statement"]
    own = [row for row in rows if row["database"] == database]
    return {(str(row["database"]), str(row["statement"])): row for row in own}


def table_names(row: Row) -> list[str]:
    """Give the tables a statement names, as it names them."""
    tables = row.get("tables")
    pairs = tables if isinstance(tables, tuple) else ()
    return [identifier(*(part for part in pair if part)) for pair in pairs]


def described(row: Row) -> str:
    """Say what a statement is and which tables it names, for people."""
    kind, tables = str(row.get("kind", "unknown")), table_names(row)
    what = "statement whose text is not known" if kind == "unknown" else f"{kind} statement"
    more = f" and {len(tables) - 3} more" if len(tables) > 3 else ""  # noqa: PLR2004 - three names fit a line
    return what + (f" on {', '.join(tables[:3])}{more}" if tables else "")


def identity(row: Row) -> dict[str, Scalar | list[Scalar]]:
    """Give the evidence that says which statement it is."""
    roles = row.get("roles")
    evidence: dict[str, Scalar | list[Scalar]] = {
        "kind": str(row.get("kind", "unknown")),
        "tables": [*table_names(row)],
        "roles": [str(role) for role in roles] if isinstance(roles, tuple) else [],
    }
    if row.get("text"):
        evidence["statement"] = str(row["text"])
    return evidence
