"""The page of pools: connection slots, PgBouncer's and applications' pools, over time and against their limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.draw.about import firing, remarks, unsaid
from monitor.draw.asked import Asked, Sheet, sheet
from monitor.draw.canvas import Canvas
from monitor.draw.forecast import Forecast, forecast
from monitor.draw.outlook import Unknown
from monitor.draw.plot import MOST, Plot, spark
from monitor.history.trend import Line, Trends
from monitor.kinds import APP_POOL, PGBOUNCER, POSTGRES
from monitor.model import Alert
from monitor.status import Glance

SLOTS, STATES, BOUNCED, CLIENTS, APPLICATION = (
    "pool.slots",
    "pool.states",
    "pgbouncer.pools",
    "pgbouncer.clients",
    "app_pool.pools",
)
FAMILIES = ("pool.", "sessions.", "connections.")
PROBES = {POSTGRES: "pool", PGBOUNCER: "pgbouncer", APP_POOL: "app_pool"}
RECENT_SECONDS = 3 * 3600.0
USED: Mapping[str, tuple[str, str]] = {
    SLOTS: ("slots_used", "slots_limit"),
    CLIENTS: ("used_clients", "config_max_client_connections"),
    APPLICATION: ("in_use", "size"),
}
"""What is used and what may be, of each trend that has a limit."""
WHAT = {SLOTS: "Connection slots", CLIENTS: "Clients", APPLICATION: "Connections"}
SORTS = ("fullness", "name", "transaction")


@dataclass(frozen=True, kw_only=True)
class Limited:
    """Something that has a limit, and how near it is."""

    line: Line
    name: str
    used: float
    limit: float | None
    foretold: Forecast | None
    """When it is full, where there is a trend."""
    oldest: float | None
    idle: float | None
    waiting: float | None
    findings: Sequence[Alert]
    spark: str = ""
    """What was used over the newest hours; drawn of those only that are shown."""

    @property
    def ratio(self) -> float:
        """Give what is used as a part of the limit; 0 where there is none."""
        return self.used / self.limit if self.limit else 0.0

    @property
    def percent(self) -> float:
        """Give the same in percent, at most 100."""
        return round(min(100 * self.ratio, 100.0), 1)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What stands on the page, but for the charts, whose courses are still to be read."""

    sheet: Sheet[Limited]
    target: str
    """The one whose charts are shown; empty: none."""
    charted: Sequence[Line]
    limits: Sequence[Limited]
    bounced: Sequence[Line]
    findings: Sequence[Alert]
    remarks: Sequence[str]
    unknown: Sequence[Unknown]
    watched: bool


def scene(glance: Glance, trends: Trends, asked: Asked) -> Scene:
    """Put together what is known now."""
    alerts = firing(glance.shelf.alerts(), FAMILIES, asked.target)
    rows = [*_limited(trends, alerts, asked.target, glance.now)]
    whole = [row for row in rows if row.line.trend != SLOTS or row.line.key["kind"] == "server"]
    names = {row.line.server for row in whole}
    target = asked.target or (min(names) if len(names) == 1 else "")
    lines = [line for name in (STATES, BOUNCED) for line in trends.lines(name, target)] if target else []
    own = [row.line for row in whole if target == row.line.server]
    page = sheet(sorted(whole, key=_order(asked.sort)), asked)
    states = sorted((line for line in lines if line.trend == STATES), key=_sessions)
    bounced = sorted((line for line in lines if line.trend == BOUNCED), key=_busy)
    return Scene(
        sheet=replace(page, rows=[replace(row, spark=_course(row.line, trends, glance.now)) for row in page.rows]),
        target=target,
        charted=[*own, *states[:MOST], *bounced[:MOST]],
        limits=sorted((row for row in rows if target and row not in whole), key=_order("")),
        bounced=bounced,
        findings=alerts.get(target, ()),
        remarks=[*remarks(glance, PROBES, asked.target)],
        unknown=unsaid(glance, FAMILIES, asked.target),
        watched=bool(glance.shelf.targets()),
    )


def _course(line: Line, trends: Trends, now: datetime) -> str:
    return spark(trends.recent(line, USED[line.trend][0]).points, now, RECENT_SECONDS)


def _limited(trends: Trends, alerts: Mapping[str, Sequence[Alert]], server: str, now: datetime) -> Iterator[Limited]:
    for trend, (used, limit) in USED.items():
        for line in trends.lines(trend, server or None):
            whole = line.key.get("kind", "server") == "server"
            yield Limited(
                line=line,
                name=_name(line),
                used=line.values.get(used, 0.0),
                limit=line.number(limit),
                foretold=_foretold(line, now),
                oldest=line.number("oldest_transaction_seconds"),
                idle=line.number("oldest_idle_in_transaction_seconds"),
                waiting=line.number("waiting"),
                findings=alerts.get(line.server, ()) if whole else (),
            )


def _foretold(line: Line, now: datetime) -> Forecast | None:
    _, limit = USED[line.trend]
    return forecast(line.number("time_to_exhaustion_seconds"), line.number(limit), line.taken_at, now)


def _name(line: Line) -> str:
    """Name what has the limit: a role, a database, an application's pool."""
    if line.trend == APPLICATION:
        return line.key["pool"]
    kind = line.key.get("kind", "server")
    return "" if kind == "server" else f"{kind} {line.key.get(kind, '')}"


def _order(sort: str) -> Callable[[Limited], tuple[float, str, str]]:
    """Give the key to sort by, the fullest first where nothing else is wanted."""
    figures: dict[str, Callable[[Limited], float]] = {
        "name": lambda _: 0.0,
        "transaction": lambda row: row.oldest or 0.0,
        "fullness": lambda row: row.ratio,
    }
    figure = figures[sort or "fullness"]
    return lambda row: (-figure(row), row.line.server, row.name)


def _busy(line: Line) -> tuple[float, float, str, str]:
    waiting, active = (line.values.get(f"pools_client_{name}_connections", 0.0) for name in ("waiting", "active"))
    return -waiting, -active, line.key["database"], line.key["user"]


def _sessions(line: Line) -> float:
    return -line.values.get("sessions", 0.0)


def charts(seen: Scene, canvas: Canvas) -> list[Plot]:
    """Draw what the courses say."""
    return [
        *(each for line in seen.charted if line.trend in USED for each in _use(canvas, line)),
        *_states(canvas, [line for line in seen.charted if line.trend == STATES]),
        *(each for line in seen.charted if line.trend == SLOTS for each in _longest(canvas, line)),
        *_bounced(canvas, [line for line in seen.charted if line.trend == BOUNCED]),
    ]


def _use(canvas: Canvas, line: Line) -> list[Plot]:
    used, limit = USED[line.trend]
    pool = line.key.get("pool")
    title = f"{WHAT[line.trend]} of {pool}" if pool else WHAT[line.trend]
    series = [canvas.series("in use", line, used)]
    if line.trend == APPLICATION:
        series.append(canvas.series("waiting", line, "waiting"))
    return canvas.plot(title, series, limit=line.number(limit), foretold=_foretold(line, canvas.now))


def _states(canvas: Canvas, states: Sequence[Line]) -> list[Plot]:
    return canvas.plot("Sessions by state", [canvas.series(line.key["state"], line, "sessions") for line in states])


def _longest(canvas: Canvas, line: Line) -> list[Plot]:
    series = [
        canvas.series("transaction", line, "oldest_transaction_seconds"),
        canvas.series("idle in transaction", line, "oldest_idle_in_transaction_seconds"),
    ]
    return canvas.plot("Longest open", series, unit="seconds")


def _bounced(canvas: Canvas, lines: Sequence[Line]) -> list[Plot]:
    titles = {
        "Clients waiting for a server connection": "pools_client_waiting_connections",
        "Clients with a server connection": "pools_client_active_connections",
    }
    return [
        drawn
        for title, column in titles.items()
        for drawn in canvas.plot(
            title, [canvas.series(f"{line.key['database']} / {line.key['user']}", line, column) for line in lines]
        )
    ]
