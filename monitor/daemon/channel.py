"""Keeps one Alertmanager informed: hands its stream the alerts that are routed there, again and again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence

from monitor.collect.runner import Clock
from monitor.daemon.courier import Report
from monitor.errors import DeliveryError
from monitor.model import Alert
from monitor.notify.stream import Stream
from monitor.store.records import ToldKey, ToldRow

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 60.0
GROUP = ""
"""The group of its marks: what a stream has told is known by alert only."""

Marked = Callable[[Mapping[ToldKey, ToldRow], Sequence[ToldKey]], None]


class Channel:
    """One stream's worker. Nothing waits in it: what was not delivered is contained in the next post."""

    def __init__(
        self, name: str, stream: Stream, resend_seconds: float, *, clock: Clock, outcome: Report, marked: Marked
    ) -> None:
        self.name, self._stream, self._clock = name, stream, clock
        self._patience = resend_seconds / 4
        self._outcome, self._marked = outcome, marked
        self._alerts: Sequence[Alert] = ()
        self._changed = asyncio.Event()
        self._kept = self._sent()
        self._failures = 0

    def knows(self, fingerprint: str) -> bool:
        """Tell whether Alertmanager was told of an alert: then its end, too, must be told."""
        return fingerprint in self._kept

    def give(self, alerts: Sequence[Alert]) -> None:
        """Take over how everything stands that is routed here."""
        self._alerts = alerts
        self._changed.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            wait = await self._attempt()
            if wait:
                await asyncio.sleep(wait)
                continue
            try:
                async with asyncio.timeout(self._patience):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def drain(self) -> None:
        """Say what is new once more, before the end."""
        if self._changed.is_set():
            await self._attempt()

    async def _attempt(self) -> float:
        """Post what is due; gives the seconds to rest, 0 after a success."""
        self._changed.clear()
        try:
            sent = await self._stream.take(self._alerts, self._clock.now())
        except DeliveryError as failure:
            return self._rest(str(failure), failure.retry_after)
        finally:
            self._keep()
        self._failures = 0
        if sent:
            self._outcome(self.name, "ok", "")
        return 0.0

    def _rest(self, why: str, asked: float | None) -> float:
        wait = min(FIRST_WAIT_SECONDS * 2.0 ** min(self._failures, 10), LONGEST_WAIT_SECONDS)
        self._failures += 1
        self._outcome(self.name, "retry", why)
        return max(wait * random.uniform(0.5, 1.0), min(asked or 0.0, LONGEST_WAIT_SECONDS))  # noqa: S311 - a jitter

    def _keep(self) -> None:
        """Have stored what Alertmanager may know."""
        now = self._sent()
        if now == self._kept:
            return
        told = [
            ToldRow(receiver=self.name, group=GROUP, fingerprint=each, status=status, at=self._clock.now())
            for each, status in now.items()
            if self._kept.get(each) != status
        ]
        forgotten = [(self.name, GROUP, each) for each in self._kept.keys() - now.keys()]
        self._marked({mark.key: mark for mark in told}, forgotten)
        self._kept = now

    def _sent(self) -> Mapping[str, str]:
        """Give the status of each alert that Alertmanager may know."""
        return {each: f"firing:{severity}" for each, severity in self._stream.sent().items()}
