"""An exam's database: made, filled at full or at a smaller scale, and put to work."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import asyncpg

from monitor.embedded import EmbeddedServer
from tests.exam.ledger import LEDGER
from tests.exam.model import Exam, Shape
from tests.exam.saas import SAAS
from tests.exam.shop import SHOP
from tests.versions import NEWEST, binaries

EXAM = Exam(name="exam", schools=(SHOP, SAAS, LEDGER), path="shop, public")
DATABASE, SHAPES, RIGHTS = EXAM.name, EXAM.shapes, EXAM.rights

BATCH = 500
SETTINGS = {
    "shared_preload_libraries": "pg_stat_statements",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "maintenance_work_mem": "256MB",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "jit": "off",
    # Its workers come and go at times of their own, and would be measured with us.
    "autovacuum": "off",
}

BROKEN = "create unique index concurrently audit_object_once on ledger.audit (object_id)"
"""Fails, as it did for somebody once, and leaves an invalid index."""

HELP = """
    create function pg_temp.rows(wanted int) returns int language sql immutable as 'select (wanted * {scale})::int';
    create function pg_temp.pick(most int) returns int language sql volatile
        as 'select 1 + floor(random() * pg_temp.rows(most))::int';
"""
"""A number of rows, and one of them."""

Say = Callable[[str], None]


@asynccontextmanager
async def server(major: int = NEWEST) -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer.started(SETTINGS, binaries=binaries(major)) as running:
        yield running


async def load(running: EmbeddedServer, scale: float, exam: Exam = EXAM) -> str:
    """Make an exam's database; give its DSN."""
    dsn = await create(running, exam)
    session = await asyncpg.connect(dsn)
    try:
        await fill(session, scale, exam)
    finally:
        await session.close()
    return dsn


async def create(running: EmbeddedServer, exam: Exam) -> str:
    """Make the database, empty; give its DSN."""
    admin = await asyncpg.connect(running.dsn())
    await admin.execute(f"create database {exam.name}")
    await admin.execute(f"alter database {exam.name} set search_path = {exam.path}")
    await admin.close()
    session = await asyncpg.connect(running.dsn(exam.name))
    await session.execute("create extension pg_stat_statements schema public; create extension pg_trgm schema public")
    await session.close()
    return running.dsn(exam.name)


async def fill(session: asyncpg.Connection, scale: float, exam: Exam) -> None:
    await session.execute(HELP.format(scale=scale))
    for school in exam.schools:
        await session.execute("select setseed(0.42)")
        await session.execute(Path(__file__).with_name(f"{school.name}.sql").read_text(encoding="utf-8"))
    if LEDGER in exam.schools:
        await break_index(session)
    await session.execute("vacuum analyze")


async def break_index(session: asyncpg.Connection) -> None:
    with suppress(asyncpg.UniqueViolationError):
        await session.execute(BROKEN)


Values = Sequence[Sequence[Any]]


async def values(session: asyncpg.Connection, shape: Shape) -> Values:
    """Give the rows of parameters."""
    if shape.values is None:
        return [()]
    await session.execute("select setseed(0.42)")
    return [tuple(row) for row in await session.fetch(shape.values)]


async def work(dsn: str, say: Say, exam: Exam = EXAM) -> None:
    """Set the counters to nothing and run each shape as often as it says."""
    session = await asyncpg.connect(dsn)
    drawn = {shape.name: await values(session, shape) for shape in exam.shapes}
    settings = {shape.name: await setting(session, shape) for shape in exam.shapes}
    await begin(session)
    await session.close()
    for shape in exam.shapes:
        say(shape.name)
        async with at_work(dsn, shape, settings[shape.name]) as own:
            rows = islice(cycle(drawn[shape.name]), shape.calls)
            while batch := list(islice(rows, BATCH)):
                await own.executemany(shape.sql, batch)


async def begin(session: asyncpg.Connection) -> None:
    """Count everything from now on."""
    await session.execute("select pg_stat_reset()")
    await session.execute("analyze")
    await session.execute("select pg_stat_statements_reset()")


async def setting(session: asyncpg.Connection, shape: Shape) -> str | None:
    """Give the value of the shape's own setting."""
    return str(await session.fetchval(shape.setting[1])) if shape.setting else None


@asynccontextmanager
async def at_work(dsn: str, shape: Shape, value: str | None) -> AsyncIterator[asyncpg.Connection]:
    """A session as the shape's statements have it: its role, its setting."""
    own = {shape.setting[0]: value} if shape.setting and value else {}
    role = {"role": shape.role} if shape.role else {}
    session = await asyncpg.connect(dsn, server_settings={"application_name": "exam", **own, **role})
    try:
        yield session
    finally:
        await session.close()
