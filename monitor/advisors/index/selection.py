"""Choosing indexes: the best one first, then the best beside it, until nothing more is worth its price.

Greedy, in the manner of Extend (Schlosser, Kossmann, Boissier 2019): what is chosen may be replaced by a wider one. A
planner is asked what each group of candidates would do; only statements that some candidate helps are asked about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from monitor.advisors.index.workload import Workload
from monitor.advisors.index.writes import price_ms_per_day
from monitor.planning import Candidate, Planned, PlanSource, Query
from monitor.shape import Shape

Group: TypeAlias = frozenset[Candidate]
"""Candidates that are of use only together: the arms of an OR, the two sides of a join."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What an index must bring."""

    part: float = 0.6
    """A statement is helped when its cost falls below this part of it …"""
    units: float = 20.0
    """… and by so many units of the planner's."""
    times_price: float = 2.0
    """What is saved must be so many times what writers pay."""
    least_ms_per_day: float = 0.0
    least_share: float = 0.0005
    """Of the workload's time."""
    budget_bytes: float = float("inf")
    per_table: int = 8
    beside: float = 0.25
    """Columns beside the keys must spare this part of a statement's cost of today: they make every write dearer."""
    near: float = 0.95
    """Of those that save nearly as much as the best, the smallest is taken."""


@dataclass(frozen=True, kw_only=True)
class Helped:
    """A statement before and after, in the planner's units, and the ms a day it saves."""

    query: Query
    before: float
    after: float
    saved_ms_per_day: float


@dataclass(frozen=True, kw_only=True)
class Choice:
    """An index that is worth it."""

    candidate: Candidate
    helped: tuple[Helped, ...]
    spent_ms_per_day: float
    size_bytes: float

    @property
    def saved_ms_per_day(self) -> float:
        """What all statements save."""
        return sum(each.saved_ms_per_day for each in self.helped)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What came of it: the indexes, and why others were not taken."""

    choices: tuple[Choice, ...] = ()
    rejected: Mapping[Candidate, str] = field(default_factory=dict)
    cut: str = ""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a choice goes by; `before` holds the statements' plans of today."""

    source: PlanSource
    shape: Shape
    work: Workload
    before: Mapping[str, Planned]
    terms: Terms = field(default_factory=Terms)


Way: TypeAlias = tuple[int, str]
"""A table and the first key of an index on it: statements that none of whose candidates begins so are not asked."""


@dataclass
class _Search:
    """One search: what is chosen so far, and what each statement costs with it."""

    ground: Ground
    queries: Mapping[str, Query]
    ways: Mapping[str, frozenset[Way]]
    """By statement, how its candidates begin."""
    base: Mapping[str, float]
    costs: dict[str, float]
    chosen: dict[Candidate, float] = field(default_factory=dict)
    """With the price of each."""
    outcomes: dict[Group, dict[str, float]] = field(default_factory=dict)
    """What statements would cost with a group beside what is chosen."""
    stale: dict[Group, set[str]] = field(default_factory=dict)
    """Statements whose outcome was asked for before the last choice."""
    cut: str = ""

    def __post_init__(self) -> None:
        self.source, self.work, self.terms = self.ground.source, self.ground.work, self.ground.terms

    def price(self, candidate: Candidate) -> float:
        return price_ms_per_day(candidate, self.ground.shape, self.work)

    def replaced(self, group: Group) -> set[Candidate]:
        """Give what is chosen and would be needless beside a group."""
        return {old for old in self.chosen if any(covers(new, old) for new in group)}

    def touched(self, group: Group) -> set[str]:
        """Give the statements that a group may help."""
        ways = {way(candidate) for candidate in group}
        return {name for name, own in self.ways.items() if own & ways}

    async def ask(self, group: Group) -> None:
        """Ask what the statements that it may help would cost with it, those not known since the last choice."""
        names = self.stale.pop(group, set()) if group in self.outcomes else self.touched(group)
        visible = (self.chosen.keys() - self.replaced(group)) | group
        answer = await self.source.cost([self.queries[name] for name in sorted(names)], visible)
        self.cut = self.cut or answer.cut
        costs = {name: planned.cost for name, planned in answer.planned.items()}
        self.outcomes.setdefault(group, {}).update(costs)

    def saved(self, name: str, after: float, *, beside: bool = False) -> float:
        """Give the ms a day that a statement saves against what it costs so far; negative where it loses.

        `beside`: with an index that holds columns beside its keys.
        """
        before, base = self.costs[name], self.base[name]
        least = max(self.terms.units, self.terms.beside * base if beside else 0.0)
        if abs(before - after) < least or self.terms.part * before < after < before / self.terms.part:
            return 0.0
        return self.work.ms_per_day(self.queries[name]) * (before - after) / base if base else 0.0

    def net(self, group: Group) -> float:
        """Give what a group saves a day beyond its price, by what is known; 0: it is not worth it."""
        beside = any(each.include for each in group)
        saved = sum(self.saved(name, cost, beside=beside) for name, cost in self.outcomes[group].items())
        saved *= 1 - self.terms.beside if beside else 1
        price = sum(self.price(each) for each in group) - sum(self.chosen[each] for each in self.replaced(group))
        least = max(self.terms.least_ms_per_day, self.terms.least_share * self._whole())
        return saved - price if saved > max(self.terms.times_price * price, least) else 0.0

    def _whole(self) -> float:
        return sum(self.work.ms_per_day(query) for query in self.work.queries)

    def fits(self, group: Group) -> bool:
        """Tell whether storage and the cap of each table allow a group."""
        after = (self.chosen.keys() - self.replaced(group)) | group
        size = sum(self.source.size_bytes(each) for each in after)
        most = max(sum(1 for each in after if each.table == table) for table in {each.table for each in group})
        return size <= self.terms.budget_bytes and most <= self.terms.per_table

    def take(self, group: Group) -> None:
        """Choose a group; what was asked of the statements it touches is stale from now on."""
        for gone in self.replaced(group):
            del self.chosen[gone]
        self.chosen |= {each: self.price(each) for each in group}
        after = self.outcomes.pop(group)
        self.costs |= {name: min(self.costs[name], cost) for name, cost in after.items()}
        for other, known in self.outcomes.items():
            self.stale.setdefault(other, set()).update(known.keys() & after.keys())

    def needless(self, group: Group) -> bool:
        """Tell whether what is chosen does all that a group could do."""
        return all(any(covers(each, one) for each in self.chosen) for one in group)


def way(candidate: Candidate) -> Way:
    """Say how an index begins."""
    return candidate.table, candidate.keys[0].expression


async def choose(ground: Ground, groups: Mapping[str, Sequence[Group]]) -> Chosen:
    """Choose from the groups that were proposed for each statement, by its name."""
    refused = await ground.source.propose({each for own in groups.values() for group in own for each in group})
    able = {name: [group for group in own if not group & refused.keys()] for name, own in groups.items()}
    search, waiting = await _begun(ground, able)
    for group in waiting:
        if not search.cut:
            await search.ask(group)
    while not search.cut:
        best = await _best(search, [group for group in waiting if group in search.outcomes])
        if best is None:
            break
        search.take(best)
        waiting = [group for group in waiting if group in search.outcomes and not search.needless(group)]
    return await _settled(search, refused, able)


async def _begun(ground: Ground, groups: Mapping[str, Sequence[Group]]) -> tuple[_Search, list[Group]]:
    """Ask once with all candidates there: statements that even this does not help, and what none uses, are left out."""
    able = (query for query in ground.work.queries if groups.get(query.name) and query.name in ground.before)
    queries = {query.name: query for query in able}
    ways = {name: frozenset(way(each) for group in groups[name] for each in group) for name in queries}
    costs = {name: ground.before[name].cost for name in queries}
    search = _Search(ground, queries, ways, dict(costs), costs)
    everything = {each for own in groups.values() for group in own for each in group}
    answer = await ground.source.cost([*queries.values()], everything)
    search.cut = answer.cut
    hopeful = {name for name, planned in answer.planned.items() if search.saved(name, planned.cost) > 0}
    search.ways = {name: own for name, own in ways.items() if name in hopeful}
    used = {way(each) for name in hopeful for each in answer.planned[name].used}
    wanted = [group for name in search.ways for group in groups[name] if any(way(each) in used for each in group)]
    return search, list(dict.fromkeys(wanted))


async def _best(search: _Search, waiting: Sequence[Group]) -> Group | None:
    """Give the group that saves most; of those that save nearly as much, the smallest.

    What a group saves mostly shrinks as others are chosen: one whose old figure is not among the best is asked again
    only when nothing else is left.
    """
    while not search.cut:
        nets = {group: net for group in waiting if (net := search.net(group)) > 0 and search.fits(group)}
        if not nets:
            # One that was of no use alone may be beside what was chosen since: the other side of a join.
            lost = [group for group in waiting if search.stale.get(group) and search.fits(group)]
            if not lost:
                return None
            for group in lost:
                await search.ask(group)
            continue
        enough = search.terms.near * max(nets.values())
        near = [group for group, net in nets.items() if net >= enough]
        stale = [group for group in near if search.stale.get(group)]
        if not stale:
            return min(near, key=lambda group: (sum(search.source.size_bytes(each) for each in group), _width(group)))
        for group in stale:
            await search.ask(group)
    return None


def _width(group: Group) -> tuple[int, str]:
    return sum(len(each.keys) + len(each.include) for each in group), str(sorted(map(str, group)))


def covers(wide: Candidate, narrow: Candidate) -> bool:
    """Tell whether one index does all that another does: the same, or a btree whose keys begin with the other's."""
    if wide == narrow:
        return True
    same = (wide.table, wide.method, wide.where) == (narrow.table, narrow.method, narrow.where)
    begins = wide.method == "btree" and wide.keys[: len(narrow.keys)] == narrow.keys
    held = {key.expression for key in wide.keys} | set(wide.include)
    return same and begins and all(name in held for name in narrow.include)


async def _settled(search: _Search, refused: Mapping[Candidate, str], groups: Mapping[str, Sequence[Group]]) -> Chosen:
    """Plan everything once more with just what was chosen: who is helped by which, and what nobody uses is let go."""
    answer = await search.source.cost([search.queries[name] for name in search.ways], search.chosen)
    search.costs = dict(search.base)
    choices = [_choice(search, candidate, answer.planned) for candidate in search.chosen]
    kept = tuple(each for each in choices if each.helped)
    taken = {each.candidate for each in kept}
    rest = {each for own in groups.values() for group in own for each in group} - taken
    rejected = dict.fromkeys(rest, "what it would save is not worth its price, or another serves better")
    ordered = sorted(kept, key=lambda each: -each.saved_ms_per_day)
    return Chosen(choices=tuple(ordered), rejected={**rejected, **refused}, cut=search.cut or answer.cut)


def _choice(search: _Search, candidate: Candidate, planned: Mapping[str, Planned]) -> Choice:
    users = [(name, plan) for name, plan in planned.items() if candidate in plan.used]
    helped = [
        Helped(
            query=search.queries[name],
            before=search.base[name],
            after=plan.cost,
            saved_ms_per_day=saved / len(plan.used),
        )
        for name, plan in users
        if (saved := search.saved(name, plan.cost)) > 0
    ]
    return Choice(
        candidate=candidate,
        helped=tuple(sorted(helped, key=lambda each: -each.saved_ms_per_day)),
        spent_ms_per_day=search.price(candidate),
        size_bytes=search.source.size_bytes(candidate),
    )
