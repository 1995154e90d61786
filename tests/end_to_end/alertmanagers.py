"""Runs real Alertmanagers, alone and in a cluster of two, with a webhook that keeps whom they notify of what."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pytest_httpserver import HTTPServer

from monitor.embedded import free_port
from tests.conftest import absent

CONFIG = """
route:
  receiver: hook
  group_by: [target, rule]
  group_wait: {wait}
  group_interval: {interval}
  repeat_interval: 1h
  routes: [{{matchers: ['rule="a.flood"'], receiver: nobody}}]
receivers:
  - name: nobody
  - name: hook
    webhook_configs: [{{url: "{hook}", send_resolved: true}}]
"""
PATIENCE = 20.0
ALONE, PAIRED = ("200ms", "1s"), ("2500ms", "5s")
"""How long a group waits, and how often it is looked at. In a cluster that is more than PEER_TIMEOUT: the second one
tells what it saw before it waited, and so would tell anew what was over meanwhile.
"""
PEER_TIMEOUT = 2
"""Seconds the second of a cluster waits for the first to have told."""
SETTLED = 5 + PEER_TIMEOUT + 1.0
"""Seconds after which the second would have told, had the first not."""
T = TypeVar("T")


@dataclass(frozen=True)
class Peer:
    """A running Alertmanager, below a path as behind a proxy."""

    port: int
    cluster: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/behind/proxy"

    async def ask(self, path: str, body: Any = None) -> Any:
        """Ask its API, or post to it."""
        url = f"{self.url}/api/v2/{path}"
        async with aiohttp.ClientSession() as http, http.request("POST" if body else "GET", url, json=body) as answer:
            return json.loads(await answer.text())

    async def shown(self) -> dict[tuple[str, str], str]:
        """Give the state of each alert that it takes for standing, by subject and severity."""
        return {
            (alert["labels"]["subject"], alert["labels"]["severity"]): alert["status"]["state"]
            for alert in await self.ask("alerts")
        }

    async def active(self) -> int:
        """Count the alerts that stand."""
        return int(await self.value("alertmanager_alerts", state="active"))

    async def value(self, name: str, **wanted: str) -> float:
        """Give the sum of a metric."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.url}/metrics") as answer:
            families = list(text_string_to_metric_families(await answer.text()))
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if wanted.items() <= sample.labels.items())


@asynccontextmanager
async def alertmanager(
    folder: Path, hook: str, *ways: str, peer: Peer | None = None, times: tuple[str, str] = ALONE
) -> AsyncIterator[Peer]:
    """Run Debian's Alertmanager until it is ready."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        absent("prometheus-alertmanager is not installed")
    peer = peer or Peer(free_port())
    folder.mkdir(exist_ok=True)
    (folder / "alertmanager.yml").write_text(CONFIG.format(hook=hook, wait=times[0], interval=times[1]))
    told = (
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{peer.port}",
        f"--web.external-url={peer.url}",
        f"--cluster.listen-address={f'127.0.0.1:{peer.cluster}' if peer.cluster else ''}",
    )
    with (folder / "log").open("wb") as talk:
        process = await asyncio.create_subprocess_exec(program, *told, *ways, stdout=talk, stderr=talk)
    try:
        await soon(lambda: ready(peer))
        yield peer
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), PATIENCE)


async def ready(peer: Peer) -> bool:
    try:
        return bool((await peer.ask("status"))["cluster"]["status"] in {"ready", "disabled"})
    except (aiohttp.ClientError, json.JSONDecodeError):  # it is starting
        return False


async def soon(look: Callable[[], Awaitable[T]], wanted: T | None = None) -> None:
    """Wait until a look shows what is wanted, or something true."""
    seen: T | None = None
    try:
        async with asyncio.timeout(PATIENCE):
            while not (seen if wanted is None else seen == wanted):
                await asyncio.sleep(0.05)
                seen = await look()
    except TimeoutError:
        pytest.fail(f"saw {seen!r} rather than {wanted!r}")


class Hook:
    """The webhook Alertmanager notifies."""

    def __init__(self, server: HTTPServer) -> None:
        self._server = server
        self.url = server.url_for("/hook")
        server.expect_request("/hook").respond_with_data("")

    @property
    def messages(self) -> list[Any]:
        """The notifications that have come, in order."""
        return [json.loads(request.data) for request, _ in self._server.log]

    def said(self) -> list[list[str]]:
        """What each notification said: `subject severity status`."""
        return [
            sorted(f"{one['labels']['subject']} {one['labels']['severity']} {one['status']}" for one in each["alerts"])
            for each in self.messages
        ]

    async def heard(self) -> list[list[str]]:
        return self.said()


@asynccontextmanager
async def pair(folder: Path, hook: str) -> AsyncIterator[Sequence[Peer]]:
    """Two Alertmanagers that gossip."""
    peers = [Peer(free_port(), free_port()) for _ in range(2)]
    async with AsyncExitStack() as stack:
        for number, peer in enumerate(peers):
            ways = [f"--cluster.peer=127.0.0.1:{other.cluster}" for other in peers[:number]]
            quick = ("--cluster.gossip-interval=50ms", f"--cluster.peer-timeout={PEER_TIMEOUT}s")
            await stack.enter_async_context(
                alertmanager(folder / f"peer {number}", hook, *ways, *quick, peer=peer, times=PAIRED)
            )
        await soon(lambda: together(peers))
        yield peers


async def together(peers: Sequence[Peer]) -> bool:
    return all([len((await peer.ask("status"))["cluster"]["peers"]) == len(peers) for peer in peers])
