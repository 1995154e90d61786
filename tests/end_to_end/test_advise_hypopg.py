"""hypopg on the watched server instead of a shadow: the same advice, by `monitor advise`, snapshot and daemon."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.database import SETTINGS, Cluster, Database
from tests.debian import hypopg_server
from tests.end_to_end.command import monitor
from tests.end_to_end.test_advise import WORLD, missing, traffic
from tests.faults.harness import Samples, daemon, series
from tests.patience import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONFIG = """
targets: [{name: shop, dsn: !env SHOP, databases: {include: [%s]}}]
planner: {source: %s}
"""
SQL = "select pid, query from pg_stat_activity where application_name = 'pgarchitect' and query ~ 'hypopg|explain'"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop() -> AsyncIterator[Database]:
    """A shop at work whose server has hypopg."""
    async with hypopg_server(SETTINGS) as server:
        cluster = Cluster(major=15, server=server)
        await cluster.run("postgres", "create database template_tests is_template true")
        async with cluster.fresh() as database:
            await database.execute("create extension pg_stat_statements; create extension hypopg")
            await database.execute(WORLD)
            await database.execute("select pg_stat_statements_reset()")
            await traffic(database)
            yield database


async def seeing(database: Database) -> Database:
    """Give the monitor's role what planning on the server needs beside `monitor grants`."""
    role = await database.as_monitor()
    await database.execute(f"grant pg_read_all_data to {role.user}")
    return role


async def reported(database: Database, folder: Path, command: str, source: str) -> dict[str, Any]:
    """Give a command's report, with plans from one source."""
    config = folder / f"{source}.yaml"
    config.write_text(CONFIG % (database.name, source), encoding="utf-8")
    words = (command, "--config", str(config), "--window", "0", "--format", "json")
    done = await monitor(*words, env={"SHOP": database.dsn})
    assert done.err == ""
    report: dict[str, Any] = json.loads(done.out)
    return report


def told(report: dict[str, Any]) -> str:
    """Give why index.missing was not evaluated."""
    (entry,) = [each for each in report["not_evaluated"] if each["rule"] == "index.missing"]
    return f"{entry['needs']}: {entry['reason']}"


@pytest.mark.parametrize("command", ["advise", "snapshot"])
async def test_the_same_index_is_proposed_by_both(shop: Database, tmp_path: Path, command: str) -> None:
    """The verdict names who planned; nothing is left on the server."""
    role = await seeing(shop)
    (ours,) = missing(await reported(role, tmp_path, command, "shadow"))
    (theirs,) = missing(await reported(role, tmp_path, command, "hypopg"))
    assert (ours["evidence"]["method"], theirs["evidence"]["method"]) == ("shadow", "hypopg")
    assert (ours["subject"], ours["remedy"]) == (theirs["subject"], theirs["remedy"])
    assert "planned by the server itself (PostgreSQL 15." in theirs["evidence"]["planner"]
    assert await shop.fetch(SQL) == []


async def test_without_hypopg_it_is_said_and_nothing_is_called_well(shop: Database, tmp_path: Path) -> None:
    """Who asked for it by name gets no other's answer."""
    role = await seeing(shop)
    await shop.execute("drop extension hypopg")
    report = await reported(role, tmp_path, "advise", "hypopg")
    await shop.execute("create extension hypopg")
    assert told(report).startswith("extension: hypopg: it is not installed")
    assert report["verdict"] != "approved"


@asynccontextmanager
async def busily(database: Database) -> AsyncIterator[None]:
    """Somebody asks for orders of a customer all the time."""
    over = asyncio.Event()

    async def ask() -> None:
        while not over.is_set():
            await traffic(database)
            await asyncio.sleep(0.2)

    task = asyncio.create_task(ask())
    try:
        yield
    finally:
        over.set()
        await task


def _of(samples: Samples, state: str) -> list[float]:
    found = series(samples, "pgarchitect_findings", rule="index.missing", state=state)
    return [*found.values()]


async def test_the_daemon_lends_a_session_and_tells_what_two_rounds_say(shop: Database, tmp_path: Path) -> None:
    """Pending after the first round, firing after the next; planned by hypopg, and given back."""
    role = await seeing(shop)
    rules = {"index.missing": {"every": "4s", "hold": "3s", "least_ms_per_day": 0}}
    settings = {
        "planner": {"source": "hypopg"},
        "probes": {"shape": {"every": "2s"}, "statements": {"every": "2s"}},
        "rules": rules,
    }
    async with busily(shop), daemon(tmp_path, {"shop": role.dsn}, settings) as running:
        await running.until(15, "pending", lambda seen: sum(_of(seen, "pending")) == 1)
        finding = await running.fires("index.missing", 15 * PATIENCE)
    assert finding["evidence"]["method"] == "hypopg"
