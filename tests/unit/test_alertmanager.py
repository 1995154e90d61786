"""Alertmanager by real HTTP servers on loopback: what is posted, what answers mean, what is said again and when."""

import asyncio
import json
import logging
import re
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Response

from monitor.embedded import free_port
from monitor.errors import DeliveryError
from monitor.model import Alert, Remedy, Secret, Severity, State
from monitor.notify.alertmanager import Alertmanager, annotations, batches, labels
from monitor.notify.stream import Stream
from tests.alerts import alerts, at, finding, firing, resolved
from tests.conftest import absent

PREFIX = "/monitoring/hush"
PATH = f"{PREFIX}/api/v2/alerts"
PAGE = "https://watch.example/"
NOW = at(90)


def manual(rule: str) -> str:
    return f"The manual page of {rule}."


def receiver(*urls: str) -> Alertmanager:
    return Alertmanager(name="am", urls=urls, external_url=PAGE, runbook=manual)


def of(server: HTTPServer) -> Alertmanager:
    return receiver(server.url_for(PREFIX))


def bodies(server: HTTPServer) -> list[Any]:
    return [json.loads(request.data) for request, _ in server.log]


@pytest.fixture
def taking(httpserver: HTTPServer) -> HTTPServer:
    """An Alertmanager that takes everything."""
    httpserver.expect_request(PATH, method="POST").respond_with_data("")
    return httpserver


@pytest.fixture
def second() -> Iterator[HTTPServer]:
    """Another one, without an answer yet."""
    with HTTPServer(host="127.0.0.1") as server:
        yield server


async def posted(server: HTTPServer, *told: Alert, now: datetime = NOW) -> list[Any]:
    await of(server).post(told, now)
    document: list[Any] = bodies(server)[-1]
    return document


async def refused(by: Alertmanager) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await by.post([firing()], NOW)
    failure = caught.value
    assert str(failure).startswith("am: no Alertmanager took it: ")
    assert failure.retryable
    for text in (str(failure), repr(failure), repr(failure.__cause__), repr(by), str(by.troubles)):
        assert "hush" not in text
    assert "127.0.0.1" not in str(failure)
    return failure


# -- what is said -------------------------------------------------------------------------------------------------


async def test_a_firing_alert_has_the_labels_and_annotations_of_the_contract(taking: HTTPServer) -> None:
    remedy = Remedy(sql=("select 1", "select 2 -- x"), rollback=("select 3;",), caution="Ask who needs so many.")
    alert = replace(firing(), labels={"env": "prod"}, finding=replace(finding(), remedy=remedy))
    (told,) = await posted(taking, alert)
    fingerprint = alert.finding.fingerprint
    assert told == {
        "labels": {
            "env": "prod",
            "alertname": "pool.saturation",
            "rule": "pool.saturation",
            "target": "shop",
            "database": "shop",
            "area": "capacity",
            "severity": "warning",
            "subject": "shop",
            "fingerprint": fingerprint,
        },
        "annotations": {
            "summary": "85 of 100 slots are used",
            "description": "Connection slots nearly full (shop/shop, shop). Ask who needs so many.",
            "impact": "new sessions will be refused",
            "remedy": "select 1;\nselect 2 -- x\n;",
            "rollback": "select 3;",
            "evidence": '{"used": 85, "limit": 100}',
            "runbook": "The manual page of pool.saturation.",
        },
        "startsAt": "2026-03-01T12:00:00.000Z",
        "endsAt": "2026-03-01T12:05:30.000Z",
        "generatorURL": f"https://watch.example/findings/{fingerprint}",
    }


async def test_a_resolved_alert_ends_when_it_ended(taking: HTTPServer) -> None:
    (told,) = await posted(taking, resolved())
    assert (told["startsAt"], told["endsAt"]) == ("2026-03-01T12:00:00.000Z", "2026-03-01T12:01:00.000Z")


async def test_no_database_is_no_label_and_without_an_address_there_is_no_link(taking: HTTPServer) -> None:
    """The empty label is none to Alertmanager, and an empty URL is no URL."""
    server = replace(firing(), finding=replace(finding(), target=replace(finding().target, database=None)))
    await replace(of(taking), external_url=None).post([server], NOW)
    ((told,),) = bodies(taking)
    assert "database" not in told["labels"]
    assert "generatorURL" not in told


@pytest.mark.parametrize("now", [at(-100_000), at(100_000)])
async def test_no_alert_ends_before_it_starts_however_the_clock_jumps(taking: HTTPServer, now: datetime) -> None:
    """Alertmanager refuses such alerts; and what is over must not end in the future, where it would fire."""
    for told in await posted(taking, firing("a"), resolved("b"), now=now):
        assert told["startsAt"] <= told["endsAt"]
    assert datetime.fromisoformat(told["endsAt"]) <= now


@settings(deadline=None, max_examples=60)
@given(alerts(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_whatever_an_alert_holds_alertmanager_may_have_it(alert: Alert, own: dict[str, str]) -> None:
    """Label names it takes, no empty ones, texts that are UTF-8, the evidence as JSON, times in RFC 3339."""
    odd = replace(alert, labels=own)
    odd = replace(odd, finding=replace(odd.finding, evidence={**odd.finding.evidence, "share": float("inf")}))
    document = receiver()._document(odd, NOW, 240)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    texts = {**labels(odd), **annotations(odd, "page")}
    for name, text in texts.items():
        assert re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", name)
        assert text
        assert text.encode()
    assert json.loads(texts["evidence"])["share"] is None
    for moment in (document["startsAt"], document["endsAt"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(moment))


def test_our_own_labels_win_over_those_of_the_target() -> None:
    """However a target's label is spelt."""
    assert labels(replace(firing(), labels={"severity": "none", "a-b": "c", "1": "d"})) == {
        **labels(firing()),
        "a_b": "c",
        "_1": "d",
    }


async def test_a_flood_goes_in_posts_of_five_hundred(taking: HTTPServer) -> None:
    await of(taking).post([firing(f"table {number}") for number in range(1001)], NOW)
    assert [len(body) for body in bodies(taking)] == [500, 500, 1]


def test_the_end_of_a_severity_goes_in_one_post_with_the_start_of_the_next() -> None:
    pairs = [firing(f"table {number}", level) for number in range(400) for level in Severity]
    cut = [[alert.finding.subject for alert in batch] for batch in batches(pairs)]
    assert [len(batch) for batch in cut] == [498, 498, 204]
    assert not set(cut[0]) & set(cut[1])


async def test_nothing_to_say_posts_nothing(taking: HTTPServer) -> None:
    await of(taking).post([], NOW)
    assert taking.log == []


# -- what answers mean --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (400, "HTTP 400: it does not understand the alerts"),
        (401, "HTTP 401: it wants other credentials"),
        (404, "HTTP 404: there is no Alertmanager's API v2; mend the path in the URL"),
        (418, "HTTP 418: refused"),
        (500, "HTTP 500"),
        (503, "HTTP 503"),
    ],
)
async def test_what_is_not_taken_is_worth_a_retry_and_says_why(httpserver: HTTPServer, status: int, says: str) -> None:
    """Also what looks final: the state stands, and the other side may be mended without us."""
    httpserver.expect_request(PATH).respond_with_data("hush", status=status)
    assert says in str(await refused(of(httpserver)))
    assert len(httpserver.log) == 1


@pytest.mark.parametrize(("header", "wait"), [("7", 7.0), ("", None), ("soon", None), ("9" * 400, None)])
async def test_too_many_is_worth_a_retry_after_what_it_asks(
    httpserver: HTTPServer, header: str, wait: float | None
) -> None:
    httpserver.expect_request(PATH).respond_with_data("", status=429, headers={"Retry-After": header})
    assert (await refused(of(httpserver))).retry_after == wait


async def test_a_redirect_is_not_followed(httpserver: HTTPServer) -> None:
    elsewhere = {"Location": httpserver.url_for("/hush")}
    httpserver.expect_request(PATH).respond_with_response(Response("", 307, elsewhere))
    assert "it redirects elsewhere" in str(await refused(of(httpserver)))
    assert [request.path for request, _ in httpserver.log] == [PATH]


async def test_a_web_page_is_no_yes(httpserver: HTTPServer) -> None:
    """A proxy that asks for a password answers 200, too."""
    httpserver.expect_request(PATH).respond_with_data("<html>hush", content_type="text/html")
    assert "a web page" in str(await refused(of(httpserver)))


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@asynccontextmanager
async def answering(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"http{'s' if tls else ''}://anna:hush@127.0.0.1:{port}/hush"


async def drops(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def mumbles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"hush, this is no HTTP\r\n\r\n")
    writer.close()


@asynccontextmanager
async def hanging() -> AsyncIterator[str]:
    released = asyncio.Event()

    async def hangs(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    async with answering(hangs) as url:
        try:
            yield url
        finally:
            released.set()


@pytest.mark.parametrize("answer", [drops, mumbles])
async def test_an_answer_that_breaks_off_is_worth_a_retry(answer: Answer) -> None:
    async with answering(answer) as url:
        assert "no answer" in str(await refused(receiver(url)))


async def test_one_that_hangs_is_left_at_the_deadline() -> None:
    async with hanging() as url:
        assert "no answer (timeout)" in str(await refused(replace(receiver(url), timeout=0.3)))


async def test_nobody_there_is_worth_a_retry() -> None:
    assert "no answer" in str(await refused(receiver(f"http://127.0.0.1:{free_port()}/hush")))


async def test_tls_where_none_is_spoken_is_worth_a_retry(httpserver: HTTPServer) -> None:
    assert "TLS" in str(await refused(receiver(f"https://anna:hush@127.0.0.1:{httpserver.port}")))


async def test_a_certificate_nobody_vouches_for_is_not_trusted(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        absent("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    wanted = ("-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1")
    files = ("-keyout", str(key), "-out", str(certificate))
    await asyncio.to_thread(subprocess.run, ["openssl", "req", *wanted, *files], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    async with answering(drops, context) as url:
        assert "certificate" in str(await refused(receiver(url)))


@pytest.mark.parametrize("url", ["", "hush", "http://", "ftp://h/hush", "http://[hush", "http://a:pass/hush@h:1/"])
async def test_what_is_no_url_says_so(url: str) -> None:
    """And a password with a stray character in it is not taken for a host."""
    failing = receiver(url)
    await refused(failing)
    assert set(failing.troubles) == {"URL 1"} or "@" not in url


async def test_without_any_url_nothing_is_taken() -> None:
    assert "there is no URL" in str(await refused(receiver()))


async def test_credentials_go_along_and_are_never_shown(taking: HTTPServer, caplog: pytest.LogCaptureFixture) -> None:
    """In the URL, as basic_auth, or in a header; also at debug level, and when they cannot be sent."""
    caplog.set_level(logging.DEBUG)
    plain = of(taking)
    inside = receiver(f"http://anna:hush@127.0.0.1:{taking.port}{PREFIX}")
    basic = replace(plain, basic_auth=("anna", Secret("hush")))
    bearer = replace(plain, headers={"Authorization": Secret("Bearer hush\n")})
    for each in (inside, basic, bearer):
        await each.post([firing()], NOW)
        assert "hush" not in repr(each)
    said = [request.headers["Authorization"] for request, _ in taking.log]
    assert said == ["Basic YW5uYTpodXNo", "Basic YW5uYTpodXNo", "Bearer hush"]
    for odd in (
        replace(inside, basic_auth=("anna", Secret("hush"))),
        replace(plain, headers={"X": Secret("a\r\nhush: b")}),
    ):
        assert "do not go together" in str(await refused(odd))
    assert "hush" not in "".join(record.getMessage() for record in caplog.records if record.name != "werkzeug")


# -- several ------------------------------------------------------------------------------------------------------


async def test_one_that_accepts_is_enough_and_the_trouble_of_the_other_is_told(
    taking: HTTPServer, second: HTTPServer
) -> None:
    second.expect_oneshot_request(PATH).respond_with_data("hush", status=500)
    second.expect_request(PATH).respond_with_data("")
    both = receiver(taking.url_for(PREFIX), f"http://anna:hush@127.0.0.1:{second.port}{PREFIX}")
    await both.post([firing()], NOW)
    assert both.troubles == {f"127.0.0.1:{second.port}": "HTTP 500"}
    await both.post([firing()], NOW)
    assert both.troubles == {}
    assert bodies(taking) == bodies(second)


async def test_one_that_hangs_is_waited_for_only_once(taking: HTTPServer) -> None:
    """The news must not be late because of it; the rest of a flood does not even try."""
    async with hanging() as url:
        both = replace(receiver(url, taking.url_for(PREFIX)), timeout=2.0)
        flood = [firing(f"table {number}") for number in range(1001)]
        clock = asyncio.get_running_loop().time
        began = clock()
        await both.post(flood, NOW)
        await both.post(flood, NOW)
        assert 2.5 < clock() - began < 10  # of six batches each would wait
        assert list(both.troubles.values()) == ["no answer (timeout)"]
    assert len(taking.log) == 6


async def test_what_one_refuses_does_not_keep_back_the_rest(httpserver: HTTPServer) -> None:
    """The second batch of three is refused: it is said, and the third is posted all the same."""
    for status in (200, 400, 200):
        httpserver.expect_ordered_request(PATH).respond_with_data("", status=status)
    with pytest.raises(DeliveryError, match="HTTP 400"):
        await of(httpserver).post([firing(f"table {number}") for number in range(1001)], NOW)
    assert [answer.status_code for _, answer in httpserver.log] == [200, 400, 200]


async def test_two_urls_of_one_host_are_told_apart() -> None:
    failing = receiver(*[f"http://127.0.0.1:1/{tenant}hush" for tenant in "ab"])
    await refused(failing)
    assert set(failing.troubles) == {"127.0.0.1:1", "127.0.0.1:1 (2)"}


# -- the stream ---------------------------------------------------------------------------------------------------


class Wall:
    """An Alertmanager on a real socket whose answer can be changed, and the stream that keeps it informed."""

    def __init__(self, server: HTTPServer) -> None:
        self.status = 200
        self.stream = Stream(of(server))
        self._server = server
        server.expect_request(PATH).respond_with_handler(lambda _: Response("", self.status))

    async def hears(self, seconds: float, *told: Alert) -> list[str]:
        """Take alerts at a moment; give what was posted: `subject severity +seconds it lasts from then`."""
        before = len(self._server.log)
        await self.stream.take(told, at(seconds))
        said = [each for body in bodies(self._server)[before:] for each in body]
        return [
            f"{each['labels']['subject']} {each['labels']['severity']} "
            f"{(datetime.fromisoformat(each['endsAt']) - at(seconds)).total_seconds():+.0f}"
            for each in said
        ]

    async def fails(self, seconds: float, *told: Alert) -> None:
        self.status = 503
        with pytest.raises(DeliveryError):
            await self.stream.take(told, at(seconds))
        self.status = 200

    def restart(self) -> None:
        self.stream = Stream(of(self._server), sent=self.stream.sent())


@pytest.fixture
def wall(httpserver: HTTPServer) -> Wall:
    return Wall(httpserver)


CRITICAL = Severity.CRITICAL


async def test_news_go_at_once_and_what_fires_again_every_minute(wall: Wall) -> None:
    """It lasts four minutes unless it is told again."""
    assert await wall.hears(0, firing("a")) == ["a warning +240"]
    assert await wall.hears(1, firing("a")) == []
    assert await wall.hears(2, firing("a"), firing("b")) == ["b warning +240"]
    assert await wall.hears(59, firing("a"), firing("b")) == []
    assert await wall.hears(60, firing("a"), firing("b")) == ["a warning +240", "b warning +240"]


async def test_an_end_is_told_at_once_and_repeated_for_a_quarter_of_an_hour(wall: Wall) -> None:
    await wall.hears(0, firing())
    over = resolved()
    assert await wall.hears(65, over) == ["shop warning -5"]
    assert await wall.hears(66, over) == []
    assert await wall.hears(130, over) == ["shop warning -70"]
    assert await wall.hears(60 + 900, over) == ["shop warning -900"]
    assert await wall.hears(60 + 901, over) == []
    assert await wall.hears(60 + 961, over) == []
    assert wall.stream.sent() == {}


async def test_what_was_never_told_has_no_end_to_tell(wall: Wall) -> None:
    suspected = replace(firing("b"), state=State.PENDING, fired_at=None)
    assert await wall.hears(61, resolved("a"), suspected) == []


async def test_a_suspicion_does_not_take_an_end_back(wall: Wall) -> None:
    """An alert that was over and is suspected again, even of worse, is over until it fires."""
    await wall.hears(0, firing())
    again = replace(firing(severity=CRITICAL), state=State.PENDING, ends_at=at(60))
    assert await wall.hears(61, again) == ["shop warning -1"]
    assert await wall.hears(62, replace(firing(), fired_at=at(62))) == ["shop warning +240"]


async def test_a_change_of_severity_ends_the_old_and_starts_the_new_in_one_post(
    wall: Wall, httpserver: HTTPServer
) -> None:
    """And says the end again with each repetition, for who was away."""
    await wall.hears(0, firing())
    assert await wall.hears(10, firing(severity=CRITICAL)) == ["shop warning +0", "shop critical +240"]
    assert len(httpserver.log) == 2
    assert await wall.hears(60, firing(severity=CRITICAL)) == ["shop warning -50", "shop critical +240"]
    assert await wall.hears(70, firing()) == ["shop critical +0", "shop warning +240"]
    assert await wall.hears(120, firing()) == ["shop critical -50", "shop warning +240"]
    assert await wall.hears(70 + 901, firing()) == ["shop warning +240"]


async def test_the_end_of_a_severity_says_why_and_is_no_return(wall: Wall, httpserver: HTTPServer) -> None:
    """A target that is away, but less severely, is not back."""
    await wall.hears(0, firing(rule="target.unreachable", severity=CRITICAL))
    await wall.hears(10, firing(rule="target.unreachable"))
    assert "is back" not in str(bodies(httpserver))


async def test_what_ends_is_what_was_told_whatever_it_is_called_now(wall: Wall) -> None:
    await wall.hears(0, firing())
    worse = replace(resolved(), finding=finding(severity=CRITICAL))
    assert await wall.hears(60, worse) == ["shop warning +0"]


async def test_a_restart_forgets_nothing(wall: Wall) -> None:
    """The severity that was told is ended, and so is what ended in between."""
    await wall.hears(0, firing("a"), firing("b"))
    wall.restart()
    assert await wall.hears(10, firing("a", CRITICAL), replace(resolved("b"), ends_at=at(5))) == [
        "a warning +0",
        "a critical +240",
        "b warning -5",
    ]


async def test_a_change_that_did_not_get_through_is_not_taken_for_told(wall: Wall) -> None:
    """Also after a restart: Alertmanager still holds the old severity."""
    await wall.hears(0, firing())
    await wall.fails(10, firing(severity=CRITICAL))
    assert wall.stream.sent() == {firing().finding.fingerprint: Severity.WARNING}
    assert await wall.hears(11, firing()) == ["shop warning +240"]
    await wall.fails(20, firing(severity=CRITICAL))
    wall.restart()
    assert await wall.hears(30, firing(severity=CRITICAL)) == ["shop warning +0", "shop critical +240"]


async def test_an_end_that_did_not_get_through_does_not_hide_a_new_beginning(wall: Wall) -> None:
    """Perhaps only the answer was lost; also when the end lies so far back that it is said only once."""
    await wall.hears(0, firing())
    await wall.fails(1, replace(resolved(), ends_at=at(-901)))
    assert await wall.hears(2, firing()) == ["shop warning +240"]
    await wall.fails(60, resolved())
    assert await wall.hears(61, firing()) == ["shop warning +240"]


async def test_an_hour_without_alertmanager_loses_nothing_and_gathers_nothing(wall: Wall) -> None:
    """One post tells how things stand: what began, what changed, what is over; not what came and went unheard."""
    await wall.hears(0, firing("stays"), firing("ends"), firing("worsens"))
    for seconds in range(60, 3600, 60):
        short = firing(f"short {seconds}")
        over = replace(resolved(f"short {seconds - 60}"), ends_at=at(seconds))
        await wall.fails(seconds, firing("stays"), firing("worsens", CRITICAL), resolved("ends"), short, over)
    assert len(wall.stream.sent()) == 3
    now = [firing("stays"), firing("worsens", CRITICAL), resolved("ends"), resolved("short 3540"), firing("new")]
    assert await wall.hears(3600, *now) == [
        "stays warning +240",
        "worsens warning +0",
        "worsens critical +240",
        "ends warning -3540",
        "new warning +240",
    ]
    assert await wall.hears(3601, *now) == []


async def test_what_is_handed_in_no_more_is_never_called_over(wall: Wall) -> None:
    """Nobody gets a false all-clear: it is left to expire, and forgotten; when it comes back, it is news."""
    await wall.hears(0, firing())
    assert await wall.hears(60) == []
    assert wall.stream.sent() != {}
    assert await wall.hears(90, firing()) == ["shop warning +240"]
    await wall.hears(120)
    await wall.hears(120 + 901)
    assert wall.stream.sent() == {}


async def test_a_clock_that_jumps_neither_silences_nor_floods(wall: Wall) -> None:
    await wall.hears(0, firing())
    assert await wall.hears(-90_000, firing()) == ["shop warning +240"]
    assert await wall.hears(-89_999, firing()) == []
    assert await wall.hears(90_000, firing()) == ["shop warning +240"]
    assert await wall.hears(10, resolved()) == ["shop warning +0"]


class Held:
    """Keeps alerts as Alertmanager does; where an answer is lost it has heard all the same."""

    def __init__(self) -> None:
        self.answers = True
        self.ends: dict[Severity, datetime] = {}

    async def post(self, told: Sequence[Alert], now: datetime, *, lasts: float) -> None:
        for alert in told:
            over = alert.state is State.RESOLVED
            self.ends[alert.finding.severity] = now if over else now + timedelta(seconds=lasts)
        if not self.answers:
            raise DeliveryError("am: no answer", retryable=True)

    def fires(self, now: datetime) -> set[Severity]:
        return {severity for severity, end in self.ends.items() if end > now}


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from([*Severity, None]), st.sampled_from(["heard", "lost", "restarted"])), min_size=1)
)
def test_alertmanager_ends_up_with_what_is_so(steps: Sequence[tuple[Severity | None, str]]) -> None:
    """Whatever changes, at each answer exactly the present severity fires there; what arrived though its answer was
    lost may do so too, but not for long.
    """

    async def walk() -> None:
        held, lost = Held(), set[Severity | None]()
        stream, alert, now = Stream(held), firing(), at(0)
        for number, (severity, fate) in enumerate(steps):
            now = at(7 * number)
            alert = firing(severity=severity) if severity else replace(resolved(), ends_at=now)
            held.answers = fate != "lost"
            with nullcontext() if held.answers else suppress(DeliveryError):
                await stream.take([alert], now)
            if fate == "lost":
                lost.add(severity)
            else:
                assert {severity} - {None} <= held.fires(now) <= {severity, *lost}
            if fate == "restarted":
                stream = Stream(held, sent=stream.sent())
        held.answers = True
        for seconds in range(60, 301, 60):
            await stream.take([alert], now + timedelta(seconds=seconds))
        assert held.fires(now + timedelta(seconds=300)) == ({alert.finding.severity} if steps[-1][0] else set())

    asyncio.run(walk())
