"""The rules on PgBouncer's own limit of clients, max_client_conn: how near it is, and when it will be reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import Finding, Measurement, NoVerdict, Remedy, Row, Scalar, number, of_kind, plural, share
from probes.pool_forecast import Forecast
from probes.pool_groups import holder
from probes.pool_limits import CLIENTS, Levels, LimitRule
from probes.pool_series import Watched
from probes.pool_trend import Trend


def forecast(watched: Watched, at: float, rows: Sequence[Row]) -> Row | None:
    """Give the limit's row with what the points of half an hour say; None where PgBouncer tells no limit."""
    whole = next(of_kind(rows, "whole"), {})
    used, limit = whole.get("used_clients"), whole.get("config_max_client_connections")
    if used is None or not limit:
        return None
    row = {"kind": CLIENTS, "database": "", "role": "", "slots_used": used, "slots_limit": limit}
    groups = [
        {**client, "role": client["user"], "sessions": client["clients"], "own_sessions": 0}
        for client in of_kind(rows, "client")
    ]
    (told,) = watched.take(at, 0.0, groups, [row])
    return told


@dataclass(frozen=True, kw_only=True)
class ClientSaturation(LimitRule, Levels):
    """PgBouncer's places for clients run out.

    Why: at max_client_conn the next client is refused, whichever database it wants, however idle the server is. A level
    counts as reached when clients / max_client_conn equals its ratio. Clients that hold no server connection count.
    What to do: see which application holds them, and whether they wait. Raise max_client_conn in pgbouncer.ini only
    together with the limit of open files.
    When it is wrong: a limit that is meant to be used up. Raise the ratios; below `min_limit` it is not judged.
    Cost: none beyond the probe's commands.
    """

    id: ClassVar[str] = "pool.client_saturation"
    kinds: ClassVar[tuple[str, ...]] = (CLIENTS,)
    hold: float = 15.0
    keep: float = 60.0
    min_limit: float = 10.0

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
                    remedy=roomier(row),
                    count=used,
                    ratio=round(used / limit, 3),
                    holders=holding(seen),
                    warning_ratio=self.warning_ratio,
                    critical_ratio=self.critical_ratio,
                )


@dataclass(frozen=True, kw_only=True)
class ClientForecast(Forecast):
    """PgBouncer's places for clients will run out soon.

    Why: clients that wait for a pool pile up, and with max_client_conn of them PgBouncer refuses everybody. The slope
    is that of pool.exhaustion_forecast, over clients with a server connection and without.
    What to do: look at the application that grows. Where its clients wait, shorten what holds the pool's connections.
    When it is wrong: as pool.exhaustion_forecast, where an application opens its pool within a minute or two.
    Cost: none beyond the probe's commands; 195 points are kept in memory.
    """

    id: ClassVar[str] = "pool.client_forecast"
    kinds: ClassVar[tuple[str, ...]] = (CLIENTS,)

    def foretold(self, seen: Measurement, row: Row, found: Trend) -> Finding:
        places = f"{plural(number(row, 'slots_limit'), 'place')} for clients"
        waiting = round(sum(number(pool, "cl_waiting") for pool in of_kind(seen.rows, "pool")))
        whose = f"; {waiting} of them wait"
        return self.foretelling(seen, row, found, places=places, whose=whose, remedy=roomier(row), waiting=waiting)


def roomier(row: Row) -> Remedy:
    """Say whom to look at, and which setting gives more places."""
    return Remedy(
        caution="See who holds clients, and whether they wait for a pool (pool.waiting): applications that keep too "
        "many open want smaller pools of their own. A client costs PgBouncer some kB and a file descriptor: raise "
        f"max_client_conn (now {number(row, 'slots_limit'):.0f}) in pgbouncer.ini together with the limit of open "
        "files, then RELOAD."
    )


def holding(seen: Measurement) -> list[Scalar]:
    """Name the applications with the most clients; none where there were too many to be counted."""
    clients: Counter[str] = Counter()
    for row in of_kind(seen.rows, "client"):
        clients[holder({"role": row["user"], "application": row["application"]})] += round(number(row, "clients"))
    return [f"{name}: {count}" for name, count in clients.most_common(5)]
