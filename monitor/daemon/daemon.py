"""The daemon: builds every room from one configuration, runs them, and takes them down in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial

import structlog

from monitor.catalog import Catalog
from monitor.collect.runner import Clock
from monitor.config.load import Config, load_config
from monitor.daemon.advising import Advising
from monitor.daemon.controls import DaemonControls
from monitor.daemon.courier import Outcome
from monitor.daemon.desk import Desk
from monitor.daemon.door import door
from monitor.daemon.handling import DaemonHandling
from monitor.daemon.memories import Memories
from monitor.daemon.pending import Pending
from monitor.daemon.roster import Roster
from monitor.daemon.telling import Telling
from monitor.daemon.workload import DaemonWorkload
from monitor.errors import ConfigErrors, MonitorError
from monitor.expose.compat import Compat
from monitor.expose.metrics import Exposition, clashes
from monitor.expose.own import Own
from monitor.expose.server import Site, Web
from monitor.findings.ignores import Ignores
from monitor.findings.ledger import Ledger
from monitor.history.courses import DaemonTrends
from monitor.memory import release
from monitor.model import Alert, Server, State
from monitor.overlap import told_beside
from monitor.planners import planner_of
from monitor.report.present import Present
from monitor.report.review import Review
from monitor.rule import Advisor, Judge
from monitor.schedule import Schedule, Tasks
from monitor.store.hours import StoredHours
from monitor.whole import whole_catalog

log = structlog.get_logger()

TICK_SECONDS = 10.0
"""How often the daemon judges itself and looks for what is left to write; it hears at once of what fails or is lost."""

REST_SECONDS = 0.005
"""For each server, the rest between two judgements on itself: many servers that are down shake it all the time."""

RELEASE_SECONDS = 60.0
"""How often memory that is free is given back to the system: what is needed again at once has to be fetched anew."""

LEAN_SECONDS = 60.0
"""How long what is over stays whole in memory: who is told of its end may look at it now."""

MANY = 1000
"""So many alerts made lean are worth to be put close together, which takes half a second for ten thousand."""

DRAIN_SECONDS = 2.0
"""Of the five seconds after SIGTERM, what tasks and receivers may take."""


class Daemon:
    """One configuration, running."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self.config = config
        self._clock = clock or Clock()
        self._tasks, self._schedule = Tasks(), Schedule()
        self._exposition = Exposition(limit=config.limits.series, compat=Compat(config.compat))
        pending = Pending()
        self._desk = Desk(Ledger(), self._exposition, self._clock, pending)
        self._desk.ignores = Ignores(config.ignores)
        self._own = Own(self._desk.shelf, self._exposition.left_away, lambda: self._exposition.compat)
        self._roster = Roster(config, self._desk, tasks=self._tasks, schedule=self._schedule, clock=self._clock)
        self._telling = Telling(
            self._desk,
            pending,
            config,
            tasks=self._tasks,
            schedule=self._schedule,
            clock=self._clock,
            heard=self._heard,
        )
        self._planner = planner_of(config.planner)
        self._advising = Advising(self._desk, lambda target: self._planner.beside(partial(self._roster.lend, target)))
        self._hours = StoredHours(self._telling.keeper)
        self._memories = Memories(self._roster.runner, self._telling.keeper, self._clock)
        self._desk.recorder.retention = config.retention_statements
        self._controls = DaemonControls(
            self._desk,
            self._telling.silences,
            pending,
            clock=self._clock,
            store=lambda: self._telling.keeper.store,
            reload=self.reload,
        )
        self._failing: dict[str, str] = {}
        self._handling = DaemonHandling(self._desk, self._telling, lambda: self._failing, self._refused)
        self._rules: dict[str, Judge] = dict(config.catalog.rules)
        """What the manual pages show: one mapping, filled anew at a reload."""
        self._web = self._door()
        self._reloading = asyncio.Lock()
        self._reload_failed = ""
        self._released_at = self._clock.monotonic()
        self._slimmed = 0
        """How many alerts were made lean, and lie scattered since."""
        self._shaken = asyncio.Event()

    @property
    def url(self) -> str:
        """Where the page is."""
        return self._web.url

    def subscribe(self, listener: Callable[[Alert], None]) -> None:
        """Call for every alert that begins to fire, changes its severity, or ends."""
        self._desk.listeners.append(listener)

    def review(self) -> Review:
        """Give what stands now as a report."""
        return Present(
            standings=list(self._desk.shelf.servers.values()),
            findings=told_beside([one.finding for one in self._desk.ledger.alerts if one.state is State.FIRING]),
            readings=list(self._desk.newest.values()),
            probes=list(self.config.catalog.asked.values()),
            advisors=self._advisors(),
        ).review()

    async def start(self) -> None:
        """Open store and door, then begin to watch; raises MonitorError when that cannot be."""
        await self._web.start()
        await self._telling.keeper.open()
        await self._memories.load()
        await self._roster.read()
        self._desk.end_rules(self.config.catalog.silenced)
        self._desk.wake = self._telling.want
        self._telling.begin(self.config, self._link())
        self._schedule.begin()
        await self._roster.begin()
        self._ask_advisors()
        self._desk.shaken = self._shaken.set
        self._tasks.start("ticks", self._ticks)
        for metric in clashes(self.config.catalog.probes.values()):
            log.warning("two probes export one metric; only the first is shown", metric=metric)
        log.info("watching", targets=len(self._roster.watches), url=self.url)

    async def stop(self) -> None:
        """Trigger no more, let what runs end, write and tell the rest, close everything."""
        self._schedule.end()
        await asyncio.gather(self._tasks.stop("ticks"), self._roster.end())
        await asyncio.gather(self._telling.end(DRAIN_SECONDS), self._roster.close())
        await self._tasks.drain(DRAIN_SECONDS / 4)
        try:
            async with asyncio.timeout(DRAIN_SECONDS / 2):
                await self._telling.keeper.write()
                await self._memories.write()
                await self._desk.recorder.write(self._hours)
        except TimeoutError:
            log.warning("not everything could be written")
        await asyncio.gather(self._planner.close(), self._web.stop())
        await self._telling.keeper.close()
        log.info("stopped")

    async def run(self) -> None:
        """Start, serve until SIGTERM or SIGINT, reload at SIGHUP, stop."""
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, over.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._tasks.start("reload", self._reload))
        starting, told = asyncio.create_task(self.start()), asyncio.create_task(over.wait())
        try:
            await asyncio.wait((starting, told), return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                await starting
                await told
        finally:
            starting.cancel()
            told.cancel()
            await asyncio.gather(starting, told, return_exceptions=True)
            await self.stop()

    async def reload(self) -> str:
        """Read the configuration anew; one with mistakes changes nothing, and is told of. Gives what is wrong."""
        async with self._reloading:
            return await self._reloaded()

    async def _reloaded(self) -> str:
        try:
            config = await asyncio.to_thread(load_config, self.config.file, whole_catalog())
        except ConfigErrors as error:
            self._reload_failed = str(error.errors[0])
            log.error("reload failed, the old configuration goes on", reasons=[str(each) for each in error.errors])
            self._desk.shelf.changed()
            self._desk.shaken()
            return self._reload_failed
        self._reload_failed = self._renewed()
        if (config.web, config.store_url) != (self.config.web, self.config.store_url):
            log.warning("web and store change with the next start only")
        before = self._take_over(config)
        self._telling.turn_to(config, self._link())
        self._failing = {name: why for name, why in self._failing.items() if name in config.receivers}
        await self._roster.turn_to(config)
        self._ask_advisors()
        self._let_go(before.catalog)
        self._desk.shaken()
        log.info("reloaded", targets=len(self._roster.watches))
        return self._reload_failed

    def _renewed(self) -> str:
        """Show the certificate that lies there now; gives why it cannot be shown."""
        try:
            self._web.renew()
        except MonitorError as error:
            log.error("the certificate is no good, the old one stays in use", reason=str(error))
            return str(error)
        return ""

    async def _reload(self) -> None:
        await self.reload()

    def _take_over(self, config: Config) -> Config:
        """Go on by another configuration, its rules on the manual pages; gives the one before."""
        before, self.config = self.config, config
        if config.planner != before.planner:
            self._tasks.start("the planner before", self._planner.close)
            self._planner = planner_of(config.planner)
            log.info("plans are asked of another planner", source=config.planner.source)
        self._rules.clear()
        self._rules.update(config.catalog.rules)
        self._desk.ignores = Ignores(config.ignores, self._desk.ignores)
        self._desk.recorder.retention = config.retention_statements
        self._exposition.turn_to(Compat(config.compat))
        self._desk.shelf.changed()
        return before

    def _door(self) -> Web:
        site = Site(
            shelf=self._desk.shelf,
            handling=self._handling,
            exposition=self._exposition,
            own=self._own,
            rules=self._rules,
            clock=self._clock.now,
            controls=self._controls,
            workload=DaemonWorkload(self._desk, self._hours, lambda: self.config.catalog.asked),
            trends=DaemonTrends(self._desk.recorder, self._hours),
        )
        return door(site, self.config)

    def _link(self) -> str:
        """Give the address that messages lead back to."""
        return self.config.web.external_url or self.url

    def _heard(self, name: str, outcome: Outcome, why: str) -> None:
        """Count a delivery; remember who fails, and why."""
        self._own.notified(name, outcome)
        before = self._failing.get(name)
        if outcome == "ok":
            self._failing.pop(name, None)
        else:
            log.warning("delivery failed", receiver=name, outcome=outcome, reason=why)
            self._failing[name] = why
        if self._failing.get(name) != before:
            self._desk.shaken()

    def _advisors(self) -> list[Advisor]:
        return [judge for judge in self.config.catalog.judges if isinstance(judge, Advisor)]

    def _ask_advisors(self) -> None:
        self._advising.begin(self._advisors(), self._watched, self._schedule, self._tasks)

    def _watched(self) -> Iterator[tuple[Server, Sequence[str]]]:
        return ((watch.server, watch.standing.databases) for watch in self._roster.watches.values())

    def _let_go(self, before: Catalog) -> None:
        """End what probes and rules said that were asked before and are no more."""
        now = self.config.catalog
        self._desk.end_probes(before.asked.keys() - now.asked.keys())
        self._desk.end_rules({*before.judging, *now.silenced} - now.judging)

    async def _ticks(self) -> None:
        while True:
            self._shaken.clear()
            self._tasks.start("tick", self._tick)
            await asyncio.sleep(min(REST_SECONDS * len(self._roster.watches), TICK_SECONDS / 4))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._shaken.wait()

    async def _tick(self) -> None:
        self._desk.judge_ourselves(self.config.catalog, self._handling.about())
        if self._desk.stale or self._telling.keeper.reason:
            self._telling.want()
        if self._desk.recorder.due():
            self._tasks.start("history", lambda: self._desk.recorder.round(self._hours))
        if self._memories.due():
            self._tasks.start("memories", self._memories.round)
        old = self._clock.now() - timedelta(seconds=self.config.retention_findings)
        self._desk.forget(old)
        self._telling.forget(old)
        if self._clock.monotonic() - self._released_at >= RELEASE_SECONDS:
            self._released_at = self._clock.monotonic()
            self._tasks.start("spare", self._spare)

    async def _spare(self) -> None:
        """Let go of what memory need not hold, and give what is free back to the system."""
        slimmed = await self._telling.slim(self._clock.now() - timedelta(seconds=LEAN_SECONDS))
        if not slimmed and self._slimmed >= MANY:
            await self._desk.pack()
            self._slimmed = 0
            await asyncio.to_thread(gc.collect)  # what Python keeps of freed tuples, 2,000 of each length
        self._slimmed += slimmed
        await asyncio.to_thread(release)

    def _refused(self) -> str:
        """Say why what the configuration says by now is not what runs."""
        return self._reload_failed or self._roster.problem
