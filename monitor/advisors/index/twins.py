"""One index where two rules would ask for one each: one that statements lack, widened to a foreign key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from monitor.advisors.index.columns import Ground
from monitor.advisors.index.search import Search
from monitor.advisors.index.served import served_everywhere
from monitor.planning import Candidate, Planned
from monitor.shape import ForeignKey, Shape


def twins(candidates: Iterable[Candidate], shape: Shape) -> Mapping[Candidate, Candidate]:
    """Give for each candidate that is a part of a foreign key without an index the one that serves the whole key.

    index.missing_foreign_key asks for that one; built beside it, the narrow one would be redundant.
    """
    found = ((each, twin(each, shape)) for each in candidates)
    return {each: wider for each, wider in found if wider}


def twin(candidate: Candidate, shape: Shape) -> Candidate | None:
    """Give a candidate with the rest of a foreign key's columns behind it, of the shortest such key."""
    begun = {key.column for key in candidate.keys}
    for own in sorted(shape.foreign_keys, key=lambda each: len(each.columns)):
        if own.table == candidate.table and begun < {*own.columns} and _plain(candidate):
            wider = _widened(candidate, own, shape)
            if not served_everywhere(wider, shape.tables[own.table], shape, free=len(wider.keys)):
                return wider
    return None


def _plain(candidate: Candidate) -> bool:
    """Tell whether an index of these keys finds what a foreign key looks up."""
    ordinary = candidate.method == "btree" and not candidate.where and not candidate.include
    return ordinary and not any(key.opclass or key.collation for key in candidate.keys)


def _widened(candidate: Candidate, own: ForeignKey, shape: Shape) -> Candidate:
    table = shape.tables[own.table]
    ground = Ground(table=table, shape=shape, rows=max(table.rows, 0.0))
    by_number = {column.number: column for column in table.columns}
    begun = {key.column for key in candidate.keys}
    rest = (ground.plain(by_number[number]).key for number in own.columns if number not in begun)
    return replace(candidate, keys=(*candidate.keys, *rest))


def take_twins(search: Search, known: Mapping[Candidate, Candidate]) -> None:
    """Choose twins in place of what was chosen, one for each key, where they fit and cost writers no more."""
    for narrow, wider in known.items():
        if narrow in search.chosen and not any(_same_key(each, wider) for each in search.chosen):
            _take(search, narrow, wider)


def _same_key(one: Candidate, wider: Candidate) -> bool:
    """Tell whether an index serves a foreign key that another one serves, in whichever order."""
    begun = {key.column for key in one.keys[: len(wider.keys)]}
    return one.table == wider.table and _plain(one) and begun == {key.column for key in wider.keys}


def _take(search: Search, narrow: Candidate, wider: Candidate) -> None:
    group = frozenset({wider})
    if search.price(wider) <= search.price(narrow) and search.fits(group):
        search.chosen = search.beside(group)
        search.plans = {name: _instead(plan, narrow, wider) for name, plan in search.plans.items()}


def _instead(plan: Planned, narrow: Candidate, wider: Candidate) -> Planned:
    """Suppose that a plan would use the wider one likewise, in case that no more plans are to be had."""
    return replace(plan, used=plan.used - {narrow} | {wider}) if narrow in plan.used else plan
