"""What a plan does to each table: which conditions, joins and order it wants of it, and at what part of the cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from monitor.advisors.index.orders import Wanted, wanted
from monitor.advisors.index.steps import Step, figure, listed, steps
from monitor.planning import Node, Planned
from monitor.shape import Shape, Table
from monitor.sql.conditions import Condition, Either, Ordered, Term, conditions, references
from monitor.sql.trees import Reference

_READ = frozenset({"Seq Scan", "Sample Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan"})
_CONDITIONS = ("Filter", "Index Cond", "Recheck Cond", "Join Filter", "Hash Cond", "Merge Cond")
_SUMMED = frozenset({"Aggregate", "Group", "WindowAgg", "Bitmap Index Scan", "BitmapAnd", "BitmapOr"})
"""Their conditions are on sums, or are told once more by the node above."""
_PASSING = frozenset({"Gather", "Gather Merge", "Append", "Merge Append", "Limit", "Materialize", "Memoize"})
MANY = 50
"""Outputs, from which on they need not be read: no index would hold so many."""
_TEXTS = ("Output", "Group Key", "Sort Key", "Presorted Key", "Cache Key")


@dataclass(frozen=True, kw_only=True)
class Scan:
    """One table (of partitions: the uppermost) as one part of a statement reads it."""

    table: Table
    alias: str
    terms: tuple[Term, ...] = ()
    """Compared with values: all hold together; the left side is this table's."""
    joins: tuple[Term, ...] = ()
    """Compared with another relation's columns, on the right."""
    either: tuple[tuple[tuple[Term, ...], ...], ...] = ()
    """ORs: of each its arms, and of each arm the terms."""
    order: tuple[Ordered, ...] = ()
    limited: bool = False
    """Only the first rows of that order are asked for."""
    needed: frozenset[str] | None = None
    """Columns that the statement needs of it; None: all, or not known."""
    rows: float = 0.0
    """Of the table."""
    kept: float = 0.0
    """Rows that one reading gives."""
    loops: float = 1.0
    share: float = 0.0
    """Of the plan's cost."""
    kind: str = ""
    """The node's type."""
    looked_up: bool = False
    """An index gives the rows of a condition, and not all there are."""


def scans(planned: Planned, shape: Shape) -> Iterator[Scan]:
    """Give what the plan reads, one for each place of a table in the statement, the dearest first."""
    walked = [*steps(planned.plan)]
    places = _places(walked, shape)
    if len(places) == 1:
        places[0].aliases.add("")  # outputs name no relation where there is but one
    known = {alias: place for place in places for alias in place.aliases}
    terms = [found for step in walked for found in _conditions(step.node)]
    orders = {id(known[alias]): order for alias, order in wanted(walked, shape).items() if alias in known}
    total = max(figure(planned.plan, "Total Cost"), 1e-9)
    found = [_scan(place, terms, orders.get(id(place)), total) for place in places]
    yield from sorted(found, key=lambda scan: -scan.share)


@dataclass(kw_only=True)
class _Place:
    """A table's place in a statement: all scan nodes that read it or one of its partitions there."""

    table: Table
    rows: float
    alias: str
    aliases: set[str]
    steps: list[Step]


def _places(walked: Sequence[Step], shape: Shape) -> list[_Place]:
    places: dict[tuple[int, str], _Place] = {}
    for step in walked:
        table = _table(step.node, shape)
        if table is None:
            continue
        whole, alias = uppermost(table, shape), str(step.node.get("Alias", ""))
        # A partition's alias is its parent's with a number; conditions above it are told with the parent's.
        base = _base(alias) if whole is not table else alias
        place = places.get((whole.oid, base))
        if place is None:
            place = _Place(table=whole, rows=_rows(whole, shape), alias=base, aliases={base}, steps=[])
            places[whole.oid, base] = place
        place.aliases.add(alias)
        place.steps.append(step)
    return [*places.values()]


def _table(node: Node, shape: Shape) -> Table | None:
    if node.get("Node Type") not in _READ:
        return None
    return shape.named(str(node.get("Schema", "")), str(node.get("Relation Name", "")))


def uppermost(table: Table, shape: Shape) -> Table:
    """Give the uppermost table that one is a part of, or itself."""
    while table.parent in shape.tables:
        table = shape.tables[table.parent]
    return table


def _base(alias: str) -> str:
    base, _, number = alias.rpartition("_")
    return base if base and number.isdigit() else alias


def _rows(table: Table, shape: Shape) -> float:
    return sum(max(part.rows, 0.0) for part in shape.parts(table)) if table.kind == "p" else max(table.rows, 0.0)


def _conditions(node: Node) -> Iterator[Condition]:
    if node.get("Node Type") in _SUMMED:
        return
    for key in _CONDITIONS:
        if key in node:
            yield from conditions(str(node[key]))


def _scan(place: _Place, found: Sequence[Condition], order: Wanted | None, total: float) -> Scan:
    own = [*_own(place.aliases, found)]
    return Scan(
        table=place.table,
        alias=place.alias,
        terms=_unique(term for term in own if not term.right.columns),
        joins=_unique(term for term in own if term.right.columns),
        either=_either(place.aliases, found),
        order=order[0] if order else (),
        limited=order[1] if order else False,
        needed=_needed(place, found),
        rows=place.rows,
        kept=sum(figure(step.node, "Plan Rows") for step in place.steps),
        loops=max(step.loops for step in place.steps),
        share=min(sum(step.loops * figure(step.node, "Total Cost") for step in place.steps) / total, 1.0),
        kind=str(place.steps[0].node.get("Node Type", "")),
        looked_up=any("Index Cond" in step.node or "Recheck Cond" in step.node for step in place.steps),
    )


def _own(aliases: set[str], found: Sequence[Condition]) -> Iterator[Term]:
    """Give the terms of one relation, each with that relation's side on the left and nothing of it on the right."""
    for condition in found:
        for term in condition.sides if isinstance(condition, Term) else ():
            others = {alias for alias, _ in term.right.columns}
            if term.left.alias in aliases and not others & aliases:
                yield _anonymous(term)


def _anonymous(term: Term) -> Term:
    """Leave out what differs between partitions only."""
    return replace(term, text="", left=replace(term.left, columns=tuple(("", name) for _, name in term.left.columns)))


def _unique(terms: Iterator[Term]) -> tuple[Term, ...]:
    return tuple(dict.fromkeys(terms))


def _either(aliases: set[str], found: Sequence[Condition]) -> tuple[tuple[tuple[Term, ...], ...], ...]:
    """Give the ORs of one relation, each once."""
    arms = (_arms(aliases, each) for each in found if isinstance(each, Either))
    return tuple(dict.fromkeys(each for each in arms if each))


def _arms(aliases: set[str], either: Either) -> tuple[tuple[Term, ...], ...]:
    """Give an OR's arms if each of them can be looked up in this relation alone."""
    arms = tuple(_unique(_own(aliases, arm)) for arm in either.arms)
    return arms if all(arms) else ()


def _needed(place: _Place, found: Sequence[Condition]) -> frozenset[str] | None:
    named = [reference for step in place.steps for reference in _read_above(step)]
    named += [reference for condition in found for reference in _named(condition)]
    columns = {column for alias, column in named if alias in place.aliases}
    return None if "*" in columns or not columns else frozenset(columns)


def _named(condition: Condition) -> Iterator[Reference]:
    if isinstance(condition, Either):
        for arm in condition.arms:
            for each in arm:
                yield from _named(each)
    else:
        yield from (*condition.left.columns, *condition.right.columns)


def _read_above(step: Step) -> Iterator[Reference]:
    """Give the columns that the nearest node above works with; a scan's own output may be the whole row for ease."""
    above: Mapping[str, object] = next(
        (each for each in step.above if each.get("Node Type") not in _PASSING), step.node
    )
    if above.get("Node Type") in {"ModifyTable", "LockRows"}:
        yield (str(step.node.get("Alias", "")), "*")
        return
    source = step.node if above.get("Node Type") == "Hash" else above
    texts = [text for key in _TEXTS for text in listed(source, key)]
    if len(texts) > MANY:
        yield (str(step.node.get("Alias", "")), "*")
        return
    for text in texts:
        yield from references(text)


def filtered(scan: Scan) -> bool:
    """Tell whether a scan asks for a part of its table."""
    return bool(scan.terms or scan.joins or scan.either or (scan.order and scan.limited))
