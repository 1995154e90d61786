"""What is remembered of the last five weeks, hour by hour: rows that came, and how long we were there to see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from monitor.probe import Row, number

TABLES = ("users", "sessions", "refresh_tokens")

HOUR, DAY, WEEK = 3600.0, 24, 168
KEPT = 5 * WEEK
"""Hours."""
LONGEST = 900.0
"""Growth over a longer pause, in seconds, may have come in any of its hours."""
SEEN = 3000.0
"""An hour counts when it was watched for so many seconds."""


@dataclass
class Hour:
    """Rows that came into each table, and for how many seconds that was seen."""

    seconds: float = 0.0
    rows: dict[str, float] = field(default_factory=lambda: dict.fromkeys(TABLES, 0.0))

    def add(self, part: float, seconds: float, grown: Row) -> None:
        """Add a part of what grew."""
        self.seconds += part * seconds
        for table in TABLES:
            self.rows[table] += part * number(grown, table)

    @property
    def counts(self) -> Sequence[float]:
        """Give the rows of each table, short enough to be written each minute."""
        return [round(self.rows[table], 1) for table in TABLES]

    def rate(self, table: str) -> float:
        """Give rows an hour."""
        return self.rows[table] * HOUR / self.seconds


class Weeks:
    """The hours since 1970, in UTC, each with what came in it; durable."""

    def __init__(self) -> None:
        self._hours: dict[int, Hour] = {}

    def take(self, at: float, seconds: float, grown: Row) -> None:
        """Enter what grew in the seconds before `at`, in parts where an hour began meanwhile."""
        if not 0 < seconds <= LONGEST:
            return
        present = int(at // HOUR)
        after = min((at - present * HOUR) / seconds, 1.0)
        for hour, part in ((present, after), (present - 1, 1.0 - after)):
            if part > 0:
                self._hours.setdefault(hour, Hour()).add(part, seconds, grown)
        if len(self._hours) > KEPT:
            self._hours = {hour: each for hour, each in self._hours.items() if present - KEPT <= hour <= present}

    def alike(self, table: str, at: float, seconds: float) -> Row:
        """Give earlier rates: of the hours that are as the present one, and as the one the window began in."""
        hours = sorted({int((at - max(min(seconds, HOUR), 1.0)) // HOUR), int(at // HOUR)})
        return {
            "weeks": [self._rates(table, hour, WEEK) for hour in hours],
            "days": [self._rates(table, hour, DAY) for hour in hours],
        }

    def _rates(self, table: str, present: int, step: int) -> Sequence[float]:
        earlier = (self._hours.get(hour) for hour in range(present - step, present - KEPT - 1, -step))
        return [each.rate(table) for each in earlier if each is not None and each.seconds >= SEEN]

    def document(self) -> object:
        """Give what a restart must not forget."""
        if not self._hours:
            return None
        hours = sorted(self._hours.items())
        return {"hours": [[hour, round(each.seconds, 1), *each.counts] for hour, each in hours]}

    def restore(self, document: object) -> None:
        """Take up what was kept; what is not as we write it is left out."""
        kept = document.get("hours") if isinstance(document, Mapping) else None
        self._hours = {}
        for entry in kept if isinstance(kept, list) else []:
            if _is_entry(entry):
                hour, seconds, *rows = entry
                self._hours[hour] = Hour(seconds=seconds, rows=dict(zip(TABLES, rows, strict=True)))


def _is_entry(entry: object) -> bool:
    if not isinstance(entry, list) or len(entry) != 2 + len(TABLES) or not isinstance(entry[0], int):
        return False
    return all(isinstance(each, int | float) and 0 <= each < float("inf") for each in entry)
