"""What people change over HTTP: only who may, only from our own page, and every mistake in words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from monitor.expose.credentials import Credentials
from monitor.expose.origin import TOKEN
from monitor.expose.server import Web
from monitor.model import Secret
from tests.unit.controls import Ledger, serving
from tests.unit.shelf import Pile, alert, finding

FINGERPRINT = finding().fingerprint
ACK = f"/api/v1/findings/{FINGERPRINT}/ack"
SILENCES = "/api/v1/silences"
SIGNED_IN = {"Authorization": "Bearer t0ken"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    document: dict[str, Any]
    text: str

    @property
    def error(self) -> str:
        return str(self.document.get("error", ""))


def pile() -> Pile:
    return Pile(alerts_=[alert()])


def ledger() -> Ledger:
    return Ledger(fingerprints={FINGERPRINT})


def credentials() -> Credentials:
    return Credentials({"ann": Secret("word")}, (Secret("t0ken"),))


async def ask(web: Web, method: str, path: str, body: object = None, **headers: str) -> Answer:
    """Send a request with nothing a browser or client would add; bytes go as they are."""
    sent = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    if sent is not None:
        headers = {"Content-Type": "application/json", **headers}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, web.url.rstrip("/") + path, data=sent, headers=headers) as response,
    ):
        is_json, text = response.content_type == "application/json", await response.text()
        return Answer(response.status, dict(response.headers), json.loads(text) if is_json else {}, text)


async def token(web: Web) -> dict[str, str]:
    """Give the header a page or client on this machine sends."""
    return {TOKEN: (await ask(web, "GET", "/api/v1/status")).headers[TOKEN]}


async def test_a_finding_is_acked_and_unacked() -> None:
    """On this machine, with no credentials configured, by who says so."""
    desk = ledger()
    async with serving(pile(), desk) as web:
        own = await token(web)
        done = await ask(web, "POST", ACK, {"author": "ann", "comment": " mended on Monday\n"}, **own)
        undone = await ask(web, "DELETE", ACK, **own)
        again = await ask(web, "DELETE", ACK, **own)
    assert (done.status, done.document) == (
        200, {"fingerprint": FINGERPRINT, "author": "ann (loopback)", "comment": "mended on Monday"},
    )  # fmt: skip
    assert (undone.status, again.status) == (200, 404)
    assert desk.audit == [
        ("ack", FINGERPRINT, "ann (loopback)", "mended on Monday"),
        ("unack", FINGERPRINT, "loopback"),
        ("unack", FINGERPRINT, "loopback"),
    ]


async def test_a_silence_begins_is_listed_and_ends() -> None:
    """A duration becomes an end; times are UTC."""
    desk = ledger()
    async with serving(pile(), desk) as web:
        own = await token(web)
        wish = {"matchers": ['target="shop"'], "duration": "1h30m", "comment": "upgrade"}
        made = await ask(web, "POST", SILENCES, wish, **own)
        listed = await ask(web, "GET", f"{SILENCES}?per_page=1")
        ended = await ask(web, "DELETE", f"{SILENCES}/silence-1", **own)
        again = await ask(web, "DELETE", f"{SILENCES}/silence-1", **own)
    assert made.status == 201
    assert (made.document["starts_at"], made.document["ends_at"]) == (
        "2026-11-22T15:00:00+00:00", "2026-11-22T16:30:00+00:00",
    )  # fmt: skip
    assert listed.document == {"silences": [made.document], "page": 1, "per_page": 1, "total": 1}
    assert (ended.status, again.status) == (200, 404)


async def test_a_silence_may_be_planned() -> None:
    """From one moment to another, in whatever zone they are written."""
    wish = {
        "matchers": ["rule=~index.*"],
        "starts_at": "2026-12-01T20:00:00+01:00",
        "ends_at": "2026-12-01T23:00:00Z",
        "comment": "c",
    }
    async with serving(pile(), ledger()) as web:
        made = await ask(web, "POST", SILENCES, wish, **await token(web))
    assert made.document["starts_at"] == "2026-12-01T19:00:00+00:00"
    assert made.document["ends_at"] == "2026-12-01T23:00:00+00:00"


async def test_a_reload_says_what_went_wrong() -> None:
    """500, as Prometheus does."""
    desk = ledger()
    async with serving(pile(), desk) as web:
        own = await token(web)
        well = await ask(web, "POST", "/-/reload", **own)
        desk.broken = "monitor.yaml:3: route: no such receiver"
        ill = await ask(web, "POST", "/-/reload", **own)
    assert (well.status, ill.status, ill.error) == (200, 500, desk.broken)
    assert desk.audit == [("reload", "loopback")] * 2


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {TOKEN: ""},
        {TOKEN: "x" * 43},
        {TOKEN: "right", "Host": "evil.example"},
        {TOKEN: "right", "Host": "db.example"},
        {TOKEN: "right", "Origin": "http://evil.example"},
        {TOKEN: "right", "Origin": "null"},
        {TOKEN: "right", "Origin": "http://127.0.0.1:1"},
        {TOKEN: "right", "Sec-Fetch-Site": "cross-site"},
        {TOKEN: "right", "Sec-Fetch-Site": "same-site"},
        {TOKEN: "right", "X-Forwarded-For": "10.0.0.7"},
    ],
)
async def test_without_credentials_only_our_own_page_on_this_machine_may_change(headers: dict[str, str]) -> None:
    """Neither a foreign site, nor a rebound name, nor a proxy, nor who never read our token."""
    desk = ledger()
    async with serving(pile(), desk, external_url="https://db.example") as web:
        right = (await token(web))[TOKEN]
        headers = {name: right if value == "right" else value for name, value in headers.items()}
        for method, path in (("POST", ACK), ("DELETE", ACK), ("POST", SILENCES), ("POST", "/-/reload")):
            answer = await ask(web, method, path, {"comment": "c"}, **headers)
            assert answer.status == 403
            assert answer.error
    assert desk.audit == []


async def test_our_own_page_may_change() -> None:
    """Under the name it was opened by; the token is given to this machine alone."""
    desk = ledger()
    async with serving(pile(), desk, host="0.0.0.0") as web:  # noqa: S104 - what is tested
        local = {"Host": "localhost:7"}
        own = {TOKEN: (await ask(web, "GET", "/api/v1/status", **local)).headers[TOKEN], **local}
        done = await ask(
            web, "POST", ACK, {"comment": "c"}, Origin="http://localhost:7", **{"Sec-Fetch-Site": "same-origin"}, **own
        )
        for header in ({"Host": "db.example"}, {"X-Forwarded-For": "10.0.0.7"}):
            assert TOKEN not in (await ask(web, "GET", "/api/v1/status", **header)).headers
    assert done.status == 200


async def test_with_credentials_everything_but_health_needs_them() -> None:
    """Programs get documents, browsers a page; both are told how to sign in."""
    desk = ledger()
    async with serving(pile(), desk, credentials=credentials()) as web:
        for path in ("/", "/metrics", "/findings", "/static/page.js", "/api/v1/findings", SILENCES, "/nope"):
            answer = await ask(web, "GET", path)
            assert (answer.status, answer.headers["WWW-Authenticate"].partition(" ")[0]) == (401, "Basic")
            assert (await ask(web, "GET", path, **SIGNED_IN)).status == (404 if path == "/nope" else 200)
        for path in ("/healthz", "/readyz", "/static/style.css", "/static/icon.svg"):
            assert (await ask(web, "GET", path)).status == 200
        wrong = await ask(web, "POST", ACK, {"comment": "c"}, Authorization="Bearer no")
        own = await token_of(web)
        assert (await ask(web, "POST", ACK, {"comment": "c"}, **own)).status == 401
    assert (wrong.status, desk.audit) == (401, [])
    assert "token" in wrong.error


async def token_of(web: Web) -> dict[str, str]:
    return {TOKEN: (await ask(web, "GET", "/api/v1/status", **SIGNED_IN)).headers[TOKEN]}


async def test_who_has_signed_in_is_always_named() -> None:
    """Another name written beside it does not hide it; from any machine, with no token of the page."""
    desk = ledger()
    async with serving(pile(), desk, credentials=credentials(), host="0.0.0.0") as web:  # noqa: S104 - what is tested
        ann = {"Authorization": aiohttp.encode_basic_auth("ann", "word"), "Host": "db.example"}
        for author in ("ann", "bob", None):
            await ask(web, "POST", ACK, {"comment": "c", "author": author}, **ann)
        await ask(web, "POST", ACK, {"comment": "c", "author": "bob"}, **SIGNED_IN)
    assert [entry[2] for entry in desk.audit] == ["ann", "bob (ann)", "ann", "bob (token 1)"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://db.example.evil.example"},
    ],
)
async def test_a_foreign_page_changes_nothing_with_the_browsers_password(headers: dict[str, str]) -> None:
    """Browsers send it along by themselves; from our own address, also behind a proxy, it works."""
    desk = ledger()
    async with serving(pile(), desk, credentials=credentials(), external_url="https://db.example/monitor") as web:
        assert (await ask(web, "POST", "/-/reload", **SIGNED_IN, **headers)).status == 403
        assert desk.audit == []
        assert (await ask(web, "POST", "/-/reload", **SIGNED_IN, Origin="https://db.example")).status == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "comment: is required"),
        ({"comment": "  "}, "comment: is empty"),
        ({"comment": 7}, "comment: should be a text"),
        ({"comment": "x" * 1001}, "comment: 1000 characters are the most"),
        ({"comment": "a\x00b"}, "comment: holds a character"),
        ({"comment": "\ud800"}, "comment: holds a character"),
        ({"comment": "c", "author": "\u202eann"}, "author: holds a character"),
        ({"comment": "c", "author": ["ann"]}, "author: should be a text"),
        ({"coment": "c"}, "no such key; there are: author, comment"),
        ([1], "the body should be an object"),
        ("text", "the body should be an object"),
    ],
)
async def test_an_ack_that_cannot_be_is_refused_with_words(body: object, words: str) -> None:
    """400, and nothing changes."""
    desk = ledger()
    async with serving(pile(), desk) as web:
        answer = await ask(web, "POST", ACK, body, **await token(web))
    assert (answer.status, desk.audit) == (400, [])
    assert answer.error.startswith(words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"matchers": None}, "matchers: should be a list"),
        ({"matchers": []}, "matchers: should be a list"),
        ({"matchers": 'target="shop"'}, "matchers: should be a list"),
        ({"matchers": [1]}, "matcher: should be a text"),
        ({"matchers": ["a=b"] * 51}, "matchers: 50 are the most"),
        ({"matchers": ["nonsense"]}, "nonsense: not a matcher"),
        ({"matchers": ["a=~("]}, "a: ( is no regular expression"),
        ({"duration": None}, "a silence needs either"),
        ({"ends_at": "2027-01-01T00:00:00Z"}, "a silence needs either"),
        ({"duration": "soon"}, "duration: should be"),
        ({"duration": True}, "duration: should be"),
        ({"duration": [1]}, "duration: should be"),
        ({"duration": 1e300}, "duration: should be"),
        ({"duration": "9999999999d"}, "duration: should be"),
        ({"duration": float("nan")}, "duration: should be"),
        ({"duration": 0}, "a silence should end after it begins"),
        ({"duration": -5}, "a silence should end after it begins"),
        ({"duration": None, "ends_at": "2026-11-22T14:59:59Z"}, "a silence should end after it begins"),
        ({"duration": None, "ends_at": "2027-01-01T00:00:00"}, "ends_at: should be a time with its zone"),
        ({"duration": None, "ends_at": "9999-12-31T23:59:59-12:00"}, "ends_at: should be a time with its zone"),
        ({"starts_at": "yesterday"}, "starts_at: should be a time with its zone"),
        ({"starts_at": 1700000000}, "starts_at: should be a time with its zone"),
        ({"comment": None}, "comment: is required"),
        ({"until": "x"}, "no such key"),
    ],
)
async def test_a_silence_that_cannot_be_is_refused_with_words(change: Mapping[str, object], words: str) -> None:
    """400, and none begins."""
    desk = ledger()
    wish = {"matchers": ['target="shop"'], "duration": "2h", "comment": "c", **change}
    async with serving(pile(), desk) as web:
        answer = await ask(web, "POST", SILENCES, wish, **await token(web))
    assert (answer.status, desk.audit) == (400, [])
    assert answer.error.startswith(words)


async def test_a_body_that_cannot_be_read_is_refused_by_what_is_wrong() -> None:
    """Too long, of another kind, no JSON, too deep; each with its status."""
    desk = ledger()
    async with serving(pile(), desk) as web:
        own = await token(web)
        long = await ask(web, "POST", ACK, {"comment": "x" * 70_000}, **own)
        form = await ask(web, "POST", ACK, b"comment=c", **own, **{"Content-Type": "text/plain"})
        broken = [await ask(web, "POST", ACK, raw, **own) for raw in (b"{", b"\xff", b"[" * 60_000, b"NaN")]
    assert (long.status, form.status) == (413, 415)
    assert [answer.status for answer in broken] == [400] * 4
    assert all(answer.error for answer in (long, form, *broken))
    assert desk.audit == []


async def test_what_is_not_there_is_said_as_a_document() -> None:
    """404 for what is not known, 405 with what is allowed, 400 for a list that cannot be asked so."""
    async with serving(pile(), ledger()) as web:
        own = await token(web)
        unknown = await ask(web, "POST", "/api/v1/findings/0000/ack", {"comment": "c"}, **own)
        nowhere = await ask(web, "GET", "/api/v1/nope")
        read = await ask(web, "GET", "/-/reload")
        put = await ask(web, "PUT", SILENCES)
        page = await ask(web, "GET", f"{SILENCES}?page=0")
    assert [each.status for each in (unknown, nowhere, read, put, page)] == [404, 404, 405, 405, 400]
    assert all(each.error for each in (unknown, nowhere, read, put, page))
    assert (read.headers["Allow"], put.headers["Allow"]) == ("POST", "GET,HEAD,POST")


async def test_without_controls_nothing_can_be_changed() -> None:
    """The addresses are not there."""
    async with serving(pile(), None) as web:
        own = await token(web)
        assert (await ask(web, "POST", ACK, {"comment": "c"}, **own)).status == 404
        assert (await ask(web, "POST", "/-/reload", **own)).status == 404


async def test_a_body_that_never_comes_holds_nobody_up() -> None:
    """Others are served while one waits for it."""
    async with serving(pile(), ledger()) as web:
        own = (await token(web))[TOKEN]
        _, writer = await asyncio.open_connection("127.0.0.1", web.port)
        head = f"POST {ACK} HTTP/1.1\r\nHost: localhost\r\n{TOKEN}: {own}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{{".encode())
        await writer.drain()
        async with asyncio.timeout(5):
            assert (await ask(web, "GET", "/healthz")).status == 200
        writer.close()


async def test_the_audit_log_is_read_by_who_may_change_something() -> None:
    """And by nobody else; what the store cannot give is said."""
    desk = ledger()
    async with serving(pile(), desk) as web:
        own = await token(web)
        await ask(web, "POST", ACK, {"comment": "known"}, **own)
        page = await ask(web, "GET", "/api/v1/audit?per_page=1", **own)
        refused = await ask(web, "GET", "/api/v1/audit")
        wrong = await ask(web, "GET", "/api/v1/audit?page=0", **own)
        desk.broken = "the store is not open"
        away = await ask(web, "GET", "/api/v1/audit", **own)
    lines = page.document.pop("audit")
    assert [(line["who"], line["action"]) for line in lines] == [("known", "ack")]
    assert page.document == {"page": 1, "per_page": 1, "total": 1}
    assert (refused.status, wrong.status, away.status, away.error) == (403, 400, 503, "the store is not open")
    async with serving(pile(), ledger(), credentials=credentials()) as web:
        assert (await ask(web, "GET", "/api/v1/audit")).status == 401
        assert (await ask(web, "GET", "/api/v1/audit", **SIGNED_IN)).status == 200


async def test_the_audit_page_is_for_this_machine_or_who_has_signed_in() -> None:
    """Others are told how; what the store cannot give is said."""
    desk = ledger()
    async with serving(pile(), desk) as web:
        await ask(web, "POST", ACK, {"comment": "known"}, **(await token(web)))
        page = await ask(web, "GET", "/audit")
        proxied = await ask(web, "GET", "/audit", **{"X-Forwarded-For": "192.0.2.1"})
        wrong = await ask(web, "GET", "/audit?page=x")
        desk.broken = "the store is not open"
        away = [(await ask(web, "GET", path)).status for path in ("/audit", "/dead-letters")]
    assert (page.status, proxied.status, wrong.status, away) == (200, 403, 400, [503, 503])
    assert "known" in page.text
    assert "web.basic_auth" in proxied.text
    assert "known" not in proxied.text
    async with serving(pile(), ledger(), credentials=credentials()) as web:
        assert [(await ask(web, "GET", path)).status for path in ("/audit", "/dead-letters")] == [401, 401]
        signed = await ask(web, "GET", "/audit", **SIGNED_IN)
        assert (signed.status, "Nobody changed anything yet." in signed.text) == (200, True)
    async with serving(pile(), None) as web:
        assert [(await ask(web, "GET", path)).status for path in ("/audit", "/dead-letters")] == [404, 404]


async def test_what_was_given_up_is_listed() -> None:
    desk = ledger()
    desk.letters = [{"receiver": "ops", "reason": "ops: HTTP 404"}, {"receiver": "am", "reason": "am: HTTP 400"}]
    async with serving(pile(), desk) as web:
        listed = await ask(web, "GET", "/api/v1/dead-letters?per_page=1&page=2")
        wrong = await ask(web, "GET", "/api/v1/dead-letters?colour=red")
        desk.broken = "the store is not open"
        away = await ask(web, "GET", "/api/v1/dead-letters")
    assert (listed.document["dead_letters"], listed.document["total"]) == ([desk.letters[1]], 2)
    assert (wrong.status, away.status, away.error) == (400, 503, "the store is not open")
