"""A database that looks to the planner like the one that a shape describes; made as far as it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from monitor.planner.bench import Bench
from monitor.planner.groups import CASTS, DATA, NUMBERS, groups
from monitor.planner.inflation import (
    COLUMNS,
    EXPRESSIONS,
    RELATIONS,
    column_rows,
    expression_rows,
    kinds_of,
    relation_rows,
    shrink_all,
    stretch_all,
)
from monitor.planner.persons import Persons
from monitor.planner.relations import Relations, Wanted, quoted
from monitor.planner.words import (
    WORDS,
    Lexicon,
    collations,
    foreign_key_statement,
    function_statement,
    index_statement,
    schemas,
    table_statement,
    type_statement,
    view_statement,
)
from monitor.shape import Index, IndexKey, Shape, Table, View

BITE = 2000
"""Columns whose statistics are put in place by one statement."""
FILES = """
    select n.nspname::text as schema, c.relname::text as name, pg_catalog.pg_relation_filepath(c.oid) as file
      from unnest($1::text[], $2::text[]) as w (schema, name)
      join pg_catalog.pg_namespace n on n.nspname = w.schema
      join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.name
     where c.relkind in ('r', 'i')
"""
_NOT_CLONED = frozenset({"plpgsql", "dblink", "file_fdw", "postgres_fdw", "pg_stat_statements"})
"""Extensions that bring no type or operator, or that reach out."""
SHOWN = 5
"""Names that are told."""
MANY = 1000
"""Tables after whose making the session is let go: it remembers each."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """An index that stands in the shadow for a candidate."""

    table: Table
    keys: tuple[IndexKey, ...]
    pages: int


class Clone:
    """One shadow database; `missing` are tables (by oid) that could not be made, `differs` says what is otherwise."""

    def __init__(self, bench: Bench, shape: Shape, data: Path) -> None:
        self.shape = shape
        self.relations = Relations(shape)
        self._with_parts = frozenset(oid for oid, below in self.relations.below.items() if below)
        self.missing: dict[int, str] = {}
        self._notes: list[str] = []
        self._unbuilt: list[str] = []
        self.persons = Persons(bench, shape)
        self._bench, self._data = bench, data
        self._lexicon = Lexicon()
        self._types: set[str] = set()
        self._tables: set[int] = set()
        self._views: dict[tuple[str, str], str] = {}
        self._files: dict[tuple[str, str], Path] = {}
        self._keys: set[str] = set()

    async def begin(self, by_bytes: bool) -> None:  # noqa: FBT001
        """Make what tables need: schemas, collations, extensions, types, functions."""
        self._lexicon = Lexicon(by_bytes=by_bytes)
        path = ", ".join(
            quoted(name) for name in dict.fromkeys(["pg_catalog", *self.shape.extensions.values(), "public"])
        )
        await self._bench.set_up()
        await self._bench.settle({"client_min_messages": "error", "search_path": path})
        await self._bench.tried([f"create schema if not exists {name}" for name in schemas(self.shape)])
        await self._bench.tried(CASTS)
        await self._collations()
        await self._extensions()
        waiting = [type_statement(kind) for kind in sorted(self.shape.types, key=lambda kind: bool(kind.base))]
        while waiting and len(failed := await self._bench.tried(waiting)) < len(waiting):
            waiting = [waiting[place] for place in failed]
        await self._bench.tried([function_statement(each) for each in self.shape.functions])

    async def _collations(self) -> None:
        wanted = {f'"{WORDS}"': False, **collations(self.shape)}
        statements = [
            f"create collation if not exists {name} (provider = libc, locale = '{'C' if by_bytes else 'C.UTF-8'}')"
            for name, by_bytes in wanted.items()
        ]
        if 0 in await self._bench.tried(statements):
            self._notes.append("this machine has no locale C.UTF-8, so texts are ordered by bytes")

    async def _extensions(self) -> None:
        names = sorted(self.shape.extensions.keys() - _NOT_CLONED)
        statements = [
            f"create extension if not exists {quoted(name)} schema {quoted(self.shape.extensions[name])} cascade"
            for name in names
        ]
        failed = await self._bench.tried(statements)
        if failed:
            self._notes.append(f"it lacks the extensions {', '.join(names[place] for place in failed)}")

    async def ensure(self, wanted: Iterable[Wanted]) -> None:
        """Clone the tables and views that statements need, those that are not there yet."""
        wanted = [*wanted]
        await self.tables({oid for each in wanted for oid in each.tables})
        for view in dict.fromkeys(view for each in wanted for view in each.views):
            await self._view(view)
        for each in wanted:
            await self.persons.ensure(each.role, each.tables - self.missing.keys())

    async def tables(self, oids: Collection[int]) -> None:
        """Clone these tables, with indexes, sizes and statistics; a partition needs its parents among them."""
        new = [*self._ordered({*oids} - self._tables - self.missing.keys())]
        if new:
            await self._clone(new)
        if len(new) > MANY:
            await self._bench.close()

    async def _clone(self, new: Sequence[Table]) -> None:
        await self._learn_types(new)
        made = await self._make(new)
        await self._indexes(made)
        await self._foreign_keys()
        await self.fill(made)
        await self._groups(made)

    async def _groups(self, made: Sequence[Table]) -> None:
        """Put statistics of several columns in place."""
        work = {f"g_{table.oid}_{place}": (table, each) for table in made for place, each in enumerate(groups(table))}
        if not work:
            return
        failed = await self._bench.tried([each.statement(name, table) for name, (table, each) in work.items()])
        tables = [table for table, _ in work.values()]
        rows = await self._bench.fetch(NUMBERS, [each.schema for each in tables], [each.name for each in tables])
        numbers = {(row["schema"], row["name"], row["column"]): int(str(row["number"])) for row in rows}
        data = []
        for place, (name, (table, each)) in enumerate(work.items()):
            own = {column.number: numbers[table.schema, table.name, column.name] for column in table.columns}
            kinds = kinds_of(table, self._with_parts) if place not in failed else ()
            data += [(name, inherited, *each.data(own)) for inherited in kinds]
        await self._bench.fetch(DATA, *([row[at] for row in data] for at in range(4)))

    def _ordered(self, oids: Collection[int]) -> Iterable[Table]:
        """Give parents before their children."""
        given: set[int] = set()
        waiting = sorted(oids, reverse=True)
        while waiting:
            table = self.shape.tables[waiting[-1]]
            parents = [each for each in (table.parent, *table.inherits) if each in oids and each not in given]
            if parents:
                waiting += parents
                continue
            waiting.pop()
            if table.oid not in given:
                given.add(table.oid)
                yield table

    async def _learn_types(self, tables: Sequence[Table]) -> None:
        names = sorted({column.type for table in tables for column in table.columns} - self._types)
        sql = "select t as name from unnest($1::text[]) as t where to_regtype(t) is null"
        self._types |= {*names}
        strange = {str(row["name"]) for row in await self._bench.fetch(sql, names)}
        self._lexicon = replace(self._lexicon, strange=self._lexicon.strange | strange)

    async def _make(self, new: Sequence[Table]) -> list[Table]:
        present = frozenset(self._tables | {table.oid for table in new})
        statements = [table_statement(table, self.shape, self._lexicon, present) for table in new]
        failed = await self._bench.tried(statements)
        self.missing |= {new[place].oid: str(failure) for place, failure in failed.items()}
        made = [table for place, table in enumerate(new) if place not in failed]
        self._tables |= {table.oid for table in made}
        return made

    async def _indexes(self, made: Sequence[Table]) -> None:
        """Make the indexes, partitions' first: their parents' take them as their own."""
        work = [(table, each) for table in reversed(made) for each in table.indexes if plannable(each)]
        failed = await self._bench.tried([index_statement(table, each) for table, each in work])
        self._unbuilt += [work[place][1].full_name for place in failed]

    async def _foreign_keys(self) -> None:
        new = [
            key
            for key in self.shape.foreign_keys
            if key.name not in self._keys and {key.table, key.parent} <= self._tables
        ]
        self._keys |= {key.name for key in new}
        await self._bench.tried([foreign_key_statement(key, self.shape) for key in new])

    async def _view(self, view: View) -> None:
        name = (view.schema, view.name)
        if name not in self._views:
            failed = await self._bench.tried([view_statement(view)])
            self._views[name] = str(failed[0]) if failed else ""

    @property
    def differs(self) -> Sequence[str]:
        """Tell in what it is not like the database it stands for."""
        told = [*self._notes]
        if self._lexicon.strange:
            told.append(f"columns of the types {_some(self._lexicon.strange)} are texts there")
        if self._unbuilt:
            told.append(f"it is without the indexes {_some(self._unbuilt)}")
        return told

    def lacking(self, wanted: Wanted) -> str:
        """Tell why a statement cannot be planned: a table or a view of it could not be made. "": it can."""
        for oid in wanted.tables:
            if oid in self.missing:
                return f"{self.shape.tables[oid].full_name} could not be rebuilt: {self.missing[oid]}"
        for view in wanted.views:
            if why := self._views.get((view.schema, view.name)):
                return f"view {quoted(view.schema)}.{quoted(view.name)} could not be rebuilt: {why}"
        return self._unbound(wanted)

    def _unbound(self, wanted: Wanted) -> str:
        number = self.persons.number(wanted.role)
        for oid in wanted.tables:
            if why := self.persons.refused.get((number, oid)):
                return f"row level security of {self.shape.tables[oid].full_name} could not be rebuilt: {why}"
        return ""

    async def fill(self, tables: Sequence[Table], built: Mapping[tuple[str, str], Built] | None = None) -> None:
        """Give tables their size and statistics, and their indexes; `built` are further ones, by full name."""
        sizes = {(table.schema, table.name): table.pages for table in tables if table.kind != "p"}
        known = [index for table in tables for index in table.indexes if plannable(index)]
        sizes |= {(index.schema, index.name): index.pages for index in known}
        sizes |= {name: each.pages for name, each in (built or {}).items()}
        await self._find_files(sizes.keys() - self._files.keys())
        stretched = {self._files[name]: pages for name, pages in sizes.items() if name in self._files}
        await asyncio.to_thread(stretch_all, stretched)
        await self._bench.fetch(RELATIONS, *relation_rows(tables))
        await self._partial([index for index in known if index.where and index.tuples >= 0])
        columns = column_rows(tables, self._with_parts)
        for begin in range(0, len(columns[0]), BITE):
            await self._bench.fetch(COLUMNS, *(each[begin : begin + BITE] for each in columns))
        own = {(each.schema, each.name): (table, each.keys) for table in tables for each in table.indexes}
        further = {name: (each.table, each.keys) for name, each in (built or {}).items()}
        await self._bench.fetch(EXPRESSIONS, *expression_rows({**own, **further}))

    async def _partial(self, indexes: Sequence[Index]) -> None:
        rows = [(each.schema, each.name, each.pages, each.tuples, None) for each in indexes]
        if rows:
            await self._bench.fetch(RELATIONS, *([row[at] for row in rows] for at in range(5)))

    async def empty(self, tables: Sequence[Table]) -> None:
        """Take tables' size away, so that an index is made at once."""
        files = [self._files[name] for table in tables if (name := (table.schema, table.name)) in self._files]
        await asyncio.to_thread(shrink_all, files)
        # Its file's segments are remembered until the relation changes.
        sql = """
            update pg_catalog.pg_class c
               set reltuples = 0
              from unnest($1::text[]) as w (name)
             where c.oid = to_regclass(w.name)
        """
        await self._bench.fetch(sql, [table.full_name for table in tables])

    async def _find_files(self, names: Collection[tuple[str, str]]) -> None:
        wanted = [*names]
        rows = await self._bench.fetch(FILES, [schema for schema, _ in wanted], [name for _, name in wanted])
        self._files |= {(str(row["schema"]), str(row["name"])): self._data / str(row["file"]) for row in rows}


def _some(names: Collection[str]) -> str:
    """Give the first names, and how many there are more."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(sorted(names)[:SHOWN]) + more


def plannable(index: Index) -> bool:
    """Tell an index that the planner would look at."""
    return index.valid and not index.building
