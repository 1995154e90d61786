"""What applications may take together, declared or seen, against what the server can give: found on a quiet day."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from monitor.probe import (
    Confidence,
    Finding,
    Measurement,
    Needs,
    NoVerdict,
    Remedy,
    Row,
    Target,
    duration,
    identifier,
    number,
    plural,
)
from probes.pool_behind import Pool
from probes.pool_groups import safe, whose
from probes.pool_limits import LimitRule

DAY = 86400.0
MOST = 200
"""So many applications' marks are remembered of a server."""
_HASHES = re.compile(
    r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"  # a UUID
    r"|-[bcdf-hj-np-tv-xz0-9]{5,10}-[bcdf-hj-np-tv-xz0-9]{5}$"  # a pod of Kubernetes; its alphabet has no vowels
    r"|(?<![a-z0-9])(?=[a-f]*[0-9])[0-9a-f]{7,}(?![a-z0-9])",  # a commit, a container
    re.IGNORECASE,
)
_NUMBERS = re.compile(r"[0-9]+")


def kin(application: str) -> str:
    """Leave out of a name what tells processes of one application apart: `worker-17` is `worker-#`."""
    return _NUMBERS.sub("#", _HASHES.sub("#", application))


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A declared pool: `replicas` processes with at most `size` sessions each; `role`: whom it logs in as.

    Without an application it is a pooler's, such as PgBouncer's for a role and database: whoever comes by it.
    """

    application: str | None = None
    size: int
    replicas: int = 1
    role: str | None = None
    database: str | None = None
    target: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is no pool."""
        if self.size < 0 or self.replicas < 0:
            raise ValueError("size and replicas should not be negative")
        if self.application is None and self.role is None and self.database is None:
            raise ValueError("an application, role or database should be named")

    @property
    def name(self) -> str:
        """Say whose it is: `api`, or `pool of app_rw in shop`."""
        whose = f" of {identifier(self.role)}" if self.role else ""
        where = f" in {identifier(self.database)}" if self.database else ""
        return self.application if self.application is not None else f"pool{whose}{where}"

    def covers(self, database: str, role: str, application: str) -> bool:
        """Tell whether sessions that were seen are the pool's, so that they do not count beside it."""
        if self.application is not None:
            return application == kin(self.application)
        return self.role in {None, role} and self.database in {None, database}


@dataclass(frozen=True, kw_only=True)
class PoolOptions:
    """The section `pools` of the configuration."""

    budgets: tuple[Budget, ...] = ()

    def for_target(self, target: Target) -> PoolOptions:
        """Give the budgets that concern a server: those that name it or none."""
        return replace(self, budgets=tuple(each for each in self.budgets if each.target in {None, target.server}))


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What somebody may take at most, and how that is known: one line of the sum."""

    name: str
    most: float
    how: str
    role: str | None = None
    database: str | None = None
    declared: bool = False

    @property
    def line(self) -> str:
        """Write it: `api: 20 x 6 = 120 (declared)`."""
        return f"{self.name}: {self.how}"


class Marks:
    """The most sessions of each database, role and application at one time, of a day."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._marks: dict[tuple[str, str, str], tuple[float, float]] = {}

    def take(self, at: float, groups: Sequence[Row]) -> tuple[float, Mapping[tuple[str, str, str], float]]:
        """Add a reading; give the seconds watched, and the marks. Numbers and hashes in names are left out."""
        self._since = at if self._since is None else min(self._since, at)
        now: Counter[tuple[str, str, str]] = Counter()
        for row in groups:
            name = kin(safe(row["application"]))
            sessions = number(row, "sessions") - number(row, "own_sessions")
            now[str(row["database"]), str(row["role"]), name] += round(sessions)
        for key, sessions in now.items():
            most, seen_at = self._marks.get(key, (0.0, -math.inf))
            if sessions and (sessions >= most or seen_at < at - DAY):
                self._marks[key] = (float(sessions), at)
        kept = [(key, mark) for key, mark in self._marks.items() if mark[1] >= at - DAY]
        self._marks = dict(sorted(kept, key=lambda each: -each[1][0])[:MOST])
        return at - self._since, {key: most for key, (most, _) in self._marks.items()}


def demands(
    budgets: Sequence[Budget], marks: Mapping[tuple[str, str, str], float], pools: Sequence[Pool] = ()
) -> Sequence[Demand]:
    """Give the lines of the sum: what is declared, what PgBouncers may open, and what was seen of everybody else."""
    pools = [pool for pool in pools if not any(_same(each, pool) for each in budgets)]
    known: Sequence[Budget | Pool] = [*budgets, *pools]
    seen = [
        Demand(
            name=whose(role, application),
            most=most,
            how=f"{most:.0f} (most seen)",
            role=role,
            database=database,
        )
        for (database, role, application), most in marks.items()
        if not any(each.covers(database, role, application) for each in known)
    ]
    return [
        *(_declared(each, marks) for each in budgets),
        *map(_pooled, pools),
        *sorted(seen, key=lambda each: -each.most),
    ]


def _same(budget: Budget, pool: Pool) -> bool:
    """Tell whether a declared pool is the one that a PgBouncer told of."""
    pooled = budget.application is None and budget.role in {None, pool.role}
    return pooled and budget.database in {None, pool.database}


def _pooled(pool: Pool) -> Demand:
    """Give the line of a PgBouncer's pool, which is known as well as if somebody had declared it."""
    return Demand(name=pool.name, most=pool.most, how=pool.how, role=pool.role, database=pool.database, declared=True)


def _declared(budget: Budget, marks: Mapping[tuple[str, str, str], float]) -> Demand:
    """Give a declared pool's line; role and database, where not declared, are those it was always seen with."""
    seen = [key for key in marks if budget.covers(*key)]
    roles, databases = {role for _, role, _ in seen}, {database for database, _, _ in seen}
    most = budget.size * budget.replicas
    return Demand(
        name=budget.name,
        most=most,
        how=f"{budget.size} x {budget.replicas} = {most} (declared)",
        role=budget.role or (min(roles) if len(roles) == 1 else None),
        database=budget.database or (min(databases) if len(databases) == 1 else None),
        declared=True,
    )


@dataclass(frozen=True, kw_only=True)
class PoolBudget(LimitRule):
    """The pools together may take more connections than the server can give.

    Why: each pool fits by itself; on the day when all of them are busy, or the next replica starts, the last one is
    refused. Counted are declared pools (`pools: {budgets: […]}`), what each PgBouncer that `serves` this target may
    open (pool_size and reserve_pool of each of its pools), of everybody else the most seen within a day, against
    max_connections without the reserved slots, and each role's and database's CONNECTION LIMIT.
    The pool of a PgBouncer that is no target is declared: `{role: app, database: shop, size: 20}`, as its pool_size.
    What to do: make the pools smaller until the sum fits, or put a transaction pooler before the server; a pool of
    two to four sessions for each core of the server is enough for most work.
    When it is wrong: applications that are never busy together. Declare what they may take, or ignore the finding.
    Without any declared pool it speaks after an hour, with confidence medium.
    Cost: none beyond the probe's one query; 200 numbers a server are kept in memory.
    """

    id: ClassVar[str] = "pool.budget"
    keep: float = 60.0
    min_watched: float = 3600.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        known = seen.details.get("budget")
        lines = [each for each in _listed(known) if isinstance(each, Demand)]
        watched = number(known, "watched") if known else 0.0
        for row in self.limits(seen):
            under = [each for each in lines if _under(row, each)]
            total, limit = sum(each.most for each in under), number(row, "slots_limit")
            declared = any(each.declared for each in under)
            if total > limit and (declared or watched >= self.min_watched):
                yield self._accuse(seen, row, under, declared=declared)
        if watched < self.min_watched and not any(each.declared for each in lines):
            reason = f"no pool is declared (pools.budgets), and sessions were watched for {duration(watched)} only"
            yield NoVerdict(reason=reason, needs=Needs.HISTORY)

    def _accuse(self, seen: Measurement, row: Row, under: Sequence[Demand], *, declared: bool) -> Finding:
        total, limit = sum(each.most for each in under), number(row, "slots_limit")
        return self.accusing(
            seen,
            row,
            summary=f"{plural(total, 'session')} may be asked for, and there {'is' if limit == 1 else 'are'} "
            f"{plural(limit, 'slot')}: {', '.join(each.line for each in under[:3])}{' …' if len(under) > 3 else ''}",  # noqa: PLR2004
            remedy=remedy(row, under),
            confidence=Confidence.HIGH if declared else Confidence.MEDIUM,
            count=total,
            lines=[each.line for each in under[:20]],
        )


def _listed(known: Row | None) -> Sequence[object]:
    lines = known["demands"] if known else ()
    return lines if isinstance(lines, list | tuple) else ()


def _under(limit: Row, demand: Demand) -> bool:
    return limit["kind"] == "server" or getattr(demand, str(limit["kind"])) == limit[str(limit["kind"])]


def remedy(row: Row, under: Sequence[Demand]) -> Remedy:
    """Say which number to change: the largest pool's, or the limit of a role or database."""
    total, limit = sum(each.most for each in under), number(row, "slots_limit")
    largest = max(under, key=lambda each: (each.declared, each.most))
    room = limit - (total - largest.most)
    smaller = (
        f"Let {largest.name} take {room:.0f} instead of {largest.most:.0f} (all its replicas together)."
        if room > 0
        else "No single pool is the one too large: make several smaller."
    )
    if row["kind"] == "server":
        higher = f"max_connections would have to be higher by {total - limit:.0f}, which needs a restart and memory."
        return Remedy(caution=f"{smaller} Or put a transaction pooler before the server. {higher}")
    name = identifier(str(row[str(row["kind"])]))
    change = f"alter {row['kind']} {name} connection limit"
    return Remedy(
        sql=(f"{change} {total:.0f}",),
        rollback=(f"{change} {limit:.0f}",),
        caution=f"Only if the server has that room, and the limit is not meant to hold them back. Else: {smaller}",
    )


def budgeted(
    seen: Measurement, watched: float, marks: Mapping[tuple[str, str, str], float], pools: Sequence[Pool]
) -> Mapping[object, Row]:
    """Put the sum's lines beside a measurement, for the rule."""
    budgets = seen.options.budgets if isinstance(seen.options, PoolOptions) else ()
    return {"budget": {"demands": demands(budgets, marks, pools), "watched": watched}}
