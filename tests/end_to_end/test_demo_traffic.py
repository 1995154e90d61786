"""The demo's application by itself: its faults are really there, and it goes on after its server was killed."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from monitor.demo.past import CALLS, HOURS, measured
from monitor.demo.schema import DATABASE, SETTINGS, Application, load
from monitor.demo.traffic import MEMBERS, traffic
from monitor.embedded import EmbeddedServer

PATIENCE_SECONDS = 25.0

SESSIONS = """
    select distinct application_name
      from pg_stat_activity
     where backend_type = 'client backend'
       and datname = current_database()
       and application_name <> ''
"""
LEAKED = """
    select count(*)
      from pg_stat_activity
     where application_name = 'workflow-worker'
       and state = 'idle in transaction'
       and state_change < now() - interval '2 seconds'
"""
INDEXES = "select count(*) from pg_indexes where indexname = 'invitations_code_idx'"
COUNTERS = "select xact_rollback >= 20 and deadlocks >= 1 from pg_stat_database where datname = current_database()"
ORPHANS = """
    select (select count(*) from public.users p
             where p.auth_user_id is not null and p.created_at < now() - interval '5 min'
               and not exists (select from auth.users u where u.id = p.auth_user_id)),
           (select count(*) from auth.users u
             where u.confirmed_at is not null and u.deleted_at is null
               and not u.is_anonymous and u.created_at < now() - interval '5 min'
               and not exists (select from public.users p where p.auth_user_id = u.id)),
           (select count(*) from auth.users u where not exists (select from public.users p where p.auth_user_id = u.id))
"""


@pytest.fixture
async def application() -> AsyncIterator[Application]:
    async with EmbeddedServer.started(SETTINGS) as server:
        yield await load(server, lambda _: None)
        await server.stop("immediate")


async def asked(application: Application, sql: str) -> list[tuple[object, ...]]:
    session = await asyncpg.connect(application.server.dsn(DATABASE), timeout=10)
    try:
        return [tuple(row) for row in await session.fetch(sql)]
    finally:
        await session.close()


async def eventually(application: Application, sql: str, wanted: list[tuple[object, ...]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while sorted(await asked(application, sql)) != sorted(wanted):  # noqa: ASYNC110 - the server has no event
            await asyncio.sleep(0.5)


@pytest.mark.soak
async def test_the_faults_are_there_and_survive_a_crash(application: Application) -> None:
    """A leak, rollbacks, a deadlock, an index less; 7 and 12 orphans among near misses; and all members come back."""
    everybody: list[tuple[object, ...]] = [(member.application,) for member in MEMBERS]
    async with traffic(application) as acting:
        await eventually(application, SESSIONS, everybody)
        await eventually(application, LEAKED, [(1,)])
        await eventually(application, COUNTERS, [(True,)])
        await eventually(application, INDEXES, [(0,)])
        ((orphans, missing, without),) = await asked(application, ORPHANS)
        assert (orphans, missing) == (7, 12)
        assert without != missing
        await application.server.kill()
        await asyncio.sleep(2)
        await application.server.start()
        await eventually(application, SESSIONS, everybody)
        await eventually(application, LEAKED, [(1,)])
        assert not acting.done()
    await eventually(application, SESSIONS, [])


async def test_the_earlier_hours_are_really_measured(application: Application) -> None:
    """While the index is there: each hour its own calls, all of them quick, nothing of the load among them."""
    hours = await measured(application)
    assert [(hour["calls"], hour["rows"]) for hour in hours] == [(CALLS, CALLS)] * HOURS
    assert all(0 < hour["exec_seconds"] / hour["calls"] < 0.001 for hour in hours)
    assert all(hour["shared_blks_hit"] < 10 * CALLS for hour in hours)
