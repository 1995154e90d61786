"""The locks probe on real servers: held and awaited locks by database and mode, in a bounded number of series."""

import asyncio

from monitor.measurement import Measurement
from probes.locks import MOST, OTHER, PROBE, Told
from tests.database import Database


def counts(seen: Measurement, database: str) -> dict[tuple[str, str], int]:
    return {
        (str(row["mode"]), str(row["granted"])): int(str(row["current"]))
        for row in seen.rows
        if row["database"] == database
    }


async def test_held_and_awaited_locks_are_counted_on_every_version(any_database: Database) -> None:
    """One session holds, another waits; nothing is left when both are through."""
    monitor = await any_database.as_monitor()
    await any_database.execute("create table t (i int)")
    holder, waiter = await any_database.connect(), await any_database.connect()
    async with monitor.eye(PROBE) as eye:
        await holder.execute("begin; lock table t in access exclusive mode")
        waiting = asyncio.create_task(waiter.execute("select * from t"))
        seen = await eye.look()
        while ("AccessShareLock", "false") not in counts(seen, any_database.name):
            await asyncio.sleep(0.05)
            seen = await eye.look()
        assert counts(seen, any_database.name)["AccessExclusiveLock", "true"] == 1
        assert counts(seen, any_database.name)["AccessShareLock", "false"] == 1
        await holder.execute("commit")
        await waiting
        assert ("AccessExclusiveLock", "true") not in counts(await eye.look(), any_database.name)


def test_databases_beyond_the_bound_are_one() -> None:
    """Who was first keeps its name; room is made by those that hold no locks any more."""
    told, many = Told(), [f"d{place}" for place in range(MOST + 5)]
    names = told.among(["", *many])
    assert [name for name, each in names.items() if each == OTHER] == many[MOST - 1 :]
    assert told.among(["", *many]) == names
    later = told.among(["", many[0], many[-1]])
    assert later == {"": "", many[0]: many[0], many[-1]: many[-1]}
