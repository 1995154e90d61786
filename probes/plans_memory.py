"""What the probes of statements and of plans tell each other: which statements want explaining, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nlargest
from operator import itemgetter

from monitor.probe import Row, StatementKind, number

MOST = 500
"""Explanations that are kept of one server; the oldest make room."""
DAY, HOUR, SOON = 86400.0, 3600.0, 300.0
CHANGED = 2.0
"""A mean that grew or fell by this factor may mean another plan."""
CUT = "…"
EXPLAINED = frozenset({StatementKind.SIMPLE, StatementKind.COMPLEX})


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A statement that is slow; `text` is redacted, "" where it is not known."""

    label: str
    text: str
    mean_ms: float


@dataclass(frozen=True, kw_only=True)
class Explained:
    """What its generic plan says, in words, or why there is none."""

    plan: str = ""
    cost: float = 0.0
    skipped: str = ""
    again_after: float = DAY
    """Seconds until it may be tried anew."""


NOT_YET = Explained(skipped="not explained yet")


class Plans:
    """One server's plans; times are seconds of a clock that only goes forward."""

    def __init__(self) -> None:
        self.least_ms: float | None = None
        """What takes less a call is not explained; None while no probe of plans runs here."""
        self._wanted: dict[str, dict[str, Wanted]] = {}
        """By database and label, most wanted first."""
        self._found: dict[tuple[str, str], tuple[Explained, float, float]] = {}
        self._spent: list[float] = []

    def want(self, wanted: Iterable[tuple[str, Wanted]]) -> None:
        """Put the slow statements, most wanted first, each with its database, in the place of those before."""
        self._wanted = {}
        for database, each in wanted:
            self._wanted.setdefault(database, {})[each.label] = each

    def due(self, database: str, now: float, *, least_ms: float) -> list[Wanted]:
        """Give those of a database that want explaining now."""
        slow = (each for each in self._wanted.get(database, {}).values() if each.mean_ms >= least_ms)
        return [each for each in slow if self._is_due(database, each, now)]

    def _is_due(self, database: str, wanted: Wanted, now: float) -> bool:
        found = self._found.get((database, wanted.label))
        if found is None:
            return True
        explained, at, mean_ms = found
        changed = not mean_ms / CHANGED <= wanted.mean_ms <= mean_ms * CHANGED
        return now - at >= (min(SOON, explained.again_after) if changed else explained.again_after)

    def allowed(self, now: float, *, per_hour: int) -> int:
        """Tell how many may be explained now, of this server's budget."""
        self._spent = [at for at in self._spent if now - at < HOUR]
        return max(per_hour - len(self._spent), 0)

    def spend(self, now: float) -> None:
        """Count one towards the budget."""
        self._spent.append(now)

    def put(self, database: str, wanted: Wanted, explained: Explained, now: float) -> None:
        """Keep what came of one."""
        self._found.pop((database, wanted.label), None)
        self._found[database, wanted.label] = (explained, now, wanted.mean_ms)
        while len(self._found) > MOST:
            del self._found[next(iter(self._found))]

    def evidence(self, database: str, label: str) -> Row:
        """Give what a finding about a statement shows of its plan; nothing where nobody asked for it."""
        kept, least_ms = self._found.get((database, label)), self.least_ms
        if least_ms is None:
            return {}
        wanted = self._wanted.get(database, {}).get(label)
        if kept is None and (wanted is None or wanted.mean_ms < least_ms):
            return {}
        explained = kept[0] if kept else NOT_YET
        if explained.skipped:
            return {"plan_skipped": explained.skipped}
        return {"plan": explained.plan, "plan_cost": round(explained.cost, 2)}

    def counts(self, database: str) -> Row:
        """Say how far it has come with a database."""
        of_it = [found[0] for key, found in self._found.items() if key[0] == database]
        return {
            "wanted": len(self._wanted.get(database, ())),
            "explained": sum(not each.skipped for each in of_it),
            "skipped": sum(bool(each.skipped) for each in of_it),
        }


def nominated(rows: Iterable[Row], most: int = 50) -> list[tuple[str, Wanted]]:
    """Give the summed statements whose calls take longest, each with its database."""
    able = [(number(row, "exec_seconds"), number(row, "calls"), row) for row in rows if row["kind"] in EXPLAINED]
    means = [(1000 * seconds / calls, row) for seconds, calls, row in able if calls]
    return [
        (
            str(row["database"]),
            Wanted(label=str(row["statement"]), text=str(row.get("whole") or row["text"]), mean_ms=mean_ms),
        )
        for mean_ms, row in nlargest(most, means, key=itemgetter(0))
    ]


def _whole(row: Row) -> str:
    return str(row.get("whole") or row["text"])
