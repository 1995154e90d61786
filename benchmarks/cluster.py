"""A cluster of a large application: 2,000 tables, 10,000 distinct statements, 5,000 people in GoTrue's schema."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from importlib.resources import files

import asyncpg

from monitor.cli.grants import Wanted, grants_sql
from monitor.demo.gotrue import gotrue
from monitor.embedded import EmbeddedServer

DATABASE, ROLE = "shop", "monitor"
LINK = ("public", "users", "auth_user_id", "created_at")
BATCH = 250
BUSY_TABLES, TRAFFIC_SECONDS = 50, 0.05
"""The background traffic: on so many tables, with so much time between two statements."""

SETTINGS = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.max": "12000",
    "shared_buffers": "256MB",
    "max_connections": "60",
    "max_parallel_workers_per_gather": "0",
    "track_io_timing": "on",
    "jit": "off",
    # Its workers come and go at times of their own, and would be taken for cost of ours.
    "autovacuum": "off",
}

TABLE = """
    create table orders_{number} (
        id          bigint generated always as identity primary key,
        parent_id   bigint references orders_{parent},
        reference   text not null,
        state       text not null default 'new',
        amount      numeric(12, 2) not null default 0,
        created_at  timestamptz not null default now()
    )
"""
LOOKALIKE = "alter table orders_{number} add user_id uuid"
LOOKALIKES = 20
"""Every twentieth table has a column that looks as if it referred to auth.users, and is empty."""

INDEX = "create index on orders_{number} (parent_id)"
WITHOUT_INDEX = 100
"""Every hundredth table lacks the index of its foreign key: a large application has faults, and most of it has none."""

FORMS = (
    "select id, reference, state, amount, created_at from orders_{number} where id = {value}",
    "select state, count(*), sum(amount) from orders_{number} where created_at > now() - interval '1 d' group by state",
    "insert into orders_{number} (reference, amount) values ('order {value}', {value})",
    "update orders_{number} set state = 'paid', amount = {value} where id = {value}",
    # Without aliases: to PostgreSQL 18, tables of the same alias are the same statement.
    "select orders_{number}.id from orders_{number} join users on users.id = parent_id where amount = {value}",
)


def statement(number: int, form: str) -> str:
    """Give one of the application's statements, with a value of its own."""
    return form.format(number=number, value=random.randint(1, 100_000))


def statements(tables: int) -> Iterator[str]:
    """Give each form on each table."""
    return (statement(number, form) for number in range(1, tables + 1) for form in FORMS)


@asynccontextmanager
async def cluster(tables: int, say: Callable[[str], None]) -> AsyncIterator[EmbeddedServer]:
    """Start and fill it."""
    async with EmbeddedServer.started(SETTINGS) as server:
        say(f"making {tables:,} tables and {tables * len(FORMS):,} statements")
        session = await made(server)
        await session.execute(files("monitor.demo").joinpath("people.sql").read_text(encoding="utf-8"))
        await in_batches(session, (TABLE.format(number=each, parent=max(each - 1, 1)) for each in range(1, tables + 1)))
        lookalikes = range(LOOKALIKES, tables + 1, LOOKALIKES)
        await in_batches(session, (LOOKALIKE.format(number=each) for each in lookalikes))
        indexed = (each for each in range(1, tables + 1) if each % WITHOUT_INDEX)
        await in_batches(session, (INDEX.format(number=each) for each in indexed))
        await session.execute("analyze")
        await session.execute("select pg_stat_statements_reset()")
        await in_batches(session, statements(tables))
        await session.close()
        yield server


async def made(server: EmbeddedServer) -> asyncpg.Connection:
    """Make the application's database, with GoTrue's schema; give a session in it."""
    session = await asyncpg.connect(server.dsn(), timeout=10)
    await session.execute(f"create database {DATABASE}")
    await session.close()
    session = await asyncpg.connect(server.dsn(DATABASE), timeout=10, command_timeout=600)
    await session.execute("create extension pg_stat_statements")
    await session.execute(gotrue())
    return session


async def in_batches(session: asyncpg.Connection, texts: Iterator[str]) -> None:
    """Run many statements in few round trips; each keeps an entry of its own."""
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == BATCH:
            await session.execute(";".join(batch))
            batch.clear()
    if batch:
        await session.execute(";".join(batch))


async def admitted(server: EmbeddedServer) -> str:
    """Make the monitor's role with what `monitor grants` prints; give its DSN."""
    password = secrets.token_urlsafe(24)
    session = await asyncpg.connect(server.dsn(DATABASE), timeout=10)
    await session.execute(f"create role {ROLE} login password '{password}'")
    for grant in grants_sql(Wanted(role=ROLE, links=(LINK,), database=DATABASE)):
        await session.execute(grant)
    await session.close()
    return server.dsn(DATABASE, ROLE, password)


async def traffic(session: asyncpg.Connection) -> None:
    """Go on working until cancelled: what an application does all day is a small part of what it ever did."""
    while True:
        number = min(int(random.paretovariate(0.5)), BUSY_TABLES)
        await session.execute(statement(number, random.choice(FORMS)))
        await asyncio.sleep(TRAFFIC_SECONDS)
