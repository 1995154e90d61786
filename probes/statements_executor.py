"""What the executor did for slow statements beside their work: jit compilation (15 on), parallel workers (18 on).

Lifetime totals, as each reading goes over all entries once more, and so is had every 15 minutes of 10,000 entries
only: 1.3 % of the probe's cost there, nothing while nothing is slow. That is too seldom for a growth.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monitor.probe import ProbeError, Row, Scalar, Session, identifier
from probes.statements_texts import BATCH, Entry, Texts
from probes.statements_top import Group, View, calls, entry_of, seconds

LEAST_SECONDS = 0.02
"""A call that takes less is not looked at: compiling alone takes some 10 ms."""
A_RUN = 160
"""For so many entries as there are the reading rests one run of the probe."""

# As JSON, for each version of the extension has other columns. Compiling deforming is a part of generation.
SQL = """
    select s.dbid::int8 as dbid,
           s.queryid,
           pg_catalog.sum(s.calls)::float8 as calls,
           pg_catalog.sum(s.total_exec_time) as exec_ms,
           pg_catalog.sum((s.all ->> 'jit_generation_time')::float8 + (s.all ->> 'jit_inlining_time')::float8
                          + (s.all ->> 'jit_optimization_time')::float8
                          + (s.all ->> 'jit_emission_time')::float8) as jit_ms,
           pg_catalog.sum((s.all ->> 'parallel_workers_to_launch')::float8) as wanted,
           pg_catalog.sum((s.all ->> 'parallel_workers_launched')::float8) as launched
      from (select e.dbid, e.queryid, e.calls, e.total_exec_time, pg_catalog.to_jsonb(e) as all
              from pg_stat_statements(false) e
             where e.queryid = any ($1::int8[])
            offset 0) s
     group by s.dbid, s.queryid
     limit 10000
"""


@dataclass(frozen=True, kw_only=True)
class Aside:
    """Sums since a statement's entry began."""

    calls: float = 0.0
    exec_ms: float = 0.0
    jit_ms: float = 0.0
    wanted: float = 0.0
    launched: float = 0.0

    def __add__(self, other: Aside) -> Aside:
        """Sum up entries of one statement."""
        return Aside(
            calls=self.calls + other.calls,
            exec_ms=self.exec_ms + other.exec_ms,
            jit_ms=self.jit_ms + other.jit_ms,
            wanted=self.wanted + other.wanted,
            launched=self.launched + other.launched,
        )

    def evidence(self) -> dict[str, Scalar]:
        """Give what there was of it, named for what it is: lifetime totals."""
        said: dict[str, Scalar] = {}
        if self.jit_ms and self.calls and self.exec_ms:
            said["jit_share_lifetime"] = round(min(self.jit_ms / self.exec_ms, 1.0), 3)
            said["jit_ms_per_call_lifetime"] = round(self.jit_ms / self.calls, 3)
        if self.wanted:
            said |= {"workers_wanted_lifetime": round(self.wanted), "workers_launched_lifetime": round(self.launched)}
        return said


class Executor:
    """One server's slow statements, as read last."""

    def __init__(self) -> None:
        self._found: dict[Entry, Aside] = {}
        self._rest = 0

    async def learn(self, session: Session, rows: Iterable[Row], entries: int) -> None:
        """Read those of these rows that are slow, if it is time; what the server refuses is not known."""
        self._rest = max(self._rest - 1, 0)
        slow = [entry_of(row) for row in rows if calls(row) and seconds(row) >= LEAST_SECONDS * calls(row)]
        if not slow or session.facts.major < FIRST_MAJOR or self._rest:
            return
        self._rest = 1 + entries // A_RUN
        try:
            read = await session.fetch(SQL, sorted({queryid for _, queryid in slow[:BATCH]}))
        except ProbeError:
            read = ()
        self._found = {entry_of(row): _aside(row) for row in read}

    def evidence(self, rows: Iterable[Row], texts: Texts, view: View) -> Mapping[Group, Row]:
        """Give by label and database what is known of these rows' statements."""
        entries = {entry_of(row): view.database(row) for row in rows if entry_of(row) in self._found}
        sums: dict[Group, Aside] = {}
        for entry, database in entries.items():
            group = (texts.of(entry).label, database)
            sums[group] = sums.get(group, Aside()) + self._found[entry]
        return {group: aside.evidence() for group, aside in sums.items()}


FIRST_MAJOR = 15
NAMES = ("jit_share_lifetime", "jit_ms_per_call_lifetime", "workers_wanted_lifetime", "workers_launched_lifetime")


def _aside(row: Row) -> Aside:
    return Aside(**{name: _number(row[name]) for name in ("calls", "exec_ms", "jit_ms", "wanted", "launched")})


def _number(value: object) -> float:
    return value if isinstance(value, float) else 0.0


def executed(row: Row) -> dict[str, Scalar]:
    """Give what the executor did beside a summed statement's work, for the evidence."""
    return {name: _told(row, name) for name in NAMES if name in row}


def _told(row: Row, name: str) -> float:
    value = row.get(name)
    return value if isinstance(value, int | float) else 0.0


def slowed(row: Row, *, jit_share: float, workers_share: float) -> str:
    """Say which of it slows a statement down, and what to do; "" for none."""
    words = ""
    jit, each, wanted, launched = (float(_told(row, name)) for name in NAMES)
    if jit > jit_share:
        words += f"Of its time so far, {each:.4g} ms a call ({jit:.0%}) are jit compilation: {_off(row)}. "
    if launched < workers_share * wanted:
        words += (
            f"Of {wanted:,.0f} parallel workers it wanted so far it had {launched:,.0f}: others hold them, or "
            "max_parallel_workers is too small. "
        )
    return words


def _off(row: Row) -> str:
    """Say how to do without; there is a statement for it where one role alone is concerned."""
    roles = row["roles"]
    one = str(roles[0]) if isinstance(roles, tuple) and len(roles) == 1 else ""
    off = f"alter role {identifier(one)} set jit = off" if one else "set jit = off for its roles"
    return f"{off}, or raise jit_above_cost above what its plan costs"
