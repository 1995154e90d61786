"""A TCP proxy of our own between monitor and server, which can be told to misbehave in the ways networks do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum

GARBAGE = b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(range(256)) * 4


class Way(StrEnum):
    """What happens to what comes in."""

    FORWARD = "forward"
    SWALLOW = "swallow"
    """Everything is acknowledged and nothing forwarded, in old connections for good."""
    GARBAGE = "garbage"
    HANG_UP = "hang up"
    SLOW = "slow"


class Proxy:
    """Listens on a port of 127.0.0.1 and leads to another one."""

    def __init__(self, target: int) -> None:
        self.way = Way.FORWARD
        self.port = 0
        self.accepted = 0
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._first = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Listen no more, and end every connection."""
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        """End every connection."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def visited(self) -> None:
        """Wait for the first connection."""
        await self._first.wait()

    async def close(self) -> None:
        await self.refuse()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.accepted += 1
        self._first.set()
        self._writers.add(writer)
        with suppress(OSError, asyncio.CancelledError):
            await self._serve(reader, writer)
        writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.way is Way.HANG_UP:
            return
        if self.way is Way.GARBAGE:
            await reader.read(8)
            writer.write(GARBAGE)
            await writer.drain()
            await reader.read()
            return
        if self.way is Way.SWALLOW:
            while await reader.read(65536):
                pass
            return
        behind, ahead = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers.add(ahead)
        try:
            await asyncio.wait(
                [asyncio.create_task(self._pump(reader, ahead)), asyncio.create_task(self._pump(behind, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            ahead.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Carry bytes one way; what was swallowed once is a dead connection, whose other end stays open."""
        dead = False
        with suppress(OSError):
            while True:
                data = await source.read(65536)
                dead = dead or self.way is Way.SWALLOW
                if not data and dead:
                    await asyncio.Event().wait()
                if not data:
                    return
                if self.way is Way.SLOW:
                    await asyncio.sleep(0.3)
                if not dead:
                    target.write(data)
                    await target.drain()


@asynccontextmanager
async def proxy_to(port: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(port)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.close()
