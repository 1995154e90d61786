"""What a target can be, and what is known of one kind only."""

from __future__ import annotations

from dataclasses import dataclass

POSTGRES, PGBOUNCER, APP_POOL = "postgres", "pgbouncer", "app_pool"

NAMES = {POSTGRES: "PostgreSQL", PGBOUNCER: "PgBouncer", APP_POOL: "application pool"}
"""How people call them."""


@dataclass(frozen=True, kw_only=True)
class Gauges:
    """The names under which an application shows its connection pool to Prometheus."""

    in_use: str
    size: str
    waiting: str | None = None
