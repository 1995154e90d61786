"""What plan sources share: which queries can be asked, answers that are remembered, and when to stop asking."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from monitor.planner.parallel import undivided
from monitor.planner.relations import Refused, Relations, Wanted
from monitor.planner.sizes import PAGE, pages
from monitor.planning import Answer, Candidate, Node, Planned, Query
from monitor.shape import Shape


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much one source may be asked."""

    plans: int = 300
    seconds: float = 2.0
    """Time spent planning; what is prepared for it is not counted."""


class Source(ABC):
    """A plan source over a real planner; by the index names in `_names` a plan tells that it reads a candidate."""

    method: str

    def __init__(self, shape: Shape, relations: Relations, limits: Limits) -> None:
        self._shape, self._relations, self._limits = shape, relations, limits
        self._names: dict[Candidate, frozenset[str]] = {}
        self._refusals: dict[Candidate, str] = {}
        self._shares: dict[Candidate, float] = {}
        self._answers: dict[object, Planned | str] = {}
        self._wanted: dict[object, Wanted | str] = {}
        self._plans = 0
        self._seconds = 0.0

    @property
    def plans(self) -> int:
        """How many plans were made so far."""
        return self._plans

    @property
    @abstractmethod
    def remark(self) -> str:
        """What people should know of it."""

    @abstractmethod
    async def _make(self, candidates: Sequence[Candidate]) -> None:
        """Make new candidates known: each gets its `_names`, or a reason in `_refusals`."""

    @abstractmethod
    async def _prepare(self, wanted: Sequence[Wanted]) -> None:
        """Make what statements need."""

    @abstractmethod
    def _lacking(self, wanted: Wanted) -> str:
        """Tell why a statement cannot be planned here; "": it can."""

    @abstractmethod
    async def _show(self, candidates: Collection[Candidate], without: Collection[int]) -> None:
        """Let the planner see just these candidates, and not those indexes."""

    def _unable(self, without: Collection[int]) -> str:
        """Tell why those indexes cannot be hidden; "": they can."""
        return ""

    @abstractmethod
    async def _explain(self, wanted: Wanted) -> Node | str:
        """Plan a statement; a text says why that cannot be done."""

    def again(self, limits: Limits) -> None:
        """Begin anew with counting what was spent; what is known stays known."""
        self._limits, self._plans, self._seconds = limits, 0, 0.0

    async def propose(self, candidates: Collection[Candidate]) -> Mapping[Candidate, str]:
        """Make candidates known; give those refused, and why."""
        new = [each for each in dict.fromkeys(candidates) if each not in self._names and each not in self._refusals]
        if new:
            await self._make(new)
        return {each: self._refusals[each] for each in candidates if each in self._refusals}

    async def cost(
        self, queries: Sequence[Query], candidates: Collection[Candidate] = (), without: Collection[int] = ()
    ) -> Answer:
        """Plan queries as if just these candidates were there, and the indexes `without` were not."""
        if why := self._unable(without):
            return Answer(refused=dict.fromkeys((query.name for query in queries), why))
        await self.propose(candidates)
        wanted = {query.name: self._want(query) for query in queries}
        await self._prepare([each for each in wanted.values() if isinstance(each, Wanted)])
        answers = {query.name: await self._answer(query, wanted[query.name], candidates, without) for query in queries}
        return Answer(
            planned={name: each for name, each in answers.items() if isinstance(each, Planned)},
            refused={name: each for name, each in answers.items() if isinstance(each, str)},
            cut=self._spent() if None in answers.values() else "",
        )

    def size_bytes(self, candidate: Candidate) -> float:
        """Estimate how big it would be, over all partitions."""
        table = self._shape.tables.get(candidate.table)
        if table is None:
            return 0.0
        share = self._shares.get(candidate, 1.0)
        return float(PAGE * sum(pages(candidate, part, share) for part in self._relations.parts(table)))

    def _want(self, query: Query) -> Wanted | str:
        key = (query.supposed or query.text, query.given, query.roles)
        if key not in self._wanted:
            try:
                self._wanted[key] = self._relations.wanted(query)
            except Refused as reason:
                self._wanted[key] = str(reason)
        return self._wanted[key]

    async def _answer(
        self, query: Query, wanted: Wanted | str, candidates: Collection[Candidate], without: Collection[int]
    ) -> Planned | str | None:
        """Plan one query, or remember; None when the budget is spent."""
        if isinstance(wanted, str) or (lacking := self._lacking(wanted)):
            return wanted if isinstance(wanted, str) else lacking
        near = frozenset(each for each in candidates if each.table in wanted.tables and each in self._names)
        gone = frozenset(self._indexes(wanted.tables) & {*without})
        key = (query.supposed or query.text, query.given, query.roles, near, gone)
        if key not in self._answers:
            if self._spent():
                return None
            await self._show(candidates, without)
            self._answers[key] = await self._planned(wanted, near)
        return self._answers[key]

    def _indexes(self, tables: Iterable[int]) -> set[int]:
        return {index.oid for oid in tables for index in self._shape.tables[oid].indexes}

    def _spent(self) -> str:
        if self._plans >= self._limits.plans:
            return f"{self._limits.plans} plans were made, which is the limit"
        if self._seconds >= self._limits.seconds:
            return f"{self._limits.seconds:g} s were spent planning, which is the limit"
        return ""

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Count the time as spent."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._seconds += time.monotonic() - began

    async def _planned(self, wanted: Wanted, near: Collection[Candidate]) -> Planned | str:
        self._plans += 1
        with self._timed():
            plan = await self._explain(wanted)
        if isinstance(plan, str):
            return plan
        plan = undivided(plan)
        planned = Planned(cost=float(str(plan["Total Cost"])), plan=plan)
        read = planned.indexes
        return replace(planned, used=frozenset(each for each in near if read & self._names[each]))
