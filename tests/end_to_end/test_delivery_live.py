"""A finding's way to people, on a real server: within a second, held back by silence and ack, past dead receivers."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.database import Database
from tests.end_to_end.hooks import TABLE, Hook, hook, settings, shown, until
from tests.faults.harness import Daemon, daemon

TOKEN = "c4n4ry-t0ken-of-anna"
WEB = {"tokens": [TOKEN]}


@pytest.fixture
def ops() -> Iterator[Hook]:
    """Who hears of what is critical."""
    with hook() as made:
        yield made


@pytest.fixture
def everyone() -> Iterator[Hook]:
    """Who hears of everything."""
    with hook() as made:
        yield made


def routed(ops: Hook, everyone: Hook, **changed: object) -> dict[str, Any]:
    """Critical ones go to ops, and by `continue` to all; each finding is a group of its own."""
    times = {"group_wait": 0, "group_interval": 0.5, "repeat_interval": "1h", **changed}
    routes = [{"receiver": "ops", "matchers": ['severity="critical"'], "continue": True}, {"receiver": "all"}]
    quick = {"messages": 1000, "per": "1s"}
    return {
        "receivers": {
            "ops": {"webhook": {"url": ops.url}, "rate_limit": quick},
            "all": {"webhook": {"url": everyone.url}, "rate_limit": quick},
        },
        "route": {"receiver": "all", "group_by": ["subject"], "routes": routes, **times},
    }


async def sick(database: Database, item: str, level: int = 1) -> None:
    await database.execute(
        "insert into public.sick values ($1, $2) on conflict (item) do update set level = $2", item, level
    )


async def ask(running: Daemon, method: str, path: str, body: Any = None, token: str = TOKEN) -> tuple[int, Any]:
    """Ask the API with a token."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.request(method, running.url + path, json=body) as answer,
    ):
        return answer.status, await answer.json()


async def fingerprint(running: Daemon, item: str) -> str:
    _, document = await ask(running, "GET", "/api/v1/findings?rule=sick.item")
    return next(str(each["fingerprint"]) for each in document["findings"] if each["subject"] == item)


async def test_a_breach_is_on_the_wire_within_a_second(
    database: Database, ops: Hook, everyone: Hook, tmp_path: Path
) -> None:
    """Counted from the measurement; the critical ones reach both receivers, the others one; ends likewise."""
    await database.execute(TABLE)
    async with daemon(
        tmp_path, {"shop": database.dsn}, settings(tmp_path, database, **routed(ops, everyone))
    ) as running:
        await running.up()
        await asyncio.sleep(1)
        await sick(database, "mild")
        await sick(database, "grave", 2)
        await until(lambda: everyone.said("mild") and everyone.said("grave") and ops.said("grave"), running)
        assert (everyone.said("mild"), everyone.said("grave")) == (["firing warning"], ["firing critical"])
        assert (ops.said("mild"), ops.said("grave")) == ([], ["firing critical"])
        for told in (ops, everyone):
            for message, arrived in zip(told.messages, told.arrived, strict=True):
                seen = min(datetime.fromisoformat(alert["starts_at"]) for alert in message["alerts"])
                assert arrived - seen <= timedelta(seconds=1)
        await sick(database, "mild", 2)
        await until(lambda: ops.said("mild"), running)
        await database.execute("truncate public.sick")
        await until(lambda: "resolved critical" in [*ops.said("mild")] and len(everyone.said("grave")) == 2, running)
        assert ops.said("mild") == ["firing critical", "resolved critical"]
        assert everyone.alerts[-1]["ended_by"] == "not seen any more"


async def test_a_silence_holds_back_until_it_ends(
    database: Database, ops: Hook, everyone: Hook, tmp_path: Path
) -> None:
    """What is silenced by the API is not told; when the silence ends it is; both stand in the audit log with who."""
    await database.execute(TABLE)
    config = settings(tmp_path, database, web=WEB, **routed(ops, everyone))
    async with daemon(tmp_path, {"shop": database.dsn}, config) as running:
        await ready(running)
        wish = {"matchers": ['subject="quiet"'], "duration": "1h", "comment": "we know"}
        assert (await ask(running, "POST", "/api/v1/silences", wish, token=""))[0] == 401
        assert (await ask(running, "POST", "/api/v1/silences", wish, token="wrong"))[0] == 401
        status, silence = await ask(running, "POST", "/api/v1/silences", wish)
        assert status == 201
        await sick(database, "quiet")
        await sick(database, "loud")
        await until(lambda: everyone.said("loud"), running)
        await asyncio.sleep(1.5)
        assert everyone.said("quiet") == []
        assert (await ask(running, "DELETE", f"/api/v1/silences/{silence['id']}"))[0] == 200
        await until(lambda: everyone.said("quiet"), running, 3)
        assert everyone.said("loud") == ["firing warning"]
        await until(lambda: audited(tmp_path) == [("token 1", "silence"), ("token 1", "unsilence")], running, 3)
        assert TOKEN not in running.log


async def ready(running: Daemon) -> None:
    """Wait until it asks; with tokens, its metrics are closed."""
    await until(lambda: "target up" in running.log, running)


def audited(folder: Path) -> list[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(f"file:{folder / 'state.db'}?mode=ro", uri=True)) as store:
        return [(who, action) for who, action in store.execute("select who, action from audit order by id")]


async def test_an_ack_stops_repeats(database: Database, ops: Hook, everyone: Hook, tmp_path: Path) -> None:
    """Until it grows worse, which is told at once."""
    await database.execute(TABLE)
    config = settings(tmp_path, database, web=WEB, **routed(ops, everyone, repeat_interval=1))
    async with daemon(tmp_path, {"shop": database.dsn}, config) as running:
        await ready(running)
        await sick(database, "old")
        await until(lambda: len(everyone.said("old", news=False)) >= 3, running)
        path = f"/api/v1/findings/{await fingerprint(running, 'old')}/ack"
        assert (await ask(running, "POST", path, {"comment": "on it"}))[0] == 200
        await asyncio.sleep(0.5)
        repeats = len(everyone.said("old", news=False))
        await asyncio.sleep(2.5)
        assert len(everyone.said("old", news=False)) == repeats
        await sick(database, "old", 2)
        await until(lambda: everyone.said("old") == ["firing warning", "firing critical"], running)
        await until(lambda: audited(tmp_path) == [("token 1", "ack")], running, 3)


@pytest.mark.parametrize("mood", ["busy", "deaf"])
async def test_one_dead_receiver_delays_nobody(
    database: Database, ops: Hook, everyone: Hook, tmp_path: Path, mood: Any
) -> None:
    """It refuses, or hangs: the other hears all at once; when it is back it hears each thing once."""
    await database.execute(TABLE)
    async with daemon(
        tmp_path, {"shop": database.dsn}, settings(tmp_path, database, **routed(ops, everyone))
    ) as running:
        await running.up()
        ops.mood = mood
        items = ["one", "two", "three"]
        for item in items:
            await sick(database, item, 2)
            await until(partial(everyone.said, item), running, 3)
        await until(lambda: ops.refused, running)
        ops.mood = "well"
        ops.released.set()
        await until(lambda: all(ops.said(item) for item in items), running, 20)
        await asyncio.sleep(1)
        for told in (ops, everyone):
            assert [told.said(item) for item in items] == [["firing critical"]] * 3


async def test_a_reload_moves_what_was_told(database: Database, ops: Hook, everyone: Hook, tmp_path: Path) -> None:
    """A receiver that is configured no more hears nothing more; the other neither repeats nor misses anything."""
    await database.execute(TABLE)
    async with daemon(
        tmp_path, {"shop": database.dsn}, settings(tmp_path, database, **routed(ops, everyone))
    ) as running:
        await running.up()
        await sick(database, "before", 2)
        await until(lambda: ops.said("before") and everyone.said("before"), running)
        running.config["receivers"].pop("ops")
        running.config["route"]["routes"].pop(0)
        running.reload()
        await until(lambda: '"reloaded"' in running.log, running)
        await sick(database, "after", 2)
        await until(lambda: everyone.said("after"), running)
        await database.execute("truncate public.sick")
        await until(lambda: len(everyone.said("after")) == len(everyone.said("before")) == 2, running)
        assert everyone.said("before") == ["firing critical", "resolved critical"]
        assert ops.said("before") == ["firing critical"]
        assert ops.said("after") == []


@pytest.mark.soak
async def test_who_is_down_is_told_of_alone(database: Database, ops: Hook, everyone: Hook, tmp_path: Path) -> None:
    """What else is said of it is held back until it is back; then a chat hears how long it was away."""
    await database.execute(TABLE)
    monitor = await database.as_monitor()
    await database.execute(f"grant select on public.sick to {monitor.user}")
    config = settings(tmp_path, monitor, **routed(ops, everyone, repeat_interval=1))
    with hook() as chat:
        told = {"chat": {"slack": {"webhook": chat.url}}, **config["receivers"]}
        root = {**config["route"], "receiver": "chat"}
        root["routes"][-1]["continue"] = True
        root["routes"].append({"receiver": "chat", "matchers": ['rule="target.unreachable"']})
        async with daemon(tmp_path, {"shop": monitor.dsn}, {**config, "receivers": told, "route": root}) as running:
            await running.up()
            await sick(database, "stays")
            await until(lambda: everyone.said("stays"), running)
            await database.execute(f"alter role {monitor.user} nologin")
            await database.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1", monitor.user
            )
            await until(lambda: everyone.said("shop"), running)
            await asyncio.sleep(0.5)
            repeats = len(everyone.said("stays", news=False))
            await asyncio.sleep(2.5)
            assert len(everyone.said("stays", news=False)) == repeats
            await database.execute(f"alter role {monitor.user} login")
            await until(lambda: len(everyone.said("shop")) == 2, running, 20)
            await until(lambda: "was away for" in shown(chat.messages), running)
            await until(lambda: len(everyone.said("stays", news=False)) > repeats, running)
            assert everyone.said("stays") == ["firing warning"]
