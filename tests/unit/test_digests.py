"""When digests are made: at their times, once each, over restarts, sleep, crashes and reloads; up to a real webhook."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from pytest_httpserver import HTTPServer

from monitor.collect.runner import Clock
from monitor.daemon.digests import Digests, divided
from monitor.daemon.dispatch import Dispatch, Routing
from monitor.daemon.pending import Pending
from monitor.errors import DeliveryError
from monitor.findings.digest import Periodical
from monitor.findings.letters import SUMMARY
from monitor.findings.outbox import Outbox
from monitor.findings.silences import Silences
from monitor.model import Alert, Secret
from monitor.notice import Notice, Receiver
from monitor.notify.webhook import Webhook
from monitor.schedule import Schedule
from monitor.store.engine import Store
from monitor.store.ledger_book import StoredLedger
from monitor.store.records import LedgerRead, LedgerWrite, ToldRow
from tests.alerts import NOON, firing

DAILY = Periodical(name="daily", receiver="ops", cron="0 13 * * *")
HOUR = timedelta(hours=1)


class World:
    """Digests at noon of a Sunday, and what they say and store."""

    def __init__(self, *marks: ToldRow, now: datetime = NOON, alerts: Sequence[Alert] = ()) -> None:
        self.now, self.said, self.pending, self.schedule = now, list[Notice](), Pending(), Schedule()
        self.digests = Digests(
            self.pending,
            self.schedule,
            Clock(now=lambda: self.now),
            alerts=lambda: alerts,
            say=self.said.append,
        )
        self.digests.restore(marks)

    def marks(self) -> tuple[ToldRow, ...]:
        return tuple(self.digests._marks.values())

    def after(self, span: timedelta) -> list[Notice]:
        """What the trigger's call has said when so much time has passed."""
        self.now += span
        before = len(self.said)
        for job in self.schedule._scheduler.get_jobs():
            job.func()
        return self.said[before:]


def running(*marks: ToldRow, now: datetime = NOON) -> World:
    world = World(*marks, now=now)
    world.digests.turn_to([DAILY])
    return world


def test_a_digest_is_made_at_its_time_and_once() -> None:
    world = running()
    assert world.said == []
    assert world.after(HOUR / 2) == []
    (notice,) = world.after(HOUR / 2)
    assert notice.digest is not None
    assert (notice.receiver, notice.digest.title, notice.created_at) == ("ops", "Daily digest", NOON + HOUR)
    assert notice.digest.since == NOON - 23 * HOUR
    assert world.after(timedelta(seconds=1)) == []


def test_the_next_one_goes_on_where_the_last_one_ended() -> None:
    world = running()
    world.after(HOUR)
    (notice,) = world.after(timedelta(days=1, seconds=5))
    assert notice.digest is not None
    assert notice.digest.since == NOON + HOUR


def test_a_new_digest_is_not_made_for_a_time_before_it_was_wanted() -> None:
    world = running(now=NOON + 2 * HOUR)
    assert world.said == []


def test_what_was_slept_through_is_made_up_for_once() -> None:
    """Less than a day late; with a key that it would have had in time."""
    (in_time,) = running().after(HOUR)
    late = running(*running().marks(), now=NOON + 5 * HOUR)
    assert [notice.key for notice in late.said] == [in_time.key]
    assert running(*late.marks(), now=NOON + 6 * HOUR).said == []


def test_of_many_that_were_slept_through_only_the_last_is_made() -> None:
    sunday = running()
    sunday.after(HOUR)
    wednesday = running(*sunday.marks(), now=NOON + timedelta(days=3, hours=2))
    (notice,) = wednesday.said
    assert notice.digest is not None
    assert notice.digest.since == NOON + HOUR


def test_what_is_a_day_late_is_left_to_the_next_one() -> None:
    weekly = replace(DAILY, cron="0 13 * * 0")
    world = World(*_marked(weekly), now=NOON + timedelta(days=2))
    world.digests.turn_to([weekly])
    assert world.said == []
    (notice,) = world.after(timedelta(days=5, hours=1))
    assert notice.digest is not None
    assert notice.digest.since == NOON - timedelta(days=7)


def _marked(periodical: Periodical) -> tuple[ToldRow, ...]:
    at = NOON - timedelta(days=7)
    return (ToldRow(receiver="ops", group=periodical.mark, fingerprint="", status="sent", at=at),)


def test_marks_that_are_read_late_count_more_than_having_just_begun() -> None:
    """The store may be opened long after the start: then what was slept through is made up for, too."""
    old = running().marks()
    world = running(now=NOON + 2 * HOUR)
    world.digests.restore(old)
    assert len(world.said) == 1
    assert [mark.status for mark in world.pending.take().told] == ["sent"]


def test_a_clock_that_is_set_back_neither_repeats_nor_stops_digests() -> None:
    world = running()
    world.after(HOUR)
    assert world.after(timedelta(days=-300)) == []
    assert len(world.after(timedelta(days=1))) == 1


def test_a_reload_repeats_nothing_and_forgets_what_is_not_wanted() -> None:
    world = running()
    world.after(HOUR)
    world.digests.turn_to([DAILY])
    assert len(world.said) == 1
    world.digests.turn_to([])
    assert world.after(timedelta(days=1)) == []
    assert world.pending.take().untold == [("ops", "digest:daily", "")]


def test_the_store_keeps_marks_apart_from_those_of_alerts() -> None:
    """The router would take them for alerts that are gone, and forget them."""
    alert = ToldRow(receiver="ops", group="g", fingerprint="0" * 16, status="firing:warning", at=NOON)
    mark = running().marks()[0]
    read = LedgerRead(alerts=(), told=(alert, mark), outbox=(), silences=())
    assert divided(read) == ([mark], (alert,))


async def test_a_crash_at_the_moment_of_sending_sends_one_message(tmp_path: Path, httpserver: HTTPServer) -> None:
    """Mark and digest are written at once and before it is sent: after the restart the one that waits goes out."""
    httpserver.expect_request("/hook").respond_with_data("ok")
    url = f"sqlite:///{tmp_path}/state.db"
    world = World(alerts=[firing()])
    world.digests.turn_to([DAILY])
    # The process dies between writing and sending.
    store = await Store.open(url)
    dying = dispatch(world, "http://127.0.0.1:1/nobody", LedgerRead(alerts=(), told=(), outbox=(), silences=()))
    for notice in world.after(HOUR):
        dying.say(notice)
    written = world.pending.take()
    assert (len(written.told), len(written.outbox)) == (1, 1)
    await StoredLedger(store).write(written)
    await store.close()
    # The next one goes on from the store.
    store = await Store.open(url)
    read = await StoredLedger(store).load()
    marks, told = divided(read)
    again = running(*marks, now=NOON + 2 * HOUR)
    assert again.said == []
    await deliver(dispatch(again, httpserver.url_for("/hook"), replace(read, told=told)))
    await store.close()
    (request, _), *others = httpserver.log
    document = json.loads(request.data)
    assert others == []
    assert document["digest"]["new"] + document["digest"]["still"] == 1
    assert document["idempotency_key"] == world.said[0].key


async def test_a_trigger_leads_to_a_message(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("ok")
    world = World(alerts=[firing()])
    world.digests.turn_to([DAILY])
    living = dispatch(world, httpserver.url_for("/hook"), LedgerRead(alerts=(), told=(), outbox=(), silences=()))
    for notice in world.after(HOUR):
        living.say(notice)
    await deliver(living)
    (request, _), *_ = httpserver.log
    assert json.loads(request.data)["digest"]["title"] == "Daily digest"


def dispatch(world: World, url: str, read: LedgerRead, receiver: Receiver | None = None) -> Dispatch:
    """What the daemon builds, with one receiver and no route."""

    async def written() -> None:
        world.pending.put_back(LedgerWrite())

    return Dispatch(
        Routing(receivers=[receiver or Webhook(name="ops", url=Secret(url))]),
        world.pending,
        Silences(),
        read,
        clock=Clock(now=lambda: world.now),
        outcome=lambda *_: None,
        written=written,
    )


async def deliver(living: Dispatch) -> None:
    """Let out what waits."""
    running = asyncio.create_task(living.run())
    await asyncio.sleep(0)
    await living.drain(10)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def test_a_flood_is_summed_up_without_the_digest() -> None:
    """It is a message of its own kind, with counts of its own."""
    outbox, digest = Outbox(), running().after(HOUR)[0]
    floods = [replace(digest, group=f"g{number}", key=f"k{number}", digest=None) for number in range(3)]
    outbox.put([digest, *floods], NOON)
    outbox.summed("ops", NOON)
    assert [entry.group for entry in outbox.waiting("ops")] == [digest.group, SUMMARY]


async def test_a_digest_that_is_refused_is_given_up_whole() -> None:
    """Its halves would each claim the counts of the whole."""
    tried: list[Notice] = []

    class Refuses:
        name = "ops"

        async def send(self, notice: Notice) -> None:
            tried.append(notice)
            raise DeliveryError("ops: HTTP 400", retryable=False)

    world = World(alerts=[firing("a"), firing("b")])
    world.digests.turn_to([DAILY])
    living = dispatch(world, "", LedgerRead(alerts=(), told=(), outbox=(), silences=()), Refuses())
    living.say(world.after(HOUR)[0])
    await deliver(living)
    assert [len(notice.alerts) for notice in tried] == [2]
