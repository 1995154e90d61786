"""The SQL that makes a chosen index without stopping writes, and what undoes it."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from monitor.advisors.index.attach import FOREIGN
from monitor.advisors.index.coverage import works
from monitor.advisors.index.definitions import PARTITIONED as TREE
from monitor.advisors.index.definitions import created
from monitor.index_names import Names, Place
from monitor.index_sql import CONCURRENTLY, MOST_PARTS, PARTITIONED, TOO_MANY, Part, made, unmade
from monitor.index_sql import created as written
from monitor.model import Remedy
from monitor.planning import Candidate
from monitor.shape import Index, Shape, Table
from monitor.sql.text import identifier

VIEW = " Refreshing the materialised view writes to it, too."
EXTENSION = " The extension needs the right to create in this database; hosted services offer it in their console."
READY = " A partition that has the same index already keeps it: it is only attached."
FAR = "All its partitions are foreign tables: the index has to be made on the servers that hold them."
_WORD = re.compile(r"\w+")


def remedy(candidate: Candidate, shape: Shape) -> Remedy:
    """Say how to create an index, and how to undo it."""
    table, names = shape.tables[candidate.table], Names(_taken(shape))
    tables = [*_tree(table, shape)]
    ready = {part.oid: own for part in tables if (own := _ready(candidate, part))}
    tree = [_part(candidate, part, {each.oid for each in tables}, ready.get(part.oid)) for part in tables]
    if not tree:
        return Remedy(caution=FAR)
    if len(tree) > 1 + MOST_PARTS:
        return Remedy(caution=f"{written(tree[0], candidate.body, names)}. {TOO_MANY}")
    before = [*_extensions(candidate, shape)]
    caution = CONCURRENTLY + (PARTITIONED if tree[0].partitioned else "") + (READY if ready else "")
    again = (created(ready[part.oid], part) for part in tables if part.oid in ready)
    return Remedy(
        sql=(*before, *made(tree, candidate.body, names)),
        rollback=(*unmade(tree, names), *again),
        caution=caution + (VIEW if table.kind == "m" else "") + (EXTENSION if before else ""),
    )


def name_of(candidate: Candidate, shape: Shape) -> str:
    """Give the full name that the index would get."""
    place = _place(candidate, shape.tables[candidate.table])
    return identifier(place.schema, Names(_taken(shape)).of(place))


def _tree(table: Table, shape: Shape) -> Iterator[Table]:
    """Give a table and all below it, parents first.

    With foreign tables among its partitions, which have no indexes, that of the whole would never be valid: only
    those partitions are given then that can have one.
    """
    parts = [*shape.parts(table)]
    if any(part.kind == FOREIGN for part in parts):
        yield from (part for part in parts if part.kind != FOREIGN)
    else:
        yield from _below(table, shape)


def _below(table: Table, shape: Shape) -> Iterator[Table]:
    yield table
    for each in shape.tables.values():
        if each.parent == table.oid:
            yield from _below(each, shape)


def _taken(shape: Shape) -> set[tuple[object, object]]:
    tables = shape.tables.values()
    indexes = ((index.schema, index.name) for table in tables for index in table.indexes)
    views = ((view.schema, view.name) for view in shape.views)
    return {*indexes, *((table.schema, table.name) for table in tables), *views}


def _part(candidate: Candidate, part: Table, tree: Container[int], ready: Index | None) -> Part:
    return Part(
        oid=part.oid,
        above=part.parent if part.parent in tree else 0,
        partitioned=part.kind == "p",
        place=_place(candidate, part),
        ready=ready.full_name if ready else "",
    )


def _ready(candidate: Candidate, part: Table) -> Index | None:
    """Give an index of a partition's own that the server takes for the part of this one."""
    if part.kind == TREE or not part.parent:
        return None
    own = (each for each in part.indexes if works(each) and not (each.parent or each.unique))
    return next((each for each in own if _same(each, candidate)), None)


def _same(own: Index, candidate: Candidate) -> bool:
    ours = (own.method, own.include, own.where, [key.expression for key in own.keys])
    theirs = (candidate.method, candidate.include, candidate.where, [key.expression for key in candidate.keys])
    return ours == theirs and all(
        (mine.opclass, mine.collation, mine.descending, mine.nulls_first)
        == (key.opclass, key.collation, key.descending, key.nulls_first)
        for mine, key in zip(own.keys, candidate.keys, strict=True)
    )


def _extensions(candidate: Candidate, shape: Shape) -> Iterator[str]:
    trigrams = any("trgm_ops" in key.opclass for key in candidate.keys)
    if trigrams and "pg_trgm" not in shape.extensions:
        yield "create extension if not exists pg_trgm"


def _place(candidate: Candidate, table: Table) -> Place:
    """Name it by its columns, and by what else tells it from another of the same ones."""
    words = [word for key in candidate.keys for word in _WORD.findall(key.expression)]
    more = [] if candidate.method == "btree" else [candidate.method]
    return Place(table.schema, table.name, (*words, *more, *(["partial"] if candidate.where else [])))
