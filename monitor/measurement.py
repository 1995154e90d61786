"""What one probe saw on one target at one moment, and the small readers its rules use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

from monitor.errors import Needs, ProbeSkipped
from monitor.model import Result, Target
from monitor.proof import Proof

Row: TypeAlias = Mapping[str, object]

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

FRESH_SECONDS = 300.0
"""The shortest window that a number is taken from again: the longest pause between two readings of a probe of ours."""

ALWAYS = 3
"""Statistics that were reset before so many readings in a row will be before the next."""

READING_SECONDS = 5.0
"""How long a reading may take: its time is that of its beginning, its counters' that of its end."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One reading and what grew since earlier ones.

    `grown` holds the rows with their counters replaced by the growth since the last run, `window_growth` the same
    over the probe's window; both are None on a first run, and rows that were reset in between are left out.
    With `lifetime` true the window's growth is the counters' whole life (a snapshot with window 0).
    """

    target: Target
    probe: str
    taken_at: datetime
    rows: Sequence[Row] = ()
    grown: Sequence[Row] | None = None
    grown_seconds: float = 0.0
    window_growth: Sequence[Row] | None = None
    window_seconds: float = 0.0
    resets: int = 0
    """So many readings in a row, this one the last, found the statistics reset."""
    lifetime: bool = False
    details: Mapping[object, Row] = field(default_factory=dict)
    exposed: Sequence[Row] | None = None
    """Rows for the exporter where they are not `rows`; counters in them are growth."""
    asides: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    """Rows for the exporter under other labels, by the name of the probe's `Aside`; counters in them are growth."""
    listed: Callable[[], Iterable[tuple[str, Row]]] = tuple
    """Rows for the report's lists, each with its list's name; made only when somebody asks for a report."""
    options: object = None
    result: Result = Result.OK
    reason: str = ""
    needs: Needs | None = None
    duration_seconds: float = 0.0
    unfinished: bool = False
    """The probe reads a little at a time, and wants to go on soon; `reason` may say how far it is."""
    snapshot: bool = False
    """True when no ledger follows: two looks are the two readings of this one report."""

    @property
    def changes(self) -> Sequence[Row]:
        """The growth over the window; raises ProbeSkipped (needs history) while there is none."""
        if self.window_growth is not None:
            return self.window_growth
        if self.resets >= ALWAYS:
            raise ProbeSkipped(
                f"the statistics were reset before each of the last {self.resets} readings: no growth can be seen "
                "until whatever resets them does so less often",
                Needs.SETTING,
            )
        if self.resets:
            raise ProbeSkipped("the statistics were reset; growth is known from the next reading on", Needs.HISTORY)
        raise ProbeSkipped("counters were read once; growth is known from the second reading on", Needs.HISTORY)


def of_kind(rows: Iterable[Row], *kinds: str) -> Iterator[Row]:
    """Give the rows of these kinds, of a reading whose rows are told apart by `kind`."""
    return (row for row in rows if row["kind"] in kinds)


def number(row: Row, column: str) -> float:
    """Read a number; raises ProbeSkipped, which ends the rule without a verdict, when it is missing or NULL."""
    value = row.get(column)
    if type(value) is float:  # by far the most
        return value
    if isinstance(value, int | float | Decimal):
        return float(value)
    if value is None and column in row:
        raise ProbeSkipped(f"the server gives no {column}", Needs.RIGHTS)
    raise ProbeSkipped(f"column {column} is not a number", Needs.REPAIR)


ENOUGH = 0.1
"""Of the former pace: what happens more seldom is no fair comparison."""


def measured(seen: Measurement | None, proof: Proof, since: datetime) -> float | str:
    """Read a proof's number again, from a window that began after `since`; or say why that cannot be."""
    if seen is None or seen.result is not Result.OK:
        return f"{proof.probe} is not read" + (f": {seen.reason}" if seen and seen.reason else "")
    began = seen.taken_at - timedelta(seconds=seen.window_seconds)
    if seen.window_growth is None or seen.lifetime or seen.window_seconds < FRESH_SECONDS:
        return "its counters began anew, and too short a time ago"
    if began < since - timedelta(seconds=READING_SECONDS):
        return "not enough time has passed"
    rows = [row for row in (*seen.window_growth, *seen.details.values()) if proof.labels.items() <= row.items()]
    grown = _grown(rows, proof.metric)
    if not grown:
        return "its counters were reset, or it is gone"
    if not proof.per:
        return sum(grown) / seen.window_seconds
    count = sum(_grown(rows, proof.per))
    if not count or count < ENOUGH * proof.pace * seen.window_seconds:
        return f"it happened {count:,.0f} times only: the traffic may just have stopped"
    return sum(grown) / count


def _grown(rows: Iterable[Row], column: str) -> list[float]:
    return [float(each) for row in rows if isinstance(each := row.get(column), int | float | Decimal)]


def size(count: float) -> str:
    """Write bytes for people, in binary units: `4.0 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < KIB:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= KIB
    return f"{count:.1f} TiB"


def duration(seconds: float) -> str:
    """Write a time span for people: `250 ms`, `12 s`, `5 min`, `3.2 h`, `2.0 d`."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    for limit, unit, divisor in ((120, "s", 1), (7200, "min", 60), (172800, "h", 3600)):
        if seconds < limit:
            return f"{seconds / divisor:.3g} {unit}"
    return f"{seconds / 86400:.3g} d"


def share(part: float, whole: float) -> str:
    """Write a part of a whole for people: `83 %`; `0 %` of nothing."""
    return f"{100 * part / whole:.0f} %" if whole else "0 %"


def plural(count: float, noun: str, many: str = "") -> str:
    """Write a count with its noun: `1 row`, `2,400 rows`."""
    return f"{count:,.0f} {noun if round(count) == 1 else many or noun + 's'}"
