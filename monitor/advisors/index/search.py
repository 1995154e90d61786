"""A search for indexes: what is chosen so far, and what is known of what else might be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from monitor.advisors.index.choices import Ground, Group, covers, needed
from monitor.advisors.index.writes import price_ms_per_day
from monitor.planning import Candidate, Planned, Query

Way: TypeAlias = tuple[int, str]
"""A table and the first key of an index on it: statements that none of whose candidates begins so are not asked."""
Plans: TypeAlias = Mapping[str, Planned]
"""By statement."""


def way(candidate: Candidate) -> Way:
    """Say how an index begins."""
    return candidate.table, candidate.keys[0].expression


@dataclass
class Search:
    """One search; plans are of the statements that some candidate helps, `plans` with what is chosen so far.

    Another index beside those that were there makes no plan dearer. So what is known of a group from before others
    were chosen is the least that it brings, and the search can end on it when no more plans are to be had.
    """

    ground: Ground
    queries: Mapping[str, Query]
    ways: Mapping[str, frozenset[Way]]
    """By statement, how its candidates begin."""
    plans: dict[str, Planned] = field(default_factory=dict)
    chosen: set[Candidate] = field(default_factory=set)
    outcomes: dict[Group, dict[str, Planned]] = field(default_factory=dict)
    """What would become of statements with a group beside what is chosen."""
    stale: dict[Group, set[str]] = field(default_factory=dict)
    """Statements whose outcome was asked for before the last choice."""
    cut: str = ""

    def __post_init__(self) -> None:
        self.source, self.work, self.terms = self.ground.source, self.ground.work, self.ground.terms
        self.base = {name: self.ground.before[name].cost for name in self.queries}
        self.plans = {name: self.ground.before[name] for name in self.queries}
        self._days = {name: self.work.ms_per_day(query) for name, query in self.queries.items()}
        whole = sum(self.work.ms_per_day(query) for query in self.work.queries)
        self.least = max(self.terms.least_ms_per_day, self.terms.least_share * whole)
        self._prices: dict[Candidate, float] = {}
        self._sizes: dict[Candidate, float] = {}

    def price(self, candidate: Candidate) -> float:
        """Give what writers would pay for an index, in ms a day."""
        if candidate not in self._prices:
            self._prices[candidate] = price_ms_per_day(candidate, self.ground.shape, self.work)
        return self._prices[candidate]

    def size_bytes(self, candidates: Iterable[Candidate]) -> float:
        """Give how big indexes would be together."""
        new = {each: self.source.size_bytes(each) for each in candidates if each not in self._sizes}
        self._sizes |= new
        return sum(self._sizes[each] for each in candidates)

    def added(self, group: Group) -> Group:
        """Give of a group what nothing does that is chosen already."""
        return frozenset(one for one in group if not any(covers(each, one) for each in self.chosen))

    def beside(self, group: Group) -> set[Candidate]:
        """Give what would be chosen with a group: what it covers goes."""
        new = self.added(group)
        return {old for old in self.chosen if not any(covers(each, old) for each in new)} | new

    async def ask(self, group: Group) -> None:
        """Ask what would become of the statements that it may help, those not known since the last choice."""
        names = self.stale.pop(group, set()) if group in self.outcomes else self._touched(group)
        answer = await self.source.cost([self.queries[name] for name in sorted(names)], self.beside(group))
        self.cut = self.cut or answer.cut
        self.outcomes.setdefault(group, {}).update(answer.planned)

    def _touched(self, group: Group) -> set[str]:
        ways = {way(candidate) for candidate in group}
        return {name for name, own in self.ways.items() if own & ways}

    def saved(self, name: str, before: float, after: float, *, include: bool = False) -> float:
        """Give the ms a day that a statement saves between two costs; negative where it loses.

        `include`: with an index that holds columns beside its keys.
        """
        base = self.base[name]
        least = max(self.terms.units, self.terms.beside * base if include else 0.0)
        if abs(before - after) < least or self.terms.part * before < after < before / self.terms.part:
            return 0.0
        return self._days[name] * (before - after) / base if base else 0.0

    def net(self, group: Group) -> float:
        """Give what a group saves a day beyond its price, by what is known; 0: it is not worth it."""
        include = any(each.include for each in self.added(group))
        plans = self.outcomes[group].items()
        saved = sum(self.saved(name, self.plans[name].cost, plan.cost, include=include) for name, plan in plans)
        saved *= 1 - self.terms.beside if include else 1
        after = self.beside(group)
        price = sum(map(self.price, after - self.chosen)) - sum(map(self.price, self.chosen - after))
        return saved - price if self.worth(saved, price) else 0.0

    def worth(self, saved: float, price: float) -> bool:
        """Tell whether what is saved is worth its price, both in ms a day."""
        return saved > max(self.terms.times_price * price, self.least)

    def fits(self, group: Group) -> bool:
        """Tell whether storage and the cap of each table allow a group."""
        after = self.beside(group)
        most = max(sum(1 for each in after if each.table == table) for table in {each.table for each in group})
        return self.size_bytes(after) <= self.terms.budget_bytes and most <= self.terms.per_table

    def take(self, group: Group) -> None:
        """Choose a group; what was asked of the statements it touches is stale from now on."""
        self.chosen = self.beside(group)
        after = self.outcomes.pop(group)
        for name, plan in after.items():
            if plan.cost <= self.plans[name].cost or not self.plans[name].used <= self.chosen:
                self.plans[name] = plan
        for other, known in self.outcomes.items():
            self.stale.setdefault(other, set()).update(known.keys() & after.keys())

    def helps(self, name: str) -> bool:
        """Tell whether what is chosen helps a statement."""
        return self.saved(name, self.base[name], self.plans[name].cost) > 0

    def needless(self, group: Group) -> bool:
        """Tell whether what is chosen does all that a group could do."""
        return not self.added(group)

    def fall_back(self, everything: Plans) -> list[Group]:
        """Take what statements used when all candidates were there for their groups, for want of plans of others."""
        found: dict[Group, dict[str, Planned]] = {}
        for name in self.ways:
            found.setdefault(needed(everything[name].used), {})[name] = everything[name]
        new = {group: plans for group, plans in found.items() if group and group not in self.outcomes}
        self.outcomes |= new
        return [*new]
