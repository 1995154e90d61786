"""Gets alerts to their receivers: a queue and a worker each, so that one who is down holds up nobody else."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from monitor.errors import DeliveryError
from monitor.model import Alert, Receiver

Outcome = Literal["ok", "retry", "failed"]
Told = Callable[[Sequence[Alert]], None]
"""Called after a success with the alerts a receiver has heard."""
Report = Callable[[str, Outcome, str], None]
"""Called with receiver, outcome and, unless it is ok, what went wrong."""
Sleep = Callable[[float], Awaitable[None]]

CAPACITY = 1000
BATCH = 100
SEND_SECONDS = 30.0
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 300.0
LONGEST_ASKED_SECONDS = 3600.0


class Delivery:
    """Takes alerts for all receivers; `run` delivers until it is cancelled, `drain` waits for what is under way."""

    def __init__(
        self,
        receivers: Sequence[Receiver],
        *,
        told: Told,
        outcome: Report,
        sleep: Sleep = asyncio.sleep,
        chance: Callable[[], float] = random.random,
        capacity: int = CAPACITY,
    ) -> None:
        self._workers = [
            _Worker(receiver, told, outcome, sleep=sleep, chance=chance, capacity=capacity) for receiver in receivers
        ]

    def submit(self, alerts: Sequence[Alert]) -> None:
        """Queue alerts for every receiver; of one alert the newest status wins, and what was dealt with is no news.

        An alert may be submitted again and again until it is told. What a full queue refuses is not told, so it comes
        again by itself.
        """
        for worker in self._workers:
            worker.submit(alerts)

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            for worker in self._workers:
                group.create_task(worker.run(), name=f"delivery to {worker.name}")

    async def drain(self, deadline: float) -> bool:
        """Wait at most `deadline` seconds until each receiver has heard all or rests before a retry. True: all heard.

        What is not delivered stays untold in the ledger and goes out after the next start.
        """
        try:
            async with asyncio.timeout(deadline):
                await asyncio.gather(*(worker.calm.wait() for worker in self._workers))
        except TimeoutError:
            return False
        return not any(worker.waiting for worker in self._workers)


class _Worker:
    """One receiver's queue, by fingerprint, and what it has dealt with: heard or given up."""

    def __init__(
        self,
        receiver: Receiver,
        told: Told,
        outcome: Report,
        *,
        sleep: Sleep,
        chance: Callable[[], float],
        capacity: int,
    ) -> None:
        self.name = receiver.name
        self.calm = asyncio.Event()
        self.calm.set()
        self._receiver, self._told, self._outcome = receiver, told, outcome
        self._sleep, self._chance, self._capacity = sleep, chance, capacity
        self._queue: dict[str, Alert] = {}
        self._settled: dict[str, tuple[str, int]] = {}
        self._wanted = asyncio.Event()
        self._failures = 0

    @property
    def waiting(self) -> int:
        """How many alerts it has not dealt with."""
        return len(self._queue)

    def submit(self, alerts: Sequence[Alert]) -> None:
        refused = 0
        for alert in alerts:
            fingerprint = alert.finding.fingerprint
            if self._settled.get(fingerprint) == _news(alert):
                continue
            if fingerprint not in self._queue and len(self._queue) >= self._capacity:
                refused += 1
            else:
                self._queue[fingerprint] = alert
        if refused:
            self._outcome(self.name, "failed", f"{self.name}: its queue is full; {refused} alerts must wait")
        if self._queue and not self._failures:
            self.calm.clear()
        if self._queue:
            self._wanted.set()

    async def run(self) -> None:
        while True:
            await self._wanted.wait()
            self.calm.clear()
            wait = await self._attempt(list(self._queue.values())[:BATCH])
            if not self._queue:
                self._wanted.clear()
            if not self._queue or wait:
                self.calm.set()
            if wait:
                await self._sleep(wait)

    async def _attempt(self, batch: Sequence[Alert]) -> float:
        """Send once; give the seconds to rest before the next try, 0 after a success or a surrender."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._receiver.send(batch)
        except DeliveryError as failure:
            if failure.retryable:
                return self._rest(str(failure), failure.retry_after)
            return self._settle(batch, "failed", str(failure))
        except TimeoutError:
            return self._rest(f"{self.name}: no answer in {SEND_SECONDS:.0f} s", None)
        except Exception as fault:  # noqa: BLE001 - a delivery: one receiver's fault is not another's
            return self._settle(batch, "failed", f"{self.name}: our receiver broke ({type(fault).__name__})")
        self._told(batch)
        return self._settle(batch, "ok", "")

    def _settle(self, batch: Sequence[Alert], outcome: Outcome, why: str) -> float:
        """Take the batch from the queue, but not what has become news since."""
        for alert in batch:
            fingerprint = alert.finding.fingerprint
            self._settled.pop(fingerprint, None)
            self._settled[fingerprint] = _news(alert)
            queued = self._queue.get(fingerprint)
            if queued is not None and _news(queued) == _news(alert):
                del self._queue[fingerprint]
        for oldest in list(self._settled)[: -10 * self._capacity]:
            del self._settled[oldest]
        self._failures = 0
        self._outcome(self.name, outcome, why)
        return 0.0

    def _rest(self, why: str, asked: float | None) -> float:
        """Back off: twice as long each time, up to a limit, with jitter; never shorter than the receiver asked for."""
        wait = min(FIRST_WAIT_SECONDS * 2.0 ** min(self._failures, 30), LONGEST_WAIT_SECONDS)
        self._failures += 1
        self._outcome(self.name, "retry", why)
        return max(wait * (0.5 + self._chance() / 2), min(asked or 0.0, LONGEST_ASKED_SECONDS))


def _news(alert: Alert) -> tuple[str, int]:
    return alert.status, alert.occurrences
