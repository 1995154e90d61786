"""Locks: how many are held and awaited, by database and mode; who blocks whom is told by `pool` (sessions.blocking).

Cost: reading pg_locks takes each partition of the lock table in turn, for as long as copying it takes; 20 ms for
10,000 locks, 0.2 ms for few. Fifty databases have series of their own, the others are "other".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from monitor.probe import Kind, Measurement, Memory, Metric, Probe, Scope, Session, number

SQL = """
    select coalesce(d.datname::text, '') as database, l.mode, l.granted::text as granted, l.current
      from (select database, mode, granted, count(*) as current
              from pg_catalog.pg_lock_status()
             where pid is distinct from pg_catalog.pg_backend_pid()
             group by database, mode, granted) l
      left join pg_catalog.pg_database d on d.oid = l.database
     order by 1, 2, 3
     limit 10000
"""
MOST = 50
OTHER = "other"


class Told:
    """The databases that have series of their own: who came first stays, as long as it holds locks."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {"": None}

    def among(self, names: Iterable[str]) -> dict[str, str]:
        """Give for each database the name under which it is told."""
        now = dict.fromkeys(names)
        new = [name for name in now if name not in self._names]
        if len(self._names) + len(new) > MOST:
            self._names = {name: None for name in self._names if name in now or not name}
        self._names.update(dict.fromkeys(new[: max(0, MOST - len(self._names))]))
        return {name: name if name in self._names else OTHER for name in now}


async def detail(_session: Session, memory: Memory, seen: Measurement) -> Measurement:
    """Bound the databases."""
    told = memory.of(Told).among(str(row["database"]) for row in seen.rows)
    counts: Counter[tuple[str, str, str]] = Counter()
    for row in seen.rows:
        counts[told[str(row["database"])], str(row["mode"]), str(row["granted"])] += round(number(row, "current"))
    rows = [
        {"database": database, "mode": mode, "granted": granted, "current": count}
        for (database, mode, granted), count in counts.items()
    ]
    return replace(seen, rows=rows)


PROBE = Probe(
    name="locks",
    scope=Scope.SERVER,
    every=15,
    sql={14: SQL},
    detail=detail,
    key=("database", "mode", "granted"),
    labels=("database", "mode", "granted"),
    metrics=(Metric("current", Kind.GAUGE, "Locks held (granted is true) or awaited, the monitor's own left out."),),
)
