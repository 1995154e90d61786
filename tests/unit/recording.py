"""A recorder with a clock set by hand, over a real store that can be made to fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection

from monitor.collect.runner import Clock
from monitor.errors import StoreError
from monitor.history.earlier import hour_of
from monitor.history.past import History, Kept, Key
from monitor.history.recorder import Recorder
from monitor.measurement import Measurement
from monitor.model import Secret, Server, Target
from monitor.probe import Kind, Metric, Probe, Scope
from monitor.store.engine import Store
from monitor.store.hours import StoredHours

T = TypeVar("T")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
A, B = ("shop", "aaaa"), ("shop", "bbbb")
PROBE = Probe(
    name="statements",
    scope=Scope.SERVER,
    every=15,
    window=600,
    metrics=(Metric("calls", Kind.COUNTER, "Calls."),),
    history=Kept(
        key=("database", "query"),
        columns=("calls", "seconds", "squares"),
        weight="calls",
        weighed="seconds",
        squares="squares",
    ),
)


class Failing:
    """A store, until it is told to fail: before a transaction, or after it was committed and nobody heard of it.

    So many transactions as `spared` says go well before.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.before = self.after = False
        self.spared = 0
        self.meanwhile: Callable[[], None] = lambda: None

    async def run(self, work: Callable[[Connection], T]) -> T:
        self.spared -= 1
        if self.before and self.spared < 0:
            raise StoreError("the disk is full; make room")
        self.meanwhile()
        result = await self.store.run(work)
        self.meanwhile()
        if self.after and self.spared < 0:
            raise StoreError("the session was lost")
        return result


@dataclass
class Desk:
    """Takes readings to a recorder; what was called is counted beside it."""

    store: Store
    name: str = "shop"
    now: datetime = NOON
    seconds: float = 0.0
    called: dict[int, dict[Key, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.failing = Failing(self.store)
        self.stored = StoredHours(self.failing)
        self.clock = Clock(now=lambda: self.now, monotonic=lambda: self.seconds)
        self.server = Server(name=self.name, dsn=Secret("postgresql://db"), exclude=("scratch",))
        self.restart()

    def restart(self) -> None:
        """Begin with a new process: nothing is remembered."""
        self.recorder = Recorder(self.clock)

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds

    def read(self, calls: Mapping[Key, float], mean: float = 0.01, seconds: float = 15.0) -> None:
        """Take a reading, so many seconds after the one before."""
        rows = [
            {"database": key[0], "query": key[1], "calls": count, "seconds": count * mean, "squares": count * mean**2}
            for key, count in calls.items()
        ]
        seen = Measurement(
            target=Target(self.name),
            probe=PROBE.name,
            taken_at=self.now,
            grown=rows,
            grown_seconds=seconds,
            exposed=rows,
        )
        self.recorder.take(self.server, PROBE, seen)
        hour = self.called.setdefault(hour_of(self.now), {})
        for key, count in calls.items():
            if count:
                hour[key] = hour.get(key, 0) + count

    async def round(self) -> None:
        await self.recorder.round(self.stored)

    @property
    def history(self) -> History:
        return self.recorder.histories[self.name, PROBE.name]

    async def kept(self) -> dict[int, dict[Key, float]]:
        """Give the calls the store holds, by hour."""
        stored = StoredHours(self.store)
        found: dict[int, dict[Key, float]] = {}
        keys = await stored.keys(self.name, PROBE.name)
        hours = sorted({*self.called, *range(hour_of(NOON) - 800, hour_of(NOON) + 800)})
        for key, each in (await stored.of(self.name, PROBE.name, keys, hours)).items():
            for hour, figures in each:
                found.setdefault(hour, {})[key] = figures[0]
        return found
