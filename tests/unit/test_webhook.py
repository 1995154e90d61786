"""The webhook by a real HTTP server on loopback: document, schema and signature, what answers mean, and no secret."""

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Response

from monitor.errors import DeliveryError
from monitor.model import Ack, Alert, Remedy, Secret, Severity
from monitor.notice import Notice
from monitor.notify.post import wait_asked
from monitor.notify.webhook import ALERTS, Webhook, bounded, schema, signature
from tests.alerts import alerts, at, firing, resolved
from tests.notices import notice, untrusted
from tests.unit.test_report_json import breaches

PATH = "/services/hush-path"
SCHEMA = json.loads(schema())
KEY = Secret("hush-key")


def receiver(server: HTTPServer, **changes: Any) -> Webhook:
    url = server.url_for(PATH).replace("//", "//hush-user:hush-password@")
    whole: dict[str, Any] = {"secret": KEY, "external_url": "https://watch.example/", "now": lambda: at(90), **changes}
    return Webhook(name="hook", url=Secret(url), **whole)


async def posted(server: HTTPServer, told: Notice, **changes: Any) -> Any:
    server.expect_request(PATH, method="POST").respond_with_data("ok")
    await receiver(server, **changes).send(told)
    return json.loads(server.log[-1][0].data)


def hushed(text: str, port: int) -> None:
    assert "hush" not in text
    assert str(port) not in text


async def refused(server: HTTPServer) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await receiver(server).send(notice(firing()))
    failure = caught.value
    assert str(failure).startswith("hook: ")
    for text in (str(failure), repr(failure), repr(failure.__cause__)):
        hushed(text, server.port)
    return failure


# -- the document -------------------------------------------------------------------------------------------------


async def test_the_document_has_the_findings_form_and_what_the_ledger_knows(httpserver: HTTPServer) -> None:
    """And its order, for people."""
    ack = Ack(author="ann", comment="on it", at=at(10), severity=Severity.WARNING)
    stands = replace(firing("b"), acked=ack, labels={"env": "prod"})
    over = replace(resolved("c"), ended_by="its database is gone")
    told = replace(notice(firing("a", Severity.CRITICAL), over, standing=[stands]), labels={"target": "shop"})
    document = await posted(httpserver, told)
    assert breaches(document, SCHEMA) == []
    assert " ".join(document) == (
        "version receiver group group_labels idempotency_key created_at sent_at digest left_out alerts"
    )
    assert (document["version"], document["receiver"], document["group_labels"]) == (1, "ops", {"target": "shop"})
    assert (document["created_at"], document["sent_at"]) == ("2026-03-01T12:01:00+00:00", "2026-03-01T12:01:30+00:00")
    a, c, b = document["alerts"]
    assert [(each["subject"], each["status"], each["news"]) for each in (a, b, c)] == [
        ("a", "firing", True), ("b", "firing", False), ("c", "resolved", True),
    ]  # fmt: skip
    assert (a["severity"], a["starts_at"], a["ends_at"], a["ended_by"]) == (
        "critical", "2026-03-01T12:00:00+00:00", None, "",
    )  # fmt: skip
    assert (c["ends_at"], c["ended_by"]) == ("2026-03-01T12:01:00+00:00", "its database is gone")
    assert b["labels"] == {
        **a["labels"],
        "severity": "warning",
        "subject": "b",
        "fingerprint": b["fingerprint"],
        "env": "prod",
    }
    assert b["acked"] == {
        "author": "ann", "comment": "on it", "at": "2026-03-01T12:00:10+00:00", "severity": "warning",
    }  # fmt: skip
    assert (a["acked"], a["url"]) == (None, f"https://watch.example/findings/{a['fingerprint']}")
    assert a["idempotency_key"] == f"{told.key}:{a['fingerprint']}"


def test_the_schema_is_not_toothless() -> None:
    document = json.loads(bounded(notice(firing()), None, at(0)))
    document["alerts"][0]["status"] = "pending"
    del document["alerts"][0]["news"]
    document["alerts"][0]["starts_at"] = "now"
    document["left_out"] = -1
    assert breaches(document, SCHEMA) == [
        "$.left_out", "$.alerts[0].news is missing", "$.alerts[0].status", "$.alerts[0].starts_at",
    ]  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(st.lists(alerts(), min_size=1, max_size=5), st.sampled_from([None, "http://h"]))
def test_every_notice_keeps_to_the_schema(told: list[Alert], external_url: str | None) -> None:
    """Whatever a finding holds; a rule's name alone is the catalogue's affair."""
    named = [replace(alert, finding=replace(alert.finding, rule="a.b")) for alert in told]
    document = json.loads(bounded(notice(*named), external_url, at(0)))
    assert breaches(document, SCHEMA) == []


def test_what_is_no_number_of_json_is_null() -> None:
    odd = replace(firing().finding, evidence={"a": float("inf"), "b": (1.0, float("nan"))})
    (alert,) = json.loads(bounded(notice(replace(firing(), finding=odd)), None, at(0)))["alerts"]
    assert alert["evidence"] == {"a": None, "b": [1.0, None]}


async def test_a_flood_is_cut_news_first_and_counted(httpserver: HTTPServer) -> None:
    told = notice(*(firing(f"new {n}") for n in range(150)), standing=[firing(f"old {n}") for n in range(5000)])
    document = await posted(httpserver, told)
    assert (len(document["alerts"]), document["left_out"]) == (ALERTS, 4950)
    assert sum(alert["news"] for alert in document["alerts"]) == 150


def test_heavy_alerts_are_cut_by_their_weight() -> None:
    heavy = [
        replace(one, finding=replace(one.finding, remedy=Remedy(sql=("x" * 900_000,)))) for one in map(firing, "abc")
    ]
    document = json.loads(bounded(notice(*heavy), None, at(0)))
    assert (len(document["alerts"]), document["left_out"]) == (2, 1)
    monster = replace(heavy[0].finding, remedy=Remedy(sql=("x" * 3_000_000,)))
    document = json.loads(bounded(notice(replace(heavy[0], finding=monster), heavy[1]), None, at(0)))
    assert (len(document["alerts"]), document["left_out"]) == (1, 1)


async def test_nothing_to_say_posts_nothing(httpserver: HTTPServer) -> None:
    await receiver(httpserver).send(notice())
    assert httpserver.log == []


# -- headers and signature ----------------------------------------------------------------------------------------


async def test_the_body_is_signed_with_its_time(httpserver: HTTPServer) -> None:
    """As the schema's description tells whoever checks it."""
    await posted(httpserver, notice(firing()))
    request = httpserver.log[-1][0]
    timestamp = request.headers["X-Pgarchitect-Timestamp"]
    assert timestamp == str(int(at(90).timestamp()))
    digest = hmac.new(b"hush-key", timestamp.encode() + b"." + request.data, hashlib.sha256).hexdigest()
    assert request.headers["X-Pgarchitect-Signature"] == f"sha256={digest}"
    assert request.headers["Content-Type"] == "application/json"
    for word in ("X-Pgarchitect-Timestamp", "X-Pgarchitect-Signature", "a full stop", "Idempotency-Key"):
        assert word in SCHEMA["description"]


def test_another_time_body_or_key_is_another_signature() -> None:
    signatures = {
        signature(key, time, body) for key in (KEY, Secret("b")) for time in ("1", "2") for body in (b"x", b"y")
    }
    assert len(signatures) == 8


async def test_without_a_secret_nothing_is_signed(httpserver: HTTPServer) -> None:
    await posted(httpserver, notice(firing()), secret=None)
    assert "X-Pgarchitect-Signature" not in httpserver.log[-1][0].headers


async def test_a_message_sent_again_has_the_same_key(httpserver: HTTPServer) -> None:
    """In header and body, and for each alert; only the time of the attempt differs."""
    first = await posted(httpserver, notice(firing()))
    second = await posted(httpserver, notice(firing()), now=lambda: at(500))
    keys = {request.headers["Idempotency-Key"] for request, _ in httpserver.log}
    assert keys == {first["idempotency_key"]}
    assert first.pop("sent_at") != second.pop("sent_at")
    assert first == second


async def test_a_key_no_header_can_hold_is_encoded(httpserver: HTTPServer) -> None:
    await posted(httpserver, replace(notice(firing()), key="a\nb\u20ac:/="))
    assert httpserver.log[-1][0].headers["Idempotency-Key"] == "a%0Ab%E2%82%AC:/="


# -- what answers mean --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_well_is_well(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request(PATH).respond_with_data("hush", status=status)
    await receiver(httpserver).send(notice(firing()))


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (400, "hook: HTTP 400: the document is not understood"),
        (401, "hook: HTTP 401: it wants credentials"),
        (404, "hook: HTTP 404: there is nothing at that path"),
        (418, "hook: HTTP 418: refused"),
    ],
)
async def test_a_refusal_is_final_and_says_why(httpserver: HTTPServer, status: int, says: str) -> None:
    httpserver.expect_request(PATH).respond_with_data("hush", status=status)
    failure = await refused(httpserver)
    assert (failure.retryable, str(failure).startswith(says)) == (False, True)
    assert len(httpserver.log) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
async def test_trouble_is_worth_a_retry_when_it_is_asked_for(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request(PATH).respond_with_data("hush", status=status, headers={"Retry-After": "7"})
    failure = await refused(httpserver)
    assert (failure.retryable, failure.retry_after) == (True, 7.0)
    assert len(httpserver.log) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request(PATH).respond_with_response(Response("", status, {"Location": "/elsewhere"}))
    failure = await refused(httpserver)
    assert (failure.retryable, "redirects elsewhere" in str(failure)) == (False, True)
    assert [request.path for request, _ in httpserver.log] == [PATH]


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1e9", None),
        ("9" * 400, None),
        ("Sun, 99 Mar 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, wait: float | None) -> None:
    assert wait_asked(header, at(0)) == wait


async def test_retry_after_a_date_of_the_real_clock(httpserver: HTTPServer) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=100)
    httpserver.expect_request(PATH).respond_with_data(
        "", status=503, headers={"Retry-After": f"{moment:%a, %d %b %Y %H:%M:%S} GMT"}
    )
    assert 90 < ((await refused(httpserver)).retry_after or 0) <= 100


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(answer: Answer, scheme: str = "http") -> AsyncIterator[Webhook]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield Webhook(name="hook", url=Secret(f"{scheme}://127.0.0.1:{port}{PATH}"), secret=KEY, deadline=5)


async def drops(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def mumbles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"hush hush\r\n\r\n")
    writer.close()


async def no_tls(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("answer", "scheme", "says"),
    [
        (drops, "http", "ServerDisconnectedError"),
        (mumbles, "http", "ClientResponseError"),
        (drops, "https", "ClientConnectorError"),
        (no_tls, "https", "TLS fails"),
    ],
)
async def test_an_answer_that_breaks_off_is_worth_a_retry(answer: Answer, scheme: str, says: str) -> None:
    """TLS that fails too: certificates are renewed."""
    async with answering(answer, scheme) as hook:
        with pytest.raises(DeliveryError) as caught:
            await hook.send(notice(firing()))
    assert (caught.value.retryable, str(caught.value)) == (True, f"hook: no answer ({says})")


async def test_a_certificate_nobody_vouches_for_is_not_trusted(tmp_path: Path) -> None:
    with untrusted(tmp_path) as server:
        failure = await refused(server)
        assert server.log == []
    assert (failure.retryable, str(failure)) == (True, "hook: no answer (its certificate is not one we trust)")


async def test_a_server_that_hangs_is_left_at_the_deadline() -> None:
    released = asyncio.Event()

    async def hangs(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    async with answering(hangs) as hook:
        try:
            with pytest.raises(DeliveryError, match=r"no answer \(timeout\)") as caught:
                await replace(hook, deadline=0.3).send(notice(firing()))
        finally:
            released.set()
    assert caught.value.retryable


async def test_nobody_there_is_worth_a_retry() -> None:
    with pytest.raises(DeliveryError, match="no answer") as caught:
        await Webhook(name="hook", url=Secret("http://127.0.0.1:1/hush")).send(notice(firing()))
    assert caught.value.retryable
    assert "hush" not in repr(caught.value)


@pytest.mark.parametrize("url", ["", "hush", "http://", "ftp://h/hush", "http://[hush"])
async def test_what_is_no_url_is_final(url: str) -> None:
    with pytest.raises(DeliveryError, match="that is no URL; mend the webhook's URL") as caught:
        await Webhook(name="hook", url=Secret(url)).send(notice(firing()))
    assert not caught.value.retryable
    assert "hush" not in repr(caught.value)


# -- secrets ------------------------------------------------------------------------------------------------------


async def test_no_secret_is_shown_or_logged(httpserver: HTTPServer, caplog: pytest.LogCaptureFixture) -> None:
    """Neither when all is well nor when it is not; the key is not in what is posted either."""
    caplog.set_level(logging.DEBUG)
    await posted(httpserver, notice(firing()))
    request = httpserver.log[-1][0]
    assert b"hush" not in request.data
    assert "hush-key" not in str(request.headers)
    httpserver.clear()
    httpserver.expect_request(PATH).respond_with_data("hush", status=500)
    await refused(httpserver)
    logged = "".join(record.getMessage() for record in caplog.records if record.name != "werkzeug")
    hushed(logged + repr(receiver(httpserver)), httpserver.port)
