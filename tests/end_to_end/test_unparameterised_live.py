"""The daemon on a server where values stand in texts: told at once, and no constant in anything it says or writes."""

import asyncio
import json
import time
from contextlib import suppress
from pathlib import Path

import asyncpg

from tests.database import Database
from tests.faults.harness import Daemon, daemon
from tests.patience import PATIENCE
from tests.probes.test_activity import application

RULE, SECRET = "statements.unparameterised", "statements.secret_in_text"
CANARY = "correct-horse-battery"
SETTINGS = {
    "probes": {"activity": {"every": "1s"}, "statement_secrets": {"every": "1s"}},
    "rules": {RULE: {"every": "1s"}},
    "log": {"level": "debug"},
}


async def test_grades_are_told_and_no_constant_leaves_the_server(database: Database, tmp_path: Path) -> None:
    """Findings, JSON, metrics, page, log and store are searched for the values of the statements."""
    app = await application(database)
    await database.execute(f"create table rooms (id int, name text); grant select on rooms to {app.user}")
    monitor = await database.as_monitor()
    session = await app.connect(application_name="shop")
    async with daemon(tmp_path, {"shop": monitor.dsn}, SETTINGS) as running:
        await running.up()
        await database.execute(f"do $$ begin perform 'create role x password ''{CANARY}'''; end $$")
        end = time.monotonic() + 30 * PATIENCE  # what is sampled is a matter of luck
        while not await told(running) and time.monotonic() < end:
            for turn in range(3):
                await session.execute(f"select id from rooms where name = '{CANARY}-{time.monotonic_ns()}'")
                await asyncio.sleep(0.4 + turn / 10)
            with suppress(asyncpg.PostgresError):
                await session.execute(f"select id from rooms where name = '{CANARY}' or '1'='1'")
            await asyncio.sleep(1.2)
        assert await told(running), running.tail()
        paths = ("/", "/metrics", "/statements", "/api/v1/findings", "/api/v1/statements")
        pages = [await running.get(path) for path in paths]
        pages += [await running.get(f"/findings/{each['fingerprint']}") for each in await running.findings()]
        assert await running.stop() == 0
    assert RULE in json.dumps(pages)
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"unparameterised" in kept
    assert CANARY.encode() not in kept
    assert CANARY not in running.log
    assert CANARY not in "".join(pages)


async def told(running: Daemon) -> bool:
    """Tell whether an attack, a proof and the password fire."""
    severities = {each["severity"] for each in await running.firing(RULE)}
    return {"critical", "warning"} <= severities and bool(await running.firing(SECRET))
