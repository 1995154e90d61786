"""Application pools, scraped from a real HTTP server: what is read, what is judged, and what is no answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import web
from yarl import URL

from monitor.collect.app_pool import MOST_BYTES, AppPoolSession
from monitor.errors import Needs, TargetError, TargetUnreachable
from monitor.kinds import Gauges
from monitor.model import NoVerdict, Result, Secret, Server, Severity
from probes.app_pool import PROBE, TOLD, AppSaturation, AppWaiting
from tests.looking import Eye, eye_of

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
GAUGES = Gauges(in_use="db_in_use", size="db_size", waiting="db_waiting")
TYPE = "text/plain; version=0.0.4"


@asynccontextmanager
async def serving(answer: Answer, port: int = 0) -> AsyncIterator[str]:
    """A server of ours; gives its URL."""
    application = web.Application()
    application.router.add_get("/metrics", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}/metrics"
    finally:
        await runner.cleanup()


def saying(text: str, **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=text.encode(), headers={"Content-Type": TYPE, **headers})

    return answer


@asynccontextmanager
async def looking(answer: Answer, gauges: Gauges = GAUGES) -> AsyncIterator[Eye]:
    async with (
        serving(answer) as url,
        eye_of(Server(name="api", dsn=Secret(url), kind="app_pool", gauges=gauges), PROBE) as eye,
    ):
        yield eye


def pool(used: object, size: object, waiting: object = 0, labels: str = "") -> str:
    return f"db_in_use{labels} {used}\ndb_size{labels} {size}\ndb_waiting{labels} {waiting}\n"


async def test_a_pool_is_read_among_other_metrics() -> None:
    """Names that only begin alike are others."""
    text = f"# HELP db_size x\n# TYPE db_size gauge\ndb_size_max 99\nother 1\n{pool(3, 10, 2)}db_in_use_seconds 7\n"
    async with looking(saying(text)) as eye:
        seen = await eye.look()
    assert [dict(row) for row in seen.rows] == [
        {"pool": "", "shown": True, "in_use": 3.0, "size": 10.0, "waiting": 2.0}
    ]


async def test_pools_are_told_apart_by_the_labels_of_size() -> None:
    """Further labels of in_use (a state, a worker) are added up."""
    text = (
        'db_size{pool="a"} 10\ndb_size{pool="b"} 5\n'
        'db_in_use{pool="a",state="x"} 1\ndb_in_use{pool="a",state="y"} 2\ndb_in_use{pool="b",state="x"} 5\n'
    )
    async with looking(saying(text)) as eye:
        seen = await eye.look()
    assert {row["pool"]: (row["in_use"], row["waiting"]) for row in seen.rows} == {"a": (3.0, None), "b": (5.0, None)}


@pytest.mark.parametrize(
    ("used", "severity"),
    [(79, None), (80, Severity.WARNING), (94, Severity.WARNING), (95, Severity.CRITICAL), (100, Severity.CRITICAL)],
)
async def test_saturation_at_its_limits(used: int, severity: Severity | None) -> None:
    """Near miss, exactly at each ratio, beyond."""
    async with looking(saying(pool(used, 100))) as eye:
        found = eye.findings(await eye.look())
    assert [(each.rule, each.severity) for each in found] == ([("pool.app_saturation", severity)] if severity else [])


async def test_requests_that_wait_are_found_and_gone_when_they_are() -> None:
    """One pool of two; the other is fine, and cured is none."""
    texts = [pool(5, 10, 4, '{pool="a"}') + pool(1, 10, 0, '{pool="b"}'), pool(5, 10, 0, '{pool="a"}')]

    async def answer(request: web.Request) -> web.StreamResponse:
        return await saying(texts[0])(request)

    async with looking(answer) as eye:
        (found,) = eye.findings(await eye.look(), AppWaiting())
        assert (found.subject, found.object.kind, found.evidence["count"]) == ("a", "pool", 4)
        texts.pop(0)
        assert eye.findings(await eye.look(), AppWaiting()) == []


async def test_without_a_gauge_for_waiting_the_rule_does_not_apply() -> None:
    """No pool of ours says how many wait: that is not `not evaluated`."""
    async with looking(saying(pool(1, 10)), Gauges(in_use="db_in_use", size="db_size")) as eye:
        seen = await eye.look()
        assert [each.needs for each in eye.unsaid(seen, AppWaiting())] == [None]
        assert eye.unsaid(seen, AppSaturation()) == []


@pytest.mark.parametrize("value", ["NaN", "+Inf"])
async def test_no_number_is_no_verdict(value: str) -> None:
    """NaN is neither full nor empty; the other pool is judged all the same."""
    text = pool(value, 10, value, '{pool="a"}') + pool(10, 10, 0, '{pool="b"}')
    async with looking(saying(text)) as eye:
        said = eye.verdicts(await eye.look())
    unsaid = [each for each in said if isinstance(each, NoVerdict)]
    assert [(each.needs, each.subject) for each in unsaid] == [(Needs.SETTING, "a")] * 2
    assert len(said) == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("other 1\n", "the endpoint has no metric db_size"),
        ("db_size 3\n", "the endpoint has no metric db_in_use"),
        ("db_size many\ndb_in_use 1\n", "the lines of db_size cannot be read"),
    ],
)
async def test_a_missing_metric_is_not_evaluated(text: str, reason: str) -> None:
    """It answers, so it is up; what is missing is a setting of ours or theirs."""
    async with looking(saying(text)) as eye:
        seen = await eye.look()
    assert (seen.result, seen.needs) == (Result.SKIPPED, Needs.SETTING)
    assert seen.reason.startswith(reason)


async def hang(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


async def stop_midway(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": TYPE})
    await response.prepare(request)
    await response.write(b"db_size 3\n")
    await asyncio.sleep(60)
    return response


async def go_on(request: web.Request) -> web.StreamResponse:
    """More than anybody wants to read."""
    response = web.StreamResponse(headers={"Content-Type": TYPE})
    await response.prepare(request)
    for _ in range(MOST_BYTES // 2**20 + 2):
        await response.write(b"other 1\n" * 2**17)
    return response


async def elsewhere(_: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("http://127.0.0.1:9/")


async def refusing(_: web.Request) -> web.StreamResponse:
    raise web.HTTPUnauthorized


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (saying("<html>c4n4ry</html>", **{"Content-Type": "text/html"}), "no metrics, but text/html"),
        (saying(" <!doctype html>c4n4ry"), "no metrics, but HTML"),
        (elsewhere, "HTTP 302: it sends us elsewhere"),
        (refusing, "HTTP 401; put user and password"),
        (go_on, "more than 8 MiB"),
        (hang, "no whole answer within 0.3 s"),
        (stop_midway, "no whole answer within 0.3 s"),
    ],
)
async def test_what_is_no_answer(answer: Answer, reason: str) -> None:
    """The target is down, with a reason that repeats nothing of what it said or of its address."""
    async with serving(answer) as url:
        server = Server(name="api", dsn=Secret(url.replace("//", "//u:c4n4ry@")), kind="app_pool", gauges=GAUGES)
        session = AppPoolSession(server, spent=lambda _: None)
        session.within(0.3 if "0.3" in reason else 20)
        with pytest.raises(TargetError, match=f"^api: {reason}") as raised:
            await session.fetch("pools")
        await session.close()
    assert "c4n4ry" not in str(raised.value)
    assert not session.alive


async def test_an_endpoint_that_vanished_comes_back() -> None:
    """Down while it is away, however often it is asked; the same way leads there again."""
    async with AsyncExitStack() as kept:
        async with serving(saying(pool(1, 10))) as url:
            server = Server(name="api", dsn=Secret(url), kind="app_pool", gauges=GAUGES)
            eye = await kept.enter_async_context(eye_of(server, PROBE))
            assert (await eye.look()).result is Result.OK
        for _ in range(2):
            with pytest.raises(TargetUnreachable, match="no answer"):
                await eye.look()
        async with serving(saying(pool(3, 10)), port=URL(url).port or 0):
            (row,) = (await eye.look()).rows
            assert row["in_use"] == 3


async def test_many_pools_are_bounded() -> None:
    """The fullest have names, the others are one row."""
    text = "".join(pool(count, 100, 1, f'{{pool="p{count}"}}') for count in range(TOLD + 5))
    async with looking(saying(text)) as eye:
        seen = await eye.look()
    assert len(seen.exposed or ()) == TOLD + 1
    assert (seen.exposed or ())[-1]["in_use"] == sum(range(5))
