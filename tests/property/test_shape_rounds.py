"""Random changes of a database: what is read in turns, of what changed alone, is what a whole reading finds."""

import asyncio
import os
from dataclasses import replace
from random import Random

import asyncpg
import pytest

from monitor.collect.way import Guarded
from monitor.shape import Shape
from probes.shape import PROBE
from probes.shape_rounds import Kept, Pace, whole
from tests.database import Database

PACE = Pace(columns=40)
"""Far too little for one visit, so that nothing is read in whole."""
ROUNDS, MANY = 12, 150
CHANGES = 6
LATE = 3
"""Counters may come to light a round or two late, and ANALYZE with them."""
LAG_SECONDS = 0.6
"""Up to 14, a process of its own collects them, and tells them this often."""
SEED = os.environ.get("PGARCHITECT_SEED", "rounds")
"""Another one makes other changes."""

WORLD = """
    create schema one; create schema two;
    create type one.mood as enum ('glad', 'sad');
    create domain one.short as varchar(10);
    create function one.twice(int) returns int language sql immutable as 'select $1 * 2';
    create collation one.plain from "C";
"""
TABLE = """
    create table one.t{n} (id int primary key, a int, b varchar(20), c text, m one.mood, d date);
    insert into one.t{n} select g, g % 7, 'b' || g, 'c', 'glad', now() from generate_series(1, 100) g;
"""
TABLES = 20
STATEMENTS = (
    "create table {s}.t{n} (id int primary key, a int, b varchar(20), c text, m one.mood, d date)",
    "drop table {s}.t{n} cascade",
    "alter table {s}.t{n} rename to t{k}",
    "alter table {s}.t{n} set schema {r}",
    "alter schema one rename to three; alter schema two rename to one; alter schema three rename to two",
    "alter table {s}.t{n} add x{k} int default 7",
    "alter table {s}.t{n} drop x{k}",
    "alter table {s}.t{n} drop b cascade",
    "alter table {s}.t{n} rename c to cc",
    "alter table {s}.t{n} rename cc to c",
    "alter table {s}.t{n} alter b type varchar({k}0)",
    "alter table {s}.t{n} alter a type bigint",
    "alter table {s}.t{n} alter a set not null",
    "alter table {s}.t{n} alter a drop not null",
    "alter table {s}.t{n} alter a set statistics {k}",
    "alter table {s}.t{n} set (fillfactor = 7{k})",
    "alter table {s}.t{n} enable row level security",
    "alter table {s}.t{n} disable row level security",
    "alter table {s}.t{n} inherit {s}.t{k}",
    "alter table {s}.t{n} no inherit {s}.t{k}",
    "alter table {s}.t{n} replica identity full",
    "alter table {s}.t{n} add constraint u{k} unique (a, id) deferrable",
    "alter table {s}.t{n} rename constraint u{k} to w{k}",
    "alter table {s}.t{n} drop constraint u{k}",
    "alter table {s}.t{n} add constraint f{k} foreign key (a) references {s}.t{k} not valid",
    "alter table {s}.t{n} drop constraint f{k}",
    "alter table {s}.t{n} cluster on t{n}_pkey",
    "create index i{n}_{k} on {s}.t{n} (a, d)",
    "create index i{n}_{k} on {s}.t{n} (one.twice(a)) where b > 'x'",
    'create index i{n}_{k} on {s}.t{n} (c collate "C", c text_pattern_ops)',
    "drop index {s}.i{n}_{k}",
    "alter index {s}.i{n}_{k} rename to j{n}_{k}",
    "reindex table {s}.t{n}",
    "reindex table concurrently {s}.t{n}",
    "create statistics {s}.st{n} (ndistinct) on a, d from {s}.t{n}",
    "drop statistics {s}.st{n}",
    "analyze {s}.t{n}",
    "vacuum {s}.t{n}",
    "vacuum full {s}.t{n}",
    "truncate {s}.t{n} cascade",
    "insert into {s}.t{n} (id) select g from generate_series(1000, 1000 + {k}0) g",
    "update {s}.t{n} set a = {k}",
    "delete from {s}.t{n} where id > {k}0",
    "alter type {s}.mood add value 'm{n}'",
    "alter type {s}.mood rename value 'sad' to 'sorry'",
    "alter type {s}.mood rename to humour",
    "alter type {s}.humour rename to mood",
    "alter domain {s}.short rename to brief",
    "alter function {s}.twice(int) rename to double",
    "alter function {s}.double(int) set schema {r}",
    "alter function {s}.double(int) rename to twice",
    'alter collation {s}.plain rename to "Plain"',
    "alter table {s}.t{n} add p{k} {s}.short collate {s}.plain",
    "create or replace view {s}.v{n} as select id, a from {s}.t{n}",
    "create or replace view {s}.v{n} as select id, a, {k} as k from {s}.t{n}",
    "drop view {s}.v{n}",
    "create materialized view {s}.m{n} as select id, a from {s}.t{n}",
    "create table {s}.p{n} (id int, at date) partition by range (at)",
    "create table {s}.p{n}_{k} partition of {s}.p{n} for values from ('200{k}-01-01') to ('200{k}-12-31')",
    "create table {s}.p{n}_{k} (id int, at date)",
    "alter table {s}.p{n} attach partition {s}.p{n}_{k} for values from ('200{k}-01-01') to ('200{k}-12-31')",
    "alter table {s}.p{n} detach partition {s}.p{n}_{k}",
    "create index on {s}.p{n} (at)",
    "create extension citext schema {s}",
    "drop extension citext cascade",
    "alter extension citext add table {s}.t{n}",
    "alter extension citext drop table {s}.t{n}",
    "create temporary table passing (a int)",
    "begin; create table {s}.gone{n} (a int); drop table {s}.t{n}; rollback",
    "begin; savepoint a; alter table {s}.t{n} add s{k} int; savepoint b; create index on {s}.t{n} (s{k}); commit",
)


async def test_what_is_carried_over_is_what_a_whole_reading_finds(any_database: Database) -> None:
    """After each handful of changes, whatever they are."""
    await follow(any_database, ROUNDS)


@pytest.mark.soak
async def test_hundreds_of_rounds_stay_true(database: Database) -> None:
    """What is missed once must not add up."""
    await follow(database, MANY)


async def follow(database: Database, rounds: int) -> None:
    """Change something, read both ways, compare; again and again."""
    dice, kept = Random(SEED), Kept()
    await database.execute(WORLD + "".join(TABLE.format(n=n) for n in range(TABLES)))
    async with database.eye(PROBE) as eye, eye.server.visit(database.name, stay=True) as session:
        await taken(kept, session)
        for _ in range(rounds):
            done = await change(database, dice)
            for last in (False,) * LATE + (True,):
                read, all_ = await taken(kept, session), await whole(session)
                if comparable(read) == comparable(all_):
                    break
                assert not last, (done, differing(read, all_))
                await asyncio.sleep(LAG_SECONDS)


async def change(database: Database, dice: Random) -> list[str]:
    """Run some statements that the server takes; their session ends, so that what it counted is told."""
    done: list[str] = []
    session = await database.connect()
    for _ in range(100):
        text = dice.choice(STATEMENTS)
        schemas = dice.choice((("one", "two"), ("two", "one")))
        text = text.format(s=schemas[0], r=schemas[1], n=dice.randrange(TABLES), k=dice.randrange(1, 5))
        try:
            await session.execute(text)
        except asyncpg.PostgresError:
            if session.is_in_transaction():
                await session.execute("rollback")
            continue
        done.append(text)
        if len(done) == CHANGES:
            break
    await session.close()
    return done


async def taken(kept: Kept, session: Guarded) -> Shape:
    """Go through one round."""
    await kept.visit(session, PACE)
    while kept.round is not None:
        await kept.visit(session, PACE)
    assert kept.shape is not None
    return kept.shape


def comparable(read: Shape) -> Shape:
    """Leave out the time, which passes."""
    return replace(read, counted_seconds=None)


def differing(read: Shape, all_: Shape) -> list[tuple[object, object]]:
    """Give the tables that differ, each as both have it."""
    oids = {*read.tables, *all_.tables}
    pairs = [(read.tables.get(oid), all_.tables.get(oid)) for oid in oids]
    return [(own, other) for own, other in pairs if own != other]
