"""Pools as a report lists them (`pools` in the snapshot's JSON): what is used of each limit, and who holds sessions."""

import math
from collections.abc import Iterator, Sequence

from monitor.probe import Row, number

Listed = Iterator[tuple[str, Row]]


def of_server(groups: Sequence[Row], limits: Sequence[Row]) -> Listed:
    """List the slots of the server, its roles and databases; then the sessions, the largest groups first."""
    for row in limits:
        left = row["time_to_exhaustion_seconds"]
        known = {"seconds_left": round(left)} if isinstance(left, float) and math.isfinite(left) else {}
        yield (
            "pools",
            {
                "kind": row["kind"],
                "name": row["role"] or row["database"],
                "used": row["slots_used"],
                "limit": row["slots_limit"],
                **known,
            },
        )
    for row in sorted(groups, key=lambda row: -number(row, "sessions")):
        names = ("database", "role", "application", "state", "sessions", "waiting_sessions")
        yield "pools", {"kind": "sessions", **{name: row[name] for name in names}}


def of_pgbouncer(pools: Sequence[Row]) -> Listed:
    """List PgBouncer's pools as SHOW POOLS has them, those with waiting clients first."""
    for row in sorted(pools, key=lambda row: (-number(row, "cl_waiting"), -number(row, "cl_active"))):
        names = ("database", "user", "pool_mode", "cl_active", "cl_waiting", "waited_seconds", "servers", "pool_size")
        yield "pools", {"kind": "pgbouncer", **{name: row[name] for name in names}}


def of_application(pools: Sequence[Row]) -> Listed:
    """List an application's own pools."""
    for row in pools:
        numbers = {"used": row["in_use"], "limit": row["size"], "waiting": row["waiting"]}
        yield "pools", {"kind": "application", "name": row["pool"], **numbers}
