"""A busy server is spared what is dear and may be late: said where it was never read, and not put off for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from monitor.collect.runner import Clock, Runner
from monitor.daemon.watch import AGAIN_BUSY, LONGEST_BUSY, Watch
from monitor.errors import Needs
from monitor.measurement import Measurement
from monitor.model import Result, Secret, Server
from monitor.probe import Probe, Scope
from monitor.schedule import Schedule, Tasks
from tests.database import Database
from tests.labour import at_work
from tests.patience import PATIENCE

DEAR = Probe(name="dear", scope=Scope.DATABASE, every=1800, patient=True, sql={14: "select 1 as one"})
CHEAP = Probe(name="cheap", scope=Scope.DATABASE, every=0.2, sql={14: "select 1 as one"})


@dataclass
class Desk:
    """Keeps what is measured."""

    seen: list[Measurement] = field(default_factory=list)
    more: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, _server: Server, _probe: Probe, seen: Measurement) -> None:
        async with self.more:
            self.seen.append(seen)
            self.more.notify_all()

    def left(self, server: Server, database: str) -> None: ...

    def remaining(self, server: Server, databases: Collection[str]) -> None: ...

    def turned(self, server: Server) -> None: ...

    def of(self, probe: Probe) -> list[Measurement]:
        return [each for each in self.seen if each.probe == probe.name]

    async def count(self, probe: Probe, many: int) -> None:
        """Wait for so many measurements."""
        async with asyncio.timeout(5 * PATIENCE), self.more:
            await self.more.wait_for(lambda: len(self.of(probe)) >= many)


class Watching:
    """A watch over one database, by a clock that can be put forward."""

    def __init__(self, database: Database) -> None:
        self.desk, self.later = Desk(), 0.0
        self._tasks, self._schedule = Tasks(), Schedule()
        monotonic = Clock().monotonic
        clock = Clock(now=lambda: datetime.now(UTC), monotonic=lambda: monotonic() + self.later)
        self._watch = Watch(
            Server(name="shop", dsn=Secret(database.dsn), only=database.name),
            [DEAR, CHEAP],
            self.desk,
            Runner(clock),
            tasks=self._tasks,
            crowd=asyncio.Semaphore(4),
            clock=clock,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self._schedule.begin()
        self._watch.begin(self._schedule)
        try:
            yield
        finally:
            self._schedule.end()
            await self._watch.close()

    async def after(self, seconds: float) -> list[Result]:
        """Let time go by, and wait for two rounds; give how the dear probe ended so far."""
        self.later += seconds
        await self.desk.count(CHEAP, len(self.desk.of(CHEAP)) + 3)
        return [each.result for each in self.desk.of(DEAR)]


async def test_a_dear_probe_waits_while_the_server_is_busy(database: Database) -> None:
    """Not read yet: said. Waited for an hour: read all the same. Read before: the reading stays until a newer one."""
    monitor = await database.as_monitor()
    await database.execute(f"alter role {monitor.user} set max_parallel_workers = 2")
    watching = Watching(monitor)
    async with at_work(database, 5), watching.running():
        assert await watching.after(0) == [Result.SKIPPED]
        (skipped,) = watching.desk.of(DEAR)
        assert await watching.after(LONGEST_BUSY) == [Result.SKIPPED, Result.OK]
        assert await watching.after(DEAR.every) == [Result.SKIPPED, Result.OK]
    async with watching.running():
        assert await watching.after(AGAIN_BUSY) == [Result.SKIPPED, Result.OK, Result.OK]
    assert skipped.needs is Needs.TIME
    assert "put off, for the server is busy: 5 sessions are at work" in skipped.reason
