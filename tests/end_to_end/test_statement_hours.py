"""A daemon keeps what statements did hour by hour, over a restart, and gives it by its API."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from monitor.history.earlier import hour_of
from monitor.history.past import Key
from monitor.store.engine import Store
from monitor.store.hours import StoredHours
from tests.database import Database
from tests.faults.harness import Daemon, daemon, series
from tests.patience import PATIENCE

QUICK = {"probes": {"statements": {"every": "1s"}}}
CALLS = "pgarchitect_statements_calls_total"
MARK = "kept_by_the_hour"


async def call(database: Database, times: int) -> None:
    session = await database.connect()
    for _ in range(times):
        await session.fetch(f"select count(*) as {MARK} from pg_class where relname = $1", "x")
    await session.close()


async def ours(watched: Daemon, hours: int = 0) -> dict[str, Any] | None:
    """Give our statement as the API has it; None while it is not among them."""
    asked = f"?hours={hours}&per_page=100" if hours else ""
    document = json.loads(await watched.get(f"/api/v1/statements{asked}"))
    found = [each for each in document["statements"] if MARK in each["text"] and each["target"] == "shop"]
    return found[0] if found else None


async def counted(watched: Daemon, database: Database) -> float:
    """Call until the statement has a series of its own; give what the series says when nothing is called any more."""
    label = ""
    while not series(await watched.samples(), CALLS, query=label):
        await call(database, 7)
        await asyncio.sleep(0.5)
        statement = await ours(watched)
        label = statement["statement"] if statement else ""
    await asyncio.sleep(3)
    return sum(series(await watched.samples(), CALLS, query=label).values())


async def kept(folder: Path, key: Key) -> float:
    """Give the calls the store holds."""
    store = await Store.look_into(f"sqlite:///{folder / 'state.db'}")
    present = hour_of(datetime.now(UTC))
    hours = await StoredHours(store).of("shop", "statements", [key], range(present - 2, present + 1))
    await store.close()
    return sum(figures[0] for _, figures in hours[key])


async def test_hours_add_up_over_a_restart(database: Database, tmp_path: Path) -> None:
    """What both runs counted is what is kept, in the store and in the API: nothing twice, and nothing lost."""
    monitor = await database.as_monitor()
    whole, statement = 0.0, None
    async with asyncio.timeout(60 * PATIENCE):
        for _ in range(2):
            async with daemon(tmp_path, {"shop": monitor.dsn}, QUICK) as watched:
                await watched.up()
                whole += await counted(watched, database)
                statement = await ours(watched, hours=2)
    assert statement is not None
    assert statement["database"] == database.name
    assert {"begins", "calls", "exec_seconds", "exec_squares", "wal_bytes"} <= statement["hours"][0].keys()
    assert 0 < sum(hour["calls"] for hour in statement["hours"]) <= whole
    assert await kept(tmp_path, (database.name, statement["statement"])) == whole
