"""A shape's parts as statements that make their like in the shadow: no storage, no defaults, no checks, no triggers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from monitor.planner.relations import quoted
from monitor.planning import Candidate
from monitor.shape import Column, DefinedType, ForeignKey, Function, Index, Shape, Table, View
from monitor.sqltext import identifier, literal

SUBSTITUTE = "text"
"""Stands for types that the shadow has not."""
_TEXTS = ("text", "character varying", "character", "varchar", "bpchar", "citext")
_STAND_IN_VALUES: Mapping[str, str] = {
    "boolean": "true",
    "uuid": "'00000000-0000-0000-0000-000000000000'",
    "json": "'{}'",
    "jsonb": "'{}'",
    "text": "''",
    "character varying": "''",
    "name": "''",
    "smallint": "0",
    "integer": "0",
    "bigint": "0",
    "numeric": "0",
    "real": "0",
    "double precision": "0",
    "date": "'2000-01-01'",
    "timestamp without time zone": "'2000-01-01'",
    "timestamp with time zone": "'2000-01-01'",
    "interval": "'1 day'",
}


@dataclass(frozen=True, kw_only=True)
class Lexicon:
    """What of a shape's words the shadow has: types it has not, and the collation of its database."""

    strange: frozenset[str] = frozenset()
    by_bytes: bool = True
    """The database's own collation orders by bytes."""

    def type(self, name: str) -> str:
        """Give a type's name, or its stand-in's."""
        if name not in self.strange:
            return name
        return f"{SUBSTITUTE}[]" if name.endswith("[]") else SUBSTITUTE

    def collation(self, column: Column) -> str:
        """Give a column's collate clause, where its order is not the database's."""
        if column.type in self.strange:
            return ""
        if column.collation:
            return f" collate {column.collation}"
        if column.by_bytes == self.by_bytes or not is_text(column.type):
            return ""
        return f' collate "{"C" if column.by_bytes else WORDS}"'


WORDS = "pgarchitect_words"
"""A collation that does not order by bytes, in pg_catalog."""


def is_text(kind: str) -> bool:
    """Tell a type whose default collation is the database's."""
    return kind.partition("(")[0].removesuffix("[]") in _TEXTS


def orders_by_bytes(shape: Shape) -> bool:
    """Tell whether the database's own collation is C, by any column that has it."""
    plain = (each for table in shape.tables.values() for each in table.columns if not each.collation)
    return next((each.by_bytes for each in plain if is_text(each.type)), True)


def type_statement(kind: DefinedType) -> str:
    name = identifier(kind.schema, kind.name)
    if kind.base:
        return f"create domain {name} as {kind.base}"
    return f"create type {name} as enum ({', '.join(literal(label) for label in kind.labels)})"


def function_statement(function: Function) -> str:
    """Make a stand-in: planning evaluates it where its arguments are known, so it gives a value, and never NULL."""
    returns = function.returns
    if function.returns_set and not returns.upper().startswith(("SETOF ", "TABLE")):
        returns = f"setof {returns}"
    volatility = {"i": "immutable", "s": "stable"}.get(function.volatility, "volatile")
    value = _STAND_IN_VALUES.get(returns.removeprefix("pg_catalog."), "null")
    body = "return" if function.returns_set else f"return {value}"
    name = identifier(function.schema, function.name)
    return (
        f"create function {name}({function.arguments}) returns {returns} language plpgsql {volatility} parallel safe "
        f"as $pgarchitect$ begin {body}; end $pgarchitect$"
    )


def table_statement(table: Table, shape: Shape, lexicon: Lexicon, present: frozenset[int]) -> str:
    """Make an empty table; `present` are the tables that can be made before it."""
    partitioned = f" partition by {table.partition_key}" if table.kind == "p" else ""
    if table.parent in present and table.bound:
        parent = shape.tables[table.parent].full_name
        return f"create table {table.full_name} partition of {parent} {table.bound}{partitioned}"
    columns = ", ".join(_column(column, lexicon) for column in table.columns)
    parents = [shape.tables[oid].full_name for oid in table.inherits if oid in present]
    inherits = f" inherits ({', '.join(parents)})" if parents else ""
    return f"create table {table.full_name} ({columns}){inherits}{partitioned}"


def _column(column: Column, lexicon: Lexicon) -> str:
    # Plain storage spares each table its TOAST table, which no plan looks at.
    not_null = " not null" if column.not_null else ""
    kind = lexicon.type(column.type)
    return f"{identifier(column.name)} {kind} storage plain{lexicon.collation(column)}{not_null}"


def index_statement(table: Table, index: Index) -> str:
    """Make an index like one that is there; a primary key is one, for GROUP BY counts on it."""
    if index.primary:
        keys = ", ".join(key.expression for key in index.keys)
        include = f" include ({', '.join(identifier(name) for name in index.include)})" if index.include else ""
        name = identifier(index.name)
        return f"alter table {table.full_name} add constraint {name} primary key ({keys}){include}"
    like = Candidate(
        table=table.oid,
        schema=table.schema,
        name=table.name,
        keys=index.keys,
        include=index.include,
        method=index.method,
        where=index.where,
    ).definition(index.name)
    return like.replace("create index", "create unique index", 1) if index.unique else like


def foreign_key_statement(key: ForeignKey, shape: Shape) -> str:
    """Make a foreign key: the planner knows by it that a join finds one row."""
    child, parent = shape.tables[key.table], shape.tables[key.parent]
    return (
        f"alter table {child.full_name} add foreign key ({_named(child, key.columns)}) "
        f"references {parent.full_name} ({_named(parent, key.parent_columns)}) not valid"
    )


def _named(table: Table, numbers: tuple[int, ...]) -> str:
    names = {column.number: column.name for column in table.columns}
    return ", ".join(identifier(names.get(number, "")) for number in numbers)


def view_statement(view: View) -> str:
    return f"create view {identifier(view.schema, view.name)} as {view.definition.rstrip().rstrip(';')}"


def schemas(shape: Shape) -> Iterator[str]:
    """Give the schemas of everything that is made."""
    things: list[Table | DefinedType | Function | View] = [*shape.tables.values(), *shape.types]
    things += [*shape.functions, *shape.views]
    for name in dict.fromkeys([*shape.extensions.values(), *(each.schema for each in things)]):
        if not name.startswith("pg_"):
            yield quoted(name)


def collations(shape: Shape) -> Mapping[str, bool]:
    """Give the quoted names of collations that columns and keys name, with whether they order by bytes."""
    found: dict[str, bool] = {}
    for table in shape.tables.values():
        found |= {column.collation: column.by_bytes for column in table.columns if column.collation}
        for index in table.indexes:
            found |= {key.collation: False for key in index.keys if key.collation and key.collation not in found}
    return found
