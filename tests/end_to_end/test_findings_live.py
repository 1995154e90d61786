"""A finding's whole life: told to Slack once, kept over restarts and crashes, mended by its own SQL, told as over."""

import asyncio
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.database import Database
from tests.faults.harness import Daemon, daemon
from tests.patience import PATIENCE

RULE = "index.missing_foreign_key"
SICK = """
    create table public.parent (id int primary key);
    create table public.child (id int primary key, parent_id int references public.parent);
    insert into public.parent select generate_series(1, 3000);
    insert into public.child select g, g from generate_series(1, 3000) g;
    analyze
"""


class Channel:
    """A Slack channel on the loopback: keeps what is posted, and can be told to refuse."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/hook")
        self.posts: list[str] = []
        self.refusals = 0
        server.expect_request("/hook", method="POST").respond_with_handler(self._take)

    def _take(self, request: Request) -> Response:
        if self.refusals:
            self.refusals -= 1
            return Response("overloaded", status=503)
        self.posts.append(json.dumps(request.get_json()))
        return Response("ok")

    def about(self, word: str) -> list[str]:
        return [post for post in self.posts if word in post]


def settings(channel: Channel) -> dict[str, object]:
    return {
        "probes": {"indexes": {"every": "1s"}},
        "receivers": {"ops": {"slack": {"webhook": channel.url}}},
        "route": {"receiver": "ops", "group_wait": 0, "group_interval": 1},
    }


async def until(holds: Callable[[], bool], running: Daemon, seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds * PATIENCE
    while not holds():
        assert time.monotonic() < end, running.tail()
        await asyncio.sleep(0.05)


async def test_a_finding_is_told_once_and_its_end_once(
    database: Database, httpserver: HTTPServer, tmp_path: Path
) -> None:
    """Over a clean restart and a kill -9; and the SQL in the message mends it."""
    channel = Channel(httpserver)
    await database.execute(SICK)
    async with daemon(tmp_path, {"shop": database.dsn}, settings(channel)) as running:
        await until(lambda: bool(channel.about(RULE)), running)
        (told,) = channel.about(RULE)
        assert "create index concurrently if not exists" in told
        finding = await running.fires(RULE)
        assert finding["fingerprint"] in told

        assert await running.stop() == 0
        await running.start()
        await running.up()
        await running.fires(RULE)
        running.running.kill()
        await running.running.wait()
        await running.start()
        await running.up()
        again = await running.fires(RULE)
        await asyncio.sleep(3)  # two rounds of the probe
        assert again["starts_at"] == finding["starts_at"]
        assert len(channel.about(RULE)) == 1

        for statement in finding["remedy"]["sql"]:
            await database.execute(statement)
        await until(lambda: len(channel.about(RULE)) == 2, running)
        assert "FIXED" in channel.about(RULE)[1]
        await asyncio.sleep(2)
        assert len(channel.about(RULE)) == 2


async def test_a_receiver_that_is_down_hears_it_later(
    database: Database, httpserver: HTTPServer, tmp_path: Path
) -> None:
    """What could not be delivered before a restart is delivered after it, and the failure is counted."""
    channel = Channel(httpserver)
    channel.refusals = 1000
    await database.execute(SICK)
    async with daemon(tmp_path, {"shop": database.dsn}, settings(channel)) as running:
        await running.up()
        await running.fires(RULE)
        await running.until(
            10,
            "a failed delivery is counted",
            lambda seen: any(
                name == "pgarchitect_notifications_total" and value > 0 for (name, _), value in seen.items()
            ),
        )
        assert await running.stop() == 0
        assert channel.posts == []
        channel.refusals = 0
        await running.start()
        await until(lambda: bool(channel.about(RULE)), running)


async def test_a_reload_reaches_the_manual_pages(database: Database, tmp_path: Path) -> None:
    """The page of a rule shows the thresholds it judges by, not those of the start."""
    async with daemon(tmp_path, {"shop": database.dsn}) as running:
        await running.up()
        assert "0.4321" not in await running.get("/rules/pool.saturation")
        running.config["rules"]["pool.saturation"] = {"warning_ratio": 0.4321}
        running.reload()
        end = time.monotonic() + 10
        while "0.4321" not in await running.get("/rules/pool.saturation"):
            assert time.monotonic() < end, running.tail()
            await asyncio.sleep(0.2)


def reloaded(running: Daemon, before: int) -> bool:
    """Tell whether it was reloaded more often than that."""
    return running.log.count('"reloaded"') > before


async def test_a_reload_chooses_another_planner(database: Database, tmp_path: Path) -> None:
    """Once for each change of it: where nothing about planning changed, the one there is goes on."""
    async with daemon(tmp_path, {"shop": database.dsn}) as running:
        await running.up()
        for reloads, (source, changes) in enumerate((("auto", 0), ("arithmetic", 1), ("arithmetic", 1), ("auto", 2))):
            running.config["planner"] = {"source": source}
            running.reload()
            await until(partial(reloaded, running, reloads), running)
            assert running.log.count("plans are asked of another planner") == changes
