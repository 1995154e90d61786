"""Choosing indexes: the best one first, then the best beside it, until nothing more is worth its price.

Greedy, in the manner of Extend (Schlosser, Kossmann, Boissier 2019): what is chosen may be replaced by a wider one. A
planner is asked what each group of candidates would do; only statements that some candidate helps are asked about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitor.advisors.index.choices import Choice, Chosen, Ground, Group, Helped, needed
from monitor.advisors.index.search import Plans, Search, way
from monitor.advisors.index.twins import take_twins, twins
from monitor.planning import Candidate

NEEDLESS = "what it would save is not worth its price, or another serves better"


async def choose(ground: Ground, groups: Mapping[str, Sequence[Group]]) -> Chosen:
    """Choose from the groups that were proposed for each statement, by its name."""
    every = _members(groups)
    wider = twins(every, ground.shape)
    refused = await ground.source.propose([*dict.fromkeys((*every, *wider.values()))])
    able = {name: [needed(group) for group in own if not group & refused.keys()] for name, own in groups.items()}
    search, everything = await _begun(ground, able)
    used = {way(each) for name in search.ways for each in everything[name].used}
    wanted = _proposed(search, able)
    await _greedy(search, [group for group in wanted if any(way(each) in used for each in group)], everything)
    # What the planner likes best may be too dear for those who write, or too big: a second choice may not be.
    unhelped = _proposed(search, {name: able[name] for name in search.ways if not search.helps(name)})
    await _greedy(search, [group for group in unhelped if group not in search.outcomes], everything)
    take_twins(search, {narrow: twin for narrow, twin in wider.items() if twin not in refused})
    return await _settled(search, refused, every)


async def _begun(ground: Ground, groups: Mapping[str, Sequence[Group]]) -> tuple[Search, Plans]:
    """Ask once with all candidates there: statements that even this does not help are left out."""
    able = (query for query in ground.work.queries if groups.get(query.name) and query.name in ground.before)
    queries = {query.name: query for query in able}
    answer = await ground.source.cost([*queries.values()], _members(groups))
    search = Search(ground, queries, {}, cut=answer.cut)
    search.ways = {
        name: frozenset(way(each) for group in groups[name] for each in group)
        for name, planned in answer.planned.items()
        if search.saved(name, search.base[name], planned.cost) > 0
    }
    return search, answer.planned


def _members(groups: Mapping[str, Sequence[Group]]) -> list[Candidate]:
    """Give all candidates, always in the same order: of two that cost the same a planner takes what it met first."""
    return list(dict.fromkeys(each for own in groups.values() for group in own for each in sorted(group, key=str)))


def _proposed(search: Search, groups: Mapping[str, Sequence[Group]]) -> list[Group]:
    return list(dict.fromkeys(group for name in search.ways for group in groups.get(name, ())))


async def _greedy(search: Search, groups: Sequence[Group], everything: Plans) -> None:
    """Take groups, the best first, while one is worth it."""
    for group in groups:
        if not search.cut:
            await search.ask(group)
    waiting = [*groups, *(search.fall_back(everything) if search.cut else ())]
    while (best := await _best(search, waiting)) is not None:
        search.take(best)


async def _best(search: Search, groups: Sequence[Group]) -> Group | None:
    """Give the group that saves most; of those that save nearly as much, the smallest.

    What a group saves mostly shrinks as others are chosen: one whose old figure is not among the best is asked again
    only when nothing else is left.
    """
    waiting = [group for group in groups if group in search.outcomes and not search.needless(group)]
    while True:
        nets = {group: net for group in waiting if (net := search.net(group)) > 0 and search.fits(group)}
        # One that was of no use alone may be beside what was chosen since: the other side of a join.
        enough = search.terms.near * max(nets.values(), default=0.0)
        near = [group for group, net in nets.items() if net >= enough]
        stale = [group for group in near or filter(search.fits, waiting) if search.stale.get(group)]
        if search.cut or not stale:
            return min(near, key=lambda group: (search.size_bytes(group), _width(group)), default=None)
        for group in stale:
            await search.ask(group)


def _width(group: Group) -> tuple[int, str]:
    return sum(len(each.keys) + len(each.include) for each in group), str(sorted(map(str, group)))


async def _settled(search: Search, refused: Mapping[Candidate, str], every: Sequence[Candidate]) -> Chosen:
    """Plan once more with just what was chosen: which helps whom; what others have made needless goes."""
    await _plan(search)
    for candidate in sorted(search.chosen, key=lambda each: (_choice(search, each).saved_ms_per_day, str(each))):
        await _spare(search, candidate)
    choices = [choice for each in search.chosen if (choice := _choice(search, each)).helped]
    taken = {each.candidate for each in choices}
    seen = {each for group in search.outcomes for each in group}
    untried = frozenset(each for each in every if search.cut and each not in taken | seen and each not in refused)
    why = f"it may not have been looked at: {search.cut}" if search.cut else NEEDLESS
    rejected = {each: why for each in every if each not in taken}
    ordered = sorted(choices, key=lambda each: (-each.saved_ms_per_day, str(each.candidate)))
    return Chosen(
        choices=tuple(ordered),
        rejected={**rejected, **refused},
        refused=refused,
        untried=untried,
        cut=search.cut,
    )


async def _plan(search: Search) -> None:
    """Plan with just what is chosen; where no more plans are to be had, what was known when it was chosen stays."""
    answer = await search.source.cost([search.queries[name] for name in search.ways], search.chosen)
    search.cut = search.cut or answer.cut
    search.plans |= answer.planned


async def _spare(search: Search, candidate: Candidate) -> None:
    """Let go of an index that others chosen later have made needless: by itself it does not bring what it costs."""
    choice = _choice(search, candidate)
    if search.worth(choice.saved_ms_per_day, choice.spent_ms_per_day):
        return
    answer = await search.source.cost([each.query for each in choice.helped], search.chosen - {candidate})
    lost = sum(search.saved(name, planned.cost, search.plans[name].cost) for name, planned in answer.planned.items())
    if not answer.cut and not search.worth(lost, choice.spent_ms_per_day):
        search.chosen.discard(candidate)
        search.plans |= answer.planned


def _choice(search: Search, candidate: Candidate) -> Choice:
    helped = [
        Helped(
            query=search.queries[name],
            before=search.base[name],
            after=plan.cost,
            saved_ms_per_day=saved / len(plan.used & search.chosen),
        )
        for name, plan in search.plans.items()
        if candidate in plan.used and (saved := search.saved(name, search.base[name], plan.cost)) > 0
    ]
    return Choice(
        candidate=candidate,
        helped=tuple(sorted(helped, key=lambda each: (-each.saved_ms_per_day, each.query.name))),
        spent_ms_per_day=search.price(candidate),
        size_bytes=search.size_bytes([candidate]),
        reads=frozenset(name for each in helped for name in search.plans[each.query.name].indexes),
    )
