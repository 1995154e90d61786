"""`monitor demo`: the show from the first process to the last file, which takes everything it made with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from monitor.config.load import load_config
from monitor.daemon.daemon import Daemon
from monitor.demo.admission import admit
from monitor.demo.config import open_port, write_config
from monitor.demo.ending import ending
from monitor.demo.past import back_date, measured
from monitor.demo.schema import SETTINGS, load
from monitor.demo.screen import Screen
from monitor.demo.traffic import traffic
from monitor.embedded import EmbeddedServer
from monitor.log import configure
from monitor.report.review import Review
from monitor.whole import whole_catalog

FOLDER = "monitor"
"""Beside the data in the server's directory, so that its guardian removes it too, however we end."""


@dataclass(frozen=True, kw_only=True)
class Show:
    """What was asked for on the command line, and where to talk."""

    seconds: float | None
    port: int | None
    keep: bool
    screen: Screen


async def demo(*, seconds: float | None, port: int | None, keep: bool, out: TextIO, err: TextIO) -> int:
    """Run the demo; gives the exit status: 0, or 130 after Ctrl-C. With `seconds` it ends with a report on `out`."""
    configure("console", "warning", err)
    show = Show(seconds=seconds, port=port, keep=keep, screen=Screen(out, err))
    async with ending() as end:
        review = await end.unless_over(perform(show))
    if review is None:
        return end.status
    show.screen.report(review)
    return 0


async def perform(show: Show) -> Review:
    """Start everything, watch, end everything; gives what stood at the end."""
    say = show.screen.say
    say("starting a PostgreSQL of our own")
    async with _server(keep=show.keep) as server:
        application = await load(server, say)
        say("a day of earlier hours for one statement, back-dated; their calls are made and measured now")
        hours = await measured(application)
        config = await _configured(show, server)
        await back_date(load_config(config, whole_catalog()), hours)
        again = await server.keep() if show.keep else None
        try:
            async with traffic(application) as acting:
                return await _watched(show, config, acting)
        finally:
            if again is not None:
                show.screen.kept(config, again)


async def _watched(show: Show, config: Path, acting: asyncio.Task[None]) -> Review:
    """Run the daemon for as long as it was asked for."""
    daemon = Daemon(load_config(config, whole_catalog()))
    daemon.subscribe(show.screen.tell)
    try:
        await daemon.start()
        show.screen.open_house(daemon.url, config, show.seconds)
        await asyncio.wait({acting}, timeout=show.seconds)
        if acting.done():
            await acting
        return daemon.review()
    finally:
        await daemon.stop()


@asynccontextmanager
async def _server(*, keep: bool) -> AsyncIterator[EmbeddedServer]:
    """Start a server; what is not kept need not be written to the disk at its end."""
    async with EmbeddedServer.started(SETTINGS) as server:
        try:
            yield server
        finally:
            if not keep:
                await server.stop("immediate")


async def _configured(show: Show, server: EmbeddedServer) -> Path:
    """Let the monitor in, and write its configuration."""
    port = open_port(show.port)
    if show.port and port != show.port:
        show.screen.say(f"port {show.port} is taken; using {port}")
    return write_config(server.directory / FOLDER, await admit(server), port)
