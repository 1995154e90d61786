"""Candidates that are no B-trees: GIN for documents, arrays and words, GiST for ranges, BRIN for what only grows."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.advisors.index.columns import Ground, Keyed
from monitor.advisors.index.scans import Scan
from monitor.advisors.index.types import RANGES, TEXTS
from monitor.planning import Candidate
from monitor.shape import IndexKey, Shape
from monitor.sql.conditions import Match
from monitor.sql.text import identifier

TRIGRAMS = "pg_trgm"
_INSIDE = frozenset({Match.LIKE, Match.INFIX, Match.ILIKE, Match.REGEX, Match.SIMILAR})
LONG = 8
"""Bytes on average: shorter texts have next to no trigrams."""
CORRELATED = 0.9
BIG = 10_000
"""Pages from which on BRIN is worth trying."""
CHANGED = 0.05
"""Of a table that only grows, no more than this part of its inserts is updated or deleted."""


def special(scan: Scan, ground: Ground) -> Iterator[Candidate]:
    """Give for each term what else than a B-tree could serve it."""
    given = set()
    for term in scan.terms:
        keyed = ground.keyed(term.left)
        found = _made(term.match, keyed, ground) if keyed else None
        if found and found not in given:
            given.add(found)
            yield found


def _made(match: Match, keyed: Keyed, ground: Ground) -> Candidate | None:
    array = keyed.type.endswith("[]")
    match match:
        case Match.CONTAINS if keyed.type == "jsonb":
            return _candidate(ground, keyed, "gin", "jsonb_path_ops")
        case Match.HAS if keyed.type == "jsonb":
            return _candidate(ground, keyed, "gin")
        case Match.CONTAINS | Match.OVERLAPS if array:
            return _candidate(ground, keyed, "gin")
        case Match.CONTAINS | Match.OVERLAPS | Match.CONTAINED if keyed.type in RANGES:
            return _candidate(ground, keyed, "gist")
        case Match.SEARCH if keyed.type == "tsvector":
            return _candidate(ground, keyed, "gin")
        case Match.RANGE if keyed.column and _only_grows(keyed, ground):
            return _candidate(ground, keyed, "brin")
    return _trigrams(keyed, ground) if match in _INSIDE else None


def _trigrams(keyed: Keyed, ground: Ground) -> Candidate | None:
    if keyed.type not in TEXTS or not has_trigrams(ground.shape):
        return None
    statistics = keyed.column.statistics if keyed.column else None
    if statistics is not None and statistics.avg_width < LONG:
        return None
    schema = ground.shape.extensions.get(TRIGRAMS)
    return _candidate(ground, keyed, "gin", identifier(schema, "gin_trgm_ops") if schema else "gin_trgm_ops")


def has_trigrams(shape: Shape) -> bool:
    """Tell whether an index on trigrams could be had."""
    return TRIGRAMS in shape.extensions or TRIGRAMS in shape.available


def _only_grows(keyed: Keyed, ground: Ground) -> bool:
    """Tell a big table whose rows lie in the column's order and stay where they are."""
    statistics = keyed.column.statistics if keyed.column else None
    if statistics is None or statistics.correlation is None or abs(statistics.correlation) < CORRELATED:
        return False
    parts = [*ground.shape.parts(ground.table)]
    changed = sum(part.writes.updated + part.writes.deleted for part in parts)
    written = sum(part.writes.inserted for part in parts)
    return sum(part.pages for part in parts) >= BIG and changed <= CHANGED * max(written, 1)


def _candidate(ground: Ground, keyed: Keyed, method: str, opclass: str = "") -> Candidate:
    table = ground.table
    key = IndexKey(expression=keyed.key.expression, column=keyed.key.column, opclass=opclass)
    return Candidate(table=table.oid, schema=table.schema, name=table.name, keys=(key,), method=method)
