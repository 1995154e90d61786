"""Values to plan with where a plan for any value is blind: prefixes of texts, and rare values of enums and booleans.

Stand-ins for texts are made up, those for enums and booleans are the type's own; none is taken from anybody's rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from monitor.advisors.index.candidates import indexable
from monitor.advisors.index.scans import Scan, scans
from monitor.advisors.index.steps import steps
from monitor.planning import Planned, Query
from monitor.shape import Column, Shape
from monitor.sql.conditions import Match, Side, Term
from monitor.sql.text import literal
from monitor.sql.trees import joined

_SUMS = frozenset({"Aggregate", "Group", "Limit", "Unique", "WindowAgg", "SetOp"})
"""They return other rows than those that a scan keeps."""
LETTERS = "kqxwvzjy"
"""Of a stand-in: a word that begins like this is rare in every language."""
SHORTEST, LONGEST = 3, 8
NEAR = 3.0
"""A value explains the rows that come back where it would give no more than so many times them, nor fewer."""
RARE = 0.1
GROWING = 0.9
"""The correlation of times with the order of rows, from which on rows are only added at the end."""
_SINCE = re.compile(
    r"(?P<column>(?:\w+\.)?(?P<name>[a-z_]\w*))\s*>=?\s*"
    r"(?:now\(\)|current_timestamp|current_date|localtimestamp)\s*-",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A query with values in place of some of its parameters."""

    query: Query
    sure: bool
    """The text, or the rows that came back, say that it is called with such values."""
    why: str


def variants(query: Query, planned: Planned, shape: Shape) -> Iterator[Variant]:
    """Give the values worth planning a query with, those that are sure first."""
    found = [
        each for scan in scans(planned, shape) if indexable(scan.table, shape) for each in _of(scan, query, planned)
    ]
    yield from sorted(dict.fromkeys(found), key=lambda each: not each.sure)
    if not found:
        yield from _recent(query, planned, shape)


def _recent(query: Query, planned: Planned, shape: Shape) -> Iterator[Variant]:
    """Suppose that what asks for times since a moment before now asks for few rows, the newest.

    A second limit, which is none, makes PostgreSQL suppose one row in 200, as of every range with two ends.
    """
    growing = {column.name for scan in scans(planned, shape) for column in scan.table.columns if _grows(column)}
    text = _SINCE.sub(lambda found: _ended(found) if found["name"] in growing else found[0], query.text)
    if text != query.text:
        why = "it asks for times since a moment before now, which may be few of all"
        yield Variant(query=replace(query, supposed=text), sure=False, why=why)


def _grows(column: Column) -> bool:
    """Tell whether a column holds times, and rows came in their order."""
    known = column.statistics
    in_order = known is not None and known.correlation is not None and known.correlation >= GROWING
    return in_order and column.type.startswith(("timestamp", "date"))


def _ended(found: re.Match[str]) -> str:
    return f"{found['column']} < 'infinity' and {found[0]}"


def _of(scan: Scan, query: Query, planned: Planned) -> Iterator[Variant]:
    for term in scan.terms:
        column = scan.table.by_name.get(term.left.column) or _only(term, scan)
        if column is None or query.given:
            continue
        if term.match in {Match.LIKE, Match.PREFIX}:
            yield from _patterns(term, column, query)
        elif term.match is Match.EQUAL and term.right.parameter > 0:
            yield from _rare(term.right.parameter, column, scan, query, planned)


def _only(term: Term, scan: Scan) -> Column | None:
    """Give the one column of an expression."""
    names = {name for _, name in term.left.columns}
    return scan.table.by_name.get(names.pop()) if len(names) == 1 else None


def _patterns(term: Term, column: Column, query: Query) -> Iterator[Variant]:
    """Stand in for a prefix: of `like $1` nobody knows whether the pattern begins with letters."""
    start = LETTERS[: _length(column)]
    number = _begins(term.right)
    if term.match is Match.PREFIX and number:
        yield _variant(query, number, literal(start), sure=True, why="it asks for texts that begin with a value")
    elif number and number != term.right.parameter:
        sure = joined(term.right.tree)[1:] == ["%"]
        why = "its pattern is a value with a wildcard behind" if sure else "its pattern begins with a value"
        yield _variant(query, number, literal(start), sure=sure, why=why)
    elif number:
        yield _variant(query, number, literal(f"{start}%"), sure=False, why="its pattern may be a prefix")
        yield _variant(query, number, literal(f"%{start}%"), sure=False, why="its pattern may begin with a wildcard")


def _begins(pattern: Side) -> int:
    """Give the number of the parameter that a pattern begins with, as in `$1 || '%'`; 0 where it begins otherwise."""
    return next((first for first in joined(pattern.tree)[:1] if isinstance(first, int)), 0)


def _length(column: Column) -> int:
    """Suppose that a third of a text is typed before it is looked for."""
    width = column.statistics.avg_width if column.statistics else 0
    return min(max(math.ceil(width / 3), SHORTEST), LONGEST)


def _rare(number: int, column: Column, scan: Scan, query: Query, planned: Planned) -> Iterator[Variant]:
    """Give the values whose frequency explains how few rows come back."""
    statistics = column.statistics
    if statistics is None or not statistics.values or query.calls <= 0 or _changed(planned) or scan.kept <= 0:
        return
    usual = (1 - statistics.null_frac) / max(abs(statistics.n_distinct), 1.0)
    if query.rows_per_call >= RARE / usual * scan.kept:
        return
    likely = []
    for value, frequency in zip(statistics.values, statistics.frequencies, strict=False):
        off = max(scan.kept * frequency / usual, 1.0) / max(query.rows_per_call, 1.0)
        if frequency <= RARE and 1 / NEAR <= off <= NEAR:
            likely.append((abs(math.log(off)), value))
    for _, value in sorted(likely)[:1]:
        why = f"it returns as few rows as are rare in {column.name}"
        yield _variant(query, number, f"{literal(value)}::{column.type}", sure=len(likely) == 1, why=why)


def _changed(planned: Planned) -> bool:
    """Tell whether other rows come back than those that the scans keep."""
    return any(step.node.get("Node Type") in _SUMS for step in steps(planned.plan))


def _variant(query: Query, number: int, value: str, *, sure: bool, why: str) -> Variant:
    return Variant(query=replace(query, given=((number, value),)), sure=sure, why=why)
