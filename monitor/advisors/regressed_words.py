"""What statements.regressed says: its evidence, where to look, and why it keeps quiet."""

from __future__ import annotations

from math import inf

from monitor.advisors.statement_rows import PLAN
from monitor.advisors.statement_times import Slower
from monitor.errors import Needs
from monitor.measurement import Measurement, Row
from monitor.model import NoVerdict, Scalar
from monitor.rule import Book
from monitor.summed import table_names


def figures(slower: Slower, limit: float) -> dict[str, Scalar]:
    """Give the evidence: both sides of the comparison."""
    now, before = slower.now, slower.before
    return {
        "mean_ms": round(1000 * now.mean, 3),
        "before_ms": round(1000 * before.median, 3),
        "times": round(now.mean / before.median, 2),
        "limit_times": limit,
        "calls": round(now.calls),
        "stretch_seconds": round(now.over, 1),
        "common_times": round(slower.common, 2),
        "before_calls": round(before.weight),
        "before_hours": before.hours,
        "before_spread_ms": round(1000 * before.spread, 3),
        "same_hour": before.same_hour,
        "excess_cores": round(slower.cores, 4),
        "blocks_read_per_call": round(slower.blocks_read, 2),
    }


def times_as(factor: float) -> str:
    """Write a factor for people: `2.7`, `273`."""
    return f"{factor:.1f}" if factor < 10 else f"{factor:,.0f}"  # noqa: PLR2004 - two digits are enough


def up_for(book: Book, seen: Measurement) -> float:
    """Give how long the server had been up at the reading; for ever where that is not known."""
    server = book.last("server")
    starts = [row.get("start_time_seconds") for row in server.rows] if server else []
    started = [start for start in starts if isinstance(start, float)]
    return seen.taken_at.timestamp() - max(started) if started else inf


def cold(slower: Slower) -> NoVerdict:
    """Say that empty caches may explain it."""
    reason = "it is slower than it was, but the server was started lately and it reads blocks into empty caches"
    return NoVerdict(reason=reason, needs=Needs.HISTORY, subject=slower.key[-1])


def advice(row: Row) -> str:
    """Say where to look."""
    tables = table_names(row)
    named = f" of {', '.join(tables)}" if tables else ""
    return (
        f"See what changed when it began: a deployment, an index{named} that was dropped or is invalid, a table "
        f"that grew, statistics that are stale (analyze). {PLAN}."
    )


def drowned(slower: Slower) -> NoVerdict:
    """Say that it is no slower than the others are."""
    reason = "it is slower than it was, but so are many others just now, and it does not stand out among them"
    return NoVerdict(reason=reason, needs=Needs.HISTORY, subject=slower.key[-1])
