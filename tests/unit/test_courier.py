"""The courier: nobody waits for another, nothing is lost, floods become summaries, and only the culprit dies."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from monitor.collect.runner import Clock
from monitor.daemon.courier import FLOOD, Courier, Means, Outcome, Pace
from monitor.errors import DeliveryError
from monitor.findings.letters import SUMMARY, Entry
from monitor.findings.outbox import Outbox
from monitor.model import Alert
from monitor.notice import Notice, Receiver
from tests.alerts import at, firing, resolved

BUSY = DeliveryError("ops: HTTP 503", retryable=True)
GONE = DeliveryError("ops: HTTP 404: there is no such webhook; make a new one", retryable=False)
PLENTY = Pace(messages=1000)


def notice(*alerts: Alert, group: str = "shop", receiver: str = "ops", seconds: float = 0) -> Notice:
    return Notice(
        receiver=receiver,
        group=group,
        labels={},
        alerts=alerts,
        news=frozenset(alert.finding.fingerprint for alert in alerts),
        created_at=at(seconds),
        key=f"{receiver}/{group}/{seconds}",
    )


def takes_all(_: Notice) -> None:
    """A service without objections."""


@dataclass(eq=False)
class Ears:
    """A receiver that fails as it is told to, refuses what it does not like, and listens to the rest."""

    name: str = "ops"
    failures: list[BaseException] = field(default_factory=list)
    check: Callable[[Notice], None] = takes_all
    heard: list[Notice] = field(default_factory=list)
    tried: list[Notice] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    async def send(self, notice: Notice) -> None:
        self.tried.append(notice)
        await self.open.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.check(notice)
        self.heard.append(notice)

    @property
    def words(self) -> list[list[str]]:
        """What it heard, message by message."""
        return [[f"{alert.finding.subject} {alert.status}" for alert in notice.alerts] for notice in self.heard]


@dataclass
class World:
    """Time that passes while somebody sleeps, a store, and what is reported."""

    seconds: float = 0.0
    """Since noon, as every clock says; `shift` is how wrong the one on the wall goes."""
    shift: float = 0.0
    awake: bool = True
    stored: dict[str, Entry] = field(default_factory=dict)
    outcomes: list[tuple[str, str]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def keep(self, entries: Sequence[Entry], gone: Sequence[str]) -> None:
        for entry_id in gone:
            self.stored.pop(entry_id, None)
        self.stored.update({entry.id: entry for entry in entries})

    def outcome(self, receiver: str, word: Outcome, why: str) -> None:
        self.outcomes.append((receiver, word))
        self.reasons.append(why)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if not self.awake:
            await asyncio.sleep(3600)
        self.seconds += seconds
        await asyncio.sleep(0)

    async def written(self) -> None:
        await asyncio.sleep(0)

    def means(self, outbox: Outbox, *, chance: float = 1.0, pace: Pace = PLENTY) -> Means:
        clock = Clock(now=lambda: at(self.seconds + self.shift), monotonic=lambda: self.seconds)
        return Means(
            outbox=outbox,
            keep=self.keep,
            outcome=self.outcome,
            written=self.written,
            clock=clock,
            sleep=self.sleep,
            chance=lambda: chance,
            pace=pace,
        )

    def courier(self, *receivers: Receiver, chance: float = 1.0, pace: Pace = PLENTY) -> Courier:
        """A courier that knows what the store knows."""
        return Courier(receivers, self.means(Outbox(self.stored.values()), chance=chance, pace=pace))

    @property
    def states(self) -> list[str]:
        return [entry.state for entry in self.stored.values()]


@asynccontextmanager
async def running(courier: Courier) -> AsyncIterator[None]:
    task = asyncio.create_task(courier.run())
    await asyncio.sleep(0)
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


async def test_what_is_submitted_is_stored_then_sent_then_gone() -> None:
    ears, world = Ears(), World()
    courier = world.courier(ears)
    courier.submit([notice(firing("a"), firing("b"))])
    assert world.states == ["waiting"]
    async with running(courier):
        assert await courier.drain(5)
    assert ears.words == [["a firing:warning", "b firing:warning"]]
    assert (world.stored, world.outcomes) == ({}, [("ops", "ok")])


async def test_nothing_is_sent_before_it_is_written() -> None:
    """And what comes while it is written waits behind it."""
    ears, world, written = Ears(), World(), asyncio.Event()

    async def writing() -> None:
        await written.wait()

    means = Means(outbox=Outbox(), keep=world.keep, outcome=world.outcome, written=writing, clock=Clock())
    courier = Courier([ears], means)
    async with running(courier):
        courier.submit([notice(firing())])
        await asyncio.sleep(0.01)
        assert ears.tried == []
        courier.submit([notice(resolved(), seconds=1)])
        written.set()
        assert await courier.drain(5)
    assert ears.words == [["shop firing:warning"], ["shop resolved"]]


async def test_of_one_alert_the_newest_state_is_told_when_it_had_to_wait() -> None:
    ears, world = Ears(failures=[BUSY]), World(awake=False)
    courier = world.courier(ears)
    async with running(courier):
        courier.submit([notice(firing("a"), firing("b"))])
        await until(lambda: world.slept)
        courier.submit([notice(resolved("a"), firing("b"), seconds=1)])
        assert not await courier.drain(5)
    world.awake = True
    async with running(courier):
        await until(lambda: ears.heard)
    assert ears.words == [["a resolved", "b firing:warning"]]


async def test_retries_wait_twice_as_long_each_time_up_to_a_limit() -> None:
    ears, world = Ears(failures=[BUSY] * 12), World()
    courier = world.courier(ears)
    courier.submit([notice(firing())])
    async with running(courier):
        await until(lambda: ears.heard)
    assert world.slept == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert world.outcomes == [("ops", "retry")] * 12 + [("ops", "ok")]
    assert world.reasons[0] == "ops: HTTP 503"
    assert {sent.key for sent in ears.tried} == {"ops/shop/0"}


async def test_after_a_success_waits_are_short_again() -> None:
    ears, world = Ears(failures=[BUSY, BUSY]), World()
    courier = world.courier(ears)
    async with running(courier):
        for number in range(2):
            courier.submit([notice(firing(), seconds=number)])
            await until(lambda: not world.stored)
            ears.failures.append(BUSY)
    assert world.slept == [1, 2, 1]


async def test_jitter_shortens_a_wait_by_at_most_half() -> None:
    ears, world = Ears(failures=[BUSY] * 2), World()
    courier = world.courier(ears, chance=0.0)
    courier.submit([notice(firing())])
    async with running(courier):
        await until(lambda: ears.heard)
    assert world.slept == [0.5, 1.0]


async def test_what_the_receiver_asks_for_is_honoured_up_to_an_hour_for_all_its_messages() -> None:
    asked = [DeliveryError("ops: HTTP 429", retryable=True, retry_after=seconds) for seconds in (30.0, 1e9)]
    ears, world = Ears(failures=[*asked]), World()
    courier = world.courier(ears)
    courier.submit([notice(firing(), group="a"), notice(firing(), group="b")])
    async with running(courier):
        await until(lambda: len(ears.heard) == 2)
    assert world.slept == [30, 3600]


async def test_a_rest_outlasts_a_restart() -> None:
    ears, world = Ears(failures=[DeliveryError("ops: HTTP 429", retryable=True, retry_after=600)]), World(awake=False)
    courier = world.courier(ears)
    async with running(courier):
        courier.submit([notice(firing(), group="a"), notice(firing(), group="b")])
        await until(lambda: world.slept)
    world.awake, world.seconds = True, 100
    again = world.courier(ears)
    async with running(again):
        await until(lambda: len(ears.heard) == 2)
    assert world.slept == [600, 500]


async def test_one_that_hangs_holds_up_nobody_else() -> None:
    deaf, ears, world = Ears("deaf"), Ears("ops"), World()
    deaf.open.clear()
    courier = world.courier(deaf, ears)
    courier.submit([notice(firing(), receiver="deaf"), notice(firing())])
    async with running(courier):
        await until(lambda: ears.heard)
        assert not await courier.drain(0.05)
    assert world.outcomes == [("ops", "ok")]


async def test_one_that_hangs_is_left_after_a_while_and_tried_again() -> None:
    ears, world = Ears(), World(awake=False)
    ears.open.clear()
    courier = world.courier(ears, pace=Pace(send_seconds=0.02))
    courier.submit([notice(firing())])
    async with running(courier):
        await until(lambda: world.outcomes)
    assert (world.outcomes, world.reasons) == ([("ops", "retry")], ["ops: no answer in 0.02 s"])
    assert [entry.tries for entry in world.stored.values()] == [1]


async def test_a_message_that_always_fails_stops_nobody_else() -> None:
    """Each failure sends it behind those that were not tried for longer."""

    def dislikes_a(told: Notice) -> None:
        if told.group == "a":
            raise BUSY

    ears, world = Ears(check=dislikes_a), World()
    courier = world.courier(ears)
    courier.submit([notice(firing(), group=group) for group in "abc"])
    async with running(courier):
        await until(lambda: len(ears.heard) == 2)
    assert [told.group for told in ears.heard] == ["b", "c"]


async def test_of_a_refused_message_only_the_culprit_dies() -> None:
    def dislikes_five(told: Notice) -> None:
        if any(alert.finding.subject == "5" for alert in told.alerts):
            raise GONE

    ears, world = Ears(check=dislikes_five), World()
    courier = world.courier(ears)
    courier.submit([notice(*(firing(str(number)) for number in range(8)))])
    async with running(courier):
        assert await courier.drain(5)
    told = {alert.finding.subject for heard in ears.heard for alert in heard.alerts}
    assert told == set("0123467")
    (dead,) = world.stored.values()
    assert ([alert.finding.subject for alert in dead.notice.alerts], dead.why) == (["5"], str(GONE))
    assert world.outcomes.count(("ops", "failed")) == 1
    assert len(ears.tried) == 7


async def test_one_that_refuses_everything_is_not_asked_for_each_alert() -> None:
    """A webhook that is gone: what is not told is a dead letter, and the next message is refused at once."""

    def refuses(told: Notice) -> None:
        raise GONE

    ears, world = Ears(check=refuses), World()
    courier = world.courier(ears)
    courier.submit([notice(*(firing(str(number)) for number in range(256)))])
    async with running(courier):
        assert await courier.drain(5)
        assert len(ears.tried) <= 20
        dead = [alert.finding.subject for entry in world.stored.values() for alert in entry.notice.alerts]
        assert sorted(dead) == sorted(map(str, range(256)))
        ears.tried.clear()
        courier.submit([notice(firing("a"), firing("b"), seconds=1)])
        assert await courier.drain(5)
        assert len(ears.tried) == 1
        ears.check = takes_all
        courier.submit([notice(firing("c"), firing("d"), seconds=2)])
        assert await courier.drain(5)
        ears.failures.append(GONE)
        courier.submit([notice(firing("e"), firing("f"), seconds=3)])
        assert await courier.drain(5)
    assert ears.words == [["c firing:warning", "d firing:warning"], ["e firing:warning"], ["f firing:warning"]]


async def test_a_receiver_that_breaks_harms_only_its_message() -> None:
    """Whatever breaks in it, and nothing of what it said is told."""
    ears, world = Ears(failures=[RuntimeError("hush"), asyncio.CancelledError("hush")]), World()
    courier = world.courier(ears)
    async with running(courier):
        for group in "abc":
            courier.submit([notice(firing(group), group=group)])
            assert await courier.drain(5)
    assert ears.words == [["c firing:warning"]]
    broken = ["ops: our receiver broke (RuntimeError)", "ops: our receiver broke (CancelledError)"]
    assert (world.reasons, world.states) == ([*broken, ""], ["dead", "dead"])


async def test_ten_thousand_alerts_at_once_are_few_messages_and_none_is_lost() -> None:
    """Within the first minutes, and also when they do not all come in one go."""
    ears, world = Ears(), World()
    courier = world.courier(ears, pace=Pace())
    everything = {f"{group}/{number}" for group in range(500) for number in range(20)}
    groups = [
        notice(*(firing(f"{group}/{number}") for number in range(20)), group=str(group), seconds=group / 1000)
        for group in range(500)
    ]
    async with running(courier):
        for start in range(0, 500, 50):
            courier.submit(groups[start : start + 50])
            await asyncio.sleep(0)
        await until(lambda: not world.stored)
    assert {alert.finding.subject for told in ears.heard for alert in told.alerts} == everything
    assert frozenset().union(*(told.news for told in ears.heard)) >= {
        alert.finding.fingerprint for told in groups for alert in told.alerts
    }
    assert len(ears.heard) <= 20
    assert world.seconds <= 150
    assert ears.heard[-1].group == SUMMARY
    assert ("ops", "summarised") in world.outcomes


async def test_messages_beyond_the_bucket_come_at_its_pace() -> None:
    """One that comes alone goes as it is; of several, the last token takes all."""
    ears, world = Ears(), World()
    courier = world.courier(ears, pace=Pace(messages=2, refill_seconds=30))
    async with running(courier):
        for number in range(4):
            courier.submit([notice(firing(), group=str(number), seconds=number)])
            await until(lambda: not world.stored)
        courier.submit([notice(firing(), group="a"), notice(firing(), group="b")])
        await until(lambda: not world.stored)
    assert [told.group for told in ears.heard] == ["0", "1", "2", "3", SUMMARY]
    assert world.slept == [30, 30, 30]


async def test_a_flood_while_the_receiver_is_deaf_for_an_hour_is_told_once_it_hears() -> None:
    """In few messages, all of it, each piece of news once."""
    world = World()

    def deaf_for_an_hour(_: Notice) -> None:
        if world.seconds < 3600:
            raise BUSY

    ears = Ears(check=deaf_for_an_hour)
    courier = world.courier(ears, pace=Pace())
    courier.submit([notice(firing(str(number)), group=str(number)) for number in range(300)])
    async with running(courier):
        await until(lambda: not world.stored)
    told = [alert.finding.subject for heard in ears.heard for alert in heard.alerts]
    assert sorted(told) == sorted(map(str, range(300)))
    assert len(ears.heard) <= 20
    assert ("ops", "dropped") not in world.outcomes


async def test_what_cannot_be_delivered_within_its_deadline_is_dropped_and_said() -> None:
    def deaf(_: Notice) -> None:
        raise BUSY

    ears, world = Ears(check=deaf), World()
    courier = world.courier(ears, pace=Pace(deadline=timedelta(minutes=10), messages=1000))
    courier.submit([notice(firing(), group="a"), notice(firing(), group="b")])
    async with running(courier):
        await until(lambda: world.states == ["dead", "dead"])
    assert world.outcomes.count(("ops", "dropped")) == 2
    assert world.reasons[-1].startswith("ops: not delivered in 0.166667 h")


async def test_a_clock_that_jumps_ahead_drops_nothing_a_receiver_would_take() -> None:
    ears, world = Ears(), World()
    courier = world.courier(ears)
    courier.submit([notice(firing())])
    world.shift = 1e7
    async with running(courier):
        assert await courier.drain(5)
    assert ears.words == [["shop firing:warning"]]


async def test_a_clock_that_is_set_back_delays_nothing() -> None:
    ears, world = Ears(failures=[BUSY, BUSY]), World()
    courier = world.courier(ears)
    courier.submit([notice(firing())])
    world.shift = -1e7
    async with running(courier):
        await until(lambda: len(world.slept) == 1)
        world.shift = -2e7
        await until(lambda: ears.heard)
    assert world.slept == [1, 2]


async def test_draining_does_not_wait_for_one_who_rests() -> None:
    ears, world = Ears(failures=[BUSY]), World(awake=False)
    courier = world.courier(ears)
    async with running(courier):
        courier.submit([notice(firing())])
        await until(lambda: world.slept)
        courier.submit([notice(firing(), group="last words")])
        async with asyncio.timeout(1):
            assert not await courier.drain(3600)


async def test_with_nobody_to_tell_there_is_nothing_to_wait_for() -> None:
    assert await World().courier().drain(5)


async def test_a_sending_that_is_broken_off_is_made_again_after_the_restart() -> None:
    """As it was, under the same key: it may have arrived."""
    ears, world = Ears(), World()
    ears.open.clear()
    courier = world.courier(ears)
    async with running(courier):
        courier.submit([notice(firing())])
        await until(lambda: ears.tried)
    ears.open.set()
    again = world.courier(ears)
    again.submit([notice(resolved(), seconds=1)])
    async with running(again):
        assert await again.drain(5)
    assert [told.key for told in ears.tried] == ["ops/shop/0", "ops/shop/0", "ops/shop/1"]


async def test_one_that_ends_leaves_nothing_running_and_can_begin_again() -> None:
    """Broken off while it sends, and while it rests."""
    ears, world = Ears(), World(awake=False)
    ears.open.clear()
    courier = world.courier(ears)
    async with running(courier):
        courier.submit([notice(firing())])
        await until(lambda: ears.tried)
    ears.open.set()
    ears.failures.append(BUSY)
    async with running(courier):
        await until(lambda: world.slept)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert [told.key for told in ears.tried] == ["ops/shop/0"] * 2


async def test_what_waits_for_one_who_is_gone_is_dead() -> None:
    """Also what is under way, what is stored, and what still comes."""
    ears, other, world = Ears(), Ears("dev"), World()
    ears.open.clear()
    courier = world.courier(ears, other)
    async with running(courier):
        courier.submit([notice(firing(), group="a"), notice(firing(), group="b"), notice(firing(), receiver="dev")])
        await until(lambda: ears.tried and other.heard)
        courier.replace([other])
        courier.submit([notice(firing(), group="c")])
        ears.open.set()
        assert await courier.drain(5)
        await asyncio.sleep(0.01)
    assert (world.states, len(ears.tried), ears.heard) == (["dead"] * 3, 1, [])
    assert set(world.reasons) == {"", "ops: the configuration does not name this receiver any more"}


async def test_what_is_restored_late_goes_out_too() -> None:
    """Before it runs, and while it does: the store may be slow to open."""
    ears, other, world = Ears(), Ears("dev"), World()
    before = world.courier(ears, other)
    before.submit([notice(firing(), group="a"), notice(firing(), receiver="dev")])
    entries = sorted(world.stored.values(), key=lambda entry: entry.receiver)
    means = world.means(Outbox())
    courier = Courier([ears, other], means)
    means.outbox.restore(entries[:1])
    async with running(courier):
        await until(lambda: other.heard)
        courier.restore(entries[1:])
        assert await courier.drain(5)
    assert (len(ears.heard), world.stored) == (1, {})


async def test_each_receiver_has_its_own_pace_and_a_reload_may_change_it() -> None:
    ears, other, world = Ears(), Ears("dev"), World()
    means = replace(world.means(Outbox()), paces={"ops": Pace(messages=1)})
    courier = Courier([ears, other], means)
    some = [notice(firing(), group=group, receiver=name) for group in "abc" for name in ("ops", "dev")]
    async with running(courier):
        courier.submit(some)
        assert await courier.drain(5)
        assert ([told.group for told in ears.heard], len(other.heard)) == ([SUMMARY], 3)
        courier.replace([ears, other], paces={"ops": Pace(messages=1000), "dev": Pace(messages=1)})
        courier.submit([replace(each, key=f"again {each.key}") for each in some])
        assert await courier.drain(5)
    assert ([told.group for told in other.heard[3:]], len(ears.heard)) == ([SUMMARY], 4)


async def test_entries_of_one_nobody_names_are_dead_after_a_restart() -> None:
    ears, world = Ears(), World()
    world.courier(ears).submit([notice(firing())])
    async with running(world.courier()):
        pass
    assert world.states == ["dead"]


async def test_a_new_receiver_hears_at_once() -> None:
    ears, world = Ears(), World()
    courier = world.courier()
    async with running(courier):
        courier.replace([ears])
        courier.submit([notice(firing())])
        assert await courier.drain(5)
    assert ears.words == [["shop firing:warning"]]


async def test_a_receiver_that_was_mended_is_tried_at_once() -> None:
    """Its rest is over with the reload; one that is as it was goes on resting."""
    broken, mended, world = Ears(failures=[BUSY]), Ears(), World(awake=False)
    courier = world.courier(broken)
    async with running(courier):
        courier.submit([notice(firing())])
        await until(lambda: world.slept)
        courier.replace([broken])
        await asyncio.sleep(0.01)
        assert len(broken.tried) == 1
        courier.replace([mended])
        await until(lambda: mended.heard)
    assert (len(broken.tried), world.stored) == (1, {})


async def test_replacing_before_it_runs_is_fine() -> None:
    ears, world = Ears(), World()
    courier = world.courier(Ears("old"))
    courier.replace([ears])
    courier.submit([notice(firing())])
    async with running(courier):
        assert await courier.drain(5)
    assert ears.words == [["shop firing:warning"]]


async def test_a_flood_of_one_moment_is_one_message_before_any_is_stored() -> None:
    """Ten thousand groups cost one row of the store, not ten thousand that become one later."""
    ears, world = Ears(), World()
    courier = world.courier(ears, pace=Pace())
    courier.submit([notice(firing(str(number)), group=str(number)) for number in range(FLOOD + 1)])
    assert len(world.stored) == 1
    async with running(courier):
        await until(lambda: not world.stored)
    (told,) = ears.heard
    assert (told.group, len(told.alerts), len(told.news)) == (SUMMARY, FLOOD + 1, FLOOD + 1)


def chokes_on_five(told: Notice) -> None:
    """Answer 500 whenever the fifth alert is in it."""
    if any(alert.finding.subject == "5" for alert in told.alerts):
        raise BUSY


@dataclass
class Talkative(World):
    """A world in which some other group has something to say whenever the receiver has rested."""

    courier_: Courier | None = None
    until: float = 0.0

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        if self.courier_ is not None and self.seconds < self.until:
            self.courier_.submit([notice(firing("other"), group="other", seconds=self.seconds)])


async def test_one_alert_at_which_a_receiver_always_fails_holds_up_only_itself() -> None:
    """The receiver takes other messages meanwhile: the group is tried in halves, until the culprit waits alone."""
    ears, world = Ears(check=chokes_on_five), Talkative(until=3600)
    courier = world.courier_ = world.courier(ears)
    courier.submit([notice(*(firing(str(number)) for number in range(8)))])
    async with running(courier):
        await until(lambda: {"4", "6", "7"} <= {alert.finding.subject for told in ears.heard for alert in told.alerts})
        courier.submit([notice(resolved("6"), resolved("5"), seconds=world.seconds)])
        await until(lambda: any("6 resolved" in words for words in ears.words))
        world.until = 0
        assert [
            [alert.status for alert in entry.notice.alerts] for entry in world.stored.values() if entry.group == "shop"
        ] == [["resolved"]]
        assert world.seconds < 600
        ears.check = takes_all
        await until(lambda: not world.stored)
    assert ["5 resolved"] in ears.words
    assert ("ops", "failed") not in world.outcomes


async def test_a_receiver_that_fails_at_everything_for_an_hour_hears_each_group_in_one_message() -> None:
    ears, world = Ears(failures=[BUSY] * 18), World()
    courier = world.courier(ears)
    courier.submit([notice(*(firing(str(number)) for number in range(8)))])
    async with running(courier):
        await until(lambda: ears.heard)
    assert [len(told.alerts) for told in ears.heard] == [8]


async def test_the_only_message_there_is_is_tried_in_halves_in_the_end() -> None:
    """Also if it is a summary, for which all others wait."""
    ears, world = Ears(check=chokes_on_five), World()
    courier = world.courier(ears, pace=Pace(messages=2, refill_seconds=30))
    courier.submit([notice(firing(str(number)), group=str(number)) for number in range(8)])
    async with running(courier):
        await until(lambda: len(ears.heard) >= 4)
        courier.submit([notice(firing("5"), firing("late"), group="5", seconds=world.seconds)])
        await until(lambda: any("late firing:warning" in words for words in ears.words))
    told = {alert.finding.subject for heard in ears.heard for alert in heard.alerts}
    assert told == {*"0123467", "late"}
    assert world.seconds < 24 * 3600
    assert [said for said in world.outcomes if said[1] in {"failed", "dropped"}] == []


def fails_at_random(chance: random.Random, part: float) -> Callable[[Notice], None]:
    """Answer 503 to so many of all messages."""

    def check(_: Notice) -> None:
        if chance.random() < part:
            raise BUSY

    return check


async def heard_at_random(seed: int) -> tuple[list[Notice], set[tuple[str, int]]]:
    """Tell a receiver that fails at half of all messages of three groups; give what it heard, and what was news."""
    chance, world = random.Random(seed), World()
    ears, told = Ears(check=fails_at_random(chance, 0.5)), set()
    courier = world.courier(ears)
    async with running(courier):
        for number in range(60):
            group = chance.choice("abc")
            alerts = [replace(firing(f"{group}{each}"), occurrences=number) for each in chance.sample(range(5), 2)]
            told |= {(alert.finding.subject, number) for alert in alerts}
            courier.submit([notice(*alerts, group=group, seconds=number)])
            for _ in range(chance.randint(0, 12)):
                await asyncio.sleep(0)
        await until(lambda: not world.stored)
    return ears.heard, told


def newest_of(heard: Sequence[Notice]) -> dict[str, int]:
    """Give the newest state of each alert that was heard."""
    newest: dict[str, int] = {}
    for alert in (alert for told in heard for alert in told.alerts):
        newest[alert.finding.subject] = max(alert.occurrences, newest.get(alert.finding.subject, 0))
    return newest


async def test_a_receiver_that_fails_at_random_hears_each_group_in_order() -> None:
    """Whole messages and their parts: nothing of a group comes before what was said earlier, and nothing is lost."""
    parts = 0
    for seed in range(30):
        heard, told = await heard_at_random(seed)
        newest = newest_of(heard)
        assert all(newest[subject] >= number for subject, number in told)
        begun: dict[str, tuple[int, str]] = {}
        for each in heard:
            root, parts = each.key.partition(".")[0], parts + ("." in each.key)
            latest, by = begun.get(each.group, (-1, ""))
            number = max(alert.occurrences for alert in each.alerts)
            assert number >= latest or root == by, (seed, each.key)
            begun[each.group] = max((number, root), (latest, by))
    assert parts, "some messages were told in parts"


async def test_a_group_waits_for_its_message_that_is_retried_and_no_other_group_does() -> None:
    """What comes for it meanwhile comes with it, or after it."""

    def deaf_to_shop(told: Notice) -> None:
        if told.group == "shop" and world.seconds < 1000:
            raise BUSY

    world = World()
    ears = Ears(check=deaf_to_shop)
    courier = world.courier(ears)
    async with running(courier):
        courier.submit([notice(firing("a"))])
        await until(lambda: world.seconds > 10)
        courier.submit([notice(firing("b"), seconds=20), notice(firing("c"), group="other", seconds=20)])
        await until(lambda: ears.heard)
        assert [told.group for told in ears.heard] == ["other"]
        await until(lambda: not world.stored)
    assert [alert.finding.subject for told in ears.heard for alert in told.alerts] == ["c", "a", "b"]


async def test_a_dead_letter_holds_up_its_group_no_longer() -> None:
    def deaf_to_a(told: Notice) -> None:
        if any(alert.finding.subject == "a" for alert in told.alerts):
            raise BUSY

    ears, world = Ears(check=deaf_to_a), World()
    courier = world.courier(ears, pace=Pace(messages=1000, deadline=timedelta(minutes=10)))
    async with running(courier):
        courier.submit([notice(firing("a"))])
        await until(lambda: world.states == ["dead"])
        courier.submit([notice(firing("b"), seconds=world.seconds)])
        await until(lambda: ears.heard)
    assert ears.words == [["b firing:warning"]]
