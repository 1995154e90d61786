"""Who is watched: the servers of the configuration, and those that the files of `discovery` name from moment to moment.

Servers that stay as they are go on undisturbed; the others are begun and ended, at a reload and when a file changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager

import structlog

from monitor.collect.runner import Clock, Runner
from monitor.config.discovery import Look, Lookout
from monitor.config.load import Config
from monitor.daemon.desk import Desk
from monitor.daemon.watch import Watch
from monitor.errors import TargetUnreachable
from monitor.lending import Lent
from monitor.model import Server, Target
from monitor.probe import Probe
from monitor.schedule import Schedule, Tasks

log = structlog.get_logger()

LOOK_SECONDS = 5.0
"""How often discovery's files are looked at."""

CROWD = 16
"""Servers asked at the same moment, at most."""

TASK = "discovery"


class Roster:
    """The watches of one daemon, by the names of their servers."""

    def __init__(self, config: Config, desk: Desk, *, tasks: Tasks, schedule: Schedule, clock: Clock) -> None:
        self.watches: dict[str, Watch] = {}
        self._config, self._desk = config, desk
        self._tasks, self._schedule, self._clock = tasks, schedule, clock
        self.runner, self._crowd = Runner(clock), asyncio.Semaphore(CROWD)
        self._lookout, self._look = Lookout(), Look()
        self._seen: Config | None = None
        self._servers: dict[str, Server] = {}
        self._told = frozenset(config.warnings)
        self._turning = asyncio.Lock()

    @property
    def problem(self) -> str:
        """What is wrong with discovery's files; "" when nothing is."""
        return str(self._look.broken[0]) if self._look.broken else ""

    def lend(self, target: Target) -> AbstractAsyncContextManager[Lent]:
        """Lend a session on a target to who plans there; raises TargetError."""
        watch = self.watches.get(target.server)
        if watch is None or target.database is None:
            raise TargetUnreachable(f"{target.server}: no longer watched")
        return watch.lend(target.database)

    async def read(self) -> None:
        """Find out who is to be watched, and end what concerned others; nobody is asked yet."""
        async with self._turning:
            await self._see()
            self._end_strangers()

    async def begin(self) -> None:
        """Begin to watch, and to look at the files."""
        async with self._turning:
            await self._turn()
        self._follow()

    async def turn_to(self, config: Config) -> None:
        """Go on by another configuration."""
        async with self._turning:
            self._config = config
            await self._see()
            await self._turn(list(config.catalog.asked.values()))
        self._follow()

    async def end(self) -> None:
        """Look at no file any more."""
        await self._tasks.stop(TASK)

    async def close(self) -> None:
        """End all watches and their sessions."""
        await asyncio.gather(*(watch.close() for watch in self.watches.values()))

    def _follow(self) -> None:
        if self._config.discovery:
            self._tasks.start(TASK, self._rounds)

    async def _rounds(self) -> None:
        while self._config.discovery:
            await asyncio.sleep(LOOK_SECONDS)
            async with self._turning:
                if await self._see():
                    await self._turn()

    async def _see(self) -> bool:
        """Look at the files, in a thread when there are some; tell whether that changes who is watched."""
        before, config = self._look, self._config
        names = {server.name for server in config.servers}
        self._look = await asyncio.to_thread(self._lookout.look, config.discovery, names)
        if self._look is before and config is self._seen:
            return False
        self._seen = config
        servers = {server.name: server for server in (*config.servers, *self._look.servers)}
        changed = (servers, self._look.whole) != (self._servers, before.whole)
        self._servers = servers
        self._complain()
        if self._look.broken != before.broken:
            self._desk.shaken()
        return changed

    def _complain(self) -> None:
        """Warn of what is wrong, once until it is mended."""
        wrong = [str(error) for error in (*self._look.broken, *self._look.clashes)]
        for problem in wrong:
            if problem not in self._told:
                log.warning("discovery", reason=problem)
        self._told = frozenset(wrong)

    async def _turn(self, probes: Sequence[Probe] | None = None) -> None:
        """End and begin what is not as it should be; with probes, ask those from now on of who stays."""
        changed = [watch for name, watch in self.watches.items() if self._servers.get(name) != watch.server]
        for watch in changed:
            await self._end(watch)
            await asyncio.sleep(0)  # there may be thousands
        if probes is not None:
            for watch in self.watches.values():
                watch.ask(probes, self._schedule)
        new = [server for name, server in self._servers.items() if name not in self.watches]
        for server in new:
            self._begin(server)
            await asyncio.sleep(0)
        self._end_strangers({watch.server.name for watch in changed} - self._servers.keys())
        if changed or new:
            log.info("targets", watched=len(self.watches), begun=len(new), ended=len(changed))

    def _begin(self, server: Server) -> None:
        watch = Watch(
            server,
            list(self._config.catalog.asked.values()),
            self._desk,
            self.runner,
            tasks=self._tasks,
            crowd=self._crowd,
            clock=self._clock,
        )
        before = self._desk.shelf.servers.get(server.name)
        if before is not None:
            watch.succeed(before)
        self.runner.joints.join(server.name, server.serves)
        self.watches[server.name] = watch
        self._desk.shelf.servers[server.name] = watch.standing
        watch.begin(self._schedule)

    async def _end(self, watch: Watch) -> None:
        name = watch.server.name
        self._schedule.drop(watch.prefix)
        await watch.close()
        del self.watches[name]
        if name not in self._servers or self._servers[name].dsn != watch.server.dsn:
            self.runner.forget(name)
        if name not in self._servers:
            self._desk.end_server(name)

    def _end_strangers(self, ended: Collection[str] = ()) -> None:
        """End what concerned servers that nobody names; while a file was never read, it may name them."""
        named = set(self._servers)
        if not self._look.whole:
            named |= {alert.source.server for alert in self._desk.ledger.alerts}.difference(ended)
        self._desk.keep_only(named)
