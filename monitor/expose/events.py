"""Tells open pages that something changed, by server-sent events; what it is they ask for themselves.

Each stream looks at the shelf now and then. There are only so many, each lives so long, and a client that has not
taken the event before is let go. What changes but ages only is told with the beat.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from aiohttp import web

from monitor.expose.guard import HEADERS
from monitor.status import Shelf


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How many streams there may be, how often each looks and speaks, and how long it lives; in seconds."""

    streams: int = 50
    look: float = 5.0
    beat: float = 15.0
    life: float = 900.0
    send: float = 5.0


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What an event tells: a revision, and how many findings and servers stand how."""

    revision: int = -1
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def event(self) -> bytes:
        """Write it."""
        return f"retry: 5000\ndata: {json.dumps(vars(self))}\n\n".encode()


class Events:
    """The handler."""

    def __init__(self, shelf: Shelf, pace: Pace) -> None:
        self._shelf, self._pace = shelf, pace
        self._open = 0
        self._newest = Picture()
        self._ending = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        """Give every address."""
        return [web.get("/events", self.stream, allow_head=False)]

    async def end(self, _: web.Application) -> None:
        """End every stream, as the door closes."""
        self._ending.set()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send an event at once, and one after a change; 503 when too many listen."""
        if self._open >= self._pace.streams or self._ending.is_set():
            return web.Response(status=503, headers={"Retry-After": "60"}, text="too many listen; ask now and then\n")
        self._open += 1
        try:
            return await self._sent(request)
        finally:
            self._open -= 1

    async def _sent(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        response.headers.update(HEADERS)
        response.headers["Cache-Control"] = "no-store"
        with suppress(ConnectionError, TimeoutError):
            await response.prepare(request)
            async for event in self._events():
                transport = request.transport
                if transport is None or transport.get_write_buffer_size():
                    break  # it is gone, or has not taken the event before
                async with asyncio.timeout(self._pace.send):
                    await response.write(event)
        return response

    async def _events(self) -> AsyncIterator[bytes]:
        """Give what is to be sent, until the stream has lived long enough or the door closes."""
        loop = asyncio.get_running_loop()
        told, spoke, ends = Picture(), 0.0, loop.time() + self._pace.life
        while loop.time() < ends and not self._ending.is_set():
            picture, silent = self._picture(), loop.time() - spoke >= self._pace.beat
            if picture.counts != told.counts or (silent and picture != told):
                told, spoke = picture, loop.time()
                yield picture.event
            elif silent:
                spoke = loop.time()
                yield b": beat\n\n"
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.look):
                    await self._ending.wait()

    def _picture(self) -> Picture:
        """Count what lies on the shelf, once a revision for all streams."""
        if self._shelf.revision != self._newest.revision:
            counts = Counter(f"{each.state}:{each.finding.severity}" for each in self._shelf.alerts())
            counts.update("up" if target.up else "down" for target in self._shelf.targets())
            self._newest = Picture(revision=self._shelf.revision, counts=counts)
        return self._newest
