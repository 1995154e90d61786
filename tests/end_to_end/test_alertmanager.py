"""A real Alertmanager, alone and in a cluster of two, takes our stream: what it shows, and whom it tells."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pytest_httpserver import HTTPServer

from monitor.embedded import free_port
from monitor.errors import DeliveryError
from monitor.model import Alert, Remedy, Severity, State
from monitor.notify.alertmanager import Alertmanager, annotations, labels
from monitor.notify.stream import Stream
from tests.alerts import firing
from tests.conftest import absent

pytestmark = pytest.mark.soak

CONFIG = """
route:
  receiver: hook
  group_by: [target, rule]
  group_wait: 200ms
  group_interval: 1s
  repeat_interval: 1h
  routes: [{{matchers: ['rule="a.flood"'], receiver: nobody}}]
receivers:
  - name: nobody
  - name: hook
    webhook_configs: [{{url: "{hook}", send_resolved: true}}]
"""
PATIENCE = 20.0
PEER_TIMEOUT = 3
"""Seconds the second of a cluster waits for the first to have told."""
CRITICAL = Severity.CRITICAL
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
async def alertmanager(folder: Path, hook: str, *ways: str, peer: Peer | None = None) -> AsyncIterator[Peer]:
    """Run Debian's Alertmanager until it is ready."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        absent("prometheus-alertmanager is not installed")
    peer = peer or Peer(free_port())
    folder.mkdir(exist_ok=True)
    (folder / "alertmanager.yml").write_text(CONFIG.format(hook=hook))
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


@pytest.fixture
def hook() -> Iterator[Hook]:
    with HTTPServer(host="127.0.0.1") as server:
        yield Hook(server)


@pytest.fixture
async def one(tmp_path: Path, hook: Hook) -> AsyncIterator[Peer]:
    """One Alertmanager by itself."""
    async with alertmanager(tmp_path / "one", hook.url) as peer:
        yield peer


def stream(*peers: Peer, resend_seconds: float = 60) -> Stream:
    urls = tuple(peer.url for peer in peers)
    return Stream(
        Alertmanager(
            name="am", urls=urls, external_url="https://watch.example", runbook=lambda rule: f"Page of {rule}"
        ),
        resend_seconds,
    )


def now() -> datetime:
    return datetime.now(UTC)


def standing(subject: str, severity: Severity = Severity.WARNING, rule: str = "pool.saturation") -> Alert:
    """An alert that has fired a minute ago."""
    began = now() - timedelta(minutes=1)
    return replace(firing(subject, severity, rule=rule), starts_at=began, fired_at=began, labels={"env": "prod"})


def over(alert: Alert) -> Alert:
    return replace(alert, state=State.RESOLVED, ends_at=now())


async def test_alerts_arrive_whole_and_are_grouped(one: Peer, hook: Hook) -> None:
    """Two of a rule come in one notification, with every label and annotation, and the link back to our page."""
    told = [standing("a"), standing("b"), standing("c", rule="pool.idle_in_transaction")]
    await stream(one).take(told, now())
    both, alone = ["a warning firing", "b warning firing"], ["c warning firing"]

    async def groups() -> list[list[str]]:
        return sorted(hook.said())

    await soon(groups, [both, alone])
    for said in [alert for message in hook.messages for alert in message["alerts"]]:
        (alert,) = [each for each in told if each.finding.subject == said["labels"]["subject"]]
        assert said["labels"] == labels(alert)
        assert said["annotations"] == annotations(alert, f"Page of {alert.finding.rule}")
        assert said["generatorURL"] == f"https://watch.example/findings/{alert.finding.fingerprint}"
        assert abs(datetime.fromisoformat(said["startsAt"]) - (alert.fired_at or now())) < timedelta(milliseconds=2)


async def test_what_is_silenced_there_is_suppressed_and_not_told(one: Peer, hook: Hook) -> None:
    """By a matcher on one of our labels."""
    quiet, loud = standing("quiet"), standing("loud")
    silence = {
        "matchers": [{"name": "fingerprint", "value": quiet.finding.fingerprint, "isRegex": False}],
        "startsAt": now().isoformat(),
        "endsAt": (now() + timedelta(hours=1)).isoformat(),
        "createdBy": "anna",
        "comment": "planned",
    }
    await one.ask("silences", silence)
    await stream(one).take([quiet, loud], now())
    await soon(one.shown, {("quiet", "warning"): "suppressed", ("loud", "warning"): "active"})
    await soon(hook.heard, [["loud warning firing"]])


async def test_an_end_is_told(one: Peer, hook: Hook) -> None:
    to, alert = stream(one), standing("a")
    await to.take([alert], now())
    await soon(hook.heard, [["a warning firing"]])
    await to.take([over(alert)], now())
    await soon(hook.heard, [["a warning firing"], ["a warning resolved"]])
    assert await one.shown() == {}


async def test_a_change_of_severity_ends_the_old_and_starts_the_new(one: Peer, hook: Hook) -> None:
    """In one notification, and also when we were restarted in between."""
    before = stream(one)
    await before.take([standing("a")], now())
    await soon(hook.heard, [["a warning firing"]])
    receiver = Alertmanager(name="am", urls=(one.url,), runbook=str)
    await Stream(receiver, sent=before.sent()).take([standing("a", CRITICAL)], now())
    await soon(hook.heard, [["a warning firing"], ["a critical firing", "a warning resolved"]])
    assert await one.shown() == {("a", "critical"): "active"}


async def test_what_fires_is_told_anew_in_time_and_ends_when_we_die(one: Peer, hook: Hook) -> None:
    """Alertmanager ends by itself what it has not been told of for four resends; what is told anew goes on."""
    dying, living = stream(one, resend_seconds=0.5), stream(one, resend_seconds=0.5)
    await dying.take([standing("dead")], now())

    async def said() -> set[str]:
        await living.take([standing("alive")], now())
        return {alert for message in hook.said() for alert in message}

    await soon(said, {"dead warning firing", "alive warning firing", "dead warning resolved"})
    assert await one.shown() == {("alive", "warning"): "active"}


async def test_when_it_is_back_it_learns_how_things_stand(tmp_path: Path, hook: Hook) -> None:
    """What was raised while it was away arrives with the next call."""
    peer = Peer(free_port())
    to = stream(peer)
    with pytest.raises(DeliveryError):
        await to.take([standing("a"), standing("b")], now())
    async with alertmanager(tmp_path / "late", hook.url, peer=peer):
        await to.take([standing("a", CRITICAL), over(standing("b"))], now())
        await soon(hook.heard, [["a critical firing"]])


async def test_no_name_is_too_odd_for_it(one: Peer) -> None:
    """It refuses a whole post for one label it does not understand: none of ours may be that."""
    names = ['"; drop table x', "a\x00b\x1b[2J", "half \ud800", "\u202egnp", "x" * 100_000, "{{ .Labels }}", "\n"]
    odd = [replace(standing(name), labels={name: name, "": "x", "1-ü": "y"}) for name in names]
    sick = [
        replace(
            each,
            finding=replace(each.finding, summary=name, impact=name, evidence={name: name}, remedy=Remedy(sql=(name,))),
        )
        for each, name in zip(odd, names, strict=True)
    ]
    await stream(one).take(sick, now())
    await soon(one.active, len(names))


async def test_ten_thousand_at_once_are_taken(one: Peer) -> None:
    flood = [standing(f"table {number}", rule="a.flood") for number in range(10_000)]
    assert await stream(one).take(flood, now()) == len(flood)
    await soon(one.active, len(flood))


@asynccontextmanager
async def pair(folder: Path, hook: str) -> AsyncIterator[Sequence[Peer]]:
    """Two Alertmanagers that gossip."""
    peers = [Peer(free_port(), free_port()) for _ in range(2)]
    async with AsyncExitStack() as stack:
        for number, peer in enumerate(peers):
            ways = [f"--cluster.peer=127.0.0.1:{other.cluster}" for other in peers[:number]]
            quick = ("--cluster.gossip-interval=50ms", f"--cluster.peer-timeout={PEER_TIMEOUT}s")
            await stack.enter_async_context(alertmanager(folder / f"peer {number}", hook, *ways, *quick, peer=peer))
        await soon(lambda: together(peers))
        yield peers


async def together(peers: Sequence[Peer]) -> bool:
    return all([len((await peer.ask("status"))["cluster"]["peers"]) == len(peers) for peer in peers])


async def test_two_of_ours_and_two_alertmanagers_tell_once(tmp_path: Path, hook: Hook) -> None:
    """Exactly one notification of the beginning leaves the pair, and exactly one of the end."""
    async with pair(tmp_path, hook.url) as peers:
        ours, alert = (stream(*peers), stream(*reversed(peers))), standing("a")
        # They look at one target at their own times, and see their own numbers.
        other = replace(alert, fired_at=now(), finding=replace(alert.finding, summary="86 of 100 slots are used"))
        await ours[0].take([alert], now())
        await ours[1].take([other], now())
        await soon(hook.heard, [["a warning firing"]])
        for peer in peers:
            assert await peer.shown() == {("a", "warning"): "active"}
        await asyncio.sleep(PEER_TIMEOUT + 2)
        await ours[0].take([over(alert)], now())
        await ours[1].take([over(other)], now())
        await soon(hook.heard, [["a warning firing"], ["a warning resolved"]])
        await asyncio.sleep(PEER_TIMEOUT + 2)
        assert hook.said() == [["a warning firing"], ["a warning resolved"]]
        told = [await peer.value("alertmanager_notifications_total", integration="webhook") for peer in peers]
        assert sorted(told) == [0, 2]
