"""Events for open pages: at once, after each change, now and then a sign of life; bounded in every way."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest

from monitor.expose.events import Pace
from monitor.model import Severity
from tests.patience import PATIENCE
from tests.unit.controls import serving
from tests.unit.shelf import Pile, alert, finding, server

QUICK = Pace(look=0.01, beat=0.2)


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[aiohttp.ClientResponse]:
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{url}events") as answer:
        yield answer


async def event(answer: aiohttp.ClientResponse) -> dict[str, object]:
    """Give the next event; signs of life are passed by."""
    while True:
        line = await answer.content.readline()
        assert line, "the stream ended"
        if line.startswith(b"data: "):
            document: dict[str, object] = json.loads(line[6:])
            return document


async def test_a_page_hears_how_things_stand_and_what_changes() -> None:
    """At once, and again after a change; with the headers of every page."""
    pile = Pile(targets_=[server()], alerts_=[alert()])
    async with serving(pile, None, pace=QUICK) as web, listening(web.url) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Content-Security-Policy" in answer.headers
        assert await event(answer) == {"revision": 1, "counts": {"firing:warning": 1, "up": 1}}
        pile.alerts_ = [alert(finding(severity=Severity.CRITICAL))]
        pile.revision = 2
        assert await event(answer) == {"revision": 2, "counts": {"firing:critical": 1, "up": 1}}


async def test_what_only_ages_is_told_with_the_beat() -> None:
    """Readings come many times a second; a page need not be drawn anew for each."""
    pile = Pile(targets_=[server()])
    async with serving(pile, None, pace=replace(QUICK, beat=0.5)) as web, listening(web.url) as answer:
        await event(answer)
        begun = asyncio.get_running_loop().time()
        pile.revision = 7
        assert (await event(answer))["revision"] == 7
        assert asyncio.get_running_loop().time() - begun > 0.3


async def test_a_silent_stream_gives_a_sign_of_life() -> None:
    """So that a proxy, and the page, know that it stands."""
    async with serving(Pile(), None, pace=QUICK) as web, listening(web.url) as answer:
        await event(answer)
        lines = [await answer.content.readline() for _ in range(2)]
    assert b": beat\n" in lines


async def test_only_so_many_listen() -> None:
    """The next is told to ask now and then; one that left makes room."""
    async with serving(Pile(), None, pace=replace(QUICK, streams=1)) as web:
        async with listening(web.url) as first:
            await event(first)
            async with listening(web.url) as second:
                assert second.status == 503
                assert second.headers["Retry-After"] == "60"
        async with asyncio.timeout(PATIENCE):
            while True:
                async with listening(web.url) as third:
                    if third.status == 200:
                        break


async def test_a_stream_ends_when_it_has_lived_long_enough() -> None:
    """The browser opens another."""
    async with serving(Pile(), None, pace=replace(QUICK, life=0.05)) as web, listening(web.url) as answer:
        assert b"data" in await answer.content.read()


async def restless(pile: Pile) -> None:
    """Change the shelf at every turn of the loop."""
    while True:
        pile.revision += 1
        await asyncio.sleep(0)


async def test_a_client_that_does_not_read_is_let_go() -> None:
    """Once the system takes no more for it: its events are not kept, and its place is another's."""
    pile = Pile(targets_=[server()])
    pace = replace(QUICK, beat=0, look=0, streams=1)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        async with serving(pile, None, pace=pace) as web:
            change = asyncio.create_task(restless(pile))
            deaf.connect(("127.0.0.1", web.port))
            deaf.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            async with asyncio.timeout(10 * PATIENCE):
                statuses: list[int] = []
                while 200 not in statuses:
                    await asyncio.sleep(0.1)
                    async with listening(web.url) as answer:
                        statuses.append(answer.status)
            assert statuses[0] == 503
            change.cancel()


async def test_streams_end_at_once_when_the_door_closes(caplog: pytest.LogCaptureFixture) -> None:
    """They hold nobody up, and nothing is logged of them."""
    async with serving(Pile(), None, pace=Pace()) as web, listening(web.url) as answer:
        await event(answer)
        begun = asyncio.get_running_loop().time()
        await web.stop()
        assert asyncio.get_running_loop().time() - begun < 0.4
    assert caplog.records == []


async def test_a_foreign_name_hears_nothing() -> None:
    """As with every page."""
    async with (
        serving(Pile(), None) as web,
        aiohttp.ClientSession() as session,
        session.get(f"{web.url}events", headers={"Host": "evil.example"}) as answer,
    ):
        assert answer.status == 403
