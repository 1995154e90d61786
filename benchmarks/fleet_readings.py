"""What the probes of the fleet read: gauges for three hours, as the daemon takes them in, and the newest statements."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product

from benchmarks.fleet import DATABASES, TABLES, listed
from monitor.daemon.desk import Desk
from monitor.history.trend import Trend
from monitor.measurement import Measurement, Row
from monitor.model import Server, Target
from monitor.probe import Probe, Scope

MINUTES = 180
"""As far back as memory reaches."""
STATES = ("active", "idle", "idle in transaction", "disabled", "starting")
LINKS = tuple(f"public.table_{place}.user_id" for place in range(20))
KEYS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "pool.slots": {"kind": ("server", "role"), "role": ("web_api",), "database": ("",)},
    "pool.states": {"state": STATES},
    "sizes.databases": {"database": DATABASES},
    "tables.tables": {"schema": ("public",), "table": tuple(f"orders_{place}" for place in range(TABLES))},
    "pgbouncer.pools": {"database": DATABASES, "user": tuple(f"web_{place}" for place in range(10))},
    "app_pool.pools": {"pool": ("main", "reports")},
    "auth_accounts.users": {"state": ("confirmed", "unconfirmed", "banned", "deleted", "anonymous")},
    "auth_links.orphans": {"link": LINKS, "direction": ("profile", "user")},
    "auth_links.sweeps": {"link": LINKS},
    "auth_states.rows": {"link": LINKS, "state": ("banned", "soft_deleted", "malformed")},
    "auth_sessions.rows": {"table": ("sessions", "refresh_tokens")},
}
"""What each trend has rows of; all ways to put its parts together."""
WORDS: Row = {"pool_mode": "transaction", "origin": "declared"}


def keys(probe: Probe, trend: Trend) -> list[Row]:
    """Give the keys of a trend."""
    parts = KEYS.get(f"{probe.name}.{trend.name}", {})
    return [dict(zip(parts, each, strict=True)) for each in product(*parts.values())]


def places(server: Server, probe: Probe) -> list[Target]:
    """Give where a probe looks on a server; only one of the databases has users."""
    if probe.scope.kind != server.kind:
        return []
    if probe.scope is not Scope.DATABASE:
        return [Target(server.name)]
    return [Target(server.name, name) for name in (DATABASES[:1] if probe.name.startswith("auth") else DATABASES)]


def live(desk: Desk, servers: Sequence[Server], probes: Sequence[Probe], now: datetime) -> Iterator[datetime]:
    """Take three hours of readings in; gives each minute, at which the clock should then stand."""
    following = [probe for probe in probes if probe.trends]
    for ago in range(MINUTES, -1, -1):
        at = now - timedelta(minutes=ago)
        yield at
        for probe in following:
            if ago % max(1, int(max(trend.every for trend in probe.trends) // 60)) == 0:
                for server in servers:
                    for target in places(server, probe):
                        desk.recorder.take(server, probe, reading(probe, target, at))


async def show(desk: Desk, servers: Sequence[Server], probes: Sequence[Probe], now: datetime) -> None:
    """Take the newest reading of every probe in, as the daemon does; its rules and series are not what is measured."""
    for server in servers:
        for probe in probes:
            bare = replace(probe, rules=(), metrics=(), asides=(), trends=(), history=None)
            for target in places(server, probe):
                await desk.take(server, bare, reading(probe, target, now))


def reading(probe: Probe, target: Target, at: datetime) -> Measurement:
    """Give what a probe reads at a moment."""
    rows = [_row(trend, key, at) for trend in probe.trends if not trend.aside for key in keys(probe, trend)]
    asides = {
        trend.aside: [_row(trend, key, at) for key in keys(probe, trend)] for trend in probe.trends if trend.aside
    }
    return Measurement(
        target=target,
        probe=probe.name,
        taken_at=at,
        exposed=rows,
        grown=rows,
        grown_seconds=60.0,
        asides=asides,
        listed=(lambda: listed(target.server)) if probe.name == "statements" else tuple,
        duration_seconds=0.004,
    )


def _row(trend: Trend, key: Row, at: datetime) -> Row:
    """Give one row: figures that go up and down over the day."""
    wave = 1.5 + math.sin(at.timestamp() / 13_751) + math.sin(at.timestamp() / 797 + len(str(key))) / 3
    numbers = {name: round(wave * (place + 7) * 1000) for place, name in enumerate(trend.columns)}
    return {**numbers, **{name: WORDS.get(name, at.timestamp() - 3600) for name in trend.latest}, **key}
