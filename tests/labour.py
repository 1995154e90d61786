"""A server that is busy: sessions that compute, and one that only waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.database import Database

SPIN = "do $$ begin while clock_timestamp() < now() + interval '30 s' loop end loop; end $$"


@asynccontextmanager
async def at_work(database: Database, many: int) -> AsyncIterator[None]:
    """So many sessions compute, and one waits for a lock."""
    holder, waiting = await database.connect(), await database.connect()
    await holder.execute("select pg_advisory_lock(1)")
    sessions = [await database.connect() for _ in range(many)]
    tasks = [asyncio.create_task(session.execute(SPIN)) for session in sessions]
    lock = asyncio.create_task(waiting.execute("select pg_advisory_lock(1)"))
    try:
        async with asyncio.timeout(30):
            await _under_way(database, many)
        yield
    finally:
        await database.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where query like 'do $$ begin while%'"
        )
        await holder.close()
        await lock
        await waiting.close()
        for task in tasks:
            await asyncio.wait([task])
            assert task.exception() is not None


async def _under_way(database: Database, many: int) -> None:
    count = "select count(*) from pg_stat_activity where state = 'active' and query like 'do $$ begin while%'"
    while await database.value(count) < many:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.05)
