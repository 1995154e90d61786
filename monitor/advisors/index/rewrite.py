"""Statements that keep an index from being used, and how they would be written so that it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from monitor.advisors.index.candidates import indexable, returned, sought
from monitor.advisors.index.columns import TIMES, Ground
from monitor.advisors.index.scans import Scan, scans, uppermost
from monitor.advisors.index.special import has_trigrams
from monitor.advisors.index.steps import Step, figure, steps
from monitor.planning import Planned, Query
from monitor.shape import Shape, Table
from monitor.sql.conditions import Match, Term
from monitor.sql.trees import Tree, canonical, denies_list, function, has_offset, joined, operator

PART = 0.5
"""Of the plan's cost: a scan below it is not what makes the statement slow."""
FEW = 0.15
"""Of a table's rows: so many at most come back from a join that would be made by an index."""
DEEP = 50.0
"""Blocks that are read for each row that comes back, from which on most rows were skipped."""
_LOOKED_UP = frozenset({Match.EQUAL, Match.IN, Match.RANGE, Match.PREFIX, Match.LIKE})
_SIGNS = frozenset("+-*/")
_INTO = frozenset({"->", "->>", "#>", "#>>"})
"""What looks into a document by a key."""


class Kind(StrEnum):
    """What is written so that an index is of no use."""

    CAST = "cast"
    TIME = "function of a time"
    COALESCE = "coalesce"
    ARITHMETIC = "arithmetic"
    PATTERN = "leading wildcard"
    OFFSET = "deep offset"
    NOT_IN = "not in"
    KEY = "key not told"


_UNHIDDEN = frozenset({Kind.PATTERN, Kind.KEY})
"""They need no index that is there."""


@dataclass(frozen=True, kw_only=True)
class Rewrite:
    """One place in a statement that would better be written otherwise."""

    query: Query
    kind: Kind
    table: Table
    column: str = ""
    """Unquoted; "" where it is about the whole statement."""
    hidden: str = ""
    """The index that cannot be used."""
    by: str = ""
    """The type that is cast to, or the function."""


def rewrites(query: Query, planned: Planned, shape: Shape, *, blocks: float = 0.0) -> Iterator[Rewrite]:
    """Give what a statement's plan and text accuse; `blocks` are those a call touches, 0 where nobody counted."""
    found = [*scans(planned, shape)]
    for scan in sought(query, planned, shape):
        if scan.share >= PART:
            # A join that gives most of a table would hardly go by an index.
            yield from _hiding(scan, query, shape, few=returned(query, planned, scan) <= FEW * scan.rows)
    yield from _denied(query, planned, shape)
    if len(found) == 1 and indexable(found[0].table, shape):
        yield from _skipping(query, planned, found[0], blocks)


def _hiding(scan: Scan, query: Query, shape: Shape, *, few: bool) -> Iterator[Rewrite]:
    """Give terms on a column that has an index, which what is done to the column hides."""
    if scan.looked_up and not scan.limited:
        return  # it is read by another index as it is
    ground = Ground(table=scan.table, shape=shape, rows=scan.rows)
    for term in (*scan.terms, *(scan.joins if few else ())):
        names = {name for _, name in term.left.columns}
        column = scan.table.by_name.get(names.pop()) if len(names) == 1 else None
        kind, by = _hidden(term, ground)
        index = ground.leading(column) if column else None
        if kind is Kind.KEY and (not few or (column and _keyed(column.name, scan.table))):
            continue
        if kind and column and (index or kind in _UNHIDDEN) and not _by_expression(term, scan.table):
            hidden = index.full_name if index else ""
            yield Rewrite(query=query, kind=kind, table=scan.table, column=column.name, hidden=hidden, by=by)


def _hidden(term: Term, ground: Ground) -> tuple[Kind | None, str]:
    """Say what hides a column from its index; None: nothing, or something that an index of its own serves better."""
    if term.match is Match.INFIX or (term.match is Match.LIKE and _is_wildcard(joined(term.right.tree)[0])):
        return (None if has_trigrams(ground.shape) else Kind.PATTERN), ""
    if term.match not in _LOOKED_UP or "RowExpr" in term.left.tree:
        return None, ""
    if not term.left.column:
        return _applied(term.left.tree, ground, term)
    keyed = ground.keyed(term.left)
    plain = not term.left.cast or (keyed is not None and keyed.column is not None)
    return (None, "") if plain else (Kind.CAST, term.left.cast)


def _is_wildcard(beginning: object) -> bool:
    return isinstance(beginning, str) and beginning[:1] in {"%", "_"}


def _applied(tree: Tree, ground: Ground, term: Term) -> tuple[Kind | None, str]:
    """Say what is applied to the column; what is immutable, and no time, had better get an index of its own."""
    called, sign = function(tree), operator(tree)
    if called in TIMES:
        return Kind.TIME, called
    if ground.keyed(term.left):
        return None, ""
    if "TypeCast" in tree:
        return Kind.CAST, term.left.cast
    if sign in _INTO and "ParamRef" in str(tree) and term.match in {Match.EQUAL, Match.IN}:
        return Kind.KEY, sign
    if sign in _SIGNS:
        return Kind.ARITHMETIC, sign
    return (Kind.COALESCE, "coalesce") if "CoalesceExpr" in tree else (None, "")


def _by_expression(term: Term, table: Table) -> bool:
    """Tell whether an index is on just this expression."""
    mine = canonical(term.left.text)
    return any(
        own.valid and own.keys and not own.keys[0].column and canonical(own.keys[0].expression) == mine
        for own in table.indexes
    )


def _keyed(column: str, table: Table) -> bool:
    """Tell whether an index looks into that column by some key: it may be the one that is asked for."""
    return any(
        own.valid and not key.column and any(sign in key.expression for sign in _INTO) and column in key.expression
        for own in table.indexes
        for key in own.keys
    )


def _denied(query: Query, planned: Planned, shape: Shape) -> Iterator[Rewrite]:
    """Give NOT IN (SELECT …) whose rows are gone through again for each row."""
    for step in steps(planned.plan):
        table = shape.named(str(step.node.get("Schema", "")), str(step.node.get("Relation Name", "")))
        text = str(step.node.get("Filter", ""))
        again = "SubPlan" in text and "hashed SubPlan" not in text and "NOT" in text
        if table and again and _costly(step, planned) and denies_list(query.text):
            yield Rewrite(query=query, kind=Kind.NOT_IN, table=uppermost(table, shape))


def _costly(step: Step, planned: Planned) -> bool:
    return step.loops * figure(step.node, "Total Cost") >= PART * planned.cost


def _skipping(query: Query, planned: Planned, scan: Scan, blocks: float) -> Iterator[Rewrite]:
    """Give OFFSET over an index in the wanted order: where many blocks are read for few rows, rows were skipped."""
    top, per_call = planned.plan, query.rows_per_call
    plain = top.get("Node Type") == "Limit" and "Index" in scan.kind and not scan.joins and not scan.either
    filtered = any("Filter" in step.node for step in steps(top))
    if plain and not filtered and has_offset(query.text) and per_call >= 1 and blocks >= DEEP * per_call:
        yield Rewrite(query=query, kind=Kind.OFFSET, table=scan.table)
