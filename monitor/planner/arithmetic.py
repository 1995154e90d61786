"""A plan source for when there is no planner: PostgreSQL's cost formulas for one table, with the statistics' numbers.

It knows statements on one table, equality, lists and ranges on columns, and btrees. Its costs are no plans: whoever
uses them asks for a larger gain. The formulas are those of costsize.c and selfuncs.c (cost_seqscan, btcostestimate,
index_pages_fetched after Mackert and Lohman).
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from monitor.planner.relations import Refused, Relations
from monitor.planner.sizes import PAGE, pages
from monitor.planner.source import Limits
from monitor.planning import Answer, Candidate, Node, Planned, Query
from monitor.shape import IndexKey, Shape, Table
from monitor.sql.conditions import Condition, Either, Match, Term, conditions
from monitor.sql.reads import clauses, reads

RANGE, UNKNOWN, LISTED, FIRST = 1 / 3, 0.005, 5, 10
"""Shares of rows: of a one-sided range, of what cannot be told; values of a list; rows of a LIMIT."""
_TEXT = r"""('(?:[^']|'')*'|"(?:[^"]|"")*")"""
_WRITTEN = (
    (re.compile(_TEXT + r"|(?<!\bnot )\bin\s*\((\$\d+(?:,\s*\$\d+)*)\)", re.IGNORECASE), r"= any (array[{}])"),
    (re.compile(_TEXT + r"|([\w.\"]+ )between (\$\d+) and (?=\$\d)", re.IGNORECASE), r"{0}>= {1} and {0}<= "),
    (re.compile(_TEXT + r"|(?<!\bnot )\blike\b()", re.IGNORECASE), "~~"),
    (re.compile(_TEXT + r"|(?<!\bnot )\bilike\b()", re.IGNORECASE), "~~*"),
)
"""How people write what plans show otherwise; texts and quoted names stay as they are."""
_OTHERS = re.compile(r",|\(|\bjoin\b|\btablesample\b", re.IGNORECASE)
ENTRY = 50
"""Operators that the descent of one level of a btree counts as."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """The planner's cost constants; the defaults are PostgreSQL's."""

    seq_page_cost: float = 1.0
    random_page_cost: float = 4.0
    cpu_tuple_cost: float = 0.01
    cpu_index_tuple_cost: float = 0.005
    cpu_operator_cost: float = 0.0025

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Costs:
        """Take those that a server has set otherwise."""
        return cls(**{name: float(settings[name]) for name in cls.__dataclass_fields__ if name in settings})


@dataclass(frozen=True, kw_only=True)
class _Way:
    """A btree that might be used; `candidate` None: it is there already."""

    name: str
    keys: tuple[IndexKey, ...]
    pages: int
    candidate: Candidate | None = None


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What a statement wants of its only table."""

    table: Table
    where: str
    found: tuple[Condition, ...]
    order: tuple[str, ...]
    limited: bool

    @property
    def terms(self) -> Iterator[Term]:
        return (each for each in self.found if isinstance(each, Term))


class Arithmetic:
    """Estimates in the planner's units, without a planner."""

    method = "arithmetic"

    def __init__(self, shape: Shape, limits: Limits, because: str = "") -> None:
        self._shape, self._limits, self._because = shape, limits, because
        self._relations = Relations(shape)
        self._costs = Costs.of(shape.settings)
        self.plans = 0

    @property
    def remark(self) -> str:
        """Tell how little it is."""
        why = f" ({self._because})" if self._because else ""
        return f"estimated by formula, not by a planner{why}: statements on one table and btrees only"

    async def propose(self, candidates: Collection[Candidate]) -> Mapping[Candidate, str]:
        """Refuse what is no btree on plain columns."""
        return {each: why for each in candidates if (why := self._unfit(each))}

    def _unfit(self, candidate: Candidate) -> str:
        table = self._shape.tables.get(candidate.table)
        if table is None:
            return "its table is not known"
        if candidate.method != "btree" or candidate.where or not all(key.column for key in candidate.keys):
            return "arithmetic knows whole btrees on columns only"
        return "" if table.kind in {"r", "m"} else f"arithmetic knows no {table.full_name}: it is no plain table"

    async def cost(
        self, queries: Sequence[Query], candidates: Collection[Candidate] = (), without: Collection[int] = ()
    ) -> Answer:
        """Estimate queries as if just these candidates were there, and the indexes `without` were not."""
        planned: dict[str, Planned] = {}
        refused: dict[str, str] = {}
        for query in queries:
            if self.plans >= self._limits.plans:
                return Answer(planned=planned, refused=refused, cut=f"{self._limits.plans} plans were estimated")
            self.plans += 1
            try:
                asked = self._asked(query)
            except Refused as reason:
                refused[query.name] = str(reason)
            else:
                near = [each for each in candidates if each.table == asked.table.oid and not self._unfit(each)]
                planned[query.name] = self._best(asked, near, {*without})
        return Answer(planned=planned, refused=refused)

    def size_bytes(self, candidate: Candidate) -> float:
        """Estimate how big it would be."""
        table = self._shape.tables.get(candidate.table)
        return float(PAGE * sum(pages(candidate, part) for part in self._relations.parts(table))) if table else 0.0

    def _asked(self, query: Query) -> _Asked:
        wanted = self._relations.wanted(query)
        read = reads(wanted.text)
        if isinstance(read, str):
            raise Refused(read)
        parts = clauses(read.sql)
        several = len(wanted.tables) != 1 or wanted.views or _OTHERS.search(parts.get("from", ""))
        if several or read.sql.lower().count("select") != 1 or "group" in parts:
            raise Refused("arithmetic knows statements on one plain table only")
        (oid,) = wanted.tables
        where, order = _as_plans_do(parts.get("where", "")), parts.get("order", "")
        return _Asked(
            table=self._shape.tables[oid],
            where=where,
            found=conditions(where) if where else (),
            order=tuple(each.strip() for each in order.removeprefix("by ").split(",")) if order else (),
            limited="limit" in parts or "fetch" in parts,
        )

    def _best(self, asked: _Asked, candidates: Iterable[Candidate], without: set[int]) -> Planned:
        """Take the cheapest of reading it all and of each btree."""
        share = math.prod(_share(each, asked.table) for each in asked.found)
        scanned = self._scanned(asked, share)
        ways = [(cost, way) for way in _ways(asked.table, candidates, without) if (cost := self._looked_up(asked, way))]
        cost, way = min(ways, key=lambda pair: pair[0], default=(math.inf, None))
        if way is None or cost >= scanned:
            return Planned(cost=scanned, plan=_plan(asked, scanned, share, None))
        used = frozenset({way.candidate} if way.candidate else ())
        return Planned(cost=cost, plan=_plan(asked, cost, share, way), used=used)

    def _scanned(self, asked: _Asked, share: float) -> float:
        costs, rows = self._costs, max(asked.table.rows, 0.0)
        filters = len(asked.found) * costs.cpu_operator_cost
        read = asked.table.pages * costs.seq_page_cost + rows * (costs.cpu_tuple_cost + filters)
        if asked.order:
            return read + self._sorted(rows * share)
        return read * min(FIRST / max(rows * share, FIRST), 1.0) if asked.limited else read

    def _sorted(self, rows: float) -> float:
        return 2 * self._costs.cpu_operator_cost * max(rows, 1) * math.log2(max(rows, 2))

    def _looked_up(self, asked: _Asked, way: _Way) -> float | None:
        """Estimate an index scan; None where no key is of use."""
        matched, share, keys = _matched(asked, way.keys)
        ordered = _orders(asked, way.keys, keys)
        if not matched and not (ordered and asked.limited):
            return None
        costs, rows = self._costs, max(asked.table.rows, 1.0)
        found = rows * share
        if ordered and asked.limited:
            all_filters = math.prod(_share(each, asked.table) for each in asked.found)
            found = min(found, FIRST * share / max(all_filters, 1e-9))
        descent = (math.ceil(math.log2(rows)) + ENTRY) * costs.cpu_operator_cost
        index = max(way.pages * found / rows, 1.0) * costs.random_page_cost + found * costs.cpu_index_tuple_cost
        heap = self._heap(asked.table, way.keys[0], found)
        cost = descent + index + heap + found * (costs.cpu_tuple_cost + len(asked.found) * costs.cpu_operator_cost)
        return cost if ordered or not asked.order else cost + self._sorted(found)

    def _heap(self, table: Table, first: IndexKey, found: float) -> float:
        """Between the pages of rows that lie together and of rows that lie anywhere, by the first key's correlation."""
        held = max(table.pages, 1)
        anywhere = min(2 * held * found / (2 * held + found), held) * self._costs.random_page_cost
        together = self._costs.random_page_cost + held * found / max(table.rows, 1.0) * self._costs.seq_page_cost
        column = next((each for each in table.columns if each.number == first.column), None)
        known = column.statistics.correlation if column and column.statistics else None
        squared = (known or 0.0) ** 2
        return anywhere + squared * (min(together, anywhere) - anywhere)


def _as_plans_do(condition: str) -> str:
    """Write a condition as EXPLAIN would."""
    for pattern, form in _WRITTEN:
        condition = pattern.sub(partial(_written, form), condition)
    return condition


def _written(form: str, found: re.Match[str]) -> str:
    return found[1] or form.format(*found.groups()[1:])


def _ways(table: Table, candidates: Iterable[Candidate], without: set[int]) -> Iterator[_Way]:
    for index in table.indexes:
        if index.method == "btree" and index.valid and not index.where and index.oid not in without:
            yield _Way(name=index.name, keys=index.keys, pages=index.pages)
    for each in candidates:
        yield _Way(name="pgarchitect_candidate", keys=each.keys, pages=pages(each, table), candidate=each)


def _matched(asked: _Asked, keys: Sequence[IndexKey]) -> tuple[int, float, int]:
    """Give how many keys are of use, the share of rows they leave, and how many of them are compared by equality."""
    names = {column.number: column.name for column in asked.table.columns}
    share, equal = 1.0, 0
    for place, key in enumerate(keys):
        terms = [term for term in asked.terms if term.left.column == names.get(key.column, "")]
        same = next((term for term in terms if term.match in {Match.EQUAL, Match.IN, Match.NULL}), None)
        if same is None:
            ranged = [term for term in terms if term.match is Match.RANGE]
            bounded = UNKNOWN if len(ranged) > 1 else RANGE
            return place + bool(ranged), share * bounded if ranged else share, equal
        share *= _share(same, asked.table)
        equal += 1
    return len(keys), share, equal


def _orders(asked: _Asked, keys: Sequence[IndexKey], equal: int) -> bool:
    """Tell whether an index gives the rows in the order that is asked for, forwards or backwards."""
    names = {column.number: column.name for column in asked.table.columns}
    given = [(names.get(key.column, ""), key.descending) for key in keys[equal:]]
    words = [each.lower().split() for each in asked.order]
    wanted = [(each[0].rpartition(".")[2].strip('"'), "desc" in each) for each in words if each]
    ways = {down != want for (_, down), (_, want) in zip(given, wanted, strict=False)}
    same = [name for name, _ in given[: len(wanted)]] == [name for name, _ in wanted]
    return bool(wanted) and same and len(ways) == 1


def _share(condition: Condition, table: Table) -> float:
    """Estimate the share of rows that meet a condition, for any values."""
    if isinstance(condition, Either):
        return min(sum(math.prod(_share(each, table) for each in arm) for arm in condition.arms), 1.0)
    column = table.by_name.get(condition.left.column)
    known = column.statistics if column else None
    if known is None:
        return RANGE if condition.match is Match.RANGE else UNKNOWN
    different = -known.n_distinct * table.rows if known.n_distinct < 0 else known.n_distinct or 200.0
    equal = (1 - known.null_frac) / max(different, 1.0)
    match condition.match:
        case Match.EQUAL:
            return equal
        case Match.IN:
            return min(LISTED * equal, 1.0)
        case Match.RANGE:
            return RANGE
        case Match.NULL:
            return max(known.null_frac, 1e-6)
        case Match.NOT_NULL | Match.UNEQUAL:
            return 1 - known.null_frac
        case Match.TRUE | Match.FALSE:
            value = "t" if condition.match is Match.TRUE else "f"
            return dict(zip(known.values, known.frequencies, strict=False)).get(value, 0.5)
    return UNKNOWN


def _plan(asked: _Asked, cost: float, share: float, way: _Way | None) -> Node:
    """Write it like a plan, for who reads conditions and order out of plans."""
    aliases = {alias for term in asked.terms for alias, _ in term.left.columns if alias}
    node: dict[str, object] = {
        "Node Type": "Index Scan" if way else "Seq Scan",
        "Schema": asked.table.schema,
        "Relation Name": asked.table.name,
        "Alias": next(iter(aliases), asked.table.name),
        "Plan Rows": max(asked.table.rows, 1.0) * share,
        "Total Cost": cost,
    }
    node |= {"Index Name": way.name} if way else {}
    node |= {"Filter": asked.where} if asked.where else {}
    if asked.order:
        node = {**_over(node), "Node Type": "Sort", "Sort Key": [*asked.order]}
    return {**_over(node), "Node Type": "Limit"} if asked.limited else node


def _over(node: Mapping[str, object]) -> dict[str, object]:
    return {"Plan Rows": node["Plan Rows"], "Total Cost": node["Total Cost"], "Plans": [node]}
