"""A planner made by hand: costs by a formula that is easy to reckon with, for tests of how indexes are chosen."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.advisors.index.choices import Chosen, Ground, Group, Terms
from monitor.advisors.index.selection import choose
from monitor.advisors.index.workload import Workload, Writing
from monitor.planning import Answer, Candidate, Planned, Query
from monitor.shape import Shape
from monitor.sql.writes import Change
from tests.unit.indexes import key, shape, table

DAY = 86400.0
PAGES, ROWS = 10_000, 1e6
VISIT, ENTRY, START = 4.0, 0.1, 10.0
DISTINCT = 1000.0
"""Values of each column, all equally frequent."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look at a table for rows whose columns equal something; all looks of a statement add up."""

    columns: frozenset[str]
    table: int = 1
    needed: frozenset[str] = frozenset({"*"})
    """Columns it reads: an index that holds them all spares the visits to the table."""
    distinct: float = DISTINCT


def look(*columns: str, table: int = 1, needed: Collection[str] = ("*",), distinct: float = DISTINCT) -> Look:
    return Look(columns=frozenset(columns), table=table, needed=frozenset(needed), distinct=distinct)


Statement = tuple[tuple[Look, ...], ...]
"""Looks that add up; each is one of, or several joined by OR: with one of those unserved the table is read whole."""


class Formula:
    """A plan source that reckons; after `limit` plans its budget is spent."""

    method = "arithmetic"
    remark = ""

    def __init__(
        self, looks: Mapping[str, Statement], *, limit: float = float("inf"), refused: Collection[Candidate] = ()
    ) -> None:
        self.looks, self.limit, self.refused = looks, limit, refused
        self.known: dict[tuple[str, frozenset[Candidate]], Planned] = {}
        self.asked: list[tuple[str, ...]] = []

    @property
    def plans(self) -> int:
        return len(self.known)

    async def propose(self, candidates: Collection[Candidate]) -> Mapping[Candidate, str]:
        return {each: "no such operator class" for each in candidates if each in self.refused}

    async def cost(
        self, queries: Sequence[Query], candidates: Collection[Candidate] = (), without: Collection[int] = ()
    ) -> Answer:
        assert not without
        self.asked.append(tuple(query.name for query in queries))
        planned: dict[str, Planned] = {}
        cut = ""
        for query in queries:
            tables = {look.table for arms in self.looks[query.name] for look in arms}
            near = frozenset(each for each in candidates if each.table in tables and each not in self.refused)
            if (query.name, near) not in self.known and self.plans >= self.limit:
                cut = "the limit is reached"
                continue
            planned[query.name] = self.known.setdefault((query.name, near), self.plan(query.name, near))
        return Answer(planned=planned, cut=cut)

    def plan(self, name: str, near: Collection[Candidate]) -> Planned:
        """Take the cheapest way for each look."""
        ways = [_cheapest(arms, near) for arms in self.looks[name]]
        used = frozenset(each for _, indexes in ways for each in indexes)
        return Planned(cost=sum(cost for cost, _ in ways), plan={}, used=used)

    def size_bytes(self, candidate: Candidate) -> float:
        return 8 * ROWS * (1 + len(candidate.keys) + len(candidate.include))


def _cheapest(arms: Sequence[Look], near: Collection[Candidate]) -> tuple[float, tuple[Candidate, ...]]:
    whole = PAGES + ROWS / 100 * len(arms), ()
    ways = [[(cost, str(one), one) for one in near if (cost := _read(one, arm)) < whole[0]] for arm in arms]
    if not all(ways):
        return whole
    best = [min(own) for own in ways]
    cost = sum(cost for cost, *_ in best)
    return (cost, tuple(one for *_, one in best)) if cost < whole[0] else whole


def _read(index: Candidate, asked: Look) -> float:
    """Reckon what it costs to read an index's part that begins with what is asked for; infinite for all of it."""
    names = [each.expression for each in index.keys]
    led = next((place for place, name in enumerate(names) if name not in asked.columns), len(names))
    if index.table != asked.table or not led:
        return float("inf")
    entries = ROWS / asked.distinct**led
    visits = 0.0 if asked.needed <= {*names, *index.include} else entries
    return START + entries * ENTRY + visits * VISIT


def candidate(*columns: str, table: int = 1, include: Sequence[str] = (), method: str = "btree") -> Candidate:
    """An index on columns of the tables of tests.unit.indexes."""
    keys = tuple(key(each) for each in columns)
    name = f"t{table}"
    return Candidate(table=table, schema="public", name=name, keys=keys, include=tuple(include), method=method)


def alone(*candidates: Candidate) -> list[Group]:
    """Each as a group of its own."""
    return [frozenset({each}) for each in candidates]


def inserts(rows: float, table: int = 1) -> Writing:
    """So many rows a day."""
    return Writing(table=table, change=Change.INSERT, rows=rows)


def updates(rows: float, *columns: str, table: int = 1) -> Writing:
    """So many rows a day."""
    return Writing(table=table, change=Change.UPDATE, rows=rows, columns=frozenset(columns))


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Statements that each take `seconds` a day, what is proposed for them, and what is written."""

    statements: Mapping[str, Statement]
    groups: Mapping[str, Sequence[Group]]
    seconds: Mapping[str, float] = field(default_factory=dict)
    """100 where not given."""
    writings: tuple[Writing, ...] = ()
    terms: Terms = field(default_factory=Terms)
    shape: Shape = field(default_factory=lambda: shape(*(table(oid=oid, name=f"t{oid}") for oid in (1, 2, 3))))

    async def choose(self, source: Formula | None = None) -> Chosen:
        asked = source or self.source()
        return await choose(await self.ground(asked), self.groups)

    def source(self, *, limit: float = float("inf"), refused: Collection[Candidate] = ()) -> Formula:
        return Formula(self.statements, limit=limit, refused=refused)

    async def ground(self, source: Formula) -> Ground:
        queries = [
            Query(name=name, text="select", calls=1000, seconds=self.seconds.get(name, 100.0))
            for name in self.statements
        ]
        ordered = tuple(sorted(queries, key=lambda each: -each.seconds))
        work = Workload(queries=ordered, writings=self.writings, seconds=DAY)
        before = (await source.cost(ordered)).planned
        return Ground(source=source, shape=self.shape, work=work, before=before, terms=self.terms)


def names(chosen: Chosen) -> list[str]:
    """Write what was chosen, the best first: `t1 a b + c`."""
    return [written(each.candidate) for each in chosen.choices]


def written(one: Candidate) -> str:
    beside = f" + {' '.join(one.include)}" if one.include else ""
    return f"{one.name} {' '.join(each.expression for each in one.keys)}{beside}"


def saved(chosen: Chosen) -> float:
    """Give what all save, in ms a day."""
    return sum(each.saved_ms_per_day for each in chosen.choices)
