"""A daemon's rooms over a store, with nobody who watches: its readings are made up, what it shows is the real thing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from benchmarks.fleet import Size, unsaid
from benchmarks.fleet_readings import live, show
from monitor.collect.runner import Clock
from monitor.config.load import Config
from monitor.daemon.controls import DaemonControls
from monitor.daemon.courier import Outcome
from monitor.daemon.desk import Desk
from monitor.daemon.door import door
from monitor.daemon.handling import DaemonHandling
from monitor.daemon.pending import Pending
from monitor.daemon.telling import Telling
from monitor.daemon.workload import STATEMENTS, DaemonWorkload
from monitor.errors import Needs
from monitor.expose.metrics import Exposition
from monitor.expose.own import Own
from monitor.expose.server import Site, Web
from monitor.findings.ledger import Ledger
from monitor.history.courses import DaemonTrends
from monitor.model import Judgement, NoVerdict, Target
from monitor.schedule import Schedule, Tasks
from monitor.standing import ServerStanding
from monitor.store.hours import StoredHours

DOWN = 25
"""Every so many-th server does not answer."""


class Time:
    """A clock that stands still until it is set."""

    def __init__(self, now: datetime) -> None:
        self.now, self._began = now, now

    @property
    def clock(self) -> Clock:
        """Give it as the daemon reads it."""
        return Clock(now=lambda: self.now, monotonic=lambda: (self.now - self._began).total_seconds() + 1e6)


@dataclass(frozen=True, kw_only=True)
class House:
    """A daemon without anybody who watches: what it shows, and its door."""

    desk: Desk
    telling: Telling
    web: Web

    def change(self) -> None:
        """Let the newest readings of the statements come in again, and so everything be drawn anew."""
        newest = self.desk.newest
        for key, seen in newest.items():
            if seen.probe == STATEMENTS:
                newest[key] = replace(seen)
        self.desk.shelf.changed()


@dataclass(frozen=True, kw_only=True)
class _Rooms:
    """What the door needs, before it is there."""

    given: Config
    desk: Desk
    telling: Telling
    pending: Pending
    clock: Clock

    def site(self) -> Site:
        """Give what the pages show, as the daemon does."""
        desk, telling, stored = self.desk, self.telling, StoredHours(self.telling.keeper)
        return Site(
            shelf=desk.shelf,
            handling=DaemonHandling(desk, telling, dict, str),
            exposition=desk.exposition,
            own=Own(desk.shelf, desk.exposition.left_away),
            rules=self.given.catalog.rules,
            clock=self.clock.now,
            controls=DaemonControls(
                desk,
                telling.silences,
                self.pending,
                clock=self.clock,
                store=lambda: telling.keeper.store,
                reload=_nothing,
            ),
            workload=DaemonWorkload(desk, stored, lambda: self.given.catalog.asked),
            trends=DaemonTrends(desk.recorder, stored),
        )


@asynccontextmanager
async def house(given: Config, size: Size, moment: Time) -> AsyncIterator[House]:
    """Put the rooms together over the store that the configuration names, fill them, and open the door."""
    pending, clock, tasks = Pending(), moment.clock, Tasks()
    desk = Desk(Ledger(), Exposition(), clock, pending)
    telling = Telling(desk, pending, given, tasks=tasks, schedule=Schedule(), clock=clock, heard=_unheard)
    await telling.keeper.open()
    await _fill(desk, given, size, moment)
    web = door(_Rooms(given=given, desk=desk, telling=telling, pending=pending, clock=clock).site(), given)
    telling.begin(given, "http://127.0.0.1:9779")
    await web.start()
    try:
        yield House(desk=desk, telling=telling, web=web)
    finally:
        await web.stop()
        await telling.end(0.1)
        await tasks.drain(0.1)
        await telling.keeper.close()


async def _fill(desk: Desk, given: Config, size: Size, moment: Time) -> None:
    """Let three hours of readings come in, up to the moment that it is."""
    now, probes = moment.now, [*given.catalog.asked.values()]
    for place, server in enumerate(given.servers):
        up = bool((place + 1) % DOWN)
        standing = ServerStanding(server=server, spent=lambda: 12.5, version="18.1", databases=("shop", "billing"))
        standing.turn(now, up=up, reason="" if up else "connection refused")
        desk.shelf.servers[server.name] = standing
    for each in live(desk, given.servers, probes, now):
        moment.now = each
    await show(desk, given.servers, probes, now)
    for name, rule, reason in unsaid(size):
        verdict = NoVerdict(reason=reason, needs=Needs.RIGHTS)
        said = Judgement(rule=rule, source=Target(name, "shop"), hold=0, keep=0, verdicts=(verdict,))
        desk.shelf.servers[name].said([said])


def _unheard(name: str, outcome: Outcome, why: str) -> None:
    """Nobody is told of anything."""


async def _nothing() -> str:
    return ""
