"""Brings what waits in the outbox to its receivers: a worker each, so that one who is deaf holds up nobody else.

It retries with patience, says one summary instead of a flood, and finds the one alert that spoils a message.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from monitor.collect.runner import Clock
from monitor.errors import DeliveryError
from monitor.findings.letters import Changes, Completed, Entry, Load, as_they_are, loads
from monitor.findings.outbox import DEADLINE, Outbox
from monitor.notice import Notice, Receiver
from monitor.notify.rate import Bucket

Outcome = Literal["ok", "retry", "failed", "dropped", "summarised"]
Report = Callable[[str, Outcome, str], None]
"""Called with receiver, outcome and, unless it is ok, why."""
Keep = Callable[[Sequence[Entry], Sequence[str]], None]
"""Called with entries as they are now and ids that are no more; to be stored together, or not at all."""
Written = Callable[[], Awaitable[None]]
"""Waits until all that was kept is stored, or cannot be for now; never raises, never hangs."""
Sleep = Callable[[float], Awaitable[None]]

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 300.0
LONGEST_ASKED_SECONDS = 3600.0

ENOUGH_REFUSALS = 3
"""So many messages given up in a row, and it is the receiver that refuses, not an alert that spoils."""

FLOOD = 100
"""More messages than this for one receiver at one moment are made one before any is stored."""

NOT_NAMED = "the configuration does not name this receiver any more"


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long and how often."""

    send_seconds: float = 30.0
    deadline: timedelta = DEADLINE
    messages: int = 15
    """How many may leave at once; then one every `refill_seconds`."""
    refill_seconds: float = 30.0


async def _at_once() -> None:
    """Where nothing is stored, nothing is waited for."""


@dataclass(frozen=True, kw_only=True)
class Means:
    """What all workers share: the outbox and those who are to know of its changes, time and chance."""

    outbox: Outbox
    keep: Keep
    outcome: Report
    written: Written = _at_once
    completed: Completed = as_they_are
    clock: Clock
    sleep: Sleep = asyncio.sleep
    chance: Callable[[], float] = random.random
    pace: Pace = Pace()
    paces: Mapping[str, Pace] = field(default_factory=dict)
    """Of receivers that have one of their own, by name."""

    def note(self, changes: Changes) -> Sequence[Entry]:
        """Have changes stored; give the entries among them."""
        if changes.entries or changes.gone:
            self.keep(changes.entries, changes.gone)
        return changes.entries

    def bury(self, changes: Changes, outcome: Outcome) -> None:
        """Have dead letters stored, and say of each why it is one."""
        for dead in self.note(changes):
            self.outcome(dead.receiver, outcome, f"{dead.receiver}: {dead.why}")


class Courier:
    """Takes notices for all receivers; `run` delivers until it is cancelled, `drain` waits for what is under way."""

    def __init__(self, receivers: Sequence[Receiver], means: Means) -> None:
        self._means, self._paces = means, means.paces
        self._workers = {receiver.name: self._worker(receiver) for receiver in receivers}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    def submit(self, notices: Sequence[Notice]) -> None:
        """Take notices in; what is for nobody we know is dead at once."""
        self.take(self.loads(notices))

    def loads(self, notices: Sequence[Notice]) -> list[Load]:
        """Divide notices by receiver; changes nothing, so that it may be done in a thread."""
        return loads(notices, lambda name: max(FLOOD, self._pace(name).messages))

    def take(self, loads: Sequence[Load]) -> None:
        """Take in what was divided."""
        for load in loads:
            if load.flood:
                why = f"{load.receiver}: too many messages; {load.flood} are said in one"
                self._means.outcome(load.receiver, "summarised", why)
            self._means.note(self._means.outbox.put(load.notices, self._means.clock.now()))
        self._bury_strays()
        for name in {load.receiver for load in loads} & self._workers.keys():
            self._workers[name].wake()

    def restore(self, entries: Iterable[Entry]) -> None:
        """Take up what was stored, also while it runs."""
        self._means.outbox.restore(entries)
        if self._group is not None:
            self._bury_strays()
        for name in self._means.outbox.receivers & self._workers.keys():
            self._workers[name].wake()

    async def run(self) -> None:
        """Deliver until cancelled."""
        self._bury_strays()
        async with asyncio.TaskGroup() as group:
            self._group = group
            for worker in self._workers.values():
                self._start(worker)
            try:
                await asyncio.Event().wait()
            finally:
                self._group = None

    async def drain(self, deadline: float) -> bool:
        """Wait at most `deadline` seconds until each receiver has heard all or rests. True: all heard.

        What is not delivered stays in the outbox and goes out after the next start.
        """
        try:
            async with asyncio.timeout(deadline):
                await asyncio.gather(*(worker.calm.wait() for worker in self._workers.values()))
        except TimeoutError:
            return False
        return not self._means.outbox.receivers

    def replace(self, receivers: Sequence[Receiver], paces: Mapping[str, Pace] | None = None) -> None:
        """Deliver to these from now on; without `paces` those stay as they are.

        One that is as it was goes on undisturbed; one that changed is tried at once; what waits for one that is gone
        is dead.
        """
        self._paces = self._paces if paces is None else paces
        named = {receiver.name: receiver for receiver in receivers}
        for name in self._workers.keys() - named.keys():
            del self._workers[name]
            task = self._tasks.pop(name, None)
            if task is not None:
                task.cancel()
        for name, receiver in named.items():
            if name in self._workers:
                self._workers[name].turn_to(receiver, self._pace(name))
            else:
                self._workers[name] = self._worker(receiver)
                self._start(self._workers[name])
        self._bury_strays()

    def _pace(self, name: str) -> Pace:
        return self._paces.get(name, self._means.pace)

    def _worker(self, receiver: Receiver) -> _Worker:
        return _Worker(receiver, self._means, self._pace(receiver.name))

    def _start(self, worker: _Worker) -> None:
        if self._group is not None:
            self._tasks[worker.name] = self._group.create_task(worker.run(), name=f"delivery to {worker.name}")

    def _bury_strays(self) -> None:
        outbox = self._means.outbox
        for name in outbox.receivers - self._workers.keys():
            for entry in outbox.waiting(name):
                self._means.bury(outbox.gave_up(entry.id, NOT_NAMED), "failed")


class _Worker:
    """Sends one receiver its messages, one at a time."""

    def __init__(self, receiver: Receiver, means: Means, pace: Pace) -> None:
        self.calm = asyncio.Event()
        self.calm.set()
        self._receiver, self._means, self._outbox = receiver, means, means.outbox
        self._pace, self._bucket = pace, Bucket(pace.messages, pace.refill_seconds)
        self._wanted = asyncio.Event()
        self._nap: asyncio.Future[None] | None = None
        self._failures = 0
        self._given_up = 0
        self._heard = False
        """Whether it took anything: who takes one message and fails at another may fail because of what that holds."""
        self._rested = datetime.min.replace(tzinfo=means.clock.now().tzinfo)
        """What is due then is due now: that rest is over, whatever the clock says."""
        if self.name in means.outbox.receivers:
            self.wake()

    @property
    def name(self) -> str:
        return self._receiver.name

    def wake(self) -> None:
        """Something waits."""
        if self._nap is None:
            self.calm.clear()
        self._wanted.set()

    def turn_to(self, receiver: Receiver, pace: Pace) -> None:
        """Send to this one from now on; if it is not as it was, at once."""
        if pace != self._pace:
            self._pace, self._bucket = pace, Bucket(pace.messages, pace.refill_seconds)
        if receiver == self._receiver:
            return
        self._receiver, self._failures, self._given_up, self._heard = receiver, 0, 0, False
        if self._nap is not None:
            self._nap.cancel()

    async def run(self) -> None:
        if self.name in self._outbox.receivers:
            self.wake()
        await self._rest(self._owed())
        while True:
            await self._wanted.wait()
            await self._rest(await self._step())

    async def _step(self) -> float:
        """Send one message, if there is one and the bucket allows it; give the seconds to rest then."""
        monotonic = self._means.clock.monotonic()
        waits = self.name in self._outbox.receivers
        if waits and (full := self._bucket.wait(monotonic)):
            return full
        self.calm.clear()
        self._sum_up(monotonic)
        entry = self._outbox.next(self.name, max(self._means.clock.now(), self._rested))
        if entry is None:
            self._wanted.clear()
            self.calm.set()
            return 0.0
        self._bucket.take(monotonic)
        try:
            return await self._attempt(entry)
        finally:
            self._outbox.let_go(entry.id)

    def _sum_up(self, monotonic: float) -> None:
        """Let the last token carry all that waits."""
        if self._bucket.left(monotonic) > 1:
            return
        changes = self._outbox.summed(self.name, self._means.clock.now())
        if self._means.note(changes):
            why = f"{self.name}: too many messages; {len(changes.gone)} are said in one"
            self._means.outcome(self.name, "summarised", why)

    async def _attempt(self, entry: Entry) -> float:
        """Send once, not before it is written; give the seconds to rest."""
        await self._means.written()
        alerts = tuple(await self._means.completed(entry.notice.alerts))
        try:
            async with asyncio.timeout(self._pace.send_seconds):
                await self._receiver.send(replace(entry.notice, alerts=alerts))
        except DeliveryError as failure:
            if failure.retryable:
                return self._again(entry, str(failure), failure.retry_after)
            self._refused(entry, str(failure))
        except TimeoutError:
            return self._again(entry, f"no answer in {self._pace.send_seconds:g} s", None)
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            self._refused(entry, "our receiver broke (CancelledError)")
        except Exception as fault:  # noqa: BLE001 - a delivery: one receiver's fault is not another's
            self._refused(entry, f"our receiver broke ({type(fault).__name__})")
        else:
            self._means.note(self._outbox.sent(entry.id))
            self._means.outcome(self.name, "ok", "")
            self._given_up, self._heard = 0, True
        self._failures = 0
        return 0.0

    def _refused(self, entry: Entry, why: str) -> None:
        """Give up, or look for the alert that spoils the message; but not if nothing at all is taken."""
        if entry.divisible and self._given_up < ENOUGH_REFUSALS:
            self._halve(entry, why)
        else:
            self._given_up += 1
            self._means.note(self._outbox.gave_up(entry.id, self._told(why)))
            self._means.outcome(self.name, "failed", self._told(why))

    def _halve(self, entry: Entry, why: str) -> None:
        self._means.note(self._outbox.halved(entry.id, self._means.clock.now()))
        self._means.outcome(self.name, "retry", f"{self._told(why)}; its alerts are tried apart")

    def _again(self, entry: Entry, why: str, asked: float | None) -> float:
        """Back off: twice as long each time, up to a limit, with jitter; never shorter than the receiver asked for."""
        usual = min(FIRST_WAIT_SECONDS * 2.0 ** min(self._failures, 30), LONGEST_WAIT_SECONDS)
        wait = max(usual * (0.5 + self._means.chance() / 2), min(asked or 0.0, LONGEST_ASKED_SECONDS))
        now = self._means.clock.now()
        self._failures += 1
        self._rested = max(self._rested, now + timedelta(seconds=wait))
        if entry.spoils(self._failures, heard=self._heard):
            self._halve(entry, why)
        else:
            self._means.note(self._outbox.failed(entry.id, now, wait, self._told(why)))
            self._means.outcome(self.name, "retry", self._told(why))
        self._means.bury(self._outbox.overdue(self.name, now, self._pace.deadline), "dropped")
        return wait

    def _owed(self) -> float:
        """Give the seconds of a rest that a restart cut short."""
        tried = [entry.due_at for entry in self._outbox.waiting(self.name) if entry.tries]
        self._rested = max([self._rested, *tried])
        if not tried:
            return 0.0
        return min(max((self._rested - self._means.clock.now()).total_seconds(), 0.0), LONGEST_ASKED_SECONDS)

    async def _rest(self, seconds: float) -> None:
        """Sleep, unless the receiver is changed meanwhile."""
        if not seconds:
            return
        self.calm.set()
        self._nap = asyncio.ensure_future(self._means.sleep(seconds))
        try:
            await asyncio.wait([self._nap])
        finally:
            self._nap.cancel()
            self._nap = None

    def _told(self, why: str) -> str:
        """Have the receiver's name stand before it once."""
        return why if why.startswith(f"{self.name}: ") else f"{self.name}: {why}"


def _is_cancelled() -> bool:
    """Tell whether it is we who are to end, and not just something a receiver cancelled in itself."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
