"""`monitor advise` over a database of all that is odd: no crash, no wrong SQL, and what it prints is carried out."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from tests.database import Database
from tests.end_to_end.command import monitor

LONG = "é" * 31 + "x"
ROWS = 10_000
WORLD = f"""
    create schema "Odd. ""Schema";
    create table "Odd. ""Schema"."Ta.ble ""1" (id int primary key, "Sp ace.d ""q" int, pad text);
    insert into "Odd. ""Schema"."Ta.ble ""1" select g, g, repeat('x', 60) from generate_series(1, {ROWS}) g;
    create table "{LONG}" (id int primary key, "{LONG}" int, pad text);
    insert into "{LONG}" select g, g, repeat('x', 60) from generate_series(1, {ROWS}) g;
    create table made (id int primary key, a int, pad text, kept int generated always as (a * 2) stored);
    insert into made (id, a, pad) select g, g, repeat('x', 60) from generate_series(1, {ROWS}) g;
    create table building (id int primary key, a int, pad text);
    insert into building select g, g, repeat('x', 60) from generate_series(1, {ROWS}) g;
    create table secret (id int primary key, tenant int, note text);
    insert into secret select g, g % 2000, repeat('x', 60) from generate_series(1, {ROWS}) g;
    alter table secret enable row level security;
    create policy own on secret using (tenant = current_setting('app.tenant')::int);
    create table viewed (id int primary key, a int, pad text);
    insert into viewed select g, g, repeat('x', 60) from generate_series(1, {ROWS}) g;
    create view v1 as select * from viewed where id > 0;
    create view v2 as select id, a as b from v1;
    create table timed (id int primary key, at timestamptz, pad text);
    insert into timed select g, now() - make_interval(mins => g), repeat('x', 60) from generate_series(1, {ROWS}) g;
    create table listed (id int primary key, a int, pad text);
    insert into listed select g, g, repeat('x', 60) from generate_series(1, {ROWS}) g;
    create extension postgres_fdw;
    create server elsewhere foreign data wrapper postgres_fdw options (host '127.0.0.1', port '1');
    create foreign table far (id int, a int) server elsewhere;
    create table wide (id int primary key, pad text, {", ".join(f"c{at} int" for at in range(1598))});
    insert into wide (id, pad, c1597) select g, repeat('x', 900), g from generate_series(1, 4000) g;
"""
TABLES = (
    '"Odd. ""Schema"."Ta.ble ""1"',
    f'"{LONG}"',
    "made",
    "building",
    "secret",
    "viewed",
    "timed",
    "listed",
    "wide (id, c1597)",
)
VIRTUAL = "alter table made add column shown int generated always as (a * 3) virtual"
NEVER = f"""
    create table never (id int primary key, a int, pad text) with (autovacuum_enabled = off);
    insert into never select g, g, repeat('x', 60) from generate_series(1, {ROWS}) g;
"""
LISTED = f"select id from listed where a in ({', '.join(str(number * 17) for number in range(700))})"
ASKED = (
    'select pad from "Odd. ""Schema"."Ta.ble ""1" where "Sp ace.d ""q" = 7',
    f'select pad from "{LONG}" where "{LONG}" = 7',
    "select pad from made where kept = 14",
    "select pad from building where a = 7",
    "select id from v2 where b = 7",
    "select pad from timed where at > now() - interval '5 minutes'",
    "select pad from wide where c1597 = 7",
    "select pad from never where a = 7",
    "select id from here where a = 7",
    LISTED,
)
TENANTS = "select note from secret where id > 5"
WANTED = {
    '"Odd. ""Schema"."Ta.ble ""1" ("Sp ace.d ""q")',
    f'public."{LONG}" ("{LONG}")',
    "public.made (kept)",
    "public.viewed (a)",
    "public.timed (at)",
    "public.wide (c1597)",
    "public.listed (a)",
    "public.secret (tenant, id)",
}


OWN = """
    select count(*)
      from pg_index i
      join pg_class c on c.oid = i.indrelid and c.relkind = 'r'
     where not i.indisprimary and i.indrelid > 16383
"""


async def traffic(database: Database, role: str, *more: str) -> None:
    """What is asked all day; as a role that a policy binds, too."""
    session = await database.connect()
    await session.execute("create temp table here (id int, a int)")
    for text in (*ASKED, *more):
        for _ in range(15):
            await session.execute(text)
    await session.execute(f"grant select on secret to {role}; set role {role}; set app.tenant = '7'")
    for _ in range(15):
        await session.execute(TENANTS)
    await session.close()


async def advised(database: Database) -> dict[str, Any]:
    done = await monitor("advise", "--dsn", "env:SHOP", "--format", "json", env={"SHOP": database.dsn})
    assert done.err == ""
    report: dict[str, Any] = json.loads(done.out)
    return report


async def built_meanwhile(database: Database) -> tuple[asyncpg.Connection, asyncio.Task[str]]:
    """Let an index be in the making, which waits for a transaction that is open."""
    holder, maker = await database.connect(), await database.connect()
    await holder.execute("begin; update building set pad = 'y' where id = 1")
    making = asyncio.create_task(maker.execute("create index concurrently building_a on building (a)"))
    making_it = "select count(*) from pg_stat_progress_create_index where index_relid <> 0"
    while not await database.value(making_it):  # noqa: ASYNC110 - a server tells nobody
        await asyncio.sleep(0.05)
    return holder, making


@pytest.mark.asyncio(loop_scope="session")
async def test_everything_odd_at_once(database: Database) -> None:
    """Each right index is printed so that it can be made and undone; what must not be made is not printed."""
    role = f"{database.name}_tenant"
    await database.execute(WORLD)
    await database.execute(VIRTUAL)
    for name in TABLES:
        await database.execute(f"analyze {name}")
    await database.execute(NEVER)
    await database.execute(f"create role {role}")
    await database.execute("select pg_stat_statements_reset()")
    await traffic(database, role, "select pad from made where shown = 21")
    holder, making = await built_meanwhile(database)
    report = await advised(database)
    await holder.execute("rollback")
    await making
    await database.execute(f"drop owned by {role}; drop role {role}")
    found = [each for each in report["findings"] if each["rule"] == "index.missing"]
    subjects = {each["subject"] for each in found}
    assert subjects >= WANTED
    assert subjects - WANTED <= {"public.never (a)"}
    assert not [each for each in report["not_evaluated"] if each["needs"] == "repair"]
    for each in found:
        for statement in each["remedy"]["sql"]:
            await database.execute(statement)
    invalid = await database.value("select count(*) from pg_index where not indisvalid")
    for each in found:
        for statement in each["remedy"]["rollback"]:
            await database.execute(statement)
    assert invalid == 0
    assert await database.value(OWN) == 1  # that which was built meanwhile
