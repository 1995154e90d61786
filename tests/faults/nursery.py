"""Daemons that begin with all modules loaded: forked off a process that has loaded them, and then as real as others.

Loading takes most of a daemon's start; who wants to see hundreds of them live and die need not pay for it each time.
"""

import asyncio
import json
import os
import select
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

MOTHER = """
import json, os, sys
import aiosqlite, aiohttp.web, asyncpg, sqlalchemy.dialects.sqlite.aiosqlite
import monitor.cli.run, monitor.daemon.daemon, monitor.receivers, monitor.notify.webhook
from monitor.cli.app import main
from monitor.whole import whole_catalog

whole_catalog()
print("ready", flush=True)
for line in sys.stdin:
    order = json.loads(line)
    if "wait" in order:
        print(os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1]), flush=True)
    elif child := os.fork():
        print(child, flush=True)
    else:
        os.chdir(order["folder"])
        os.environ.update(order["environ"])
        for number, file in enumerate((os.devnull, "stdout", "stderr")):
            os.dup2(os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT), number)
        sys.argv = ["monitor", *order["arguments"]]
        main()
"""


class Child:
    """A daemon that was forked; used as asyncio's processes are."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self.pid, self._nursery = pid, nursery
        self._door = os.pidfd_open(pid)
        self._status: int | None = None

    @property
    def returncode(self) -> int | None:
        """Tell how it ended; -1 while nobody has waited for that."""
        over = self._status is None and bool(select.select([self._door], [], [], 0)[0])
        return -1 if over else self._status

    def send_signal(self, signal: int) -> None:
        if self._status is None:
            os.kill(self.pid, signal)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        """Wait until it has ended."""
        while self.returncode is None:  # noqa: ASYNC110 - another process ends
            await asyncio.sleep(0.01)
        if self._status is None:
            self._status = int(await self._nursery.told({"wait": self.pid}))
            os.close(self._door)
        return self._status


class Nursery:
    """The process that has loaded everything."""

    def __init__(self, mother: asyncio.subprocess.Process) -> None:
        self._mother = mother
        self._one_by_one = asyncio.Lock()

    async def spawn(self, folder: Path, environ: Mapping[str, str], arguments: Sequence[str]) -> Child:
        """Start `monitor` with these arguments; both streams go to files in the folder."""
        order = {"folder": str(folder), "environ": dict(environ), "arguments": list(arguments)}
        return Child(self, int(await self.told(order)))

    async def told(self, order: Mapping[str, object]) -> str:
        """Hand an order to the mother, and give her answer."""
        assert self._mother.stdin is not None
        async with self._one_by_one:
            self._mother.stdin.write(json.dumps(order).encode() + b"\n")
            return await self.answer()

    async def answer(self) -> str:
        assert self._mother.stdout is not None
        line = await self._mother.stdout.readline()
        assert line, "the nursery has ended"
        return line.decode()


@asynccontextmanager
async def nursery() -> AsyncIterator[Nursery]:
    """Load everything once."""
    pipe = asyncio.subprocess.PIPE
    mother = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", MOTHER), stdin=pipe, stdout=pipe, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    try:
        made = Nursery(mother)
        await made.answer()
        yield made
    finally:
        mother.kill()
        await mother.wait()
