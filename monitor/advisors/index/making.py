"""The SQL that makes a chosen index without stopping writes, and what undoes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from monitor.index_names import Names, Place
from monitor.model import Remedy
from monitor.planning import Candidate
from monitor.shape import Shape, Table
from monitor.sqltext import identifier

CONCURRENTLY = (
    "CREATE INDEX CONCURRENTLY lets reads and writes go on, waits for transactions that are open, and runs outside a "
    "transaction. If it is broken off it leaves an invalid index: run the rollback, then try again."
)
PARTITIONED = (
    " A partitioned table cannot be indexed concurrently: the first statement makes an empty index on it alone, then "
    "each partition gets its own, which is attached; the index is valid once all are."
)
VIEW = " Refreshing the materialised view writes to it, too."
EXTENSION = " The extension needs the right to create in this database; hosted services offer it in their console."
MOST_PARTS = 50
TOO_MANY = (
    f"More than {MOST_PARTS} partitions: create the index on only the partitioned table, then for each partition "
    "create it concurrently and attach it with alter index ... attach partition ...; in a quiet hour a plain create "
    "index on the partitioned table does the same in one statement, while writes wait."
)
_WORD = re.compile(r"\w+")


def remedy(candidate: Candidate, shape: Shape) -> Remedy:
    """Say how to create an index, and how to undo it."""
    table, names = shape.tables[candidate.table], Names(_taken(shape))
    tree = [*_tree(table, shape)]
    if len(tree) > MOST_PARTS:
        return Remedy(caution=_definition(candidate, table, names) + ". " + TOO_MANY)
    before = [*_extensions(candidate, shape)]
    caution = CONCURRENTLY + (PARTITIONED if len(tree) > 1 else "") + (VIEW if table.kind == "m" else "")
    return Remedy(
        sql=(*before, *_making(candidate, tree, names)),
        rollback=tuple(_undoing(candidate, tree, names)),
        caution=caution + (EXTENSION if before else ""),
    )


def _taken(shape: Shape) -> set[tuple[object, object]]:
    tables = shape.tables.values()
    indexes = {(index.schema, index.name) for table in tables for index in table.indexes}
    return {*indexes, *((table.schema, table.name) for table in tables), *((v.schema, v.name) for v in shape.views)}


def _tree(table: Table, shape: Shape) -> Iterator[Table]:
    """Give a table and all below it, parents first."""
    yield table
    for each in shape.tables.values():
        if each.parent == table.oid:
            yield from _tree(each, shape)


def _extensions(candidate: Candidate, shape: Shape) -> Iterator[str]:
    trigrams = any("trgm_ops" in key.opclass for key in candidate.keys)
    if trigrams and "pg_trgm" not in shape.extensions:
        yield "create extension if not exists pg_trgm"


def _place(candidate: Candidate, table: Table) -> Place:
    """Name it by its columns, and by what else tells it from another of the same ones."""
    words = [word for key in candidate.keys for word in _WORD.findall(key.expression)]
    more = [] if candidate.method == "btree" else [candidate.method]
    return Place(table.schema, table.name, (*words, *more, *(["partial"] if candidate.where else [])))


def _definition(candidate: Candidate, table: Table, names: Names, *, concurrently: bool = True) -> str:
    there = replace(candidate, table=table.oid, schema=table.schema, name=table.name)
    name, only = names.of(_place(candidate, table)), table.kind == "p"
    return there.definition(name, concurrently=concurrently and not only, only=only)


def _making(candidate: Candidate, tree: Sequence[Table], names: Names) -> Iterator[str]:
    inside = {table.oid: _index(candidate, table, names) for table in tree}
    for table in tree:
        yield _definition(candidate, table, names)
        if table is not tree[0]:
            yield f"alter index {inside[table.parent]} attach partition {inside[table.oid]}"


def _undoing(candidate: Candidate, tree: Sequence[Table], names: Names) -> Iterator[str]:
    """The root takes with it what is attached; the rest is what a broken-off run left."""
    for table in tree:
        how = "" if table.kind == "p" else " concurrently"
        yield f"drop index{how} if exists {_index(candidate, table, names)}"


def _index(candidate: Candidate, table: Table, names: Names) -> str:
    return identifier(table.schema, names.of(_place(candidate, table)))
