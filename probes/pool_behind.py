"""What the PgBouncers before a server may open on it by their settings: told by `pgbouncer`, added up by `pool`."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from monitor.probe import Row, identifier

DAY = 86400.0
"""What a pooler told stays so long: one that is restarted has no other settings."""

CONSOLE = "pgbouncer"


@dataclass(frozen=True, kw_only=True)
class Pool:
    """What one user's pool, or where a limit holds for several the pools of one database, may open at most."""

    pooler: str
    database: str
    """The server's own name of it."""
    role: str | None
    most: float
    how: str

    @property
    def name(self) -> str:
        """Say whose it is: `pool of app_rw in shop`."""
        whose = f" of {identifier(self.role)}" if self.role else ""
        return f"pool{whose} in {identifier(self.database)}"

    def covers(self, database: str, role: str, _application: str) -> bool:
        """Tell whether sessions that were seen are the pool's, so that they do not count beside it."""
        return self.role in {None, role} and self.database == database


class Poolers:
    """The pools of all PgBouncers before one server; in the space that they share with it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: Mapping[str, tuple[float, Sequence[Pool]]] = {}

    def tell(self, pooler: str, pools: Sequence[Pool]) -> None:
        """Keep what a PgBouncer showed."""
        named = [replace(pool, pooler=pooler, how=f"{pool.how} ({pooler})") for pool in pools]
        self._told = {**self._told, pooler: (self._clock(), named)}

    def pools(self) -> list[Pool]:
        """Give all pools that were told of within a day."""
        fresh = self._clock() - DAY
        return [pool for at, pools in self._told.values() if at >= fresh for pool in pools]


def of_console(pools: Sequence[Row], databases: Sequence[Row], per_user: int | None) -> list[Pool]:
    """Read SHOW POOLS, cleaned, and SHOW DATABASES, as it came; `per_user` is max_user_connections, 0 for none."""
    real = {str(row.get("name")): (str(row.get("database")), row.get("force_user")) for row in databases}
    found: dict[str, list[tuple[str, Row]]] = defaultdict(list)
    for row in pools:
        name = str(row["database"])
        if name != CONSOLE and row["pool_size"] is not None:
            database, forced = real.get(name, (name, None))
            found[database].append((str(forced or row["user"]), row))
    return [pool for database, rows in found.items() for pool in _of_database(database, rows, per_user or 0)]


def _of_database(database: str, rows: Sequence[tuple[str, Row]], per_user: int) -> Iterator[Pool]:
    """Give a pool each, or one for all where the database's own limit is lower than their sum."""
    each = [_pool(database, role, row, per_user) for role, row in rows]
    together = min((_count(row, "max_connections") or float("inf") for _, row in rows), default=float("inf"))
    if sum(pool.most for pool in each) <= together:
        yield from each
    else:
        yield Pool(
            pooler="", database=database, role=None, most=together, how=f"{together:.0f}, its max_db_connections"
        )


def _pool(database: str, role: str, row: Row, per_user: int) -> Pool:
    size, reserve = _count(row, "pool_size"), _count(row, "reserve_pool")
    most, how = size + reserve, f"{size:.0f} + {reserve:.0f}" if reserve else f"{size:.0f}"
    if per_user and per_user < most:
        most, how = float(per_user), f"{per_user}, max_user_connections"
    return Pool(pooler="", database=database, role=role, most=most, how=how)


def _count(row: Row, column: str) -> float:
    return float(str(row.get(column) or 0))
