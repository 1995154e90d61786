"""Delivery: nobody waits for another, nothing is told twice, retries back off and end when they make no sense."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from monitor.errors import DeliveryError
from monitor.findings.ledger import Ledger
from monitor.model import Alert, Receiver, Severity
from monitor.notify.delivery import Delivery
from tests.alerts import at, finding, firing, judgement, resolved

BUSY = DeliveryError("ops: HTTP 503; it will be tried again", retryable=True)
GONE = DeliveryError("ops: HTTP 404: there is no such webhook; make a new one", retryable=False)


@dataclass
class Ears:
    """A receiver that fails as it is told to, then listens."""

    name: str = "ops"
    failures: list[Exception] = field(default_factory=list)
    heard: list[list[str]] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    async def send(self, alerts: Sequence[Alert]) -> None:
        await self.open.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.heard.append([f"{alert.finding.subject} {alert.status}" for alert in alerts])


@dataclass
class Watcher:
    """Notes what delivery reports, and lets it sleep as long as the test wants."""

    told: list[str] = field(default_factory=list)
    outcomes: list[tuple[str, str]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    awake: bool = True

    def tell(self, alerts: Sequence[Alert]) -> None:
        self.told += [f"{alert.finding.subject} {alert.status}" for alert in alerts]

    def outcome(self, receiver: str, word: str, why: str) -> None:
        self.outcomes.append((receiver, word))
        self.reasons.append(why)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0 if self.awake else 3600)

    def delivery(
        self, *receivers: Receiver, capacity: int = 1000, chance: Callable[[], float] = lambda: 1.0
    ) -> Delivery:
        return Delivery(
            receivers, told=self.tell, outcome=self.outcome, sleep=self.sleep, chance=chance, capacity=capacity
        )


@asynccontextmanager
async def running(delivery: Delivery) -> AsyncIterator[None]:
    task = asyncio.create_task(delivery.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)


async def test_what_is_queued_is_sent_in_one_message_and_told() -> None:
    ears, watcher = Ears(), Watcher()
    delivery = watcher.delivery(ears)
    delivery.submit([firing("a"), firing("b")])
    async with running(delivery):
        assert await delivery.drain(5)
    assert ears.heard == [["a firing:warning", "b firing:warning"]]
    assert (watcher.told, watcher.outcomes) == (["a firing:warning", "b firing:warning"], [("ops", "ok")])


async def test_submitting_again_what_is_under_way_or_heard_says_it_once() -> None:
    ears, watcher = Ears(), Watcher()
    ears.open.clear()
    delivery = watcher.delivery(ears)
    async with running(delivery):
        for _ in range(3):
            delivery.submit([firing()])
            await asyncio.sleep(0.01)
        ears.open.set()
        assert await delivery.drain(5)
        delivery.submit([firing()])
        assert await delivery.drain(5)
    assert ears.heard == [["shop firing:warning"]]


async def test_of_one_alert_the_newest_status_wins() -> None:
    ears, watcher = Ears(failures=[BUSY]), Watcher(awake=False)
    delivery = watcher.delivery(ears)
    delivery.submit([firing(), firing("other")])
    delivery.submit([firing(severity=Severity.CRITICAL)])
    async with running(delivery):
        await until(lambda: watcher.slept)
        assert not await delivery.drain(5)
    delivery.submit([resolved()])
    watcher.awake = True
    async with running(delivery):
        await until(lambda: ears.heard)
    assert ears.heard == [["shop resolved", "other firing:warning"]]


async def test_what_becomes_news_while_it_is_sent_is_sent_after() -> None:
    ears, watcher = Ears(), Watcher()
    ears.open.clear()
    delivery = watcher.delivery(ears)
    delivery.submit([firing()])
    async with running(delivery):
        await asyncio.sleep(0.01)
        delivery.submit([resolved()])
        ears.open.set()
        assert await delivery.drain(5)
    assert ears.heard == [["shop firing:warning"], ["shop resolved"]]


async def test_retries_wait_twice_as_long_each_time_up_to_a_limit() -> None:
    ears, watcher = Ears(failures=[BUSY] * 12), Watcher()
    delivery = watcher.delivery(ears)
    delivery.submit([firing()])
    async with running(delivery):
        await until(lambda: ears.heard)
    assert watcher.slept == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert watcher.outcomes == [("ops", "retry")] * 12 + [("ops", "ok")]
    assert watcher.reasons[0] == str(BUSY)


async def test_jitter_shortens_a_wait_by_at_most_half() -> None:
    ears, watcher = Ears(failures=[BUSY] * 2), Watcher()
    delivery = watcher.delivery(ears, chance=lambda: 0.0)
    delivery.submit([firing()])
    async with running(delivery):
        await until(lambda: ears.heard)
    assert watcher.slept == [0.5, 1.0]


async def test_what_the_receiver_asks_for_is_honoured_up_to_an_hour() -> None:
    asked = [DeliveryError("ops: HTTP 429", retryable=True, retry_after=seconds) for seconds in (30.0, 1e9)]
    ears, watcher = Ears(failures=list[Exception](asked)), Watcher()
    delivery = watcher.delivery(ears)
    delivery.submit([firing()])
    async with running(delivery):
        await until(lambda: ears.heard)
    assert watcher.slept == [30, 3600]


async def test_what_makes_no_sense_to_retry_is_given_up_and_not_told() -> None:
    ears, watcher = Ears(failures=[GONE]), Watcher()
    delivery = watcher.delivery(ears)
    async with running(delivery):
        for _ in range(3):
            delivery.submit([firing()])
            assert await delivery.drain(5)
        delivery.submit([resolved()])
        assert await delivery.drain(5)
    assert (ears.heard, watcher.told) == ([["shop resolved"]], ["shop resolved"])
    assert watcher.outcomes == [("ops", "failed"), ("ops", "ok")]


async def test_a_receiver_that_breaks_harms_only_its_message() -> None:
    ears, watcher = Ears(failures=[RuntimeError("hush")]), Watcher()
    delivery = watcher.delivery(ears)
    async with running(delivery):
        delivery.submit([firing("a")])
        assert await delivery.drain(5)
        delivery.submit([firing("b")])
        assert await delivery.drain(5)
    assert ears.heard == [["b firing:warning"]]
    assert watcher.reasons == ["ops: our receiver broke (RuntimeError)", ""]


async def test_one_that_hangs_holds_up_nobody_else() -> None:
    deaf, ears, watcher = Ears("deaf"), Ears("ops"), Watcher()
    deaf.open.clear()
    delivery = watcher.delivery(deaf, ears)
    delivery.submit([firing()])
    async with running(delivery):
        await until(lambda: ears.heard)
        assert not await delivery.drain(0.05)
    assert watcher.outcomes == [("ops", "ok")]


async def test_draining_does_not_wait_for_one_who_rests_before_a_retry() -> None:
    ears, watcher = Ears(failures=[BUSY]), Watcher(awake=False)
    delivery = watcher.delivery(ears)
    delivery.submit([firing()])
    async with running(delivery):
        await until(lambda: watcher.slept)
        delivery.submit([firing("last words")])
        async with asyncio.timeout(1):
            assert not await delivery.drain(3600)


async def test_a_full_queue_refuses_and_takes_it_later() -> None:
    ears, watcher = Ears(), Watcher()
    ears.open.clear()
    delivery = watcher.delivery(ears, capacity=2)
    both = [firing("a"), firing("b"), firing("c")]
    async with running(delivery):
        delivery.submit(both)
        assert watcher.reasons == ["ops: its queue is full; 1 alerts must wait"]
        ears.open.set()
        assert await delivery.drain(5)
        delivery.submit(both)
        assert await delivery.drain(5)
    assert ears.heard == [["a firing:warning", "b firing:warning"], ["c firing:warning"]]


async def test_with_nobody_to_tell_there_is_nothing_to_wait_for() -> None:
    delivery = Watcher().delivery()
    delivery.submit([firing()])
    assert await delivery.drain(5)


async def test_ledger_and_delivery_together_say_everything_once() -> None:
    """Beginning, worse, end, and a second time: each heard once, however often the ledger is asked."""
    ledger, ears, watcher = Ledger(), Ears(failures=[BUSY]), Watcher()

    def tell(alerts: Sequence[Alert]) -> None:
        for alert in alerts:
            ledger.told(alert.finding.fingerprint, alert.status)

    delivery = Delivery([ears], told=tell, outcome=watcher.outcome, sleep=watcher.sleep)
    looks = [finding(), finding(severity=Severity.CRITICAL), None, finding(), None]
    async with running(delivery):
        for number, seen in enumerate(looks):
            ledger.observe([judgement(*([seen] if seen else []))], at(15 * number))
            for _ in range(2):
                delivery.submit(ledger.untold())
                await until(lambda: not ledger.untold())
    assert [heard[0].removeprefix("shop ") for heard in ears.heard] == [
        "firing:warning",
        "firing:critical",
        "resolved",
        "firing:warning",
        "resolved",
    ]
