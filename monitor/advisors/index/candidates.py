"""Indexes that a plan's scans could use, a few for each; of those that must be there together, groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from monitor.advisors.index.choices import Group
from monitor.advisors.index.columns import Ground
from monitor.advisors.index.partial import partial
from monitor.advisors.index.scans import Scan, scans
from monitor.advisors.index.served import identified, served_everywhere
from monitor.advisors.index.special import special
from monitor.advisors.index.trees import Lead, leads
from monitor.advisors.index.typical import typical_rows
from monitor.planning import Candidate, Planned, Query
from monitor.shape import Shape, Table
from monitor.sql.conditions import Match, Term
from monitor.sql.text import identifier

ROWS, PAGES = 2000, 30
"""Smaller tables are read whole in no time."""
PART = 0.15
"""A scan that gives more than this part of its table really reads it all."""
SHARE = 0.01
FEW = 8
ARMS = 6
COVERED_WIDTH, COVERED_COLUMNS, COVERED_ROWS, VISIBLE = 32, 3, 100.0, 0.9
_SUMS = frozenset({"Aggregate", "Group"})


def propose(query: Query, planned: Planned, shape: Shape) -> Iterator[Group]:
    """Give the candidates that one query's plan suggests, each by itself or with those it needs beside it."""
    seen: set[Group] = set()
    for group in _groups(query, planned, shape):
        if group and group not in seen and all(_makeable(each, shape.tables[each.table]) for each in group):
            seen.add(group)
            yield group


def _makeable(candidate: Candidate, table: Table) -> bool:
    """Tell whether PostgreSQL would make it: no index may hold a column that is generated when it is read."""
    virtual = {column.name for column in table.columns if column.virtual}
    texts = " ".join([*(key.expression for key in candidate.keys), candidate.where]) if virtual else ""
    return not virtual.intersection(candidate.include) and not any(identifier(name) in texts for name in virtual)


def _groups(query: Query, planned: Planned, shape: Shape) -> Iterator[Group]:
    worth = sought(query, planned, shape)
    sides: dict[str, list[Candidate]] = {}
    for scan in worth:
        found = [*for_scan(scan, shape)]
        sides[scan.alias] = [each for each in found if _joining(each, scan)]
        yield from (frozenset({each}) for each in found)
    for scan in worth:
        yield from _arms(scan, shape)
        others = {term.right.alias for term in scan.joins if term.right.alias and term.right.alias > scan.alias}
        for other in sorted(others):
            both = (*sides.get(scan.alias, ())[:1], *sides.get(other, ())[:1])
            yield frozenset(both) if len(both) > 1 else frozenset()


def sought(query: Query, planned: Planned, shape: Shape) -> list[Scan]:
    """Give the scans that ask for a part of a table which the statement does not read whole anyway."""
    read = [*scans(planned, shape)]
    whole = {scan.table.oid for scan in read if reads_whole(scan, query, planned)}
    return [scan for scan in read if scan.table.oid not in whole and worthwhile(scan, shape)]


def worthwhile(scan: Scan, shape: Shape) -> bool:
    """Tell whether a scan asks for something, of a table that an index can be had for and is big enough for one."""
    asks = scan.joins or scan.limited or scan.terms or scan.either
    return bool(asks) and scan.share >= SHARE and indexable(scan.table, shape)


def reads_whole(scan: Scan, query: Query, planned: Planned) -> bool:
    """Tell whether a statement reads most of a table anyway, whatever else it asks of it."""
    if scan.joins or scan.limited or not scan.rows:
        return False
    return min(typical_rows(scan), returned(query, planned, scan)) > PART * scan.rows


def indexable(table: Table, shape: Shape) -> bool:
    """Tell whether a table is one of ours, and so big that an index could matter."""
    if table.kind not in {"r", "p", "m"} or table.owner or table.managed:
        return False
    parts = [*shape.parts(table)]
    return sum(max(part.rows, 0.0) for part in parts) >= ROWS and sum(part.pages for part in parts) >= PAGES


def returned(query: Query, planned: Planned, scan: Scan) -> float:
    """Give the rows that a call really returned, where no sum and no LIMIT stands between them and the scan."""
    hidden = scan.limited or query.calls <= 0 or _summed(planned)
    return scan.rows if hidden else query.rows_per_call


def _summed(planned: Planned) -> bool:
    waiting = [planned.plan]
    while waiting:
        node = waiting.pop()
        if node.get("Node Type") in {*_SUMS, "Limit"}:
            return True
        plans = node.get("Plans")
        waiting.extend(plans if isinstance(plans, list) else ())
    return False


def for_scan(scan: Scan, shape: Shape) -> Iterator[Candidate]:
    """Give what could serve one scan and is not there yet, the most promising first."""
    ground = Ground(table=scan.table, shape=shape, rows=scan.rows)
    if identified(_fixed(scan, ground), scan.table):
        return
    trees = [lead for lead in leads(scan, ground) if not (lead.joined and identified(lead.equal, scan.table))]
    wanted = [*islice(_missing(trees, ground), FEW)]
    yield from wanted
    yield from (each for each in special(scan, ground) if not served_everywhere(each, scan.table, shape))
    yield from (each for each in partial(scan, trees, ground) if not served_everywhere(each, scan.table, shape))
    yield from islice((each for one in wanted for each in _covering(one, scan, shape)), 1)


def _fixed(scan: Scan, ground: Ground) -> Iterator[str]:
    """Give the columns that are compared by `=` as they are."""
    for term in scan.terms:
        keyed = ground.keyed(term.left) if term.match in {Match.EQUAL, Match.IN} else None
        if keyed and keyed.column:
            yield keyed.column.name


def _missing(found: Iterable[Lead], ground: Ground) -> Iterator[Candidate]:
    given: set[Candidate] = set()
    for lead in found:
        candidate = made(ground.table, lead)
        if candidate in given or served_everywhere(candidate, ground.table, ground.shape, free=lead.free):
            continue
        given.add(candidate)
        yield candidate


def made(table: Table, lead: Lead) -> Candidate:
    """Make a candidate of keys."""
    return Candidate(table=table.oid, schema=table.schema, name=table.name, keys=lead.keys)


def _joining(candidate: Candidate, scan: Scan) -> bool:
    """Tell whether a candidate begins with a key that a join looks up."""
    joined = {term.left.column for term in scan.joins}
    columns = {column.number for column in scan.table.columns if column.name in joined}
    return candidate.keys[0].column in columns and not candidate.where


def _arms(scan: Scan, shape: Shape) -> Iterator[Group]:
    """Give for each OR what all its arms lack: with one of them missing the table is read whole."""
    for arms in scan.either[:ARMS]:
        if len(arms) > ARMS:
            continue
        each = [_arm(replace(scan, terms=_values(arm), joins=_joins(arm), either=(), order=()), shape) for arm in arms]
        if all(lacking is not None for lacking in each):
            yield frozenset(candidate for lacking in each for candidate in lacking or ())


def _arm(scan: Scan, shape: Shape) -> tuple[Candidate, ...] | None:
    """Give what one arm lacks, nothing where it is served; None: it cannot be looked up."""
    found = tuple(islice(for_scan(scan, shape), 1))
    ground = Ground(table=scan.table, shape=shape, rows=scan.rows)
    return found or (() if [*leads(scan, ground)] else None)


def _values(arm: tuple[Term, ...]) -> tuple[Term, ...]:
    return tuple(term for term in arm if not term.right.columns)


def _joins(arm: tuple[Term, ...]) -> tuple[Term, ...]:
    return tuple(term for term in arm if term.right.columns)


def _covering(candidate: Candidate, scan: Scan, shape: Shape) -> Iterator[Candidate]:
    """Give it once more with the few narrow columns beside its keys that spare the visits to the table."""
    table = scan.table
    parts = [*shape.parts(table)]
    visible = sum(part.all_visible for part in parts) >= VISIBLE * sum(part.pages for part in parts)
    if candidate.method != "btree" or not scan.needed or not visible or scan.kept * scan.loops < COVERED_ROWS:
        return
    if any(not key.column for key in candidate.keys):
        return
    held = {column.name for column in table.columns if column.number in {key.column for key in candidate.keys}}
    more = [table.by_name[name] for name in sorted(scan.needed - held) if name in table.by_name]
    width = sum(column.statistics.avg_width if column.statistics else COVERED_WIDTH for column in more)
    if more and len(more) <= COVERED_COLUMNS and width <= COVERED_WIDTH:
        wider = replace(candidate, include=tuple(column.name for column in more))
        if not served_everywhere(wider, table, shape):
            yield wider
