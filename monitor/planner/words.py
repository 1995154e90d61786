"""A shape's parts as statements that make their like in the shadow: no storage, no defaults, no checks, no triggers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.planner.bench import PERSON, SETTING
from monitor.planner.relations import quoted
from monitor.planning import Candidate
from monitor.row_security import STAND_INS, Policy
from monitor.shape import Column, DefinedType, ForeignKey, Function, Index, Shape, Table, View
from monitor.sql.lexemes import Lexeme, Token, lexemes
from monitor.sql.text import identifier, literal

SUBSTITUTE = "text"
"""Stands for types that the shadow has not."""
_TEXTS = ("text", "character varying", "character", "varchar", "bpchar", "citext")


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
    value = STAND_INS.get(returns.removeprefix("pg_catalog."), "null")
    body = "return" if function.returns_set else f"return {value}"
    parallel = {"s": "safe", "r": "restricted"}.get(function.parallel, "unsafe")
    name = identifier(function.schema, function.name)
    return (
        f"create function {name}({function.arguments}) returns {returns} language plpgsql {volatility} "
        f"parallel {parallel} cost {function.cost or 1} as $pgarchitect$ begin {body}; end $pgarchitect$"
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
    options = [name for name, on in (("security_invoker", view.invoker), ("security_barrier", view.barrier)) if on]
    how = f" with ({', '.join(options)})" if options else ""
    definition = unforeseen(view.definition.rstrip().rstrip(";"))
    return f"create view {identifier(view.schema, view.name)}{how} as {definition}"


def policy_statement(table: Table, person: int, place: int, policy: Policy, strangers: Collection[str] = ()) -> str:
    """Make a policy that holds for one person; `strangers` are functions whose value nothing can be told of."""
    command = {"r": "select", "a": "insert", "w": "update", "d": "delete"}.get(policy.command, "all")
    using = f" using ({unforeseen(policy.using, strangers)})" if policy.using else ""
    check = f" with check ({unforeseen(policy.check, strangers)})" if policy.check else ""
    return (
        f"create policy pgarchitect_{person}_{place} on {table.full_name} "
        f"as {'permissive' if policy.permissive else 'restrictive'} for {command} to {PERSON}{person}{using}{check}"
    )


def strangers(shape: Shape) -> Collection[str]:
    """Give functions without arguments whose documents planning would take for empty: what is in them is not known."""
    plain = (each for each in shape.functions if not each.arguments and not each.returns_set)
    return {identifier(each.schema, each.name) for each in plain if each.returns in {"json", "jsonb"}}


def unforeseen(sql: str, strangers: Collection[str] = ()) -> str:
    """Let planning not foresee what current_setting, and those functions, will give: the shadow has no such settings.

    A sub-select of its own is not evaluated before the statement runs.
    """
    parts, at, tokens = [], 0, [*lexemes(sql)]
    for place, token in enumerate(tokens):
        if token.start < at or (place and _is(tokens[place - 1], ".")):
            continue
        end = _end_of_call(tokens, place)
        if not end or _called(sql, tokens, place) not in {"current_setting", *strangers}:
            continue
        instead = SETTING if token.text == "current_setting" else f"(select {sql[token.start : end]})"
        parts += [sql[at : token.start], instead]
        at = end
    return "".join([*parts, sql[at:]])


def _called(sql: str, tokens: Sequence[Token], place: int) -> str:
    """Give the name that begins at this place, with its schema."""
    last = place + 2 if len(tokens) > place + 2 and _is(tokens[place + 1], ".") else place
    return sql[tokens[place].start : tokens[last].end]


def _end_of_call(tokens: Sequence[Token], place: int) -> int:
    """Find where the parentheses of a call end, whose name begins at this place; 0 where it is none."""
    place += 3 if len(tokens) > place + 1 and _is(tokens[place + 1], ".") else 1
    depth = 0
    for token in tokens[place:]:
        depth += _is(token, "(") - _is(token, ")")
        if depth <= 0:
            return token.end if _is(token, ")") else 0
    return 0


def _is(token: Token, mark: str) -> bool:
    return token.kind is Lexeme.MARK and token.text == mark


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
