"""The rules on PgBouncer's own limit of clients, max_client_conn: how near it is, and when it will be reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    Area,
    Confidence,
    Finding,
    Measurement,
    NoVerdict,
    Object,
    Remedy,
    Row,
    Rule,
    Scalar,
    Severity,
    duration,
    number,
    of_kind,
    plural,
    share,
)
from probes.pool_forecast import growth, named, too_short
from probes.pool_groups import holder
from probes.pool_limits import Levels
from probes.pool_series import Watched
from probes.pool_trend import LASTING, Trend

KIND = "clients"


def forecast(watched: Watched, at: float, rows: Sequence[Row]) -> Row | None:
    """Give the limit's row with what the points of half an hour say; None where PgBouncer tells no limit."""
    whole = next((row for row in rows if row["kind"] == "whole"), {})
    used, limit = whole.get("used_clients"), whole.get("config_max_client_connections")
    if used is None or not limit:
        return None
    row = {"kind": KIND, "database": "", "role": "", "slots_used": used, "slots_limit": limit}
    groups = [
        {**client, "role": client["user"], "sessions": client["clients"], "own_sessions": 0}
        for client in rows
        if client["kind"] == "client"
    ]
    (told,) = watched.take(at, 0.0, groups, [row])
    return told


@dataclass(frozen=True, kw_only=True)
class ClientRule(Rule):
    """A rule on max_client_conn."""

    area: ClassVar[Area] = Area.CAPACITY
    min_limit: float = 10.0

    def limits(self, seen: Measurement) -> Iterator[Row]:
        """Give the limit, unless it is too small to be judged."""
        return (row for row in of_kind(seen.rows, KIND) if number(row, "slots_limit") >= self.min_limit)

    def accusing(
        self,
        seen: Measurement,
        row: Row,
        *,
        summary: str,
        severity: Severity,
        confidence: Confidence = Confidence.HIGH,
        **evidence: Scalar | list[Scalar],
    ) -> Finding:
        """Accuse the PgBouncer of its clients."""
        limit = number(row, "slots_limit")
        return self.finding(
            seen,
            in_database=None,
            subject="max_client_conn",
            object=Object("pool", name="max_client_conn"),
            severity=severity,
            confidence=confidence,
            summary=summary,
            impact="when all are used, PgBouncer refuses the next client of whatever pool: no more connections allowed "
            "(max_client_conn)",
            remedy=Remedy(
                caution="See who holds clients, and whether they wait for a pool (pool.waiting): applications that "
                "keep too many open want smaller pools of their own. A client costs PgBouncer some kB and a file "
                f"descriptor: raise max_client_conn (now {limit:.0f}) in pgbouncer.ini together with the limit of "
                "open files, then RELOAD."
            ),
            count=round(number(row, "slots_used")),
            limit_count=round(limit),
            **evidence,
        )


@dataclass(frozen=True, kw_only=True)
class ClientSaturation(ClientRule, Levels):
    """PgBouncer's places for clients run out.

    Why: at max_client_conn the next client is refused, whichever database it wants, however idle the server is. A level
    counts as reached when clients / max_client_conn equals its ratio. Clients that hold no server connection count.
    What to do: see which application holds them, and whether they wait. Raise max_client_conn in pgbouncer.ini only
    together with the limit of open files.
    When it is wrong: a limit that is meant to be used up. Raise the ratios; below `min_limit` it is not judged.
    Cost: none beyond the probe's commands.
    """

    id: ClassVar[str] = "pool.client_saturation"
    hold: float = 15.0
    keep: float = 60.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in self.limits(seen):
            used, limit = number(row, "slots_used"), number(row, "slots_limit")
            severity = self.reached(used, limit)
            if severity is not None:
                yield self.accusing(
                    seen,
                    row,
                    severity=severity,
                    summary=f"{used:.0f} of {plural(limit, 'place')} for clients used ({share(used, limit)})",
                    ratio=round(used / limit, 3),
                    holders=holding(seen),
                    warning_ratio=self.warning_ratio,
                    critical_ratio=self.critical_ratio,
                )


@dataclass(frozen=True, kw_only=True)
class ClientForecast(ClientRule):
    """PgBouncer's places for clients will run out soon.

    Why: clients that wait for a pool pile up, and with max_client_conn of them PgBouncer refuses everybody. The slope
    is that of pool.exhaustion_forecast, over clients with a server connection and without.
    What to do: look at the application that grows. Where its clients wait, shorten what holds the pool's connections.
    When it is wrong: as pool.exhaustion_forecast, where an application opens its pool within a minute or two.
    Cost: none beyond the probe's commands; 195 points are kept in memory.
    """

    id: ClassVar[str] = "pool.client_forecast"
    keep: float = 120.0
    horizon: float = 900.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in self.limits(seen):
            found = row["trend"]
            if isinstance(found, Trend) and found.seconds_left <= self.horizon:
                yield self._accuse(seen, row, found)
            elif row["time_to_exhaustion_seconds"] is None:
                yield too_short(row)

    def _accuse(self, seen: Measurement, row: Row, found: Trend) -> Finding:
        used, limit, rise = number(row, "slots_used"), number(row, "slots_limit"), found.rise
        growing, waiting = growth(row), sum(number(pool, "cl_waiting") for pool in of_kind(seen.rows, "pool"))
        return self.accusing(
            seen,
            row,
            severity=self.severity,
            confidence=Confidence.HIGH if rise.seconds >= LASTING else Confidence.MEDIUM,
            summary=f"full in about {duration(round(found.seconds_left))}: {used:.0f} of {plural(limit, 'place')} for "
            f"clients used, {rise.gain:.0f} more than {duration(rise.seconds)} ago; {waiting:.0f} of them wait",
            waiting=round(waiting),
            seconds_left=round(found.seconds_left),
            per_minute=round(60 * rise.slope, 2),
            per_minute_at_least=round(60 * rise.low, 2),
            rising_seconds=round(rise.seconds),
            growing=[f"{named(who)}: {more:+.0f}" for who, more in growing[:5]],
            horizon_seconds=self.horizon,
        )


def holding(seen: Measurement) -> list[Scalar]:
    """Name the applications with the most clients; none where there were too many to be counted."""
    clients: Counter[str] = Counter()
    for row in of_kind(seen.rows, "client"):
        clients[holder({"role": row["user"], "application": row["application"]})] += round(number(row, "clients"))
    return [f"{name}: {count}" for name, count in clients.most_common(5)]
