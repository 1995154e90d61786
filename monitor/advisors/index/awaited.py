"""Foreign keys whose index had better wait: the search ended before it looked at a wider one that serves them too."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.advisors.index.advice import Advice
from monitor.errors import Needs
from monitor.model import NoVerdict
from monitor.planning import Candidate
from monitor.shape import ForeignKey, Index, Shape
from monitor.sql.reads import reads
from monitor.sql.text import identifier


def awaited(found: Advice) -> Iterator[NoVerdict]:
    """Name them as index.missing_foreign_key does, which then says nothing of them either."""
    if not found.chosen.cut:
        return
    tables = {*_unplanned(found)}
    for key in found.shape.foreign_keys:
        known = key.table in found.shape.tables and not _served(key, found.shape)
        if known and (key.table in tables or any(_wider(each, key) for each in found.chosen.untried)):
            yield NoVerdict(
                reason=f"an index that serves this foreign key as well may be wanted: {found.chosen.cut}",
                needs=Needs.TIME,
                subject=_subject(key, found.shape),
            )


def _unplanned(found: Advice) -> Iterator[int]:
    """Give the tables, by oid, of statements whose turn did not come."""
    names = {
        name for query in found.pending if not isinstance(read := reads(query.text), str) for _, name in read.tables
    }
    return (oid for oid, table in found.shape.tables.items() if table.name in names)


def _served(key: ForeignKey, shape: Shape) -> bool:
    return any(
        _begins([each.column for each in own.keys], key) and _whole(own) for own in shape.tables[key.table].indexes
    )


def _whole(index: Index) -> bool:
    return index.valid and not index.where


def _wider(candidate: Candidate, key: ForeignKey) -> bool:
    plain = candidate.table == key.table and candidate.method == "btree" and not candidate.where
    return plain and len(candidate.keys) > len(key.columns) and _begins([each.column for each in candidate.keys], key)


def _begins(columns: list[int], key: ForeignKey) -> bool:
    return {*columns[: len(key.columns)]} == {*key.columns}


def _subject(key: ForeignKey, shape: Shape) -> str:
    table = shape.tables[key.table]
    names = {column.number: column.name for column in table.columns}
    return f"{table.full_name} ({', '.join(identifier(names[number]) for number in key.columns)})"
