"""Rounds: what is written has been planned, whatever is measured while a plan is long in the making."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest

from monitor.collect.runner import Clock
from monitor.config.load import load_config
from monitor.daemon.desk import BITE, Desk
from monitor.daemon.dispatch import FEW
from monitor.daemon.pending import Pending
from monitor.daemon.telling import Telling
from monitor.embedded import free_port
from monitor.expose.metrics import Exposition
from monitor.findings.ledger import Ledger
from monitor.measurement import Measurement
from monitor.model import Area, Finding, NoVerdict, Secret, Server, State
from monitor.probe import Probe, Scope
from monitor.rule import Rule
from monitor.schedule import Schedule, Tasks
from monitor.standing import ServerStanding
from monitor.store.engine import Store
from monitor.store.ledger_book import StoredLedger
from monitor.store.records import LedgerRead
from monitor.whole import whole_catalog
from tests.alerts import NOON, SHOP, finding, judgement

MANY = 4 * FEW
"""So many are planned in a thread, and that takes a while."""
SERVER = Server(name="shop", dsn=Secret("postgresql://x"))


@dataclass(frozen=True, kw_only=True)
class Sick(Rule):
    """An item is sick."""

    id: ClassVar[str] = "sick.item"
    area: ClassVar[Area] = Area.CAPACITY

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in seen.rows:
            yield finding(str(row["item"]), rule=self.id)


PROBE = Probe(name="sick", scope=Scope.DATABASE, every=60, sql={14: "select 1"}, rules=(Sick(),))


def measured(items: int) -> Measurement:
    return Measurement(
        target=SHOP, probe="sick", taken_at=NOON, rows=[{"item": f"item {each}"} for each in range(items)]
    )


def found(count: int, word: str) -> list[Finding]:
    return [finding(f"{word} {each}") for each in range(count)]


@dataclass
class Office:
    """A desk and its telling on a store in a file; its one receiver is not there, so that all waits in the outbox."""

    desk: Desk
    telling: Telling
    file: Path
    tasks: Tasks = field(default_factory=Tasks)

    async def stored(self) -> LedgerRead:
        """What a restart would find, were we killed now."""
        store = await Store.open(f"sqlite:///{self.file}")
        try:
            return await StoredLedger(store).load()
        finally:
            await store.close()

    async def planning(self) -> None:
        """Wait until a plan of many is in the making."""
        dispatch = self.telling._dispatch
        assert dispatch is not None
        while not dispatch._aside:  # noqa: ASYNC110 - it has no event for that
            await asyncio.sleep(0)


@pytest.fixture
async def office(tmp_path: Path, blank: Path) -> AsyncIterator[Office]:
    shutil.copy(blank, tmp_path / "state.db")
    (tmp_path / "monitor.yaml").write_text(
        f"""
targets: [{{name: shop, dsn: "postgresql://monitor@127.0.0.1:1/shop"}}]
receivers: {{ops: {{webhook: {{url: "http://127.0.0.1:{free_port()}/"}}}}}}
route: {{receiver: ops, group_by: [rule], group_wait: 0, group_interval: 1h}}
store: "sqlite:///state.db"
"""
    )
    async with opened(tmp_path) as made:
        yield made


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Office]:
    config, pending = load_config(folder / "monitor.yaml", whole_catalog()), Pending()
    clock, tasks = Clock(now=lambda: NOON), Tasks()
    desk = Desk(Ledger(), Exposition(), clock, pending)
    desk.shelf.servers["shop"] = ServerStanding(server=SERVER, spent=lambda: 0.0, up=True)
    telling = Telling(
        desk, pending, config, tasks=tasks, schedule=Schedule(), clock=clock, heard=lambda *_: None
    )  # fmt: skip
    desk.wake = telling.want
    await telling.keeper.open()
    telling.begin(config, "http://127.0.0.1:9779")
    try:
        yield Office(desk, telling, folder / "state.db", tasks)
    finally:
        await telling.end(0.1)
        await tasks.drain(0.1)
        await telling.keeper.close()


def unplanned(read: LedgerRead) -> Sequence[str]:
    """Give what is written as firing of which nobody has decided who is told."""
    told = {mark.fingerprint for mark in read.told}
    firing = [alert.finding for alert in read.alerts if alert.state is State.FIRING]
    return [each.subject for each in firing if each.fingerprint not in told]


async def test_what_a_courier_has_written_was_planned(office: Office) -> None:
    """Its round begins while another's plan of many alerts is in the making: it writes none of them before."""
    office.desk.follow([judgement(*found(MANY, "first"))])
    await office.planning()
    office.desk.follow([judgement(finding("late", rule="late.one"), rule="late.one")])
    await office.telling._round()
    read = await office.stored()
    assert len(read.alerts) > MANY
    assert unplanned(read) == []


async def test_a_measurement_in_the_midst_is_planned_whole(office: Office) -> None:
    """It is followed in bites, and is one group: its one message holds all of it, not its first bite."""
    office.desk.follow([judgement(*found(MANY, "first"))])
    await office.planning()
    taking = asyncio.create_task(office.desk.take(SERVER, PROBE, measured(5 * BITE)))
    while not taking.done():
        await office.telling._round()
        assert unplanned(await office.stored()) == []
    await office.telling._round()
    read = await office.stored()
    assert unplanned(read) == []
    (own,) = [entry.notice for entry in read.outbox if entry.notice.labels.get("rule") == "sick.item"]
    assert len(own.alerts) == 5 * BITE


async def test_no_bite_is_planned_by_itself(office: Office) -> None:
    """A large measurement that is told of at once is one message, with all of it."""
    await office.desk.take(SERVER, PROBE, measured(4 * BITE))
    await office.telling._round()
    (own,) = [entry.notice for entry in (await office.stored()).outbox]
    assert len(own.alerts) == 4 * BITE


async def test_a_small_measurement_needs_no_lock(office: Office) -> None:
    """A few rows are followed at once, also while a round waits for the store; still planned, then written."""
    await office.tasks.stop("rounds")
    await office.tasks.stop("dispatch")
    async with office.telling.keeper._one_by_one:  # as the hourly sweep has it
        office.desk.follow([judgement(*found(3, "first"))])
        waiting = asyncio.create_task(office.telling._round())
        while office.telling._wanted.is_set():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
        await office.desk.take(SERVER, PROBE, measured(2))
        assert not waiting.done()
    await waiting
    read = await office.stored()
    assert len(read.alerts) == 5
    assert unplanned(read) == []


async def test_a_small_measurement_may_come_between_two_bites(office: Office) -> None:
    """What it drops in the midst of a large one is no fault of that."""
    suspected = [judgement(*found(5 * BITE, "first"), hold=60)]
    office.desk.follow(suspected)
    steps = office.desk.ledger.observing([judgement(hold=60)], NOON)  # nothing is seen any more
    office.desk.note([next(steps)])
    office.desk.keep_only(set())
    office.desk.note(list(steps))
    assert len(office.desk.ledger) == 0
