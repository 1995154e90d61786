"""A past made of real readings: a recorder's clock is set by hand, so that hours pass between two of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.collect.runner import Clock
from monitor.history.past import History
from monitor.history.recorder import Recorder
from monitor.measurement import Measurement
from monitor.model import Finding, NoVerdict, Secret, Server, Target
from monitor.planning import Planner
from monitor.proof import Cure
from monitor.rule import Advisor
from monitor.rules.evaluate import advise
from monitor.store.engine import Store
from monitor.store.hours import StoredHours
from probes.statements import PROBE
from tests.database import Database
from tests.looking import Eye

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
THREE_HOURS = 3 * 3600.0


@dataclass(frozen=True)
class Pages:
    """A book over the newest reading and what is kept."""

    target: Target
    seen: Measurement | None
    kept: History | None
    planner: Planner | None = None

    def last(self, probe: str) -> Measurement | None:
        return self.seen if probe == PROBE.name else None

    def history(self, _probe: str) -> History | None:
        return self.kept

    def family(self, _probe: str) -> Mapping[str, Measurement | None]:
        return {}

    def found(self, _rule: str) -> Sequence[Finding]:
        return ()

    def tried(self, _rule: str) -> Sequence[Cure]:
        return ()


@dataclass
class Past:
    """Readings of one database, entered into the recorder as the daemon would."""

    database: Database
    monitor: Database
    eye: Eye
    stored: StoredHours
    now: datetime = NOON
    seconds: float = 0.0
    seen: Measurement | None = None
    recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        self.recorder = Recorder(Clock(now=lambda: self.now, monotonic=lambda: self.seconds))
        self.server = Server(name="test", dsn=Secret("postgresql://db"), only=self.database.name)

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds

    async def look(self, later: float = 15.0) -> Measurement:
        """Take a reading, so long after the one before."""
        self.sleep(later)
        self.seen = replace(await self.eye.look(), taken_at=self.now)
        self.recorder.take(self.server, PROBE, self.seen)
        return self.seen

    async def book(self) -> Pages:
        """Write what there is, look its past up, and open the book."""
        await self.recorder.round(self.stored)
        kept = self.recorder.histories.get(("test", PROBE.name))
        return Pages(Target("test", self.database.name), self.seen, kept)

    async def judge(self, advisor: Advisor) -> Sequence[Finding | NoVerdict]:
        return await said(advisor, await self.book())

    async def live(self, sql: str, *arguments: object, hours: int = 9, calls: int = 12) -> None:
        """Let a statement be called in every third hour, and stop when the next one has begun."""
        for _ in range(hours):
            await self.call(sql, *arguments, calls=calls)
            await self.look(THREE_HOURS)
            await self.recorder.round(self.stored)
        self.sleep(THREE_HOURS)

    async def call(self, sql: str, *arguments: object, calls: int) -> None:
        session = await self.database.connect(max_parallel_workers_per_gather="0")
        for _ in range(calls):
            await session.fetch(sql, *arguments)
        await session.close()

    @asynccontextmanager
    async def again(self) -> AsyncIterator[Past]:
        """Go on as a new process would: with an empty window, texts not read yet, and the same store."""
        async with self.monitor.eye(PROBE) as eye:
            later = Past(self.database, self.monitor, eye, self.stored, self.now, self.seconds)
            await later.look()
            yield later


async def said(advisor: Advisor, book: Pages) -> Sequence[Finding | NoVerdict]:
    return (await advise(advisor, book)).verdicts


@asynccontextmanager
async def past(database: Database, folder: Path) -> AsyncIterator[Past]:
    """The past of a database, after the first reading as the monitor's own role."""
    monitor = await database.as_monitor()
    store = await Store.open(f"sqlite:///{folder / 'state.db'}", folder)
    try:
        async with monitor.eye(PROBE) as eye:
            begun = Past(database, monitor, eye, StoredHours(store))
            await begun.look()
            yield begun
    finally:
        await store.close()
