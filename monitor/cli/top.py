"""`monitor top`: a running daemon's findings, busiest statements and pools on a terminal, drawn anew all the time."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from rich.console import Console
from rich.live import Live

from monitor.cli.frame import Screen, Seen, frame
from monitor.cli.reach import Way, door
from monitor.cli.shown import Sheet
from monitor.client import Client
from monitor.errors import MonitorError

SHOWN = 200
"""Findings, statements and pools that are asked for: more fit on no screen."""
SMALL = 20
"""Of each as many are written where there is no terminal."""
PLAIN_WIDTH = 120

KEY = re.compile(r"\x1b[\[O][A-Z]|.", re.DOTALL)
QUIT, DOWN, UP = {"q", "Q"}, {"j", "\x1b[B", "\x1bOB"}, {"k", "\x1b[A", "\x1bOA"}


@dataclass
class View:
    """What the keys change; `touched` is set by each."""

    scrolled: int = 0
    over: bool = False
    touched: asyncio.Event = field(default_factory=asyncio.Event)

    def press(self, keys: str, most: int) -> None:
        """Take keys in, several where they came together; `most` is as far as one can scroll."""
        for key in KEY.findall(keys):
            self.over |= key in QUIT
            self.scrolled = max(0, min(self.scrolled + (key in DOWN) - (key in UP), most))
        self.touched.set()


async def top(way: Way, every: float) -> None:
    """Draw until somebody quits; where nobody can see it change, write it once. Raises MonitorError at the start."""
    async with Client(door(way, os.environ)) as client:
        seen = await look(client)
        if sys.stdout.isatty() and sys.stdin.isatty():
            await _live(client, seen, every)
        else:
            Console(width=PLAIN_WIDTH, no_color=True, highlight=False).print(frame(_small(seen), _plain(client)))


async def look(client: Client) -> Seen:
    """Ask for all that a frame shows."""
    status = await client.status()
    return Seen(
        status=status,
        findings=await client.first("findings", SHOWN, status="firing"),
        statements=await client.first("statements", SHOWN),
        pools=await client.first("pools", SHOWN),
    )


def _small(seen: Seen) -> Seen:
    return replace(seen, findings=seen.findings[:SMALL], statements=seen.statements[:SMALL], pools=seen.pools[:SMALL])


def _plain(client: Client) -> Screen:
    return Screen(sheet=Sheet(width=PLAIN_WIDTH, colour=False, now=datetime.now(UTC)), url=client.url, keys="")


async def _live(client: Client, seen: Seen, every: float) -> None:
    console, view = Console(highlight=False), View()
    with _keys(lambda keys: view.press(keys, max(0, len(seen.findings) - 1))), _screen(console) as live:
        while not view.over:
            live.update(frame(seen, _sized(console, client, view)), refresh=True)
            if not await _touched(view, every):
                seen = await _again(client, seen)


def _sized(console: Console, client: Client, view: View) -> Screen:
    sheet = Sheet(width=console.width, colour=not console.no_color, now=datetime.now(UTC))
    return Screen(sheet=sheet, lines=console.height, scrolled=view.scrolled, url=client.url)


def _screen(console: Console) -> Live:
    return Live(console=console, screen=True, auto_refresh=False)


async def _again(client: Client, seen: Seen) -> Seen:
    """Ask anew; while nobody answers what was seen last stays, with a remark."""
    try:
        return await look(client)
    except MonitorError as error:
        return replace(seen, lost=str(error))


async def _touched(view: View, seconds: float) -> bool:
    """Wait so long, or for a key; tell which it was."""
    try:
        async with asyncio.timeout(seconds):
            await view.touched.wait()
    except TimeoutError:
        return False
    view.touched.clear()
    return True


@contextmanager
def _keys(pressed: Callable[[str], None]) -> Iterator[None]:
    """Hand over each key as it is pressed; the terminal is as before afterwards."""
    number, loop = sys.stdin.fileno(), asyncio.get_running_loop()
    before = termios.tcgetattr(number)
    tty.setcbreak(number)
    loop.add_reader(number, lambda: pressed(os.read(number, 32).decode(errors="replace")))
    try:
        yield
    finally:
        loop.remove_reader(number)
        termios.tcsetattr(number, termios.TCSADRAIN, before)
