"""Slack by a bot token, against a workspace on loopback: one message a finding, its thread, and what errors mean."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from monitor.errors import DeliveryError, StoreError
from monitor.model import Alert, Severity
from monitor.notify.places import Remembered
from monitor.notify.slack_bot import Place, SlackBot
from tests.alerts import at, firing, resolved
from tests.notices import back, notice, untrusted
from tests.unit.slack_workspace import Workspace, a_bot


def worse(alert: Alert) -> Alert:
    return replace(alert, finding=replace(alert.finding, severity=Severity.CRITICAL))


# -- one message per finding ----------------------------------------------------------------------------------------


async def test_each_finding_has_its_message(workspace: Workspace, bot: SlackBot) -> None:
    await bot.send(notice(firing("a"), firing("b", Severity.CRITICAL), standing=[firing("c")]))
    assert [message["text"].split(":")[0][2:] for message in workspace.top] == ["CRITICAL", "WARNING"]
    assert all(message["channel"] == "#ops" and message["unfurl_links"] is False for message in workspace.top)
    assert "```\nselect 1;\n```" in str(workspace.top[0]["blocks"][2]["text"]["text"])


async def test_what_grows_worse_is_edited_and_said_to_the_channel_from_its_thread(
    workspace: Workspace, bot: SlackBot
) -> None:
    await bot.send(notice(firing()))
    await bot.send(notice(worse(firing())))
    (message,), (reply,) = workspace.top, workspace.replies
    assert message["text"].startswith("\U0001f534 CRITICAL: Connection slots nearly full")
    assert (reply["thread_ts"], reply["reply_broadcast"]) == (message["ts"], True)
    assert reply["text"] == (
        "\U0001f534 warning → critical: Connection slots nearly full (shop/shop · shop): 85 of 100 slots are used"
    )


async def test_what_grows_milder_is_said_in_the_thread_only(workspace: Workspace, bot: SlackBot) -> None:
    await bot.send(notice(worse(firing())))
    await bot.send(notice(firing()))
    (reply,) = workspace.replies
    assert "critical → warning" in reply["text"]
    assert "reply_broadcast" not in reply


async def test_what_is_over_is_edited_and_its_thread_says_what_ended_it(workspace: Workspace, bot: SlackBot) -> None:
    await bot.send(notice(firing()))
    await bot.send(notice(replace(resolved(), ended_by="its database is gone")))
    (message,), (reply,) = workspace.top, workspace.replies
    assert "RESOLVED" in message["text"]
    assert reply["text"].startswith("\U0001f7e2 Resolved: Connection slots nearly full (shop/shop · shop) lasted 60 s")
    assert reply["text"].endswith("(its database is gone)")
    assert "reply_broadcast" not in reply


async def test_a_target_that_answers_again_is_back(workspace: Workspace, bot: SlackBot) -> None:
    await bot.send(notice(back()))
    assert "shop is back after 12 min" in workspace.top[0]["text"]


async def test_what_comes_again_is_told_in_the_thread_and_to_the_channel(workspace: Workspace, bot: SlackBot) -> None:
    for told in (firing(), resolved(), replace(firing(), occurrences=2)):
        await bot.send(notice(told))
    (message,), (_, again) = workspace.top, workspace.replies
    assert message["text"].startswith("\U0001f7e0 WARNING")
    assert again["reply_broadcast"]
    assert "Firing again, time 2" in again["text"]


async def test_a_message_that_was_deleted_is_posted_anew(workspace: Workspace, bot: SlackBot) -> None:
    await bot.send(notice(firing()))
    workspace.messages.clear()
    await bot.send(notice(resolved()))
    assert ["RESOLVED" in message["text"] for message in workspace.messages.values()] == [True]
    await bot.send(notice(replace(firing(), occurrences=2)))
    assert workspace.calls[-2:] == ["chat.update", "chat.postMessage"]


async def test_another_channel_gets_messages_of_its_own(workspace: Workspace, bot: SlackBot) -> None:
    await bot.send(notice(firing()))
    await replace(bot, channel="#dba").send(notice(worse(firing())))
    assert [message["channel"] for message in workspace.top] == ["#ops", "#dba"]


async def test_the_same_news_again_is_told_once(workspace: Workspace, bot: SlackBot) -> None:
    for _ in range(2):
        await bot.send(notice(firing("a"), resolved("b")))
    assert workspace.calls == ["chat.postMessage"] * 2


async def test_a_notice_that_failed_half_way_goes_on_there(workspace: Workspace, bot: SlackBot) -> None:
    workspace.refusals = ["", "internal_error"]
    told = notice(firing("a"), firing("b"), firing("c"))
    with pytest.raises(DeliveryError):
        await bot.send(told)
    await bot.send(told)
    assert len(workspace.top) == 3


async def test_a_repetition_is_one_message(workspace: Workspace, bot: SlackBot) -> None:
    await bot.send(notice(firing("a"), firing("b")))
    await bot.send(notice(standing=[firing("a"), firing("b")], seconds=4 * 3600))
    assert workspace.top[2]["text"].startswith("\U0001f7e0 Still firing for 4 h")
    assert workspace.calls == ["chat.postMessage"] * 3


async def test_nothing_to_say_asks_nothing(workspace: Workspace, bot: SlackBot) -> None:
    await bot.send(notice())
    assert workspace.calls == []


# -- floods ---------------------------------------------------------------------------------------------------------


async def test_fifteen_news_have_a_message_each_and_sixteen_have_one(workspace: Workspace, bot: SlackBot) -> None:
    await bot.send(notice(*(firing(f"a{number}") for number in range(15))))
    assert len(workspace.top) == 15
    await bot.send(notice(*(firing(f"b{number}") for number in range(16))))
    assert len(workspace.top) == 16
    assert "… and 15 more" in workspace.top[-1]["text"]


async def test_what_came_in_a_flood_ends_in_the_floods_thread(workspace: Workspace, bot: SlackBot) -> None:
    await bot.send(notice(*(firing(f"a{number}") for number in range(16))))
    await bot.send(notice(resolved("a3")))
    summary, _ = workspace.messages
    (reply,) = workspace.replies
    assert reply["thread_ts"] == summary
    assert "a3) lasted" in reply["text"]
    assert workspace.calls == ["chat.postMessage"] * 2


async def test_what_came_in_a_flood_and_grows_worse_gets_its_own_message(workspace: Workspace, bot: SlackBot) -> None:
    await bot.send(notice(*(firing(f"a{number}") for number in range(16))))
    await bot.send(notice(worse(firing("a3"))))
    assert len(workspace.top) == 2
    assert "CRITICAL" in workspace.top[1]["text"]


async def test_a_flood_of_ends_leaves_no_message_that_lies(workspace: Workspace, bot: SlackBot) -> None:
    await bot.send(notice(*(firing(f"a{number}") for number in range(12))))
    await bot.send(notice(*(resolved(f"a{number}") for number in range(12)), *(firing(f"b{n}") for n in range(10))))
    assert sum("RESOLVED" in message["text"] for message in workspace.top) == 12
    assert len(workspace.messages) == 13


async def test_a_flood_that_was_told_is_told_though_old_messages_cannot_be_edited(
    workspace: Workspace, bot: SlackBot
) -> None:
    await bot.send(notice(*(firing(f"a{number}") for number in range(5))))
    workspace.refusals = ["", "", "ratelimited"]
    await bot.send(notice(*(resolved(f"a{number}") for number in range(5)), *(firing(f"b{n}") for n in range(15))))
    assert sum("RESOLVED" in message["text"] for message in workspace.top) == 1
    assert len(workspace.top) == 6


async def test_ten_thousand_findings_are_one_message(workspace: Workspace, bot: SlackBot) -> None:
    await bot.send(notice(*(firing(f"a{number}") for number in range(10_000))))
    assert workspace.calls == ["chat.postMessage"]
    assert await bot.places.get("ops", firing("a9999").finding.fingerprint) is not None


# -- what is remembered ---------------------------------------------------------------------------------------------


class Shelf(Remembered):
    """A store that can be closed for a while."""

    open = True

    async def get(self, receiver: str, fingerprint: str) -> str | None:
        self._must_be_open()
        return await super().get(receiver, fingerprint)

    async def put_all(self, receiver: str, places: Mapping[str, str]) -> None:
        self._must_be_open()
        await super().put_all(receiver, places)

    def _must_be_open(self) -> None:
        if not self.open:
            raise StoreError("store: it is full")


async def test_places_outlive_the_receiver_and_a_store_that_fails(workspace: Workspace, bot: SlackBot) -> None:
    store = Shelf()
    await replace(bot, places=Remembered(store)).send(notice(firing("a")))
    remembering = replace(bot, places=Remembered(store))
    store.open = False
    await remembering.send(notice(firing("b")))
    await remembering.send(notice(resolved("b")))
    store.open = True
    await remembering.send(notice(resolved("a"), worse(firing("b"))))
    assert len(workspace.top) == 2


async def test_memory_holds_only_so_many_places() -> None:
    places = Remembered(capacity=2)
    for fingerprint in "abc":
        await places.put("ops", fingerprint, fingerprint)
    assert [await places.get("ops", each) for each in "abc"] == [None, "b", "c"]


@pytest.mark.parametrize("text", [None, "", "hm", "[]", "{}", '{"ts": "1"}', '{"a": 1}'])
def test_a_place_that_cannot_be_understood_is_none(text: str | None) -> None:
    assert Place.read(text) is None


# -- what answers mean ----------------------------------------------------------------------------------------------


async def refused(bot: SlackBot) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await bot.send(notice(firing()))
    failure = caught.value
    assert str(failure).startswith("ops: ")
    assert (failure.__cause__, failure.__context__) == (None, None)
    for text in (str(failure), repr(failure), repr(bot)):
        assert "hush" not in text
    return failure


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("invalid_auth", "invalid_auth: the token is not valid; take the app's bot token"),
        ("not_authed", "the token is not valid"),
        ("token_revoked", "install the app anew"),
        ("account_inactive", "install the app anew"),
        ("missing_scope", "give it the scope chat:write"),
        ("not_in_channel", "the bot is not in the channel; invite it there (/invite)"),
        ("channel_not_found", "there is no such channel"),
        ("is_archived", "the channel is archived"),
        ("restricted_action", "ask its administrator"),
        ("invalid_blocks", "please report it"),
        ("a_new_code", "a_new_code: refused"),
    ],
)
async def test_a_refusal_is_final_and_says_how_to_mend_it(
    workspace: Workspace, bot: SlackBot, code: str, says: str
) -> None:
    workspace.refusals = [code]
    failure = await refused(bot)
    assert (failure.retryable, says in str(failure)) == (False, True)
    assert len(workspace.calls) == 1


@pytest.mark.parametrize("code", ["internal_error", "fatal_error", "service_unavailable", "ratelimited"])
async def test_trouble_at_slack_is_worth_a_retry(workspace: Workspace, bot: SlackBot, code: str) -> None:
    workspace.refusals = [code]
    failure = await refused(bot)
    assert failure.retryable
    assert code in str(failure)
    assert len(workspace.calls) == 1


@pytest.mark.parametrize("code", ["canary_hush", "Hush!", "<html>", 7, None])
async def test_a_code_that_is_none_stays_unsaid(httpserver: HTTPServer, bot: SlackBot, code: object) -> None:
    httpserver.expect_request("/api/chat.postMessage").respond_with_json({"ok": False, "error": code})
    await refused(bot)


@pytest.mark.parametrize(
    ("header", "wait"), [("30", 30.0), ("", None), ("soon", None), ("-1", None), ("9" * 400, None)]
)
@pytest.mark.parametrize("body", ["", '{"ok": false, "error": "ratelimited"}'])
async def test_too_many_is_worth_a_retry_after_what_slack_asks(
    httpserver: HTTPServer, bot: SlackBot, header: str, wait: float | None, body: str
) -> None:
    answer = Response(body, 429, {"Retry-After": header}, mimetype="application/json")
    httpserver.expect_request("/api/chat.postMessage").respond_with_response(answer)
    failure = await refused(bot)
    assert (failure.retryable, failure.retry_after) == (True, wait)


@pytest.mark.parametrize("kind", ["application/json", "text/html", "text/plain", "application/gzip", ""])
@pytest.mark.parametrize("body", [b"", b"<html>hush</html>", b"[]", b"[1]", b'"hush"', b"\xff\x00", b"{}", b"null"])
async def test_an_answer_that_is_not_slacks_is_no_delivery(
    httpserver: HTTPServer, bot: SlackBot, kind: str, body: bytes
) -> None:
    answer = Response(body, 200, content_type=kind)
    httpserver.expect_request("/api/chat.postMessage").respond_with_response(answer)
    failure = await refused(bot)
    assert failure.retryable
    assert "an answer that is not Slack's" in str(failure)


@pytest.mark.parametrize("kind", ["application/json", "text/html", "text/plain"])
@pytest.mark.parametrize(("status", "retryable"), [(400, False), (404, False), (500, True), (503, True)])
async def test_a_status_without_a_code_is_said(
    httpserver: HTTPServer, bot: SlackBot, kind: str, status: int, *, retryable: bool
) -> None:
    answer = Response(b"hush", status, content_type=kind)
    httpserver.expect_request("/api/chat.postMessage").respond_with_response(answer)
    failure = await refused(bot)
    assert (failure.retryable, f"HTTP {status}: " in str(failure)) == (retryable, True)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(httpserver: HTTPServer, bot: SlackBot, status: int) -> None:
    elsewhere = Response("", status, {"Location": httpserver.url_for("/elsewhere")})
    httpserver.expect_request("/api/chat.postMessage").respond_with_response(elsewhere)
    failure = await refused(bot)
    assert (failure.retryable, "redirects elsewhere" in str(failure)) == (False, True)
    assert [request.path for request, _ in httpserver.log] == ["/api/chat.postMessage"]


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[SlackBot]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield a_bot(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")


async def drops(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"ok":')
    writer.close()


@pytest.mark.parametrize("answer", [drops, breaks_off])
async def test_an_answer_that_breaks_off_is_worth_a_retry(answer: Answer) -> None:
    async with answering(answer) as bot:
        failure = await refused(bot)
    assert failure.retryable
    assert "no answer" in str(failure)


async def test_a_server_that_hangs_is_left_at_the_deadline() -> None:
    released = asyncio.Event()

    async def hangs(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    async with answering(hangs) as bot:
        try:
            failure = await refused(replace(bot, deadline=0.3))
        finally:
            released.set()
    assert (failure.retryable, str(failure)) == (True, "ops: no answer (timeout)")


async def test_a_server_nobody_vouches_for_never_sees_the_token(tmp_path: Path) -> None:
    with untrusted(tmp_path) as server:
        failure = await refused(a_bot(server.url_for("/api/")))
        assert server.log == []
    assert failure.retryable
    assert "its certificate is not one we trust" in str(failure)


@pytest.mark.parametrize("base_url", ["", "hush", "http://", "ftp://h/hush"])
async def test_what_is_no_url_is_final(base_url: str) -> None:
    assert not (await refused(a_bot(base_url))).retryable


async def test_the_token_is_not_logged_even_at_debug_level(
    workspace: Workspace, bot: SlackBot, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    workspace.refusals = ["", "invalid_auth"]
    await bot.send(notice(firing()))
    with pytest.raises(DeliveryError):
        await bot.send(notice(resolved()))
    assert "hush" not in "".join(record.getMessage() for record in caplog.records)


async def test_names_that_strangers_chose_neither_mention_nor_link(workspace: Workspace, bot: SlackBot) -> None:
    evil = "<!channel> & <https://evil.example|me>"
    finding = replace(firing().finding, title=evil, summary=evil, subject=evil, impact=evil)
    await bot.send(notice(replace(firing(), finding=finding)))
    await bot.send(notice(replace(resolved(), finding=finding, ends_at=at(99), ended_by=evil)))
    said = json.dumps([[message["text"], message["blocks"][1:]] for message in workspace.top])
    said += json.dumps(workspace.replies)
    assert "<!" not in said
    assert "<https://evil" not in said
