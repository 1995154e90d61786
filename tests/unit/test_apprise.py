"""Apprise by real servers on loopback: what chats are told within their limits, what answers mean, and no URL shown."""

import asyncio
import json
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from monitor.errors import DeliveryError
from monitor.model import Alert, Remedy, Secret, Severity
from monitor.notice import Notice
from monitor.notify.apprise import Apprise, _Chat, _library, check_url
from monitor.notify.template import Template
from tests.alerts import alerts, firing, resolved
from tests.notices import notice, untrusted

PATH = "/hush-path"
LIBRARY = _library()
HOUSE = "https://watch.example/"
TINY, PLAIN = "twilio://AC{0}:{0}@15551234567/15551234568".format("0123456789" * 3 + "ab"), "mmost://h/token"
SERVICES = (
    TINY,
    PLAIN,
    "json://h",
    "discord://123/abc",
    "tgram://123456789:abcdefg_hijklmnop/room/",
    "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
    "workflows://h:443/flow/signature",
    "rocket://user:password@h/#room",
    "mailto://user:password@example.com",
    "matrix://user:password@h/#room",
    "ntfy://h/topic",
)


def url(server: HTTPServer, scheme: str = "json", rest: str = PATH) -> Secret:
    return Secret(f"{scheme}://hush-user:hush-password@127.0.0.1:{server.port}{rest}")


def receiver(*urls: Secret, **changes: Any) -> Apprise:
    return Apprise(name="all", urls=urls, external_url=HOUSE, **changes)


async def posted(server: HTTPServer, told: Notice, rest: str = PATH, **changes: Any) -> Any:
    server.expect_request(PATH, method="POST").respond_with_data("ok")
    await receiver(url(server, rest=rest), **changes).send(told)
    return json.loads(server.log[-1][0].data)


async def refused(server: HTTPServer, answer: Response) -> DeliveryError:
    server.expect_request(PATH).respond_with_response(answer)
    with pytest.raises(DeliveryError) as caught:
        await receiver(url(server)).send(notice(firing()))
    for text in (str(caught.value), repr(caught.value), repr(caught.value.__cause__)):
        hushed(text, server.port)
    return caught.value


def hushed(text: str, port: int) -> None:
    assert "hush" not in text
    assert str(port) not in text


# -- what is said -------------------------------------------------------------------------------------------------


async def test_a_chat_that_knows_markdown_is_told_in_markdown(httpserver: HTTPServer) -> None:
    payload = await posted(httpserver, notice(firing(severity=Severity.CRITICAL)))
    assert (payload["title"], payload["type"]) == (
        "\U0001f534 CRITICAL: Connection slots nearly full (shop/shop)",
        "failure",
    )
    fingerprint = firing().finding.fingerprint
    assert payload["message"].split("\n") == [
        "shop/shop · shop  ",
        "85 of 100 slots are used  ",
        "What to do:  ",
        "```sql",
        "select 1;",
        "```  ",
        "Mind: Ask who needs so many.  ",
        f"pool.saturation · for 60 s · [the finding]({HOUSE}findings/{fingerprint})",
    ]


async def test_a_chat_of_plain_text_gets_no_markup(httpserver: HTTPServer) -> None:
    """Mattermost takes title and text in one."""
    httpserver.expect_request("/hooks/hush-token", method="POST").respond_with_data("ok")
    mattermost = Secret(f"mmost://127.0.0.1:{httpserver.port}/hush-token")
    await receiver(mattermost).send(notice(firing(), firing("public.a_b")))
    (request, _) = httpserver.log[-1]
    text = json.loads(request.data)["text"]
    assert text.startswith("\U0001f7e0 WARNING: Connection slots nearly full (shop/shop) … and 1 more\r\n")
    assert "\n\n    select 1;\n\n" in text
    assert "shop/shop · public.a_b\n" in text
    assert "**" not in text


async def test_html_is_escaped(httpserver: HTTPServer) -> None:
    """Mail is HTML: a name is no tag of it."""
    payload = await posted(httpserver, notice(firing("<script>alert(1)</script>"), firing()), f"{PATH}?format=html")
    assert "&lt;script&gt;" in payload["message"]
    assert "<script>" not in payload["message"]
    assert "<pre>select 1;</pre>" in payload["message"]
    assert "<b>" in payload["message"]


async def test_news_come_first_and_in_full_what_stands_by_a_line(httpserver: HTTPServer) -> None:
    payload = await posted(
        httpserver, notice(firing("new"), resolved("over"), standing=[firing("old", Severity.CRITICAL)])
    )
    said = payload["message"]
    assert (
        said.index("shop · new")
        < said.index("RESOLVED")
        < said.index("CRITICAL: Connection slots nearly full — shop/shop · old")
    )
    assert said.count("```sql") == 1
    assert "lasted 60 s" in said
    assert (payload["type"], payload["title"].endswith(" … and 2 more")) == ("failure", True)


async def test_a_repetition_says_that_it_is_one(httpserver: HTTPServer) -> None:
    payload = await posted(httpserver, notice(standing=[firing()]))
    assert "WARNING (still): " in payload["title"]
    assert "select 1;" in payload["message"]


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ([firing(severity=Severity.INFO)], "info"),
        ([firing("a", Severity.INFO), firing(severity=Severity.WARNING)], "warning"),
        ([firing("a", Severity.CRITICAL), resolved()], "failure"),
        ([resolved()], "success"),
    ],
)
async def test_the_colour_is_that_of_the_worst(httpserver: HTTPServer, told: list[Alert], kind: str) -> None:
    assert (await posted(httpserver, notice(*told)))["type"] == kind


async def test_nothing_of_a_name_mentions_links_or_formats(httpserver: HTTPServer) -> None:
    payload = await posted(httpserver, notice(firing("@everyone <@U1> http://evil *b* `c` [l](u)"), firing()))
    assert "@everyone" not in payload["message"]
    assert "http://" not in payload["message"]
    assert r"\<@" in payload["message"]
    assert r"\*b\* 'c' \[l\](u)" in payload["message"]


async def test_no_picture_comes_from_elsewhere(httpserver: HTTPServer) -> None:
    payload = await posted(httpserver, notice(firing()))
    assert "github" not in json.dumps(payload)
    assert httpserver.log[-1][0].headers["User-Agent"] == "pgarchitect"


async def test_nothing_to_say_posts_nothing(httpserver: HTTPServer) -> None:
    await receiver(url(httpserver)).send(notice())
    assert httpserver.log == []


async def test_a_template_replaces_the_text(httpserver: HTTPServer) -> None:
    template = Template.of("{% for alert in alerts %}* {{ alert.title }}\n{% endfor %}")
    payload = await posted(httpserver, notice(firing(), firing("b")), template=template)
    assert payload["message"] == "* Connection slots nearly full\n* Connection slots nearly full"


async def test_a_template_that_fails_gives_way_and_says_so(httpserver: HTTPServer) -> None:
    template = Template.of("\n{{ alerts[0].hush }}", "all.j2")
    payload = await posted(httpserver, notice(firing()), template=template)
    first, _, rest = payload["message"].partition("\n\n")
    assert first == (
        r"\[the template failed, so these are the built-in words: all.j2:2: it uses a name that is not there\]"
    )
    assert "select 1;" in rest


# -- limits -------------------------------------------------------------------------------------------------------


async def test_a_flood_is_cut_by_whole_alerts_and_counted(httpserver: HTTPServer) -> None:
    """Rocket.Chat takes 1,000 characters; Apprise would have it refuse more."""
    httpserver.expect_request("/hooks/hushA/hushB", method="POST").respond_with_data("ok")
    rocket = Secret(f"rocket://hushA%2FhushB@127.0.0.1:{httpserver.port}/#room")
    await receiver(rocket).send(notice(*(firing(f"table {number}") for number in range(3000))))
    text = json.loads(httpserver.log[-1][0].data)["text"]
    assert len(text) <= 1000
    assert text.split("\n")[-1].startswith("… and 29")
    assert "```" in text


def carried(chat: _Chat, told: Notice, **changes: Any) -> list[dict[str, Any]]:
    """What Apprise would hand to the service."""
    whole: dict[str, Any] = {"external_url": HOUSE, "own": None, "problem": "", **changes}
    letter = chat.letter(told, **whole)
    calls = chat._service._build_send_calls(
        body=letter.text, title=letter.title, body_format=chat._format, body_passthrough=False
    )
    return list(calls)


def swollen(alert: Alert, filler: str, times: int) -> Alert:
    mass = filler * times
    remedy = Remedy(sql=tuple(f"select '{mass[:size]}'" for size in (10, 100, 1900)), caution=mass)
    finding = replace(alert.finding, title=mass, summary=mass, impact=mass, subject=mass, rule=mass, remedy=remedy)
    return replace(alert, finding=finding)


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from([_Chat(LIBRARY, Secret(each)) for each in SERVICES]),
    st.lists(alerts(), min_size=1, max_size=12),
    st.sampled_from(["x", "&`<>\U0001f534", "*_|", "\n", "word ", "\x00\x1b[2J", "@a:b:"]),
    st.sampled_from([0, 30, 3500]),
    st.sampled_from([None, "line one\n" * 3000, "x" * 9000]),
)
def test_no_message_is_longer_than_its_service_takes(
    chat: _Chat, told: list[Alert], filler: str, times: int, own: str | None
) -> None:
    """However long its alerts or its template: one message, counted after the service's own conversion."""
    mass = [swollen(alert, filler, times) if times else alert for alert in told]
    (call,) = carried(chat, notice(*mass), own=own, problem="the template failed" if times else "")
    title_counts = chat._service.overflow_amalgamate_title
    characters = len(call["body"]) + (len(call["title"]) if title_counts else 0)
    assert 0 < characters <= chat._service.body_maxlen
    assert len(call["title"]) <= max(chat._service.title_maxlen, 0)
    assert "\x1b" not in call["body"]


def test_a_tiny_chat_is_told_the_worst_and_how_many_more() -> None:
    (call,) = carried(_Chat(LIBRARY, Secret(TINY)), notice(firing(), firing("b", Severity.CRITICAL), firing("c")))
    assert call["title"] == ""
    assert "CRITICAL: Connection slots nearly full" in call["body"]
    assert "… and 2 more" in call["body"]


def test_sql_is_shown_whole_or_not_at_all() -> None:
    long = replace(firing(), finding=replace(firing().finding, remedy=Remedy(sql=("select " + "x" * 1800,))))
    (call,) = carried(_Chat(LIBRARY, Secret("rocket://user:password@h/#room")), notice(long))
    assert "xxx" not in call["body"]
    assert "the SQL is too long for here" in call["body"]


# -- what answers mean --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (400, "all: JSON: HTTP 400: the message is not understood"),
        (404, "all: JSON: HTTP 404: there is no such chat; mend the URL"),
        (418, "all: JSON: HTTP 418: refused"),
    ],
)
async def test_a_refusal_is_final_and_says_why(httpserver: HTTPServer, status: int, says: str) -> None:
    failure = await refused(httpserver, Response("hush", status))
    assert (failure.retryable, str(failure)) == (False, says)
    assert len(httpserver.log) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_trouble_is_worth_a_retry(httpserver: HTTPServer, status: int) -> None:
    failure = await refused(httpserver, Response("hush", status, {"Retry-After": "7"}))
    assert (failure.retryable, str(failure)) == (True, f"all: JSON: HTTP {status}; it will be tried again")
    assert len(httpserver.log) == 1


@pytest.mark.parametrize("status", [301, 307])
async def test_a_redirect_is_not_followed(httpserver: HTTPServer, status: int) -> None:
    failure = await refused(httpserver, Response("", status, {"Location": "/elsewhere"}))
    assert (failure.retryable, "redirects elsewhere" in str(failure)) == (False, True)
    assert [request.path for request, _ in httpserver.log] == [PATH]


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[Apprise]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver(Secret(f"json://127.0.0.1:{port}{PATH}"))


async def test_an_answer_that_breaks_off_is_worth_a_retry() -> None:
    async def drops(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with answering(drops) as chat:
        with pytest.raises(DeliveryError, match="all: JSON: it did not take the message; is it reachable") as caught:
            await chat.send(notice(firing()))
    assert caught.value.retryable


async def test_nobody_there_is_worth_a_retry() -> None:
    with pytest.raises(DeliveryError, match="is it reachable") as caught:
        await receiver(Secret("json://127.0.0.1:1/hush")).send(notice(firing()))
    assert caught.value.retryable
    assert "hush" not in repr(caught.value)


async def test_a_certificate_nobody_vouches_for_is_worth_a_retry(tmp_path: Path) -> None:
    with untrusted(tmp_path) as server:
        with pytest.raises(DeliveryError, match="is it reachable") as caught:
            await receiver(Secret(f"jsons://localhost:{server.port}{PATH}")).send(notice(firing()))
        assert server.log == []
    assert caught.value.retryable


async def test_a_chat_that_hangs_is_left_and_its_late_success_is_not_told_again(httpserver: HTTPServer) -> None:
    """While it hangs no second message is begun; what it took after the deadline it has taken."""
    released, slept = threading.Event(), threading.Event()

    def sleeps(_request: Request) -> Response:
        released.wait(5)
        slept.set()
        return Response("ok")

    httpserver.expect_request(PATH).respond_with_handler(sleeps)
    chat = receiver(url(httpserver), deadline=0.2)
    with pytest.raises(DeliveryError, match=r"no answer \(timeout\)") as caught:
        await chat.send(notice(firing()))
    assert caught.value.retryable
    with pytest.raises(DeliveryError, match="still busy"):
        await chat.send(notice(firing()))
    released.set()
    await asyncio.to_thread(slept.wait, 5)
    async with asyncio.timeout(5):
        await asyncio.to_thread(chat._chats[0]._alone.acquire)
    chat._chats[0]._alone.release()
    await chat.send(notice(firing()))
    assert len(httpserver.log) == 1


# -- several URLs -------------------------------------------------------------------------------------------------


async def test_only_those_that_failed_are_told_again(httpserver: HTTPServer) -> None:
    well, ill = url(httpserver, rest="/well"), url(httpserver, rest="/ill")
    httpserver.expect_request("/well").respond_with_data("ok")
    httpserver.expect_oneshot_request("/ill").respond_with_data("", status=500)
    httpserver.expect_request("/ill").respond_with_data("ok")
    chats = receiver(well, ill)
    with pytest.raises(DeliveryError, match="all: 1 of 2 URLs: JSON: HTTP 500; it will be tried again") as caught:
        await chats.send(notice(firing()))
    assert caught.value.retryable
    await chats.send(notice(firing()))
    assert sorted(request.path for request, _ in httpserver.log) == ["/ill", "/ill", "/well"]
    assert [chat.heard for chat in chats._chats] == [{}, {}]


async def test_one_refusal_is_told_and_holds_up_nobody(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/well").respond_with_data("ok")
    httpserver.expect_request("/gone").respond_with_data("", status=404)
    chats = receiver(url(httpserver, rest="/gone"), url(httpserver, rest="/well"))
    with pytest.raises(DeliveryError, match="all: 1 of 2 URLs: JSON: HTTP 404") as caught:
        await chats.send(notice(firing()))
    assert not caught.value.retryable
    assert sorted(request.path for request, _ in httpserver.log) == ["/gone", "/well"]


# -- URLs and secrets ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "that is no URL of Apprise's"),
        ("hush", "that is no URL of Apprise's"),
        ("hush://hush", "Apprise knows no such service"),
        ("https://hush.example/hush", "Apprise knows no such service"),
        ("tgram://hush", "Apprise cannot read this tgram:// URL"),
        ("json://", "Apprise cannot read this json:// URL"),
    ],
)
def test_a_url_that_cannot_be_read_is_told_without_it(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        check_url(text)
    assert "hush" not in repr(caught.value)
    with pytest.raises(ValueError, match=says) as caught:
        receiver(Secret("json://h"), Secret(text))
    assert "hush" not in repr(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("text", [*SERVICES, "https://discord.com/api/webhooks/123/abc"])
def test_a_url_that_can_be_read_is_taken(text: str) -> None:
    check_url(text)


async def test_no_url_is_shown_or_logged(
    httpserver: HTTPServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither when all is well nor when it is not, at any level."""
    caplog.set_level(logging.DEBUG)
    await posted(httpserver, notice(firing()))
    httpserver.clear()
    await refused(httpserver, Response("hush", 500))
    with pytest.raises(ValueError, match="no such service"):
        check_url("hush://hush")
    with pytest.raises(DeliveryError):
        await receiver(Secret("json://hush:hush@127.0.0.1:1/hush")).send(notice(firing()))
    logged = "".join(record.getMessage() for record in caplog.records if record.name != "werkzeug")
    captured = capfd.readouterr()
    hushed(logged + captured.out + captured.err + repr(receiver(url(httpserver))), httpserver.port)


def elsewhere(code: str) -> str:
    """Run code in a process of its own and give what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    return done.stdout


def test_who_has_other_receivers_pays_nothing_for_it() -> None:
    """Reading the configuration's code imports none of it."""
    said = elsewhere("import sys, monitor.notify.apprise; print([name for name in sys.modules if name == 'apprise'])")
    assert said == "[]\n"


def test_without_apprise_the_receiver_says_what_to_install() -> None:
    code = """
import asyncio, sys
sys.modules["apprise"] = None  # as if it were not there
from monitor.errors import DeliveryError
from monitor.model import Secret
from monitor.notify.apprise import Apprise
from tests.alerts import firing
from tests.notices import notice
try:
    asyncio.run(Apprise(name="all", urls=(Secret("json://h"),)).send(notice(firing())))
except DeliveryError as error:
    print(error.retryable, error)
"""
    said = elsewhere(code)
    assert said == ("False all: apprise is not installed; install the extra `chat`: pip install 'pgarchitect[chat]'\n")
