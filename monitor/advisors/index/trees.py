"""Keys of B-trees for one scan: what is compared by `=` first, then one range, or the order that is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations

from monitor.advisors.index.columns import Ground, Keyed
from monitor.advisors.index.scans import Scan
from monitor.shape import IndexKey
from monitor.sql.conditions import Match, Ordered, Term

WIDTH = 3
"""Keys compared by `=` in one candidate: more cost their place and find hardly less."""
SPARSE = 0.1
"""Rarer than this, rows that are NULL, or true, are worth looking up by that alone."""
_PATTERN = {"text": "text_pattern_ops", "varchar": "varchar_pattern_ops", "bpchar": "bpchar_pattern_ops"}


@dataclass(frozen=True, kw_only=True)
class Lead:
    """Keys in order; the first `free` may change places."""

    keys: tuple[IndexKey, ...]
    free: int = 0
    equal: frozenset[str] = frozenset()
    """The plain columns that are compared by `=`."""
    joined: bool = False
    """It looks up what a join gives."""


@dataclass(frozen=True, kw_only=True)
class _Wishes:
    """What a scan compares, as keys."""

    equal: Sequence[Keyed]
    listed: Sequence[Keyed]
    ranges: Sequence[Keyed]
    joined: Sequence[Keyed]
    order: Sequence[tuple[Keyed, Ordered]]


def leads(scan: Scan, ground: Ground) -> Iterator[Lead]:
    """Give the keys that could serve a scan, the most promising first."""
    wishes = _wishes(scan, ground)
    given: set[tuple[IndexKey, ...]] = set()
    for lead in chain(_looked_up(wishes), _in_order(wishes, limited=scan.limited), _joined(wishes, scan)):
        if lead.keys and lead.keys not in given:
            given.add(lead.keys)
            yield lead


def _wishes(scan: Scan, ground: Ground) -> _Wishes:
    terms = [(term, keyed) for term in scan.terms if (keyed := _keyed(term, ground)) and keyed.sortable]
    joins = [(term, keyed) for term in scan.joins if (keyed := _keyed(term, ground)) and keyed.sortable]
    order = [(ground.keyed(each.key), each) for each in scan.order]
    whole = all(keyed is not None and keyed.sortable for keyed, _ in order)
    return _Wishes(
        equal=_selective(keyed for term, keyed in terms if _fixed(term, keyed)),
        listed=_selective(keyed for term, keyed in terms if term.match is Match.IN),
        ranges=_distinct(keyed for term, keyed in terms if term.match in {Match.RANGE, Match.PREFIX, Match.LIKE}),
        joined=_selective(keyed for term, keyed in joins if term.match is Match.EQUAL),
        order=[(keyed, each) for keyed, each in order if keyed is not None] if whole else [],
    )


def _keyed(term: Term, ground: Ground) -> Keyed | None:
    if "RowExpr" in term.left.tree:
        return ground.first(term.left) if term.match is Match.RANGE else None
    keyed = ground.keyed(term.left)
    return _by_pattern(keyed, ground) if keyed and term.match in {Match.PREFIX, Match.LIKE} else keyed


def _by_pattern(keyed: Keyed, ground: Ground) -> Keyed | None:
    """Give the key that a prefix is looked up by: unless the collation orders by bytes, an operator class does."""
    columns = [ground.table.by_name[name] for name in keyed.columns]
    if keyed.type not in _PATTERN or not all(column.deterministic for column in columns):
        return None
    if all(column.by_bytes for column in columns):
        return keyed
    return replace(keyed, key=replace(keyed.key, opclass=_PATTERN[keyed.type]))


def _fixed(term: Term, keyed: Keyed) -> bool:
    """Tell what is compared by `=`, or rarely NULL, true or false."""
    statistics = keyed.column.statistics if keyed.column else None
    match term.match:
        case Match.EQUAL:
            return True
        case Match.NULL:
            return statistics is not None and statistics.null_frac <= SPARSE
        case Match.TRUE | Match.FALSE:
            return False  # a partial index says it better
    return False


def _distinct(found: Iterator[Keyed]) -> list[Keyed]:
    return [*dict.fromkeys(found)]


def _selective(found: Iterator[Keyed]) -> list[Keyed]:
    return sorted(dict.fromkeys(found), key=lambda keyed: (-keyed.distinct, keyed.key.column))


def _looked_up(wishes: _Wishes) -> Iterator[Lead]:
    """Give equal columns with one range or list behind, and by themselves."""
    equal = wishes.equal[:WIDTH]
    for tail in (*wishes.listed, *wishes.ranges):
        yield _lead((*equal, tail), len(equal))
    yield _lead(equal, len(equal))
    if len(equal) > 1:
        yield _lead(equal[:1], 1)
    for first, second in combinations((*wishes.listed, *wishes.ranges), 2):
        yield _lead((first, second), 0)


def _in_order(wishes: _Wishes, *, limited: bool) -> Iterator[Lead]:
    """Give the wanted order behind the equal columns; alone only where its first rows are enough."""
    equal = wishes.equal[:WIDTH]
    names = frozenset(name for keyed in equal if keyed.column for name in keyed.columns)
    rest = [(keyed, each) for keyed, each in wishes.order if not (keyed.column and keyed.columns <= names)]
    keys = (*_turned(rest),)
    if keys and equal and (limited or not wishes.joined):
        yield Lead(keys=(*(keyed.key for keyed in equal), *keys), free=len(equal), equal=names)
    if keys and limited:
        yield Lead(keys=keys)


def _turned(order: Sequence[tuple[Keyed, Ordered]]) -> Iterator[IndexKey]:
    """Write an order so that it begins ascending: a B-tree is read backward as well."""
    turn = bool(order) and order[0][1].descending
    for keyed, each in order:
        yield replace(keyed.key, descending=each.descending != turn, nulls_first=each.nulls_first != turn)


def _joined(wishes: _Wishes, scan: Scan) -> Iterator[Lead]:
    """Give each join's key, with what is compared beside it, and all keys of one join."""
    for keyed in wishes.joined:
        beside = [each for each in wishes.equal if each != keyed][: WIDTH - 1]
        yield replace(_lead((keyed,), 1), joined=True)
        if beside:
            yield replace(_lead(_selective(iter((keyed, *beside))), 1 + len(beside)), joined=True)
        for tail in wishes.ranges[:1]:
            yield replace(_lead((keyed, tail), 1), joined=True)
        if scan.limited and wishes.order:
            keys = (*_turned([each for each in wishes.order if each[0] != keyed]),)
            yield Lead(keys=(keyed.key, *keys), free=1, joined=True)
    if 1 < len(wishes.joined) <= WIDTH:
        yield replace(_lead(wishes.joined, len(wishes.joined)), joined=True)


def _lead(keyed: Sequence[Keyed], free: int) -> Lead:
    """Put keys in a row, each once."""
    rows = [*dict.fromkeys(keyed)]
    names = frozenset(name for each in rows[:free] if each.column for name in each.columns)
    keys = {(each.key.expression, each.key.opclass): each.key for each in rows}
    single = {each.expression: each for each in reversed([*keys.values()])}
    ordered = tuple(dict.fromkeys(single[each.expression] for each in keys.values()))
    return Lead(keys=ordered, free=min(free, len(ordered)), equal=names)
