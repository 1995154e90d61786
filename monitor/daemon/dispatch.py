"""From the ledger to people: who is told what, and when. All it must not forget goes to `Pending`, and so is stored.

Single notices go through router, outbox and courier; an Alertmanager is told the state instead, by a channel.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from monitor.collect.runner import Clock
from monitor.daemon.channel import GROUP, Channel
from monitor.daemon.courier import Courier, Means, Pace, Report, Written
from monitor.daemon.pending import Pending, restored
from monitor.findings.inhibition import BUILT_IN, Inhibition, Sources
from monitor.findings.intervals import TimeInterval
from monitor.findings.letters import Completed, Load, as_they_are
from monitor.findings.outbox import Outbox
from monitor.findings.route import Route
from monitor.findings.router import Mute, Muted, Plan, Router
from monitor.findings.silences import Silences
from monitor.model import Alert, Severity, State
from monitor.notice import Notice, Receiver
from monitor.notify.stream import Post, Stream
from monitor.status import ReceiverStatus
from monitor.store.records import LedgerRead, ToldKey, ToldRow

FEW = 500
"""So many alerts are planned at once; more take longer than others like to wait."""


@dataclass(frozen=True, kw_only=True)
class Streamed:
    """An Alertmanager that is to be kept informed."""

    name: str
    post: Post
    resend: float


@dataclass(frozen=True, kw_only=True)
class Routing:
    """Who is told of what, as the configuration says it; without a route, nobody."""

    route: Route | None = None
    intervals: Mapping[str, Sequence[TimeInterval]] = field(default_factory=dict)
    inhibitions: Sequence[Inhibition] = ()
    primaries: Mapping[str, str] = field(default_factory=dict)
    """Of targets that are replicas, of whom."""
    quiet_ends: frozenset[str] = frozenset()
    receivers: Sequence[Receiver] = ()
    streams: Sequence[Streamed] = ()
    paces: Mapping[str, Pace] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Decision:
    """What one round comes to; `given` is what each channel is to tell."""

    sources: Sources
    told: Mapping[ToldKey, ToldRow]
    forgotten: Sequence[ToldKey]
    loads: Sequence[Load]
    given: Mapping[str, Sequence[Alert]]


class Dispatch:
    """One configuration's routing, running; `turn_to` goes on with another one."""

    def __init__(
        self,
        routing: Routing,
        pending: Pending,
        silences: Silences,
        read: LedgerRead,
        *,
        clock: Clock,
        outcome: Report,
        written: Written,
        completed: Completed = as_they_are,
    ) -> None:
        self._pending, self._clock, self._outcome = pending, clock, outcome
        self.sources = Sources((), ())
        """What muted other alerts in the newest round."""
        self.silences = silences
        self._told: dict[ToldKey, ToldRow] = {mark.key: mark for mark in read.told}
        self._outbox = Outbox(map(restored, read.outbox))
        self._dead = read.dead
        self._means = Means(
            outbox=self._outbox,
            keep=pending.letters,
            outcome=outcome,
            written=written,
            completed=completed,
            clock=clock,
            paces=routing.paces,
        )
        self._courier = Courier(routing.receivers, self._means)
        self._group: asyncio.TaskGroup | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._aside = False
        self._settle(routing)

    def restore(self, read: LedgerRead) -> None:
        """Go on from what was stored, which was read only now; what happened meanwhile is newer."""
        self._told = {**{mark.key: mark for mark in read.told}, **self._told}
        self._dead = read.dead
        self._courier.restore(map(restored, read.outbox))
        self.turn_to(self._routing)

    def write_all(self) -> None:
        """Have everything written: the store may be a new one."""
        self._pending.marked(self._told, ())
        for receiver in self._outbox.receivers:
            self._pending.letters(self._outbox.waiting(receiver), ())

    def forget(self, before: datetime) -> None:
        """Drop dead letters from before that moment."""
        self._dead = tuple(letter for letter in self._dead if letter.created_at >= before)
        changes = self._outbox.forget(before)
        self._pending.letters(changes.entries, changes.gone)

    def turn_to(self, routing: Routing) -> None:
        """Go on with another configuration: nobody is told again what they know."""
        self._settle(routing)
        self._courier.replace(routing.receivers, routing.paces)
        self._start_channels()

    def _settle(self, routing: Routing) -> None:
        self._routing = routing
        self._tree = routing.route.resolved() if routing.route else None
        self._router = self._made_router()
        self._channels = {stream.name: self._channel(stream) for stream in routing.streams}

    def _made_router(self) -> Router | None:
        """Make a router that goes on from what was told."""
        own = self._routing
        streams = {stream.name for stream in own.streams}
        marks = [mark for mark in self._told.values() if mark.receiver not in streams]
        return Router(own.route, marks, intervals=own.intervals, quiet_ends=own.quiet_ends) if own.route else None

    def _channel(self, streamed: Streamed) -> Channel:
        marks = (mark for mark in self._told.values() if mark.receiver == streamed.name and mark.group == GROUP)
        sent = {mark.fingerprint: Severity(mark.status.removeprefix("firing:")) for mark in marks}
        stream = Stream(streamed.post, streamed.resend, sent=sent)
        return Channel(
            streamed.name,
            stream,
            streamed.resend,
            clock=self._clock,
            outcome=self._outcome,
            marked=self._marked,
        )

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                group.create_task(self._courier.run(), name="courier")
                self._start_channels()
                await asyncio.Event().wait()
            finally:
                self._group = None

    def _start_channels(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._group is not None:
            channels = self._channels.values()
            self._tasks = [self._group.create_task(each.run(), name=f"channel to {each.name}") for each in channels]

    async def drain(self, deadline: float) -> None:
        """Let go out what can, within so many seconds."""
        ends = [channel.drain() for channel in self._channels.values()]
        try:
            async with asyncio.timeout(deadline):
                await asyncio.gather(self._courier.drain(deadline), *ends, return_exceptions=True)
        except TimeoutError:
            return

    def plan(self, alerts: Sequence[Alert], now: datetime) -> None:
        """Decide who is to be told what at `now`, and hand it on. `alerts` is the whole ledger, with labels."""
        if self._aside:  # that one is at work in a thread: leave it to itself
            self._router = self._made_router()
        self._decided(self._decide(self._router, self.silences, alerts, now))

    async def plan_aside(self, alerts: Sequence[Alert], now: datetime) -> None:
        """Do the same; with many alerts in a thread, so that the event loop goes on."""
        if max(len(alerts), self._router.known if self._router else 0) <= FEW:
            self.plan(alerts, now)
            return
        router, silences = self._router, Silences(self.silences.silences)
        self._aside = True
        try:
            decision = await asyncio.to_thread(self._decide, router, silences, alerts, now)
        except asyncio.CancelledError:  # what that router has in mind is lost, and it may still be at it
            self._router = self._made_router()
            raise
        finally:
            self._aside = False
        if router is self._router:
            self._decided(decision)
        else:  # it was for another configuration, or before the store could be read
            await self.plan_aside(alerts, now)

    def _decide(self, router: Router | None, silences: Silences, alerts: Sequence[Alert], now: datetime) -> _Decision:
        sources = Sources((*BUILT_IN, *self._routing.inhibitions), alerts, self._routing.primaries)
        muted = _muted(silences, sources, now)
        plan = router.plan(alerts, now, muted) if router else Plan()
        notices = [notice for notice in plan.notices if notice.receiver not in self._channels]
        return _Decision(
            sources=sources,
            told={mark.key: mark for mark in plan.told if mark.receiver not in self._channels},
            forgotten=[key for key in plan.forgotten if key[0] not in self._channels],
            loads=self._courier.loads(notices),
            given=self._given(alerts, muted),
        )

    def _decided(self, decision: _Decision) -> None:
        self.sources = decision.sources
        self._marked(decision.told, decision.forgotten)
        self._courier.take(decision.loads)
        for name, own in decision.given.items():
            self._channels[name].give(own)

    def say(self, notice: Notice) -> None:
        """Take in a notice that no router planned."""
        self._courier.submit([notice])

    def due(self, now: datetime) -> datetime | None:
        """Give when `plan` must be called at the latest."""
        return self._router.due(now) if self._router else None

    def believed(self) -> Collection[str]:
        """Give the fingerprints of what receivers were told last that it fires: its end is still to be told."""
        return {mark.fingerprint for mark in self._told.values() if mark.fires}

    def receivers(self) -> list[ReceiverStatus]:
        """Say of each receiver what waits for it, and how much was given up; also of one that is named no more."""
        dead = Counter([each.receiver for each in self._dead] + [each.receiver for each in self._outbox.dead()])
        named = [receiver.name for receiver in self._routing.receivers]
        return [self._standing(name, dead[name]) for name in dict.fromkeys((*named, *self._channels, *dead))]

    def _standing(self, name: str, dead: int) -> ReceiverStatus:
        waiting = self._outbox.waiting(name)
        oldest = min((entry.created_at for entry in waiting), default=None)
        return ReceiverStatus(name=name, waiting=len(waiting), oldest=oldest, dead=dead)

    def _marked(self, told: Mapping[ToldKey, ToldRow], forgotten: Sequence[ToldKey]) -> None:
        for key in forgotten:
            self._told.pop(key, None)
        self._told |= told
        self._pending.marked(told, forgotten)

    def _given(self, alerts: Sequence[Alert], muted: Muted) -> Mapping[str, Sequence[Alert]]:
        """Say what each channel is to tell."""
        if self._tree is None or not self._channels:
            return {}
        given: dict[str, list[Alert]] = {name: [] for name in self._channels}
        for alert in alerts:
            if alert.state is not State.PENDING:
                for name in {branch.receiver for branch in self._tree.matching(alert.all_labels)} & given.keys():
                    # Who was told that it fires goes on being told: to fall silent would say that it is over.
                    if self._channels[name].knows(alert.finding.fingerprint) or muted(alert) is not Mute.ALL:
                        given[name].append(alert)
        return given


def _muted(silences: Silences, sources: Sources, now: datetime) -> Muted:
    def muted(alert: Alert) -> Mute:
        if silences.silenced_by(alert.all_labels, now) or sources.inhibited_by(alert):
            return Mute.ALL
        if alert.acked and alert.moved_from:  # who took note of it before the failover need not hear of it again
            return Mute.ALL
        return Mute.REPEATS if alert.acked else Mute.NONE

    return muted
