"""`monitor snapshot` samples sessions through its whole window, on the session it has; one look says it cannot."""

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import asyncpg

from tests.database import Database
from tests.end_to_end.command import monitor
from tests.probes.test_activity import application

RULE = "statements.unparameterised"


async def report(database: Database, window: str) -> Mapping[str, Any]:
    words = ("--dsn", "env:SHOP", "--format", "json", "--rule", RULE, "--window", window)
    done = await monitor("snapshot", *words, env={"SHOP": database.dsn})
    assert done.status == 0, done.err
    return dict(json.loads(done.out))


async def traffic(session: asyncpg.Connection, most: list[int], eye: asyncpg.Connection) -> None:
    """Format values into texts, and count the monitor's sessions."""
    ours = (
        "select count(*) from pg_stat_activity where application_name = 'pgarchitect' and datname = current_database()"
    )
    while True:
        await session.execute(f"select id from rooms where name = 'guest-{time.monotonic_ns()}'")
        most.append(await eye.fetchval(ours))
        await asyncio.sleep(0.05)


async def test_values_in_texts_are_proved_within_one_window(database: Database) -> None:
    """More than ten samples, with no session more; the same server in one look: not evaluated, and why."""
    app, watched = await application(database), await database.as_monitor()
    await database.execute(f"create table rooms (id int, name text); grant select on rooms to {app.user}")
    most: list[int] = []
    session, eye = await app.connect(application_name="shop"), await database.connect()
    load = asyncio.create_task(traffic(session, most, eye))
    found = await report(watched, "6")
    load.cancel()
    with suppress(asyncio.CancelledError):
        await load
    (finding,) = [each for each in found["findings"] if each["rule"] == RULE]
    assert (finding["severity"], finding["evidence"]["grade"]) == ("warning", "proved")
    assert finding["evidence"]["samples"] >= 10
    assert [each for each in found["not_evaluated"] if "sampled" in each["reason"]] == []
    assert max(most) <= 2
    once = await report(watched, "0")
    (unsaid,) = [each for each in once["not_evaluated"] if each["rule"] == RULE]
    assert (unsaid["needs"], "sampled 1 time only" in unsaid["reason"]) == ("history", True)
