"""When things run: APScheduler says when, and starts nothing itself.

Its jobs are plain calls that return at once; the tasks they begin belong to `Tasks`, which keeps, counts and drains
them. (APScheduler's asyncio executor would cancel jobs at shutdown, with a traceback; its debug one just calls.)
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler

log = structlog.get_logger()


class Tasks:
    """Tasks that are owned: at most one of each name in flight, all drained at the end."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin some work, unless the same is still in flight."""
        if name in self._running:
            return
        task = asyncio.get_running_loop().create_task(work(), name=name)
        self._running[name] = task
        task.add_done_callback(lambda done: self._ended(name, done))

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        self._running.pop(name, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task failed", task=name, error=type(error).__name__, exc_info=error)

    async def drain(self, seconds: float) -> None:
        """Wait for what runs, then cancel what still does."""
        running = list(self._running.values())
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def stop(self, prefix: str) -> None:
        """Cancel the tasks whose names begin so, and wait for their end."""
        chosen = [task for name, task in self._running.items() if name.startswith(prefix)]
        for task in chosen:
            task.cancel()
        await asyncio.gather(*chosen, return_exceptions=True)


class Schedule:
    """Triggers by name; `every` is seconds, the first one comes soon and jittered."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(timezone=UTC, executors={"default": DebugExecutor()})

    def begin(self) -> None:
        """Start triggering; needs the running loop."""
        self._scheduler.start()

    def every(self, seconds: float, name: str, call: Callable[[], None]) -> None:
        """Call again and again; a late call is made once, not made up for."""
        soon = datetime.now(UTC) + timedelta(seconds=random.uniform(0, min(seconds / 10, 1.0)))  # noqa: S311 - spreads load
        self._scheduler.add_job(
            call,
            "interval",
            seconds=seconds,
            id=name,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=max(1, int(seconds)),
            next_run_time=soon,
            replace_existing=True,
        )

    def drop(self, prefix: str) -> None:
        """Forget the triggers whose names begin so."""
        for job in self._scheduler.get_jobs():
            if job.id.startswith(prefix):
                job.remove()

    def end(self) -> None:
        """Trigger no more."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
