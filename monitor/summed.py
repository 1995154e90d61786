"""Statements as the probe sums them up, by rules and advisors alike: which there are, and words about one."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.errors import Needs, ProbeSkipped
from monitor.measurement import Measurement, Row
from monitor.sql.text import identifier


def check_recording(seen: Measurement) -> None:
    """Raise ProbeSkipped where pg_stat_statements records nothing."""
    if seen.details.get("whole", {}).get("off"):
        raise ProbeSkipped(
            "pg_stat_statements.track is none: no statement is recorded; set it to top and reload", Needs.SETTING
        )


def summed(seen: Measurement) -> Iterator[Row]:
    """Give the summed statements of a reading, the busiest first."""
    return (row for key, row in seen.details.items() if isinstance(key, tuple) and key[0] == "statement")


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
