"""What advisors on statements share: the grounds they judge on, the newest rows by key, and which statement it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from monitor.errors import Needs, ProbeSkipped
from monitor.history.past import History, Key
from monitor.measurement import Measurement, Row, duration
from monitor.model import Result, Scalar
from monitor.rule import Book
from monitor.summed import check_recording, summed, table_names

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
    check_recording(seen)
    if history is None:
        raise ProbeSkipped("no history of statements is kept", Needs.HISTORY)
    begins = history.begins
    if begins is None or seen.taken_at - begins < timedelta(seconds=min_history):
        there = duration((seen.taken_at - begins).total_seconds()) if begins else "none"
        raise ProbeSkipped(f"{duration(min_history)} of history are needed, there is {there} yet", Needs.HISTORY)
    return seen, history


def rows_by_key(seen: Measurement, database: str | None) -> Mapping[Key, Row]:
    """Give one database's summed statements by the key of their history, the busiest first."""
    own = (row for row in summed(seen) if row["database"] == database)
    return {(str(row["database"]), str(row["statement"])): row for row in own}


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
