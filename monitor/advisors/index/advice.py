"""The advice for one database: what its workload costs, which indexes would save how much of it, and who says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from monitor.advisors.index.candidates import propose
from monitor.advisors.index.choices import Chosen, Ground, Group, Terms
from monitor.advisors.index.given import Variant, variants
from monitor.advisors.index.reading import read
from monitor.advisors.index.selection import choose
from monitor.advisors.index.workload import Workload, workload
from monitor.errors import Needs, PlannerError, ProbeSkipped
from monitor.measurement import Measurement
from monitor.model import Result
from monitor.planning import Answer, PlanSource, Query
from monitor.rule import Book
from monitor.shape import Shape


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What came of asking a planner about one database's workload."""

    shape: Shape
    statements: Measurement
    work: Workload
    chosen: Chosen = field(default_factory=Chosen)
    refused: Mapping[str, str] = field(default_factory=dict)
    """Statements by name that could not be planned, and why."""
    pending: Sequence[Query] = ()
    """Statements whose turn did not come, because the search was cut short."""
    supposed: Mapping[str, Variant] = field(default_factory=dict)
    """Statements by name that were planned with a value of our own, and why."""
    method: str = ""
    remark: str = ""
    plans: int = 0


async def advice(book: Book, terms: Terms) -> Advice:
    """Ask; raises ProbeSkipped where there is nothing to go by, or nobody to ask."""
    _, shape = read(book)
    statements = statements_of(book)
    work = workload(statements, shape, str(book.target.database))
    found = Advice(shape=shape, statements=statements, work=work, refused=work.left_out)
    if not work.queries:
        return found
    async with plans_of(book, shape) as source:
        return await _asked(found, source, terms)


@asynccontextmanager
async def plans_of(book: Book, shape: Shape) -> AsyncIterator[PlanSource]:
    """Yield who knows what a planner would do; raises ProbeSkipped where nobody can be asked."""
    if book.planner is None:
        raise ProbeSkipped("no planner can be asked here", None)
    try:
        async with book.planner.opened(shape) as source:
            yield source
    except PlannerError as error:
        raise ProbeSkipped(str(error), error.needs) from None


async def _asked(found: Advice, source: PlanSource, terms: Terms) -> Advice:
    before = await source.cost(found.work.queries)
    supposed = _supposed(found, before)
    if supposed:
        again = await source.cost([each.query for each in supposed.values()])
        before = replace(before, planned={**before.planned, **again.planned}, cut=before.cut or again.cut)
        queries = [supposed[each.name].query if each.name in again.planned else each for each in found.work.queries]
        found = replace(found, work=replace(found.work, queries=tuple(queries)), supposed=supposed)
    groups = _groups(found, before)
    ground = Ground(source=source, shape=found.shape, work=found.work, before=before.planned, terms=terms)
    chosen = await choose(ground, groups)
    return replace(
        found,
        chosen=replace(chosen, cut=before.cut or chosen.cut),
        pending=[each for each in found.work.queries if each.name not in {**before.planned, **before.refused}],
        refused={**before.refused, **found.work.left_out},
        method=source.method,
        remark=source.remark,
        plans=source.plans,
    )


def _supposed(found: Advice, before: Answer) -> Mapping[str, Variant]:
    """Give the values to plan with, of statements whose plan for any value is blind."""
    queries = [query for query in found.work.queries if query.name in before.planned]
    likely = {each.name: next(variants(each, before.planned[each.name], found.shape), None) for each in queries}
    return {name: variant for name, variant in likely.items() if variant}


def _groups(found: Advice, before: Answer) -> Mapping[str, Sequence[Group]]:
    planned = before.planned
    queries = [query for query in found.work.queries if query.name in planned]
    return {query.name: [*propose(query, planned[query.name], found.shape)] for query in queries}


def statements_of(book: Book) -> Measurement:
    """Give the newest reading of statements; raises ProbeSkipped where there is none to go by."""
    seen = book.last("statements")
    if seen is None:
        raise ProbeSkipped("no statements were read yet", Needs.HISTORY)
    if seen.result is not Result.OK:
        raise ProbeSkipped(seen.reason, seen.needs)
    return seen
