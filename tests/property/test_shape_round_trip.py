"""Random indexes of random tables: what is rebuilt from their shape, the server writes just as the index itself."""

import os
from random import Random

import asyncpg

from monitor.planning import Candidate
from monitor.shape import Index, Table
from monitor.shaped import shape_of
from probes.shape import PROBE
from tests.database import Database

WORLD = """
    create schema "Odd one";
    create extension btree_gist schema "Odd one"; create extension pg_trgm; create extension btree_gin;
    create extension citext;
    create type mood as enum ('glad', 'sad');
    create domain short as varchar(10) collate "C";
    create domain shorter as short;
    create collation "Odd one"."My ""C"" one" from "C";
    create collation blind (provider = icu, locale = 'und', deterministic = false);
    create function "Odd one".twice(int) returns int language sql immutable as 'select $1 * 2';
    create operator class public.backwards for type int using btree as
        operator 1 >, operator 2 >=, operator 3 =, operator 4 <=, operator 5 <, function 1 btint4cmp(int, int);
"""
TYPES = (
    "int", "bigint", "text", 'text collate "C"', 'text collate "Odd one"."My ""C"" one"', "text collate blind",
    "varchar(20)", "char(5)", "name", "citext", "mood", "short", "shorter", "boolean", "date", "timestamptz",
    "numeric(9, 2)", "uuid", "inet", "cidr", "jsonb", "int[]", "text[]", "mood[]", "tsvector", "point", "int4range",
    "bytea", "oid", "macaddr", "interval", "bit(4)", "money", "xid", "tid",
)  # fmt: skip
OPCLASSES = (
    "text_ops", "text_pattern_ops", "varchar_pattern_ops", "bpchar_pattern_ops", "bpchar_ops",
    "varchar_ops", "citext_pattern_ops", "backwards", "gin_trgm_ops", "gist_trgm_ops", "gist_trgm_ops(siglen='32')",
    "jsonb_path_ops", "jsonb_ops", "array_ops", "inet_ops", "inet_minmax_ops", "inet_inclusion_ops", "int4_ops",
    "int8_ops", "int4_minmax_multi_ops", "int4_minmax_multi_ops(values_per_range='16')", "enum_ops", "record_ops",
    "tsvector_ops", "tsvector_ops(siglen='100')", "timestamptz_bloom_ops", "date_ops", '"Odd one".gist_int4_ops',
)  # fmt: skip
COLLATIONS = ('collate "C"', 'collate "default"', 'collate "POSIX"', 'collate "Odd one"."My ""C"" one"')
EXPRESSIONS = (
    "lower({0}::text)", "({0}::text || 'x')", "coalesce({0}::text, 'it''s')", "({0} is null)", '"Odd one".twice(7)',
    '({0}::text collate "C")', 'upper({0}::text collate "POSIX")', "to_tsvector('english', {0}::text)",
    "(array[{0}])", "({0}::text, 1)", "(case when {0} is null then 1 else 2 end)", "md5({0}::text)",
)  # fmt: skip
METHODS = ("btree",) * 6 + ("hash", "gin", "gist", "brin", "spgist")
ORDERS = ("", "", " desc", " asc nulls first", " desc nulls last", " nulls first")
WHERE = (
    "", "", "", " where {0} is not null", " where {0}::text > 'it''s'",
    ' where "Odd one".twice(3) > 6 and {0} is null',
)  # fmt: skip
COLUMNS = ("id", "plain", "Odd Column", "or", 'qu"ote', "d.ot", "ü" * 20, "日本", "$1", "lower")
TRIES, TABLES, INDEXES = 150, 4, 100
SELDOM, OFTEN = 0.1, 0.3
SEED = os.environ.get("PGARCHITECT_SEED", "shape")
"""Another one makes other indexes."""


async def test_a_rebuilt_definition_is_the_same_to_the_server(any_database: Database) -> None:
    """Keys, opclasses and their options, collations, order, included columns, predicate and method."""
    await any_database.execute(WORLD)
    made = await scatter(any_database, Random(SEED))
    assert made > INDEXES, "too few were possible"
    async with any_database.eye(PROBE) as eye:
        read = shape_of(await eye.look())
    connection = await any_database.connect(search_path="pg_catalog")
    differing = [
        (index.definition, again)
        for table in read.tables.values()
        for index in table.indexes
        if not (again := await rebuilt(connection, table, index)).endswith(f" {index.definition}")
    ]
    assert differing == []


async def scatter(database: Database, dice: Random) -> int:
    """Make tables with columns of random types, and as many random indexes as the server allows."""
    made = 0
    for number in range(TABLES):
        types = dice.sample(TYPES, len(COLUMNS))
        columns = ", ".join(f"{quote(name)} {kind}" for name, kind in zip(COLUMNS, types, strict=True))
        await database.execute(f'create table "T {number}" ({columns})')
    for number in range(TRIES * TABLES):
        try:
            await database.execute(definition(dice, number))
        except asyncpg.PostgresError:
            continue
        made += 1
    return made


def definition(dice: Random, number: int) -> str:
    """Write an index that may or may not be possible."""
    method = dice.choice(METHODS)
    keys = ", ".join(key(dice, method) for _ in range(dice.choice((1, 1, 1, 2, 3))))
    include = f" include ({quote(dice.choice(COLUMNS))})" if dice.random() < SELDOM else ""
    where = dice.choice(WHERE).format(quote(dice.choice(COLUMNS)))
    unique = "unique " if dice.random() < SELDOM else ""
    place = f'"T {number % TABLES}" using {method}'
    return f'create {unique}index "x {number}" on {place} ({keys}){include}{where}'


def key(dice: Random, method: str) -> str:
    column = quote(dice.choice(COLUMNS))
    what = f"({dice.choice(EXPRESSIONS).format(column)})" if dice.random() < OFTEN else column
    collation = dice.choice(COLLATIONS) if dice.random() < OFTEN else ""
    opclass = dice.choice(OPCLASSES) if dice.random() < OFTEN else ""
    order = dice.choice(ORDERS) if method == "btree" else ""
    return f"{what} {collation} {opclass} {order}"


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


async def rebuilt(connection: asyncpg.Connection, table: Table, index: Index) -> str:
    """Make it once more from its words, let the server write it, and take it away."""
    candidate = Candidate(
        table=table.oid,
        schema=table.schema,
        name=table.name,
        keys=index.keys,
        include=index.include,
        method=index.method,
        where=index.where,
    )
    again = candidate.definition(index.name)
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(f"drop index {index.full_name}")
        await connection.execute(again.replace("create index", "create unique index") if index.unique else again)
        return str(await connection.fetchval("select pg_get_indexdef($1::text::regclass)", index.full_name))
    finally:
        await transaction.rollback()
