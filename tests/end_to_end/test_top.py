"""`monitor top` as a person has it: on a terminal of its own, beside a daemon that watches a real server."""

import asyncio
import os
import pty
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from monitor.embedded import free_port
from tests.database import Database
from tests.end_to_end.command import monitor
from tests.faults.harness import daemon
from tests.patience import PATIENCE

SIZE = {"COLUMNS": "100", "LINES": "30", "TERM": "xterm"}
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A process on a pseudo-terminal; `said` is all that it drew."""

    def __init__(self, url: str) -> None:
        self._master, slave = pty.openpty()
        os.set_blocking(self._master, False)
        self._slave, self._arguments = slave, (sys.executable, "-m", "monitor", "top", "--every", "0.5", "--url", url)
        self.said = ""

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *self._arguments,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env={**os.environ, **SIZE},
            start_new_session=True,
        )
        os.close(self._slave)

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def read(self) -> None:
        try:
            self.said += os.read(self._master, 1_000_000).decode(errors="replace")
        except (BlockingIOError, OSError):  # nothing to read; or it has ended
            return

    async def shows(self, words: Sequence[str]) -> None:
        """Wait until all of it was drawn."""
        end = time.monotonic() + 15 * PATIENCE
        while not all(word in CONTROL.sub("", self.said) for word in words):
            assert time.monotonic() < end, CONTROL.sub("", self.said)[-3000:]
            await asyncio.sleep(0.1)
            self.read()

    async def ended(self) -> int:
        async with asyncio.timeout(10 * PATIENCE):
            while self.process.returncode is None:
                self.read()
                await asyncio.sleep(0.05)
        self.read()
        os.close(self._master)
        return self.process.returncode


async def test_it_lives_on_a_terminal_until_q(database: Database, tmp_path: Path) -> None:
    """Findings, statements and slots are there; a lost daemon is said, and found again; q leaves the screen."""
    async with daemon(tmp_path, {"shop": (await database.as_monitor()).dsn}) as running:
        await running.fires("headcount.many", 20 * PATIENCE)
        terminal = Terminal(running.url)
        await terminal.start()
        await terminal.shows(["pgarchitect", "1 target up", "headcount.many", "Busiest statements", "shop"])
        assert await running.stop() == 0
        await terminal.shows(["connection lost"])
        terminal.said = ""
        await running.start()
        await terminal.shows(["q quits"])
        terminal.press("jq")
        assert await terminal.ended() == 0
        assert "\x1b[?1049l" in terminal.said


async def test_without_a_terminal_it_is_written_once(database: Database, tmp_path: Path) -> None:
    """One frame on stdout, nothing on stderr, and no control sequence."""
    async with daemon(tmp_path, {"shop": (await database.as_monitor()).dsn}) as running:
        await running.fires("headcount.many", 20 * PATIENCE)
        said = await monitor("top", "--url", running.url)
        assert (said.status, said.err) == (0, "")
        assert "headcount.many" in said.out
        assert "\x1b" not in said.out


async def test_where_nobody_answers_it_says_so() -> None:
    """One clear line, as the other commands that talk to a daemon."""
    said = await monitor("top", "--url", f"http://127.0.0.1:{free_port()}")
    assert (said.status, said.out) == (2, "")
    assert "no daemon answers there" in said.err
