"""How the demo comes to its end from outside: a signal, or the death of the process that started it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

T = TypeVar("T")

INTERRUPTED = 130
LOOK_SECONDS = 0.5


class Ending:
    """Is over once somebody wants us to end; `status` is then the exit status."""

    def __init__(self) -> None:
        self._over = asyncio.Event()
        self.status = 0

    def end(self, status: int) -> None:
        """Want the end; the first one to want it says the status."""
        if not self._over.is_set():
            self.status = status
            self._over.set()

    async def unless_over(self, work: Awaitable[T]) -> T | None:
        """Give the work's result, or None when the end came first and the work had been cancelled and cleaned up."""
        doing, over = asyncio.ensure_future(work), asyncio.create_task(self._over.wait())
        try:
            await asyncio.wait({doing, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
            if not doing.done():
                doing.cancel()
                await asyncio.wait({doing})
        return None if doing.cancelled() else doing.result()


@asynccontextmanager
async def ending() -> AsyncIterator[Ending]:
    """Watch for Ctrl-C, SIGTERM, SIGHUP, and for the death of our parent.

    Under nohup, which has SIGHUP ignored, we are meant to outlive the shell: then the parent is not looked at.
    """
    end, loop = Ending(), asyncio.get_running_loop()
    detached = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    numbers = [signal.SIGINT, signal.SIGTERM] if detached else [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    for number in numbers:
        loop.add_signal_handler(number, end.end, INTERRUPTED if number == signal.SIGINT else 0)
    watching = None if detached else asyncio.create_task(_outlive(os.getppid(), end))
    try:
        yield end
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
        if watching is not None:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching


async def _outlive(parent: int, end: Ending) -> None:
    """End when our parent is another one than at the start: ours died, however it did."""
    while os.getppid() == parent:  # noqa: ASYNC110 - the kernel sets no event of ours
        await asyncio.sleep(LOOK_SECONDS)
    end.end(0)
