"""The HTTP door: every address answers, bad requests get words, foreign sites get nothing, slow clients wait alone."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import aiohttp
import pytest
from aiohttp import web as aioweb
from aiohttp.typedefs import Handler

from monitor.errors import MonitorError
from monitor.expose.guard import Guard, host_name, is_loopback
from monitor.expose.metrics import Exposition
from monitor.expose.own import Own
from monitor.expose.server import Site, Web
from monitor.model import Ack, Finding, Severity, State
from monitor.status import IgnoreStatus, Past, ReceiverStatus, Step
from tests.unit.shelf import NOW, RULES, Pile, Told, alert, finding, server, silence, unknown


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def document(self) -> dict[str, object]:
        read: dict[str, object] = json.loads(self.body)
        return read


@asynccontextmanager
async def serving(pile: Pile, *, external_url: str | None = None, told: Told | None = None) -> AsyncIterator[Web]:
    exposition = Exposition()
    own = Own(pile, exposition.left_away)
    site = Site(shelf=pile, handling=told or Told(), exposition=exposition, own=own, rules=RULES, clock=lambda: NOW)
    web = Web(site, port=0, external_url=external_url)
    await web.start()
    try:
        yield web
    finally:
        await web.stop()


async def ask(web: Web, path: str, method: str = "GET", **headers: str) -> Answer:
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.request(method, web.url.rstrip("/") + path, headers=headers) as response,
    ):
        return Answer(response.status, dict(response.headers), await response.read())


def pile() -> Pile:
    return Pile(
        targets_=[server(), server("reports", up=False, reason="reports: nobody answers")],
        alerts_=[
            alert(finding(severity=Severity.CRITICAL)),
            alert(finding("public.b")),
            alert(finding("public.c"), State.PENDING),
        ],
        not_evaluated_=[unknown()],
    )


FINGERPRINT = finding().fingerprint

PAGES = [
    "/",
    "/?refresh=off",
    "/findings",
    f"/findings/{FINGERPRINT}",
    "/findings?severity=critical&area=&state=all&q=&sort=newest",
    "/targets",
    "/targets?q=shop&state=",
    "/targets/shop",
    "/migrations",
    "/rules",
    "/rules/statements.temp_spill",
]
DOCUMENTS = ["/api/v1/findings", f"/api/v1/findings/{FINGERPRINT}", "/api/v1/targets", "/api/v1/status"]


@pytest.mark.parametrize("path", PAGES)
async def test_each_page_answers(path: str) -> None:
    """As HTML, uncached, with no right to run or load anything foreign."""
    async with serving(pile()) as web:
        answer = await ask(web, path)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert {"script-src 'self'", "form-action 'self'", "base-uri 'none'"} <= {*policy.split("; ")}
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.text.count("<script") == answer.text.count('<script src="/static/page.js?') == 1
    assert " style=" not in answer.text


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_each_document_answers(path: str) -> None:
    """As JSON."""
    async with serving(pile()) as web:
        answer = await ask(web, path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.document


@pytest.mark.parametrize(
    "path",
    [
        "/nope",
        "/findings/0000",
        "/targets/none",
        "/targets/%00",
        "/rules/no.such",
        "/rules/%2e%2e%2fx",
        "/static/..%2fpage.py",
        "/static/x",
    ],
)
async def test_an_unknown_page_is_a_small_page_that_says_so(path: str) -> None:
    """404, without repeating what was asked."""
    async with serving(pile()) as web:
        answer = await ask(web, path)
    assert (answer.status, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "<h1>No such" in answer.text
    assert "Content-Security-Policy" in answer.headers


async def test_an_address_can_only_be_read() -> None:
    """405 with what is allowed."""
    async with serving(pile()) as web:
        answer = await ask(web, "/", "POST")
        head = await ask(web, "/metrics", "HEAD")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
    assert (head.status, head.body) == (200, b"")


async def test_health_is_of_the_process_and_readiness_of_the_readings() -> None:
    """A target that was never asked is named."""
    waiting = Pile(ready=False, targets_=[replace(server("slow"), since=None)])
    async with serving(waiting) as web:
        health, early = await ask(web, "/healthz"), await ask(web, "/readyz")
        waiting.ready = True
        late = await ask(web, "/readyz")
    assert (health.status, health.text) == (200, "ok\n")
    assert (early.status, early.text) == (503, "not ready: waiting for the first readings of slow\n")
    assert (late.status, late.text) == (200, "ok\n")


async def test_metrics_are_packed_and_open_when_asked_for() -> None:
    """Headers say which form it is."""
    async with serving(pile()) as web:
        plain = await ask(web, "/metrics", **{"Accept-Encoding": "identity"})
        packed = await ask(web, "/metrics", **{"Accept-Encoding": "gzip", "Accept": "application/openmetrics-text"})
    assert b'pgarchitect_up{target="shop"} 1\n' in plain.body
    assert plain.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert gzip.decompress(packed.body).endswith(b"# EOF\n")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9779", "localhost.evil.example", "10.0.0.7", "", "[", "a b"]
)
async def test_a_foreign_name_gets_no_page(host: str) -> None:
    """A site whose name was rebound to this machine must not read the findings; scrapers may use any name."""
    async with serving(pile()) as web:
        refused = [await ask(web, path, Host=host) for path in ("/", "/api/v1/findings", "/findings")]
        metrics = await ask(web, "/metrics", Host=host)
    assert [answer.status for answer in refused] == [403, 403, 403]
    assert all(b"rooms" not in answer.body for answer in refused)
    assert metrics.status == 200


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:9779", "127.9.9.9", "[::1]:9779", "db.example:443"]
)
async def test_loopback_names_and_the_external_one_get_the_page(host: str) -> None:
    """Also behind a proxy, once web.external_url names it."""
    async with serving(pile(), external_url="https://db.example/monitor/") as web:
        assert (await ask(web, "/", Host=host)).status == 200


def test_only_loopback_listening_checks_names() -> None:
    """Who listens on all addresses has decided so; the check is for those who did not."""
    assert [is_loopback(name) for name in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "10.1.1.1")] == [  # noqa: S104 - a name
        True, True, True, False, False,
    ]  # fmt: skip
    assert host_name("[::1]:80") == "::1"


async def test_findings_are_given_in_pages_and_by_what_they_are() -> None:
    """The filters are those of the documents' own words."""
    async with serving(pile()) as web:
        second = (await ask(web, "/api/v1/findings?page=2&per_page=2")).document
        critical = (await ask(web, "/api/v1/findings?severity=critical&target=shop&status=firing")).document
        none = (await ask(web, "/api/v1/findings?database=")).document
    assert [each["subject"] for each in listed(second)] == ["public.c"]
    assert (second["page"], second["per_page"], second["total"]) == (2, 2, 3)
    assert [each["severity"] for each in listed(critical)] == ["critical"]
    assert none["total"] == 0


def listed(document: Mapping[str, object]) -> list[dict[str, object]]:
    entries = document["findings"]
    assert isinstance(entries, list)
    return entries


async def test_a_finding_is_the_snapshots_document_and_its_life() -> None:
    """Times carry their zone."""
    async with serving(pile()) as web:
        document = (await ask(web, f"/api/v1/findings/{FINGERPRINT}")).document
    assert (document["fingerprint"], document["status"]) == (FINGERPRINT, "firing")
    assert (document["starts_at"], document["ends_at"]) == ("2026-11-22T14:00:00+00:00", None)
    assert document["occurrences"] == 240


def quiet(found: Finding) -> Told:
    """A finding that is acked, silenced and inhibited, each by what is named here."""
    source = alert(finding("shop", rule="target.unreachable"))
    return Told(
        silences_=[silence()],
        silenced={found.fingerprint: silence()},
        inhibited={found.fingerprint: source},
        past=Past(steps=[Step(at=NOW, state="firing", severity="warning", why="it began")]),
    )


async def test_a_finding_says_who_keeps_it_quiet_and_what_ended_it() -> None:
    """In the list as in the one document; with the labels of its target."""
    known = Ack(author="ann", comment="on Monday", at=NOW, severity=Severity.WARNING)
    desk = Pile(
        targets_=[server()], alerts_=[replace(alert(), acked=known), replace(alert(finding("x")), ended_by="y")]
    )
    async with serving(desk, told=quiet(finding())) as web:
        one, other = listed((await ask(web, "/api/v1/findings")).document)
        whole = (await ask(web, f"/api/v1/findings/{FINGERPRINT}")).document
    assert one["acked"] == {"author": "ann", "comment": "on Monday", "at": "2026-11-22T15:00:00+00:00"}
    assert one["silenced_by"] == "silence-1"
    assert one["inhibited_by"] == finding("shop", rule="target.unreachable").fingerprint
    assert [other[key] for key in ("acked", "silenced_by", "inhibited_by", "ended_by")] == [None, None, None, "y"]
    assert one["labels"] == other["labels"] == {"env": "prod"}
    steps = [{"at": "2026-11-22T15:00:00+00:00", "state": "firing", "severity": "warning", "why": "it began"}]
    assert whole == {**one, "history": steps}


async def test_a_history_that_cannot_be_read_is_not_an_empty_one() -> None:
    """Null, and why; the rest of the finding is there."""
    async with serving(pile(), told=Told(past=Past(steps=None, reason="state.db: it is locked"))) as web:
        document = (await ask(web, f"/api/v1/findings/{FINGERPRINT}")).document
        page = await ask(web, f"/findings/{FINGERPRINT}")
    assert (document["history"], document["history_reason"]) == (None, "state.db: it is locked")
    assert document["status"] == "firing"
    assert "It cannot be read: state.db: it is locked" in page.text


async def test_an_unknown_finding_is_a_document_that_says_so() -> None:
    """404, as JSON."""
    async with serving(pile()) as web:
        answer = await ask(web, "/api/v1/findings/0000")
    assert (answer.status, answer.document) == (404, {"error": "no such finding"})


async def test_status_tells_how_the_daemon_itself_fares() -> None:
    """Its store, what waits for whom, and which entries of `ignore` do nothing."""
    entry = IgnoreStatus(
        rule="index.*", target=None, database=None, subject=None, reason="r", until=NOW.date(), state="unused"
    )
    told = Told(
        store_="state.db: the disk is full",
        receivers_=[ReceiverStatus(name="ops", waiting=2, oldest=NOW, dead=1, failing="ops: HTTP 503")],
        ignores_=[entry],
    )
    async with serving(pile(), told=told) as web:
        sick = (await ask(web, "/api/v1/status")).document
    async with serving(pile()) as web:
        well = (await ask(web, "/api/v1/status")).document
    assert sick["store"] == {"state": "degraded", "reason": "state.db: the disk is full"}
    assert sick["receivers"] == [
        {
            "receiver": "ops",
            "waiting": 2,
            "waiting_since": "2026-11-22T15:00:00+00:00",
            "dead_letters": 1,
            "failing": "ops: HTTP 503",
        }
    ]
    assert sick["ignored"] == [{**vars(entry), "until": "2026-11-22"}]
    assert (well["store"], well["receivers"], well["ignored"]) == ({"state": "ok", "reason": ""}, [], [])


async def test_status_counts_and_tells_what_is_not_known() -> None:
    """Never silent about what was not evaluated."""
    async with serving(pile()) as web:
        document = (await ask(web, "/api/v1/status")).document
    assert document["targets"] == {"up": 1, "down": 1}
    assert document["findings"] == {"firing:critical": 1, "firing:warning": 1, "pending:warning": 1}
    assert document["total"] == 1


async def test_a_number_json_does_not_know_becomes_null() -> None:
    """NaN in an evidence must not break who reads it."""
    odd = replace(finding(), evidence={"mean_ms": math.nan, "list": (math.inf, 1.5)})
    async with serving(Pile(alerts_=[alert(odd)])) as web:
        document = (await ask(web, f"/api/v1/findings/{FINGERPRINT}")).document
    assert document["evidence"] == {"mean_ms": None, "list": [None, 1.5]}


@pytest.mark.parametrize("asked", ["page=0", "page=x", "page=-1", "page=٣", "per_page=501", "per_page=", "colour=red"])
async def test_a_query_that_cannot_be_is_refused_with_words(asked: str) -> None:
    """400, and what there is."""
    async with serving(pile()) as web:
        answers = [await ask(web, f"{path}?{asked}") for path in ("/api/v1/findings", "/api/v1/targets", "/findings")]
    assert [answer.status for answer in answers] == [400, 400, 400]
    assert "must be a whole number" in answers[0].text or "no such parameter" in answers[0].text


async def test_a_port_in_use_is_told_with_how_to_mend() -> None:
    """And leaves nothing open behind."""
    async with serving(pile()) as web:
        exposition = Exposition()
        own = Own(pile(), exposition.left_away)
        site = Site(shelf=pile(), handling=Told(), exposition=exposition, own=own, rules={})
        with pytest.raises(
            MonitorError, match=rf"web\.listen: 127\.0\.0\.1:{web.port}: something listens there already"
        ):
            await Web(site, port=web.port).start()
        with pytest.raises(MonitorError, match="is it an address of this machine"):
            await Web(site, host="192.0.2.1", port=0).start()


async def test_what_is_no_http_is_answered_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A port scanner fills no log: it gets its 400, and nobody is woken."""
    async with serving(Pile()) as web:
        for nonsense in (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", b"\x16\x03\x01\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
            writer.write(nonsense)
            assert (await reader.readline()).startswith(b"HTTP/1.0 400")
            writer.close()
    assert caplog.records == []


async def test_a_client_that_does_not_read_holds_nobody_up() -> None:
    """Others are served while it sits there, and stopping does not wait for it."""
    big = Pile(targets_=[server(f"t{each}") for each in range(2000)])
    async with serving(big) as web:
        _, writer = await asyncio.open_connection("127.0.0.1", web.port, limit=1024)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        await writer.drain()
        async with asyncio.timeout(10):
            assert (await ask(web, "/healthz")).status == 200
            await web.stop()
        writer.close()


async def test_a_client_that_reads_too_slowly_loses_its_connection() -> None:
    """After the time given for sending; the answer is not kept for it for ever."""
    guard = Guard(message=lambda *_: aioweb.Response(), only_loopback=False, send_seconds=0.2)
    ended = asyncio.Event()

    async def huge(_: aioweb.Request) -> aioweb.Response:
        return aioweb.Response(body=b"x" * 50_000_000)

    @aioweb.middleware
    async def watch(request: aioweb.Request, handler: Handler) -> aioweb.StreamResponse:
        try:
            return await handler(request)
        finally:
            ended.set()

    app = aioweb.Application(middlewares=[watch, guard.middleware()])
    app.router.add_get("/", huge)
    runner = aioweb.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await aioweb.TCPSite(runner, "127.0.0.1", 0).start()
    reader, writer = await asyncio.open_connection("127.0.0.1", runner.addresses[0][1], limit=1024)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(5):
        await ended.wait()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(50_000_000)
    writer.close()
    await runner.cleanup()


async def test_a_client_that_leaves_before_its_answer_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A reader who goes on to another page is no error."""
    guard, done = Guard(message=lambda *_: aioweb.Response(), only_loopback=False), asyncio.Event()

    async def late(request: aioweb.Request) -> aioweb.Response:
        while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - aiohttp's
            await asyncio.sleep(0.01)
        done.set()
        return aioweb.Response(body=b"x" * 500_000)

    app = aioweb.Application(middlewares=[guard.middleware()])
    app.router.add_get("/", late)
    runner = aioweb.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await aioweb.TCPSite(runner, "127.0.0.1", 0).start()
    _, writer = await asyncio.open_connection("127.0.0.1", runner.addresses[0][1])
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await writer.drain()
    writer.transport.abort()
    async with asyncio.timeout(5):
        await done.wait()
    await runner.cleanup()
    assert caplog.records == []


async def test_stopping_closes_the_port() -> None:
    """The next who starts can have it."""
    async with serving(pile()) as web:
        port = web.port
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", port)
