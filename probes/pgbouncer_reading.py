"""Rows of PgBouncer's console as we keep them: names made safe, numbers read, the many added up."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.probe import Row
from probes.pool_groups import safe

SERVERS = ("sv_active", "sv_active_cancel", "sv_being_canceled", "sv_idle", "sv_used", "sv_tested")
"""Columns of SHOW POOLS that count server connections which are logged in."""

LIMITS = ("pool_size", "reserve_pool", "max_connections", "current_connections", "paused", "disabled")
RENAMED: Mapping[str, str] = {"reserve_pool": "reserve_pool_size"}
"""Columns that later versions (1.23) call otherwise."""

Key = tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """Where a metric stands; `most`: of several rows the largest counts, not the sum."""

    name: str
    help: str
    most: bool = False


def figure(row: Row, column: str) -> float | None:
    """Read a number of the console by its column; None when this version has none."""
    value = row.get(column, row.get(RENAMED.get(column, "")))
    return float(str(value)) if value is not None else None


def read(row: Row, columns: Mapping[str, Column], *, database: object) -> dict[str, object]:
    """Give the metrics' values, beside the same under the console's own names."""
    values = {column.name: figure(row, column.name) for column in columns.values()}
    return {"database": safe(database), **values, **{name: values[each.name] for name, each in columns.items()}}


def cleaned(rows: Sequence[Row], databases: Mapping[str, Row], usual: int | None) -> Iterator[Row]:
    """Give the pools: counts, the whole wait in seconds, and the limits of each pool's database.

    1.18 does not list a database that `*` made and that was idle before: it has the usual size.
    """
    for row in rows:
        database = safe(row.get("database"))
        counts = {name: figure(row, name) or 0.0 for name in ("cl_active", "cl_waiting", "sv_login", *SERVERS)}
        wait = (figure(row, "maxwait") or 0.0) + (figure(row, "maxwait_us") or 0.0) / 1e6
        limits: Row = databases.get(database, {"pool_size": usual})
        yield {
            "database": database,
            "user": safe(row.get("user")),
            "pool_mode": str(row.get("pool_mode") or "session"),
            **counts,
            "maxwait": wait,
            "servers": sum(counts[name] for name in SERVERS),
            **{name: limits.get(name) for name in LIMITS},
        }


def busiest(rows: Sequence[Row], columns: Sequence[str], most: int) -> Collection[int]:
    """Give the places of the rows with the largest numbers."""
    order = sorted(range(len(rows)), key=lambda place: [-float(str(rows[place][name] or 0)) for name in columns])
    return frozenset(order[:most])


def bounded(
    rows: Sequence[Row], labels: Sequence[str], columns: Mapping[str, Column], told: Collection[int]
) -> Sequence[Row]:
    """Keep the rows at these places, and add the others up under the name `other`."""
    merged: dict[Key, dict[str, object]] = {}
    for place, row in enumerate(rows):
        key = tuple(str(row[label]) if place in told else "other" for label in labels)
        here = merged.setdefault(key, dict(zip(labels, key, strict=True)))
        for name, column in columns.items():
            here[name] = joined(here.get(name), row[name], most=column.most)
    return [*merged.values()]


def joined(one: object, other: object, *, most: bool) -> float | None:
    """Add two numbers up, or give the larger; what is unknown counts for nothing."""
    known = [each for each in (one, other) if isinstance(each, int | float)]
    return float((max if most else sum)(known)) if known else None
