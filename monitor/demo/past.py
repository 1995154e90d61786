"""A day of earlier hours for one statement, as a rule on change wants them and a show of a minute cannot have.

Their calls are real, made and measured before the show begins; only the hours are made up, as the dates of rows are.
That the rule wants a whole day is a setting. That it wants hours before the present one is not, so there must be some;
and with a whole day of them the rule runs as it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random

import asyncpg

from monitor.config.load import Config
from monitor.demo.faults import INVITATION, fingerprint
from monitor.demo.schema import DATABASE, Application
from monitor.demo.turns import invitation_code
from monitor.history.earlier import hour_of
from monitor.history.past import Key
from monitor.store.engine import Store
from monitor.store.hours import StoredHours

PROBE, ROLE = "statements", "web_api"
HOURS, CALLS = 25, 40
"""A whole day, whatever the minute of the present hour, and the calls that each hour gets."""

COUNTED = f"""
    select calls::float8 as calls,
           total_exec_time / 1000 as exec_seconds,
           calls * (stddev_exec_time * stddev_exec_time + mean_exec_time * mean_exec_time) / 1000000 as exec_squares,
           rows::float8 as rows,
           shared_blks_hit::float8 as shared_blks_hit,
           shared_blks_read::float8 as shared_blks_read,
           temp_blks_written::float8 as temp_blks_written,
           wal_bytes::float8 as wal_bytes
      from pg_stat_statements
     where userid = '{ROLE}'::regrole
"""

Counters = Mapping[str, float]


async def measured(application: Application, seed: int = 2) -> Sequence[Counters]:
    """Call the statement while all is well; give what the server counted, once for each hour."""
    dice = Random(seed)
    async with _session(application.dsn(ROLE)) as caller, _session(application.server.dsn(DATABASE)) as watcher:
        return [await _hour(caller, watcher, dice) for _ in range(HOURS)]


async def _hour(caller: asyncpg.Connection, watcher: asyncpg.Connection, dice: Random) -> Counters:
    """Nobody else is at work yet, so that all that is counted of the role are these calls."""
    await watcher.execute("select pg_stat_statements_reset()")
    for _ in range(CALLS):
        await caller.fetchrow(INVITATION, invitation_code(dice))
    return dict(await watcher.fetchrow(COUNTED))


async def back_date(config: Config, hours: Sequence[Counters]) -> None:
    """Enter them into the store as the hours before the present one."""
    (server,) = config.servers
    kept, present = config.catalog.probes[PROBE].history, hour_of(datetime.now(UTC))
    columns = kept.columns if kept else ()
    key: Key = (DATABASE, fingerprint(INVITATION))
    store = await Store.open(config.store_url.reveal())
    try:
        stored = StoredHours(store)
        for ago, counters in enumerate(hours, 1):
            await stored.write(server.name, PROBE, present - ago, {key: [counters[column] for column in columns]})
    finally:
        await store.close()


@asynccontextmanager
async def _session(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    session = await asyncpg.connect(dsn, timeout=10, command_timeout=30)
    try:
        yield session
    finally:
        await session.close()
