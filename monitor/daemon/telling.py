"""Writes what happened and has people told of it, round after round: the store, and behind it router and receivers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from monitor.collect.runner import Clock
from monitor.config.load import Config
from monitor.daemon.courier import Report
from monitor.daemon.desk import Desk
from monitor.daemon.digests import Digests, divided
from monitor.daemon.dispatch import Dispatch
from monitor.daemon.keeper import Keeper
from monitor.daemon.pending import Pending
from monitor.daemon.routing import routing
from monitor.findings.digest import unless
from monitor.findings.silences import Silences, silence_from_document
from monitor.model import Alert
from monitor.notice import Notice
from monitor.notify.places import Remembered
from monitor.schedule import Schedule, Tasks
from monitor.status import ReceiverStatus
from monitor.store.records import LedgerRead

log = structlog.get_logger()

SWEEP_SECONDS = 3600.0

NOTHING = LedgerRead(alerts=(), told=(), outbox=(), silences=())


class Telling:
    """The rounds of one daemon. A round is made when something is wanted or due; what is written goes before."""

    def __init__(
        self,
        desk: Desk,
        pending: Pending,
        config: Config,
        *,
        tasks: Tasks,
        schedule: Schedule,
        clock: Clock,
        heard: Report,
    ) -> None:
        self.silences = Silences()
        self.keeper = Keeper(desk, config.store_url)
        self.keeper.restored, self.keeper.renewed = self._restored, self._renewed
        self._desk, self._pending = desk, pending
        self._tasks, self._clock, self._heard = tasks, clock, heard
        self._places = Remembered(self.keeper.places)
        self._read = NOTHING
        self._dispatch: Dispatch | None = None
        self._digests = Digests(pending, schedule, clock, alerts=self._audible, say=self._say)
        self._wanted = asyncio.Event()
        self._swept_at = -math.inf

    def want(self) -> None:
        """Ask for a round at once."""
        self._wanted.set()

    def begin(self, config: Config, link: str) -> None:
        """Begin to tell, and to make rounds; the store should have been opened before."""
        self._dispatch = Dispatch(
            routing(config, link, self._places),
            self._pending,
            self.silences,
            self._read,
            clock=self._clock,
            outcome=self._heard,
            written=self._round,
            completed=self.keeper.completed,
        )
        self._read = NOTHING
        self._tasks.start("dispatch", self._dispatch.run)
        self._tasks.start("rounds", self._rounds)
        self._digests.turn_to(config.digests)
        self.want()

    def turn_to(self, config: Config, link: str) -> None:
        """Go on by another configuration."""
        if self._dispatch is not None:
            self._dispatch.turn_to(routing(config, link, self._places))
            self._digests.turn_to(config.digests)
        self.want()

    async def end(self, seconds: float) -> None:
        """Make a last round, and let go out what can within so many seconds."""
        await self._tasks.stop("rounds")
        if self._dispatch is not None:
            self._dispatch.plan(self._desk.labelled(), self._clock.now())
            self._wanted.clear()
            await self._dispatch.drain(seconds)
        await self._tasks.stop("dispatch")

    def forget(self, before: datetime) -> None:
        """Drop what was over before that moment: from memory now, from the store once an hour."""
        self.silences.forget(before)
        if self._dispatch is not None:
            self._dispatch.forget(before)
        if self._clock.monotonic() - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = self._clock.monotonic()
            self._tasks.start("sweep", lambda: self.keeper.forget(before))

    async def slim(self, before: datetime) -> int:
        """Make lean what was over before that moment, was told, and is in the store; give how many alerts that were."""
        async with self._desk.whole:  # so that nothing is being written
            count = await self._desk.slim(before, self._believed()) if self.keeper.writes else 0
        if count:
            self.want()  # channels still hold the whole ones
        return count

    def _believed(self) -> Collection[str]:
        return self._dispatch.believed() if self._dispatch else ()

    def inhibited_by(self, alert: Alert) -> Alert | None:
        """Give what muted an alert in the newest round; it should have its labels."""
        return self._dispatch.sources.inhibited_by(alert) if self._dispatch else None

    def receivers(self) -> Sequence[ReceiverStatus]:
        """Say of each receiver what waits for it."""
        return self._dispatch.receivers() if self._dispatch else []

    async def _rounds(self) -> None:
        while True:
            await self._until_wanted()
            self._wanted.set()
            await self._round()

    async def _until_wanted(self) -> None:
        async with self._desk.whole:
            now = self._clock.now()
            due = self._dispatch.due(now) if self._dispatch else None
        try:
            async with asyncio.timeout((due - now).total_seconds() if due else None):
                await self._wanted.wait()
        except TimeoutError:
            return

    async def _round(self) -> None:
        """Decide who is told what and write it, so that a crash before it is told tells twice rather than never.

        What happened is never written without what follows from it: after a crash it would be no news any more.
        """
        async with self._desk.whole:
            before = self.keeper.reason
            await self._planned()
            await self.keeper.write(self._planned)  # what came while it waited for the store is planned too
        if self.keeper.reason != before:
            self._desk.shaken()

    async def _planned(self) -> None:
        """Plan until nothing is left to plan; from then to the next pause that stays so."""
        while self._wanted.is_set():
            await self._plan()

    async def _plan(self) -> None:
        self._wanted.clear()
        if self._dispatch is None:
            return
        try:
            await self._dispatch.plan_aside(self._desk.labelled(), self._clock.now())
        except asyncio.CancelledError:
            self._wanted.set()
            raise

    def _restored(self, read: LedgerRead) -> None:
        """Go on from what the store held; it may be opened long after we have begun."""
        for row in read.silences:
            self._silence(row.document)
        marks, told = divided(read)
        read = replace(read, told=told)
        if self._dispatch is None:
            self._read = read
        else:
            self._dispatch.restore(read)
        self._digests.restore(marks)

    def _silence(self, document: Mapping[str, object]) -> None:
        try:
            self.silences.restore(silence_from_document(document))
        except ValueError as error:
            log.warning("a stored silence cannot be read, and is left out", reason=str(error))

    def _renewed(self) -> None:
        self._digests.write_all()
        if self._dispatch is not None:
            self._dispatch.write_all()

    def _audible(self) -> Sequence[Alert]:
        """Give the alerts that a digest may tell of."""
        now = self._clock.now()
        return unless(lambda alert: bool(self.silences.silenced_by(alert.all_labels, now)), self._desk.labelled())

    def _say(self, notice: Notice) -> None:
        if self._dispatch is not None:
            self._dispatch.say(notice)
        self.want()
