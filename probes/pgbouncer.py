"""PgBouncer's console: its pools, databases, lists and limits, and which applications are its clients.

Metrics are named as pgbouncer_exporter names them, after our own prefix; columns that a version does not have are left
out, unknown ones are ignored. Cost: six short commands, 75 ms with 1,000 clients and 3,000 databases. The 100 busiest
pools and databases are told apart. Limits: clients are counted by application only while there are no more than 2,000.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from monitor.probe import (
    Aside,
    Kind,
    Measurement,
    Memory,
    Metric,
    Probe,
    ProbeError,
    Row,
    Scope,
    Session,
    Trend,
    gauges,
    of_kind,
)
from probes.pgbouncer_clients import ClientForecast, ClientSaturation, forecast
from probes.pgbouncer_reading import Column, bounded, busiest, cleaned, read
from probes.pgbouncer_waiting import Waiting
from probes.pool_behind import Poolers, of_console
from probes.pool_groups import safe
from probes.pool_listing import of_pgbouncer
from probes.pool_series import Watched

TOLD = 100
"""How many pools, and how many databases, are told apart."""

APPLICATIONS = 50
MOST_CLIENTS = 2000

POOLS: Mapping[str, Column] = {
    "pools_client_active_connections": Column("cl_active", "Clients that have a server connection, or ask for none."),
    "pools_client_waiting_connections": Column("cl_waiting", "Clients that wait for a server connection."),
    "pools_client_maxwait_seconds": Column("maxwait", "How long the first of them has waited.", most=True),
    "pools_server_active_connections": Column("sv_active", "Server connections that a client has."),
    "pools_server_idle_connections": Column("sv_idle", "Server connections ready for a client."),
    "pools_server_used_connections": Column("sv_used", "Server connections that are to be checked before use."),
    "pools_server_testing_connections": Column("sv_tested", "Server connections being reset or checked."),
    "pools_server_login_connections": Column("sv_login", "Server connections that log in."),
}
"""Of SHOW POOLS: metrics by name, and where they stand."""

DATABASES: Mapping[str, Column] = {
    "databases_pool_size": Column("pool_size", "Server connections that each of its pools may have."),
    "databases_reserve_pool": Column("reserve_pool", "Further ones that may be opened when clients wait long."),
    "databases_max_connections": Column("max_connections", "Server connections of all its pools; 0: no limit."),
    "databases_current_connections": Column("current_connections", "Server connections that it has."),
    "databases_paused": Column("paused", "1 while it is paused."),
    "databases_disabled": Column("disabled", "1 while it takes no new clients."),
}
"""Of SHOW DATABASES."""

LISTS = (
    "databases", "users", "pools", "free_clients", "used_clients", "login_clients", "free_servers", "used_servers",
    "dns_names", "dns_zones", "dns_queries", "dns_pending",
)  # fmt: skip
"""Of SHOW LISTS: names of its rows, and of the metrics."""

CONFIG: Mapping[str, str] = {
    "config_max_client_connections": "max_client_conn",
    "config_max_user_connections": "max_user_connections",
    "config_max_db_connections": "max_db_connections",
    "config_default_pool_size": "default_pool_size",
}
"""Of SHOW CONFIG: metrics by name, and the setting's own name."""


class Whole:
    """Whether everything is paused, which SHOW STATE says; older versions (1.18) do not know that command."""

    def __init__(self) -> None:
        self._refused_by = -1

    async def paused(self, session: Session) -> bool:
        """Ask, unless this version refused before."""
        version = session.facts.version_num
        if self._refused_by == version:
            return False
        try:
            rows = await session.fetch("SHOW STATE")
        except ProbeError:
            self._refused_by = version
            return False
        return {str(row.get("key")): row.get("value") for row in rows}.get("paused") == "yes"


class Queues:
    """Since when each pool has been seen to have clients waiting and no server connection at all."""

    def __init__(self) -> None:
        self.since: dict[tuple[object, object], float] = {}

    def waited(self, pools: Sequence[Row], now: float) -> Iterator[Row]:
        """Put `waited_seconds` into each row: PgBouncer's own figure is 0 while clients wait to be logged in."""
        stuck = {(row["database"], row["user"]) for row in pools if row["cl_waiting"] and not row["servers"]}
        self.since = {key: self.since.get(key, now) for key in stuck}
        for row in pools:
            seen = now - self.since.get((row["database"], row["user"]), now)
            yield {**row, "waited_seconds": max(seen, float(str(row["maxwait"] or 0)))}


async def observe(session: Session, memory: Memory, _options: object) -> Sequence[Row]:
    """Give the pools, each with its database's limits, then databases, clients by application, and the whole."""
    whole = {str(row.get("list")): row.get("items") for row in await session.fetch("SHOW LISTS")}
    config = {str(row.get("key")): row.get("value") for row in await session.fetch("SHOW CONFIG")}
    listed = await session.fetch("SHOW DATABASES")
    databases = [read(row, DATABASES, database=row.get("name")) for row in listed]
    if await memory.of(Whole).paused(session):
        databases = [{**row, "paused": 1.0} for row in databases]
    by_name, usual = {str(row["database"]): row for row in databases}, _number(config.get("default_pool_size"))
    pools = list(cleaned(await session.fetch("SHOW POOLS"), by_name, usual))
    memory.joint.of(Poolers).tell(memory.name, of_console(pools, listed, _number(config.get("max_user_connections"))))
    used = whole.get("used_clients")
    few = isinstance(used, int) and used <= MOST_CLIENTS
    clients = clients_of(await session.fetch("SHOW CLIENTS")) if few else ()
    return [
        *({"kind": "pool", **row} for row in memory.of(Queues).waited(pools, time.monotonic())),
        *({"kind": "database", **row} for row in databases),
        *({"kind": "client", **row} for row in clients),
        {"kind": "whole", "version": session.facts.version, **about(whole, config)},
    ]


def clients_of(rows: Sequence[Row]) -> Iterator[Row]:
    """Count clients by database, user, application and state."""
    names = ("database", "user", "application_name", "state")
    counted = Counter(tuple(safe(row.get(name) or "") for name in names) for row in rows)
    for (database, user, application, state), count in counted.items():
        yield {"database": database, "user": user, "application": application, "state": state, "clients": count}


def about(lists: Row, config: Row) -> Row:
    """Give what holds for the whole PgBouncer."""
    limits = {name: _number(config.get(setting)) for name, setting in CONFIG.items()}
    return {**{name: _number(lists.get(name)) for name in LISTS}, **limits, "version_info": 1}


def _number(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isdecimal() else None


async def detail(_session: Session, memory: Memory, seen: Measurement) -> Measurement:
    """Watch the limit of clients; bound what the exporter gets to the busiest, the others added up."""
    pools = [
        {**row, **read(row, POOLS, database=row["database"]), "user": row["user"]} for row in of_kind(seen.rows, "pool")
    ]
    databases = [*of_kind(seen.rows, "database")]
    clients: Counter[tuple[str, str]] = Counter()
    for row in of_kind(seen.rows, "client"):
        clients[str(row["application"]), str(row["state"])] += int(str(row["clients"]))
    whole = [*of_kind(seen.rows, "whole")]
    asides = {
        "of_databases": bounded(
            databases, ("database",), DATABASES, busiest(databases, ("current_connections",), TOLD)
        ),
        "of_clients": [*_by_application(clients)],
        "of_version": whole,
    }
    told = busiest(pools, ("cl_waiting", "cl_active", "servers"), TOLD)
    limit = forecast(memory.of(Watched), seen.taken_at.timestamp(), seen.rows)
    if limit:
        whole = [{**row, "time_to_exhaustion_seconds": limit["time_to_exhaustion_seconds"]} for row in whole]
    return replace(
        seen,
        rows=[*seen.rows, *([limit] if limit else [])],
        exposed=bounded(pools, ("database", "user"), POOLS, told),
        asides={**asides, "whole": whole},
        listed=lambda: of_pgbouncer([row for place, row in enumerate(pools) if place in told]),
    )


def _by_application(clients: Counter[tuple[str, str]]) -> Iterator[Row]:
    """Tell the applications with the most clients apart."""
    sums: Counter[str] = Counter()
    for (application, _), count in clients.items():
        sums[application] += count
    told = {name for name, _ in sums.most_common(APPLICATIONS)}
    merged: Counter[tuple[str, str]] = Counter()
    for (application, state), count in clients.items():
        merged[application if application in told else "other", state] += count
    return ({"application": name, "state": state, "clients": count} for (name, state), count in merged.items())


def _gauges(columns: Mapping[str, Column]) -> tuple[Metric, ...]:
    return gauges({name: column.help for name, column in columns.items()})


PROBE = Probe(
    name="pgbouncer",
    scope=Scope.POOLER,
    every=15,
    observe=observe,
    detail=detail,
    labels=("database", "user"),
    metrics=_gauges(POOLS),
    asides=(
        Aside(name="of_databases", labels=("database",), metrics=_gauges(DATABASES)),
        Aside(
            name="of_clients",
            labels=("application", "state"),
            metrics=(Metric("clients", Kind.GAUGE, "Clients by the name their application gives itself."),),
        ),
        Aside(
            name="whole",
            labels=(),
            metrics=(
                *(Metric(name, Kind.GAUGE, f"{name} of SHOW LISTS.") for name in LISTS),
                *(Metric(name, Kind.GAUGE, f"The setting {setting}.") for name, setting in CONFIG.items()),
                Metric(
                    "time_to_exhaustion_seconds",
                    Kind.GAUGE,
                    "How soon max_client_conn is reached if clients go on to grow; +Inf without a trend.",
                ),
            ),
        ),
        Aside(
            name="of_version",
            labels=("version",),
            metrics=(Metric("version_info", Kind.GAUGE, "1, with the version as a label."),),
        ),
    ),
    trends=(
        Trend(
            name="pools",
            key=("database", "user"),
            gauges=(
                "pools_client_active_connections",
                "pools_client_waiting_connections",
                "pools_client_maxwait_seconds",
                "pools_server_active_connections",
                "pools_server_idle_connections",
            ),
            latest=("pool_size", "pool_mode"),
        ),
        Trend(
            name="clients",
            aside="whole",
            gauges=("used_clients", "config_max_client_connections", "time_to_exhaustion_seconds"),
        ),
    ),
    rules=(Waiting(), ClientSaturation(), ClientForecast()),
)
