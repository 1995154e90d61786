"""No secret of a configuration is shown anywhere: a daemon full of canaries, all of whose receivers and logins fail."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.database import Database
from tests.end_to_end.hooks import TABLE, settings, until
from tests.faults.harness import Daemon, daemon

TOKEN = "canary-of-the-door"
SECRET = re.compile(r"canary", re.IGNORECASE)
PAGES = (
    *("/", "/metrics", "/healthz", "/readyz", "/migrations", "/rules", "/findings", "/statements", "/targets"),
    *("/targets/shop", "/targets/locked", "/pools", "/tables", "/tables/indexes", "/auth", "/audit", "/dead-letters"),
    *("/api/v1/status", "/api/v1/findings", "/api/v1/targets", "/api/v1/statements", "/api/v1/pools"),
    *("/api/v1/silences", "/api/v1/audit", "/api/v1/dead-letters"),
)


def gossip(request: Request) -> Response:
    """Refuse in the way that the path begins with, and repeat all that was sent."""
    status = int(request.path.split("/")[1])
    said = f"{request.url} {request.headers} {request.get_data(as_text=True)}"
    return Response(said, status=status, headers={"Location": request.url} if status == 302 else {})


@pytest.fixture
def gossips() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        server.expect_request(re.compile(".*")).respond_with_handler(gossip)
        yield server


def receivers(server: HTTPServer) -> dict[str, Any]:
    """One of each kind, and each a way to fail; every secret part of an address is a canary."""
    place = f"127.0.0.1:{server.port}"
    return {
        "hook": {"webhook": {"url": f"http://{place}/500/canary-path?key=canary-key", "secret": "canary-signature"}},
        "moved": {"webhook": {"url": f"http://{place}/302/canary-moved"}},
        "tls": {"webhook": {"url": f"https://{place}/400/canary-tls"}},
        "slack": {"slack": {"webhook": f"http://{place}/404/services/canary-slack"}},
        "am": {"alertmanager": {"urls": [f"http://anna:canary-basic@{place}/401"]}},
        "chat": {"apprise": {"urls": [f"json://anna:canary-chat@{place}/400/canary-chat-path"]}},
    }


async def all_fail(running: Daemon, names: set[str]) -> None:
    """Wait until each was tried."""
    await until(lambda: all(f'"receiver": "{name}"' in running.log for name in names), running, 30)


async def shown(running: Daemon) -> dict[str, str]:
    """Give all pages, lists and metrics, and each finding's page."""
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(running.url, headers=bearer) as http:

        async def read(path: str) -> str:
            async with http.get(path) as answer:
                assert answer.status == 200, path
                return await answer.text()

        found = {path: await read(path) for path in PAGES}
        prints = set(re.findall(r'"fingerprint": ?"(\w+)"', found["/api/v1/findings"]))
        assert prints
        return found | {each: await read(each) for name in prints for each in (f"/findings/{name}",)}


async def test_no_secret_is_shown_anywhere(database: Database, gossips: HTTPServer, tmp_path: Path) -> None:
    """Neither in the log, nor on a page, in a list or metric; also after a reload that is refused."""
    await database.execute(TABLE)
    await database.execute("insert into public.sick values ('shelf', 2)")
    locked = re.sub(r"://[^@]*@", "://nobody:canary-password@", database.dsn)
    told = receivers(gossips)
    config = settings(
        tmp_path,
        database,
        receivers=told,
        route={
            "receiver": "hook",
            "group_wait": 0,
            "routes": [{"receiver": name, "continue": True} for name in told],
        },
        web={"tokens": [TOKEN]},
        log={"level": "debug"},
    )
    config["targets"].append({"name": "locked", "dsn": locked})
    async with daemon(tmp_path, {"shop": database.dsn}, config) as running:
        await running.watching()
        await all_fail(running, {*told})
        running.config["receivers"]["hook"] = {"webhook": {"url": "ftp://anna:canary-new@127.0.0.1/"}}
        running.reload()
        await until(lambda: "reload failed" in running.log, running)
        await asyncio.sleep(1)
        pages = await shown(running)
        assert [path for path, text in pages.items() if SECRET.search(text)] == []
        assert 'pgarchitect_up{target="locked"} 0' in pages["/metrics"]
        assert [name for name in told if f'receiver="{name}"' not in pages["/metrics"]] == []
    assert [line for line in running.log.splitlines() if SECRET.search(line)] == []
