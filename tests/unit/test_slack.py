"""Slack by a real HTTP server on loopback: what is posted, what its answers mean, and that the URL is never shown."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Response

from monitor.errors import DeliveryError
from monitor.model import Ack, Alert, Remedy, Secret, Severity, State
from monitor.notify.slack import Slack
from monitor.notify.slack_blocks import code, escaped, fallback, message, width
from monitor.notify.wording import span
from tests.alerts import alerts, at, firing, resolved
from tests.notices import back, notice, untrusted

PATH = "/services/T000/B000/hush"
WORST = "&`<>\U0001f534"


def receiver(server: HTTPServer, external_url: str | None = "https://watch.example/") -> Slack:
    return Slack(name="ops", webhook=Secret(server.url_for(PATH)), external_url=external_url)


async def posted(server: HTTPServer, told: Sequence[Alert], external_url: str | None = "https://watch.example/") -> Any:
    server.expect_request(PATH, method="POST").respond_with_data("ok")
    await receiver(server, external_url).send(notice(*told))
    (request, _answer) = server.log[-1]
    return json.loads(request.data)


async def refused(server: HTTPServer) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await receiver(server).send(notice(firing()))
    failure = caught.value
    assert str(failure).startswith("ops: ")
    assert (failure.__cause__, failure.__context__) == (None, None)
    for text in (str(failure), repr(failure)):
        assert "hush" not in text
        assert str(server.port) not in text
    return failure


def texts(payload: Any) -> str:
    return json.dumps(payload["blocks"], ensure_ascii=False)


# -- what is said -------------------------------------------------------------------------------------------------


async def test_a_firing_alert_says_what_where_why_and_how(httpserver: HTTPServer) -> None:
    payload = await posted(httpserver, [firing(severity=Severity.CRITICAL)])
    assert payload["text"] == "\U0001f534 CRITICAL: Connection slots nearly full (shop/shop)"
    said = texts(payload)
    for words in (
        "CRITICAL: Connection slots nearly full",
        "shop/shop",
        "85 of 100 slots are used",
        "*Why it matters:* new sessions will be refused",
        "```\\nselect 1;\\n```",
        "Ask who needs so many.",
        "pool.saturation",
        f"<https://watch.example/findings/{firing().finding.fingerprint}|the finding>",
    ):
        assert words in said
    assert [block["type"] for block in payload["blocks"]] == ["header", "section", "section", "section", "context"]


async def test_a_resolved_alert_says_so_and_asks_nothing(httpserver: HTTPServer) -> None:
    payload = await posted(httpserver, [resolved()])
    said = texts(payload)
    assert "RESOLVED: Connection slots nearly full" in said
    assert "until 2026-03-01 12:01 UTC" in said
    assert "select 1" not in said


async def test_without_an_address_of_our_own_there_is_no_link(httpserver: HTTPServer) -> None:
    assert "the finding>" not in texts(await posted(httpserver, [firing()], external_url=None))


async def test_several_alerts_are_one_message_the_worst_first(httpserver: HTTPServer) -> None:
    payload = await posted(httpserver, [resolved("a"), firing("b"), firing("c", Severity.CRITICAL)])
    headers = [block["text"]["text"] for block in payload["blocks"] if block["type"] == "header"]
    assert [header.split(":")[0].split()[-1] for header in headers] == ["CRITICAL", "WARNING", "RESOLVED"]
    assert payload["text"].endswith("… and 2 more")
    assert len(httpserver.log) == 1


async def test_a_flood_is_cut_and_counted(httpserver: HTTPServer) -> None:
    flood = [firing(f"table {number}") for number in range(500)]
    payload = await posted(httpserver, flood)
    within_limits(payload["blocks"])
    last, _, kinds = payload["blocks"][-1]["text"]["text"].partition("\n")
    listed = sum(f'"table {number}"' in str(payload) or f"table {number}" in texts(payload) for number in range(500))
    assert last.startswith("… and ")
    assert int(last.split()[2]) > 400
    assert listed > 20
    assert kinds == f"• {last.split()[2]} x pool.saturation on shop/shop"


async def test_the_rest_of_a_flood_is_counted_by_rule_and_target(httpserver: HTTPServer) -> None:
    flood = [firing(f"table {number}", rule=f"tables.{number % 30}") for number in range(10_000)]
    payload = await posted(httpserver, flood)
    within_limits(payload["blocks"])
    first, *kinds, last = payload["blocks"][-1]["text"]["text"].splitlines()
    assert re.fullmatch(r"… and 99\d\d more \(99\d\d firing\)", first)
    assert re.fullmatch(r"• 33\d x tables\.\d+ on shop/shop", kinds[0])
    assert (len(kinds), last) == (8, "• and 22 others")


async def test_what_is_over_says_how_long_it_lasted_and_what_ended_it(httpserver: HTTPServer) -> None:
    said = texts(await posted(httpserver, [replace(resolved(), ended_by="its <database> is gone")]))
    assert "It lasted 60 s (its &lt;database&gt; is gone)." in said
    assert "*It was:* 85 of 100 slots are used" in said


async def test_a_target_that_answers_again_is_back(httpserver: HTTPServer) -> None:
    payload = await posted(httpserver, [back()])
    assert payload["text"] == "\U0001f7e2 RESOLVED: shop is back after 12 min (shop)"
    assert "It was away for 12 min." in texts(payload)


async def test_a_target_that_is_watched_no_longer_is_not_back(httpserver: HTTPServer) -> None:
    said = texts(await posted(httpserver, [back("the target is watched no longer")]))
    assert "RESOLVED: A server cannot be reached" in said
    assert "It lasted 12 min (the target is watched no longer)." in said


def test_what_stands_is_one_line_below_the_news() -> None:
    told = notice(firing("new"), standing=[firing("old", Severity.CRITICAL)], seconds=4 * 3600)
    blocks = [block.to_dict() for block in message(told, None)]
    assert [block["type"] for block in blocks if block["type"] == "header"] == ["header"]
    assert blocks[-1]["text"]["text"].splitlines() == [
        "*Still firing:*",
        "\U0001f534 CRITICAL: Connection slots nearly full — shop/shop · old, for 4 h",
    ]
    assert fallback(told).startswith("\U0001f7e0 WARNING: Connection slots nearly full")


def test_a_repetition_says_for_how_long_and_who_has_taken_note() -> None:
    acked = replace(firing(), acked=Ack(author="<@Ann>", comment="", at=at(0), severity=Severity.WARNING))
    told = notice(standing=[acked, firing("other")], seconds=4 * 3600)
    header, _, section = [block.to_dict() for block in message(told, None)]
    assert header["text"]["text"] == "\U0001f7e0 Still firing for 4 h"
    assert "for 4 h, acknowledged by &lt;@Ann&gt;" in section["text"]["text"]
    assert fallback(told) == ("\U0001f7e0 Still firing for 4 h: Connection slots nearly full (shop/shop) … and 1 more")


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (-1, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (15_600, "4 h 20 min"),
        (172_800, "2 d"),
        (180_000, "2 d 2 h"),
    ],
)
def test_a_span_is_said_as_people_say_it(seconds: float, says: str) -> None:
    assert span(seconds) == says


async def test_nothing_to_say_posts_nothing(httpserver: HTTPServer) -> None:
    await receiver(httpserver).send(notice())
    assert httpserver.log == []


def test_nothing_in_a_name_mentions_links_or_formats() -> None:
    assert escaped("<!channel> a & b `x`", 100) == "&lt;!channel&gt; a &amp; b 'x'"


def test_a_code_block_cannot_be_left() -> None:
    assert code("select '```' <@U1>").count("```") == 2
    assert code("select `x` & y") == "```\nselect `x` &amp; y\n```"


def test_a_cut_never_splits_an_entity_and_counts_what_is_left_out() -> None:
    cut = escaped("&" * 1000, 100)
    assert width(cut) <= 100
    head, _, rest = cut.partition("…")
    assert head == "&amp;" * (len(head) // 5)
    assert rest == f" and {1000 - len(head) // 5} more characters"


def test_statements_are_shown_whole_or_not_at_all() -> None:
    long = ("select 1", "select " + "x" * 1990, "select 2")
    alert = replace(firing(), finding=replace(firing().finding, remedy=Remedy(sql=long)))
    said = str([block.to_dict() for block in message(notice(alert), None)])
    assert "select 1;" in said
    assert "xxx" not in said
    assert "and 2 more statements" in said


def within_limits(blocks: Sequence[Any]) -> None:
    """Slack's documented limits, and what it takes of all blocks together."""
    assert 1 <= len(blocks) <= 50
    for block in blocks:
        pieces = [*block.get("elements", ()), *([block["text"]] if "text" in block else [])]
        for piece in pieces:
            assert 1 <= width(piece["text"]) <= (150 if block["type"] == "header" else 3000)
    assert width(json.dumps(blocks, ensure_ascii=False)) < 13200


def swollen(alert: Alert, filler: str, times: int) -> Alert:
    finding = alert.finding
    mass = filler * times
    remedy = Remedy(sql=tuple(f"select '{mass[:size]}'" for size in (10, 100, 2000)), caution=mass)
    return replace(
        alert, finding=replace(finding, title=mass, summary=mass, impact=mass, subject=mass, rule=mass, remedy=remedy)
    )


@settings(deadline=None, max_examples=40)
@given(
    st.lists(alerts(), min_size=1, max_size=25),
    st.sampled_from(["", "x", WORST, "word ", "\n", "`", "&", '"', "\\", "\x00\x1b[2J"]),
    st.sampled_from([0, 30, 3500]),
    st.sampled_from([None, "http://h", "http://" + "&" * 3000]),
)
def test_no_alert_makes_a_message_slack_would_refuse(
    drawn: list[Alert], filler: str, times: int, external_url: str | None
) -> None:
    """slack_sdk checks each block as it becomes a dict; we check the limits it does not know."""
    mass = [swollen(alert, filler, times) if times else alert for alert in drawn]
    for told in (notice(*mass), notice(standing=mass), notice(*mass[:9], standing=mass[9:])):
        within_limits([block.to_dict() for block in message(told, external_url)])
        assert 1 <= len(fallback(told)) <= 400
        assert "\x1b" not in fallback(told)


# -- what answers mean --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (400, "invalid_payload", "HTTP 400 invalid_payload: the message is not understood"),
        (403, "action_prohibited", "HTTP 403 action_prohibited: it may not write there"),
        (404, "no_service", "HTTP 404 no_service: there is no such webhook; make a new one"),
        (410, "channel_is_archived", "HTTP 410 channel_is_archived: the channel is archived"),
        (418, "<html>hush</html>", "HTTP 418: refused"),
    ],
)
async def test_a_refusal_is_final_and_says_why(httpserver: HTTPServer, status: int, body: str, says: str) -> None:
    httpserver.expect_request(PATH).respond_with_data(body, status=status)
    failure = await refused(httpserver)
    assert (failure.retryable, says in str(failure)) == (False, True)
    assert len(httpserver.log) == 1


async def test_a_web_page_is_not_taken_for_a_delivery(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_data("\n<html>log in to hush</html>", status=200)
    failure = await refused(httpserver)
    assert failure.retryable
    assert "HTTP 200, but a web page" in str(failure)


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_server_in_trouble_is_worth_a_retry(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request(PATH).respond_with_data("hush", status=status)
    assert (await refused(httpserver)).retryable
    assert len(httpserver.log) == 1


@pytest.mark.parametrize(
    ("header", "wait"), [("7", 7.0), ("", None), ("soon", None), ("-1", None), ("9" * 400, None), ("1e9", None)]
)
async def test_too_many_is_worth_a_retry_after_what_slack_asks(
    httpserver: HTTPServer, header: str, wait: float | None
) -> None:
    httpserver.expect_request(PATH).respond_with_data("", status=429, headers={"Retry-After": header})
    failure = await refused(httpserver)
    assert (failure.retryable, failure.retry_after) == (True, wait)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request(PATH).respond_with_response(
        Response("", status, {"Location": httpserver.url_for("/elsewhere")})
    )
    httpserver.expect_request("/elsewhere").respond_with_data("ok")
    failure = await refused(httpserver)
    assert (failure.retryable, "redirects elsewhere" in str(failure)) == (False, True)
    assert [request.path for request, _ in httpserver.log] == [PATH]


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[Slack]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield Slack(name="ops", webhook=Secret(f"http://127.0.0.1:{port}{PATH}"))


async def drops(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def mumbles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 1\r\n\r\n\xff")
    writer.close()


@pytest.mark.parametrize("answer", [drops, mumbles])
async def test_an_answer_that_breaks_off_is_worth_a_retry(answer: Answer) -> None:
    async with answering(answer) as ops:
        with pytest.raises(DeliveryError, match="no answer") as caught:
            await ops.send(notice(firing()))
    assert caught.value.retryable


async def test_a_server_that_hangs_is_left_at_the_deadline() -> None:
    released = asyncio.Event()

    async def hangs(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    async with answering(hangs) as ops:
        try:
            with pytest.raises(DeliveryError, match="no answer \\(timeout\\)") as caught:
                await replace(ops, deadline=0.3).send(notice(firing()))
        finally:
            released.set()
    assert caught.value.retryable


async def test_nobody_there_is_worth_a_retry() -> None:
    with pytest.raises(DeliveryError, match="no answer") as caught:
        await Slack(name="ops", webhook=Secret("http://127.0.0.1:1/hush")).send(notice(firing()))
    assert caught.value.retryable
    assert "hush" not in repr(caught.value)


async def test_a_server_nobody_vouches_for_is_told_nothing(tmp_path: Path) -> None:
    with (
        untrusted(tmp_path) as server,
        pytest.raises(DeliveryError, match="its certificate is not one we trust") as caught,
    ):
        await receiver(server).send(notice(firing()))
    assert caught.value.retryable
    assert server.log == []


@pytest.mark.parametrize("url", ["", "hush", "http://", "ftp://h/hush", "http://[hush"])
async def test_what_is_no_url_is_final(url: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        await Slack(name="ops", webhook=Secret(url)).send(notice(firing()))
    assert not caught.value.retryable
    assert "hush" not in repr(caught.value)


async def test_the_url_is_not_logged_even_at_debug_level(
    httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await posted(httpserver, [firing()])
    assert "hush" not in "".join(record.getMessage() for record in caplog.records if record.name != "werkzeug")
    assert "hush" not in repr(receiver(httpserver))


def test_times_of_an_alert_that_was_seen_twice_are_those_of_this_time() -> None:
    alert = replace(firing(), state=State.FIRING, starts_at=at(3600), occurrences=2)
    assert "since 2026-03-01 13:00 UTC" in str([block.to_dict() for block in message(notice(alert), None)])
