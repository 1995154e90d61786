"""Words and figures as people read them: names made safe to show, units by the end of a figure's name, lists cut."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from monitor.errors import Needs
from monitor.measurement import duration, size
from monitor.model import Evidence, Severity

LIST_SHOWN = 6
NAMES_SHOWN = 12
TEXT_SHOWN = 300
SUBJECT_SHOWN = 160
LARGE = 100
NO_TIME_SPAN = 1e9
"""Seconds beyond this (32 years) are a moment since 1970."""

NEEDED = {
    Needs.RIGHTS: "rights are missing; `monitor grants` prints them",
    Needs.HISTORY: "needs history; `monitor run` gathers it",
    Needs.TIME: "ran out of time",
    Needs.SETTING: "a setting is missing",
    Needs.EXTENSION: "an extension is missing",
    Needs.REPAIR: "our own rule or probe broke; please report it",
}

SEVERITY_WORDS = {
    Severity.CRITICAL: ("critical", "critical"),
    Severity.WARNING: ("warning", "warnings"),
    Severity.INFO: ("remark", "remarks"),
}


def safe(text: str) -> str:
    r"""Write what a terminal would obey or hide (control, bidirectional, invisible) as `\n`, `\x1b`, `\u202e`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def cut(text: str, limit: int = TEXT_SHOWN) -> str:
    """Make a text safe, and shorten it to `limit` characters."""
    shown = safe(text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def enumerated(names: Iterable[str], limit: int = NAMES_SHOWN) -> str:
    """Write names in a row, and how many more there are: `a, b and 3 more`."""
    everything = [cut(name, SUBJECT_SHOWN) for name in names]
    shown = ", ".join(everything[:limit])
    return shown if len(everything) <= limit else f"{shown} and {len(everything) - limit:,} more"


def counted(count: int, one: str, many: str) -> str:
    """Write a count with its noun: `1 rule`, `2,400 rules`."""
    return f"{count:,} {one if count == 1 else many}"


def ordinal(count: int) -> str:
    """Write which time: `1st`, `2nd`, `3rd`, `11th`."""
    teens = count % 100 in range(11, 14)
    return f"{count:,}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(count % 10, 'th')}"


def minute(at: datetime) -> str:
    """Write a moment to the minute: `2026-11-20 14:02 UTC`."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.3g} %"


def _milliseconds(count: float) -> str:
    return duration(count / 1000)


def _seconds(count: float) -> str:
    if count < NO_TIME_SPAN:
        return duration(count)
    return datetime.fromtimestamp(count, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


UNITS: tuple[tuple[str, Callable[[float], str]], ...] = (
    ("bytes", size),
    ("seconds", _seconds),
    ("ms", _milliseconds),
    ("after", _seconds),
    ("ratio", _percent),
    ("share", _percent),
)
PART_OF_NAME = ("ratio", "share", "after")
IDENTITIES = ("id", "pid", "pids", "oid", "queryid", "port", "fingerprint", "query", "version", "num")


def figure(key: str, value: object) -> tuple[str, str]:
    """Give name and value for people: `mean_ms` 312.4 reads `mean`, `312 ms`."""
    measured, per, time = key.partition("_per_")
    stem, _, last = measured.rpartition("_")
    unit = next((write for suffix, write in UNITS if suffix == last), None)
    if stem == "cost":  # in the planner's units
        unit = None
    said = unit is None or last in PART_OF_NAME or not stem
    name = key if said else stem + per + time
    if unit is None and last in IDENTITIES:
        unit = str
    return safe(name).replace("_", " "), _written(value, unit or _number)


def figures(evidence: Evidence) -> list[tuple[str, str]]:
    """Give a finding's evidence in its own order; what has no value is left out."""
    return [figure(key, value) for key, value in evidence.items() if value is not None]


def _written(value: object, unit: Callable[[float], str]) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return unit(value) if math.isfinite(value) else "unlimited" if value > 0 else "unknown"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return enumerated((_written(inner, unit) for inner in value), LIST_SHOWN) or "none"
    return cut(str(value))


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= LARGE:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def script(statements: Sequence[str]) -> list[str]:
    """End every statement with a semicolon, on a line of its own where a comment would swallow it."""
    return [_ended(statement.strip()) for statement in statements]


def _ended(statement: str) -> str:
    if statement.endswith(";"):
        return statement
    return statement + ("\n;" if "--" in statement.rpartition("\n")[2] else ";")


def copyable(sql: str) -> bool:
    """Tell whether SQL can be shown as it is, so that what one copies is what runs."""
    return all(char.isprintable() or char in "\n\t" for char in sql)


NOT_COPYABLE = "holds characters that cannot be shown; take this SQL from --format json"


def shown_sql(sql: str) -> str:
    """Give SQL as it is; where it cannot be shown as it is, safely and with a comment that says so."""
    return sql if copyable(sql) else f"-- {NOT_COPYABLE}\n-- {safe(sql)}"
