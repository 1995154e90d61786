"""What a report shows over time: under which name a daemon's store keeps what a row is about, and what it held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from monitor.history.past import Key
from monitor.history.trend import Course, Point
from monitor.measurement import Row
from monitor.status import Bucket

HOURS = 24
"""So many newest hours of rows are shown."""
STATEMENTS, TABLES, SLOTS, BOUNCED, APPLICATION = (
    "statements",
    "tables.tables",
    "pool.slots",
    "pgbouncer.pools",
    "app_pool.pools",
)

Line: TypeAlias = tuple[str, str, Key]
"""The name of what is kept, the server, and the key there."""


@dataclass(frozen=True, kw_only=True)
class Traced:
    """What was kept of a report's rows and findings; of what is not here nothing was."""

    statements: Mapping[Line, Sequence[Bucket]] = field(default_factory=dict)
    gauges: Mapping[Line, Sequence[Point]] = field(default_factory=dict)
    findings: Mapping[str, Course] = field(default_factory=dict)
    """The main number of findings, by fingerprint."""


def line_of(row: Row) -> Line | None:
    """Name what a row of a report's lists is about, as the store does; None: it is kept of nobody."""
    server, database = str(row.get("target")), str(row.get("database") or "")
    if "statement" in row:
        return STATEMENTS, server, (database, str(row["statement"]))
    if "table" in row:
        return TABLES, server, (database, str(row["schema"]), str(row["table"]))
    match row.get("kind"):
        case "server" | "role" | "database" as kind:
            name = str(row.get("name") or "")
            return SLOTS, server, ("", kind, name if kind == "role" else "", name if kind == "database" else "")
        case "pgbouncer":
            return BOUNCED, server, ("", database, str(row.get("user")))
        case "application":
            return APPLICATION, server, ("", str(row.get("name")))
        case _:
            return None


SHOWN: Mapping[str, Sequence[str]] = {
    TABLES: ("total_bytes", "heap_bytes"),
    SLOTS: ("slots_used",),
    BOUNCED: ("pools_client_active_connections",),
    APPLICATION: ("in_use",),
}
"""The column of each that is drawn, the first that is known."""
