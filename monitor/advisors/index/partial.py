"""Candidates on a small part of a table: rows that are rarely true, rarely of a state, rarely (or mostly) NULL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monitor.advisors.index.columns import Ground
from monitor.advisors.index.scans import Scan
from monitor.advisors.index.trees import Lead
from monitor.planning import Candidate
from monitor.shape import Column, IndexKey
from monitor.sql.conditions import Match, Term
from monitor.sql.text import identifier, literal

RARE = 0.1
"""The part of the rows up to which a partial index is worth its keeping apart."""
FEW = 2


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A predicate, and the column it is about."""

    where: str
    column: Column
    searched: bool = False
    """The column is compared besides: it may be a key."""


def partial(scan: Scan, leads: Sequence[Lead], ground: Ground) -> Iterator[Candidate]:
    """Give for each rare condition the most promising keys with it."""
    for part in _parts(scan, ground):
        for keys in _keys(part, leads, ground):
            table = ground.table
            yield Candidate(table=table.oid, schema=table.schema, name=table.name, keys=keys, where=part.where)


def _parts(scan: Scan, ground: Ground) -> Iterator[_Part]:
    given = set()
    for term in scan.terms:
        part = _part(term, ground)
        if part is not None and part.where not in given:
            given.add(part.where)
            yield part


def _part(term: Term, ground: Ground) -> _Part | None:
    column = ground.table.by_name.get(term.left.column)
    if column is None or column.statistics is None:
        return None
    name, nulls = identifier(column.name), column.statistics.null_frac
    match term.match:
        case Match.TRUE if _frequency(column, "t", "true") <= RARE:
            return _Part(where=name, column=column)
        case Match.FALSE if _frequency(column, "f", "false") <= RARE:
            return _Part(where=f"not {name}", column=column)
        case Match.EQUAL if term.right.value is not None and _frequency(column, term.right.value) <= RARE:
            return _Part(where=f"{name} = {literal(term.right.value)}::{column.type}", column=column)
        case Match.NULL if 0 < nulls <= RARE:
            return _Part(where=f"{name} is null", column=column)
        case Match.NOT_NULL if nulls >= 1 - RARE:
            return _Part(where=f"{name} is not null", column=column)
        case Match.EQUAL | Match.IN | Match.RANGE if nulls >= 1 - RARE:
            return _Part(where=f"{name} is not null", column=column, searched=True)
    return None


def _frequency(column: Column, *spelled: str) -> float:
    """Give the part of the rows that have a value; 1 where nobody knows, and of types whose values are data."""
    statistics = column.statistics
    known = zip(statistics.values, statistics.frequencies, strict=False) if statistics else ()
    return next((frequency for value, frequency in known if value in spelled), 1.0)


def _keys(part: _Part, leads: Sequence[Lead], ground: Ground) -> Iterator[tuple[IndexKey, ...]]:
    """Give keys beside the predicate's column; if nothing else is asked for, something to keep the rows in order by."""
    number = part.column.number
    given: list[tuple[IndexKey, ...]] = []
    for lead in leads:
        keys = tuple(key for key in lead.keys if part.searched or key.column != number)
        if keys and keys not in given and (part.searched is (number in {key.column for key in keys})):
            given.append(keys)
    yield from given[:FEW]
    if not given:
        yield _any_key(part.column, ground)


def _any_key(column: Column, ground: Ground) -> tuple[IndexKey, ...]:
    primary = next((own for own in ground.table.indexes if own.primary), None)
    own = ground.plain(column)
    return primary.keys[:1] if primary and own.type == "bool" else (own.key,) if own.sortable else ()
