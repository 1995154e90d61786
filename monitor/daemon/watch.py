"""One server, watched: its probes in turn, its databases in turn, and the way back when it is lost.

What comes out goes to the desk. At most two sessions are in use; who is first asks first.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import structlog

from monitor.busy import busy
from monitor.collect.runner import Clock, Runner, failed
from monitor.collect.way import Guarded, way_to
from monitor.errors import (
    MonitorError,
    Needs,
    ProbeError,
    ProbeSkipped,
    TargetDenied,
    TargetError,
    TargetUnreachable,
)
from monitor.lending import Lent
from monitor.measurement import Measurement
from monitor.model import Result, Server, Target
from monitor.probe import Probe, Scope
from monitor.schedule import Schedule, Tasks
from monitor.standing import ServerStanding

log = structlog.get_logger()

FIRST_DELAY, LONGEST_DELAY, DENIED_DELAY = 0.25, 2.5, 8.0
"""Seconds between attempts to reconnect: from, to, and to when we are refused for who we are."""

AGAIN_SECONDS = 5.0
"""When a database that could not be visited, or where a probe is not done, is visited again."""

ABSENT_SECONDS = 300.0
"""How seldom, at the most, a database is asked again for what it does not have (no schema auth …)."""

AGAIN_BUSY, LONGEST_BUSY = 60.0, 3600.0
"""How soon a patient probe is tried again on a server that was busy, and how long it may be put off in all."""

ROUND_SLACK = 0.5
"""A database's probe counts as due this many seconds early, so that rounds do not drift past it."""


class Desk(Protocol):
    """Where measurements go."""

    async def take(self, server: Server, probe: Probe, seen: Measurement) -> None:
        """Judge, follow and show a measurement."""

    def left(self, server: Server, database: str) -> None:
        """Take a database that is not looked at any more off the shelf."""

    def remaining(self, server: Server, databases: Collection[str]) -> None:
        """End what concerned databases that are there no more."""

    def turned(self, server: Server) -> None:
        """Take note that a server came or went."""


class Watch:
    """The watch over one server, of whatever kind."""

    def __init__(
        self,
        server: Server,
        probes: Sequence[Probe],
        desk: Desk,
        runner: Runner,
        *,
        tasks: Tasks,
        crowd: asyncio.Semaphore,
        clock: Clock,
    ) -> None:
        self.server = server
        self.way = way_to(server, on_lost=self._shaken)
        self.standing = ServerStanding(server, spent=lambda: self.way.own_seconds)
        self._desk, self._runner, self._tasks, self._crowd, self._clock = desk, runner, tasks, crowd, clock
        self._of_server, self._of_databases = self._divided(probes)
        self._asked_at: dict[tuple[str, str], float] = {}
        self._absent: set[tuple[str, str]] = set()
        self._put_off: dict[tuple[str, str], float] = {}
        """Since when a patient probe waits in a database, because the server is busy."""
        self._answered: set[tuple[str, str]] = set()
        """Patient probes that have a reading, which stays while a newer one is put off."""
        self._again_soon: set[str] = set()
        """Probes of the server that were not reached, or lacked a right or an extension: either may be there soon."""

    @property
    def prefix(self) -> str:
        """What the names of this watch's triggers and tasks begin with."""
        return f"watch {self.server.name} "

    def begin(self, schedule: Schedule) -> None:
        """Set the triggers, and open the first session."""
        self._trigger(schedule)
        self._shaken()

    def succeed(self, before: ServerStanding) -> None:
        """Go on from an earlier watch over the same server: what was known, and what we cost it."""
        self.standing.succeed(before)
        self.way.own_seconds = before.spent()

    def ask(self, probes: Sequence[Probe], schedule: Schedule) -> None:
        """Go on with other probes; sessions and what is under way stay as they are."""
        schedule.drop(self.prefix)
        self._of_server, self._of_databases = self._divided(probes)
        self._trigger(schedule)

    def _trigger(self, schedule: Schedule) -> None:
        for seconds in {probe.every for probe in self._of_server}:  # one trigger a pace, one awakening
            schedule.every(seconds, f"{self.prefix}every {seconds:g} s", lambda seconds=seconds: self._ask_all(seconds))  # type: ignore[misc]
        if self._of_databases:
            often = min(probe.every for probe in self._of_databases)
            schedule.every(often, f"{self.prefix}databases", self._go_round)

    def lend(self, database: str) -> AbstractAsyncContextManager[Lent]:
        """Lend a session in one database to who plans there; raises TargetError, at once while the server is down."""
        if self.standing.up is False:
            raise TargetUnreachable(self.standing.reason)
        return self.way.apart(database)

    async def close(self) -> None:
        """End the watch and both sessions."""
        await self._tasks.stop(self.prefix)
        await self.way.close()

    def _ask_all(self, every: float) -> None:
        for probe in self._of_server:
            if probe.every == every:
                self._ask(probe)

    def _ask(self, probe: Probe) -> None:
        self._tasks.start(f"{self.prefix}{probe.name}", lambda: self._asked(probe))

    def _go_round(self) -> None:
        self._tasks.start(f"{self.prefix}databases", self._round)

    def _shaken(self) -> None:
        """Look at once whether the server is still there."""
        self._tasks.start(f"{self.prefix}reconnect", self._reconnect)

    async def _asked(self, probe: Probe) -> None:
        """Run a server-wide probe; of a server that is down, say so without asking."""
        target = Target(self.server.name)
        if not self.standing.up:
            self._shaken()
            if self.standing.up is False:
                await self._cannot(probe, target, TargetUnreachable(self.standing.reason))
            return
        try:
            async with self.way.suited(probe.needs) as session, self._crowd:
                seen = await self._runner.run(probe, target, session)
            await self._desk.take(self.server, probe, seen)
        except TargetError as error:
            await self._cannot(probe, target, error)
            self._shaken()
            self._again_soon.add(probe.name)
        else:
            lacks = seen.needs in {Needs.RIGHTS, Needs.EXTENSION}
            (self._again_soon.add if lacks else self._again_soon.discard)(probe.name)

    async def _cannot(self, probe: Probe, target: Target, error: MonitorError) -> None:
        await self._desk.take(self.server, probe, failed(self._runner.blank(probe, target), error))

    async def _again(self) -> None:
        await asyncio.sleep(AGAIN_SECONDS)
        self._go_round()

    async def _round(self) -> None:
        """Visit every database that has a probe due; when one is not done with, go round again before long."""
        if not self.standing.up:
            return
        try:
            self._noted(await self.way.databases())
        except TargetError:
            self._shaken()
            return
        except ProbeError as error:  # the catalogue is locked: those we know will do
            log.warning("databases not listed", target=self.server.name, reason=str(error))
        databases = self.standing.databases
        for database in databases:
            due = self._due(database)
            if due and not await self._visit(database, due, stay=len(databases) == 1):
                self._tasks.start(f"{self.prefix}again", self._again)
        for probe in self._of_server:
            if probe.name in self._again_soon:
                self._ask(probe)

    def _noted(self, databases: list[str]) -> None:
        """Forget databases that are closed or gone; only what is gone ends its findings, and what is not wanted."""
        for database in set(self.standing.databases) - set(databases):
            self._desk.left(self.server, database)
        self.standing.databases = tuple(databases)
        self._desk.remaining(self.server, {name for name in self.way.existing if self.server.wants(name)})

    def _due(self, database: str) -> list[Probe]:
        """Give the probes it is time for in one database; none while the server is down."""
        now = self._clock.monotonic()
        ages = [(probe, now - self._asked_at.get((database, probe.name), -math.inf)) for probe in self._of_databases]
        return [probe for probe, age in ages if self.standing.up and age >= self._pause(database, probe) - ROUND_SLACK]

    def _pause(self, database: str, probe: Probe) -> float:
        absent = (database, probe.name) in self._absent
        return max(probe.every, ABSENT_SECONDS) if absent else probe.every

    async def _visit(self, database: str, due: Sequence[Probe], *, stay: bool) -> bool:
        """Run what is due in one database; False when it could not be reached, or a probe wants to go on soon."""
        target = Target(self.server.name, database)
        waiting, done = list(due), True
        try:
            async with self.way.visit(database, stay=stay) as session, self._crowd:
                while waiting:
                    probe = waiting[0]
                    self._asked_at[database, probe.name] = self._clock.monotonic()
                    if probe.patient and await self._waits(probe, target, session):
                        waiting.pop(0)
                        continue
                    seen = await self._runner.run(probe, target, session)
                    await self._taken(probe, database, seen)
                    waiting.pop(0)
                    if seen.unfinished:
                        done, self._asked_at[database, probe.name] = False, -math.inf
        except TargetError as error:
            again = isinstance(error, TargetUnreachable)
            for probe in waiting:
                self._asked_at[database, probe.name] = -math.inf if again else self._clock.monotonic()
                await self._cannot(probe, target, error)
            return not again
        return done

    async def _waits(self, probe: Probe, target: Target, session: Guarded) -> bool:
        """Put a probe off while the server is busy, but not for good; say so where it was never read."""
        key, now = (str(target.database), probe.name), self._clock.monotonic()
        session.within(probe.timeout)
        try:
            why = await busy(session)
        except (ProbeError, TargetDenied):  # we may not see it; the probe keeps to its own budget
            why = ""
        if not why or now - self._put_off.setdefault(key, now) >= LONGEST_BUSY:
            return False
        log.info("probe put off", target=str(target), probe=probe.name, reason=why)
        self._asked_at[key] = now - self._pause(key[0], probe) + AGAIN_BUSY
        if key not in self._answered:
            await self._cannot(probe, target, ProbeSkipped(f"put off, for {why}", Needs.TIME))
        return True

    async def _taken(self, probe: Probe, database: str, seen: Measurement) -> None:
        absent = seen.result is Result.SKIPPED and seen.needs is None
        (self._absent.add if absent else self._absent.discard)((database, probe.name))
        if probe.patient and seen.result is Result.OK and not seen.unfinished:
            self._answered.add((database, probe.name))
            self._put_off.pop((database, probe.name), None)
        await self._desk.take(self.server, probe, seen)

    async def _reconnect(self) -> None:
        """Try until the server answers; the delay grows to a cap and is jittered, so that many do not come at once."""
        delay = FIRST_DELAY
        while True:
            try:
                async with self.way.home() as session:
                    self.standing.version = session.facts.version
            except TargetError as error:
                self._missed(error)
                longest = DENIED_DELAY if isinstance(error, TargetDenied) else LONGEST_DELAY
            else:
                self._found()
                return
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - a jitter
            delay = min(2 * delay, longest)

    def _missed(self, error: TargetError) -> None:
        if self.standing.turn(self._clock.now(), up=False, reason=str(error)):
            log.warning("target down", target=self.server.name, reason=str(error))
        self._desk.turned(self.server)

    def _found(self) -> None:
        was = self.standing.up
        if self.standing.turn(self._clock.now(), up=True):
            log.info("target up", target=self.server.name, version=self.standing.version)
            self._desk.turned(self.server)
        if was is not True:
            for probe in self._of_server:
                self._ask(probe)
            self._asked_at.clear()
            self._go_round()

    def _divided(self, probes: Sequence[Probe]) -> tuple[list[Probe], list[Probe]]:
        """Give the probes of the server as a whole, and those of each database; the others do not apply to its kind."""
        ours = self.standing.apply(probes)
        of_server = [probe for probe in ours if probe.scope is not Scope.DATABASE]
        return of_server, [probe for probe in ours if probe.scope is Scope.DATABASE]
