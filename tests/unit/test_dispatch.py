"""From the ledger to people: who is told what, what is held back, and that a restart or a reload repeats nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitor.collect.runner import Clock
from monitor.daemon.courier import Pace
from monitor.daemon.dispatch import FEW, Dispatch, Routing, Streamed
from monitor.daemon.pending import Pending
from monitor.findings.matchers import parse_matcher
from monitor.findings.route import Route
from monitor.findings.silences import Silences, maintenance
from monitor.model import Ack, Alert, Severity
from monitor.notice import Notice
from monitor.store.records import LedgerRead
from tests.alerts import NOON, at, firing, resolved

AT_ONCE = Route(receiver="ops", group_by=("subject",), group_wait=0, group_interval=1, repeat_interval=60)


@dataclass
class Ears:
    """A receiver, or an Alertmanager, that listens."""

    name: str = "ops"
    heard: list[str] = field(default_factory=list)

    async def send(self, notice: Notice) -> None:
        self.heard += [f"{each.finding.subject} {each.status}" for each in notice.alerts]

    async def post(self, alerts: Sequence[Alert], now: datetime, *, lasts: float) -> None:
        self.heard += [f"{each.finding.subject} {each.status}" for each in alerts]


@dataclass
class Place:
    """A dispatch with its pending writes, its clock and its ears."""

    ears: Ears = field(default_factory=Ears)
    pending: Pending = field(default_factory=Pending)
    silences: Silences = field(default_factory=Silences)
    now: datetime = NOON
    outcomes: list[tuple[str, str]] = field(default_factory=list)

    def routing(self, route: Route = AT_ONCE) -> Routing:
        return Routing(route=route, receivers=[self.ears])

    def streaming(self, resend: float = 60) -> Routing:
        streams = [Streamed(name="am", post=self.ears, resend=resend)]
        return Routing(route=replace(AT_ONCE, receiver="am"), streams=streams)

    def dispatch(self, routing: Routing | None = None, read: LedgerRead | None = None) -> Dispatch:
        return Dispatch(
            routing or self.routing(),
            self.pending,
            self.silences,
            read or LedgerRead(alerts=(), told=(), outbox=(), silences=()),
            clock=Clock(now=lambda: self.now),
            outcome=lambda name, outcome, _: self.outcomes.append((name, outcome)),
            written=_written,
        )

    def stored(self) -> LedgerRead:
        """What a restart would find, had all been written that is pending."""
        write = self.pending.take()
        return LedgerRead(
            alerts=tuple(write.alerts),
            told=tuple(write.told),
            outbox=tuple(write.outbox),
            silences=tuple(write.silences),
        )


async def _written() -> None:
    return


@asynccontextmanager
async def running(dispatch: Dispatch) -> AsyncIterator[None]:
    task = asyncio.create_task(dispatch.run())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        await dispatch.drain(2)
        task.cancel()
        await asyncio.wait([task])


async def test_what_fires_is_told_once_and_its_end_once() -> None:
    place = Place()
    dispatch = place.dispatch()
    async with running(dispatch):
        for alert in (firing("a"), firing("a"), resolved("a"), resolved("a")):
            place.now += timedelta(seconds=5)
            dispatch.plan([alert], place.now)
            await dispatch.drain(2)
    assert place.ears.heard == ["a firing:warning", "a resolved"]


async def test_a_restart_neither_repeats_nor_forgets() -> None:
    """What was told is known by its mark; what was not sent yet waits in the outbox."""
    place = Place()
    before = place.dispatch()
    before.plan([firing("a")], place.now)  # handed out, but nobody delivers
    read = place.stored()
    assert place.ears.heard == []
    after = place.dispatch(read=read)
    async with running(after):
        after.plan([firing("a")], at(5))
        await after.drain(2)
        assert place.ears.heard == ["a firing:warning"]
    again = place.dispatch(read=replace(place.stored(), told=read.told))
    async with running(again):
        again.plan([firing("a")], at(10))
    assert place.ears.heard == ["a firing:warning"]


async def test_a_reload_repeats_nothing() -> None:
    place = Place()
    dispatch = place.dispatch()
    async with running(dispatch):
        dispatch.plan([firing("a")], place.now)
        await dispatch.drain(2)
        dispatch.turn_to(place.routing())
        dispatch.plan([firing("a"), firing("b")], at(5))
    assert place.ears.heard == ["a firing:warning", "b firing:warning"]


async def test_a_silence_holds_back_and_its_end_lets_out() -> None:
    place = Place()
    place.silences.add(maintenance("shop", 60, silence_id="1", now=NOON, author="ann"), NOON)
    dispatch = place.dispatch()
    async with running(dispatch):
        dispatch.plan([firing("a")], at(1))
        await dispatch.drain(2)
        assert place.ears.heard == []
        place.now = at(61)
        dispatch.plan([firing("a")], place.now)
    assert place.ears.heard == ["a firing:warning"]


async def test_an_ack_ends_the_repeats_and_not_the_rest() -> None:
    place = Place()
    dispatch = place.dispatch()
    acked = replace(firing("a"), acked=Ack(author="ann", comment="", at=NOON, severity=Severity.WARNING))
    async with running(dispatch):
        for seconds, alert in ((0, firing("a")), (100, acked), (200, acked), (210, resolved("a"))):
            place.now = at(seconds)
            dispatch.plan([alert], place.now)
            await dispatch.drain(2)
    assert place.ears.heard == ["a firing:warning", "a resolved"]


async def test_without_the_ack_it_is_repeated() -> None:
    place = Place()
    dispatch = place.dispatch()
    async with running(dispatch):
        for seconds in (0, 100):
            place.now = at(seconds)
            dispatch.plan([firing("a")], place.now)
            await dispatch.drain(2)
    assert place.ears.heard == ["a firing:warning"] * 2


async def test_a_server_that_is_down_explains_the_rest() -> None:
    place = Place()
    down = firing("shop", Severity.CRITICAL, rule="target.unreachable")
    dispatch = place.dispatch()
    async with running(dispatch):
        dispatch.plan([down, firing("a")], place.now)
    assert place.ears.heard == ["shop firing:critical"]


async def test_only_who_is_meant_is_told() -> None:
    place = Place()
    below = Route(receiver="ops", matchers=(parse_matcher('severity="critical"'),))
    dispatch = place.dispatch(place.routing(replace(AT_ONCE, receiver="nobody", routes=(below,))))
    async with running(dispatch):
        dispatch.plan([firing("a"), firing("b", Severity.CRITICAL)], place.now)
    assert place.ears.heard == ["b firing:critical"]
    assert ("nobody", "failed") in place.outcomes


async def test_an_alertmanager_is_told_the_state() -> None:
    """What it was told of is still told when a silence begins: to fall silent would say that it is over."""
    place = Place(ears=Ears(name="am"))
    dispatch = place.dispatch(place.streaming())
    async with running(dispatch):
        dispatch.plan([firing("a")], place.now)
        await dispatch.drain(2)
        assert place.ears.heard == ["a firing:warning"]
        place.silences.add(maintenance("shop", 3600, silence_id="1", now=NOON, author="ann"), NOON)
        place.now = at(61)
        dispatch.plan([firing("a"), firing("b")], place.now)
        await dispatch.drain(2)
    assert place.ears.heard == ["a firing:warning", "a firing:warning"]


async def test_a_restart_ends_at_alertmanager_what_was_told_there() -> None:
    place = Place(ears=Ears(name="am"))
    before = place.dispatch(place.streaming())
    async with running(before):
        before.plan([firing("a")], place.now)
        await before.drain(2)
    after = place.dispatch(place.streaming(), read=place.stored())
    async with running(after):
        after.plan([resolved("a")], at(5))
    assert place.ears.heard == ["a firing:warning", "a resolved"]


async def test_an_alertmanager_is_told_anew_as_often_as_it_was_asked_for() -> None:
    """It ends what it does not hear of for four times as long: a false all-clear. By the real clock, nothing is new."""
    place = Place(ears=Ears(name="am"))
    dispatch = place.dispatch(place.streaming(resend=0.2))
    async with running(dispatch):
        dispatch.plan([firing("a")], place.now)
        async with asyncio.timeout(5):
            while len(place.ears.heard) < 3:
                await asyncio.sleep(0.02)
                place.now += timedelta(seconds=0.02)
    assert set(place.ears.heard) == {"a firing:warning"}


async def test_without_a_route_nobody_is_told_and_nothing_waits() -> None:
    place = Place()
    dispatch = place.dispatch(Routing())
    async with running(dispatch):
        dispatch.plan([firing("a")], place.now)
    assert not place.pending
    assert dispatch.due(place.now) is None


async def test_a_receivers_own_pace_holds_from_the_start() -> None:
    """Not only after a reload: who may be told often is told each thing by itself."""
    place = Place()
    often = replace(place.routing(), paces={"ops": Pace(messages=50)})
    dispatch = place.dispatch(often)
    async with running(dispatch):
        dispatch.plan([firing(f"item {number}") for number in range(30)], place.now)
        await dispatch.drain(2)
    assert ("ops", "summarised") not in place.outcomes
    assert len(place.ears.heard) == 30


async def test_a_flood_is_planned_in_a_thread_and_lost_by_no_reload() -> None:
    """What was planned for another configuration is planned anew; who has begun to plan may be interrupted."""
    place = Place()
    dispatch = place.dispatch()
    many = [firing(f"item {number}") for number in range(FEW + 1)]
    async with running(dispatch):
        planning = asyncio.create_task(dispatch.plan_aside(many, place.now))
        await asyncio.sleep(0)
        planning.cancel()
        await asyncio.wait([planning])
        again = asyncio.create_task(dispatch.plan_aside(many, place.now))
        await asyncio.sleep(0)
        dispatch.turn_to(place.routing())
        await again
        await dispatch.drain(5)
    assert sorted(place.ears.heard) == sorted(f"item {number} firing:warning" for number in range(FEW + 1))


async def test_a_flood_that_was_forgotten_is_let_go_in_a_thread() -> None:
    """That nothing is left of thousands is as much work as that they came, and holds nobody up either."""
    place = Place()
    dispatch = place.dispatch()
    many = [firing(f"item {number}") for number in range(FEW + 1)]
    async with running(dispatch):
        await dispatch.plan_aside(many, place.now)
        forgetting = asyncio.create_task(dispatch.plan_aside([], place.now))
        await asyncio.sleep(0)
        assert not forgetting.done()
        await forgetting
        await dispatch.drain(5)
