"""What probes remember outlives a restart: of the same server, when it changed, and never at the store's expense."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.collect.identity import identity
from monitor.collect.runner import Clock, Runner
from monitor.daemon.desk import Desk
from monitor.daemon.keeper import Keeper
from monitor.daemon.memories import FRESH_SECONDS, KEPT, LARGEST, MENDING_SECONDS, WRITE_SECONDS, Memories
from monitor.daemon.pending import Pending
from monitor.expose.metrics import Exposition
from monitor.findings.ledger import Ledger
from monitor.lasting import Memory, Place, Remembered
from monitor.model import Result, Secret, Target
from monitor.probe import Facts, Measurement, Probe, Row, Scope, Session
from monitor.store.engine import Store
from monitor.store.memories import StoredMemories

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHOP = Facts(
    version_num=180000,
    version="18",
    database="shop",
    role="monitor",
    in_recovery=False,
    superuser=False,
    started_at=NOON.timestamp() - 900,
    system_identifier=7,
    timeline=1,
)
TARGET = Target("main", "shop")


class Counted:
    """How often it was looked, and whatever else belongs into its document."""

    def __init__(self) -> None:
        self.looks = 0
        self.more: object = ""

    def document(self) -> object:
        return {"looks": self.looks, "more": self.more} if self.looks else None

    def restore(self, document: object) -> None:
        self.looks, self.more = int(document["looks"]), document["more"]  # type: ignore[index]


class Forgetful:
    """What says nothing of itself."""


async def count(session: Session, memory: Memory, _options: object) -> Sequence[Row]:
    """Count looks, of this probe and of the server's."""
    memory.of(Forgetful)
    memory.of(Counted).looks += 1
    memory.server.of(Counted).looks += 10
    return await session.fetch("")


PROBE = Probe(name="count", scope=Scope.DATABASE, every=60, observe=count)


@dataclass
class Answering:
    """A session of a server that has nothing to tell but who it is."""

    facts: Facts = SHOP

    def within(self, seconds: float) -> None:
        pass

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
        return ()

    async def look_again(self) -> None:
        pass


@dataclass
class Process:
    """One life of the daemon, as far as memory goes; the clock goes on in the next one."""

    url: str
    now: datetime = NOON
    seconds: float = 0.0
    probe: Probe = PROBE
    lives: list[Keeper] = field(default_factory=list)
    """The way to the store of this process and of all before it."""

    def __post_init__(self) -> None:
        self.clock = Clock(now=lambda: self.now, monotonic=lambda: self.seconds)
        self.runner = Runner(self.clock)
        self.keeper = Keeper(Desk(Ledger(), Exposition(), self.clock, Pending()), Secret(self.url))
        self.memories = Memories(self.runner, self.keeper, self.clock)
        self.lives.append(self.keeper)

    async def begin(self) -> None:
        await self.keeper.open()
        await self.memories.load()

    async def look(self, server: Facts = SHOP) -> Measurement:
        return await self.runner.run(self.probe, TARGET, Answering(server))

    def of(self, probe: str = "count", target: Target = TARGET) -> Counted:
        (memory,) = [memory for where, name, memory, _ in self.runner.memories() if (where, name) == (target, probe)]
        return memory.of(Counted)

    def sleep(self, seconds: float) -> None:
        self.now, self.seconds = self.now + timedelta(seconds=seconds), self.seconds + seconds

    async def killed(self) -> Process:
        """Give the process that comes after this one, which wrote nothing more."""
        await self.keeper.close()
        after = Process(self.url, self.now, self.seconds, self.probe, self.lives)
        await after.begin()
        return after

    async def stopped(self) -> Process:
        await self.memories.write()
        return await self.killed()

    async def stored(self) -> dict[str, str]:
        """Give what the store holds, by target and probe."""
        found = await StoredMemories(self.keeper).load()
        return {f"{place.target} {place.probe}": each.text for place, each in found.items()}


@pytest.fixture
async def process(tmp_path: Path, blank: Path) -> AsyncIterator[Process]:
    shutil.copy(blank, tmp_path / "state.db")
    made = Process(f"sqlite:///{tmp_path / 'state.db'}")
    await made.begin()
    yield made
    for keeper in made.lives:
        await keeper.close()


async def test_a_restart_goes_on_from_what_was_remembered(process: Process) -> None:
    """Of the probe, and of what all probes of the server share."""
    await process.look()
    after = await process.stopped()
    await after.look()
    assert (after.of().looks, after.of("", Target("main")).looks) == (2, 20)


async def test_being_killed_costs_a_minute(process: Process) -> None:
    """What was written by then is there."""
    await process.look()
    await process.memories.round()
    process.sleep(WRITE_SECONDS + 5)
    await process.look()
    await process.memories.round()
    await process.look()
    after = await process.killed()
    await after.look()
    assert after.of().looks == 3


async def test_a_document_is_written_when_it_changed_and_once_a_minute_at_most(process: Process) -> None:
    await process.look()
    await process.memories.round()
    process.sleep(30)
    await process.look()
    await process.memories.round()
    assert await process.stored() == {"main/shop count": '{"looks":1,"more":""}', "main ": '{"looks":10,"more":""}'}
    process.sleep(WRITE_SECONDS)
    await process.memories.round()
    assert await process.stored() == {"main/shop count": '{"looks":2,"more":""}', "main ": '{"looks":20,"more":""}'}


async def test_what_stays_the_same_is_not_written_again_for_an_hour(process: Process) -> None:
    """Then it is, so that a server which was swapped meanwhile can be told from this one."""
    await process.look()
    await process.memories.round()
    there = (await StoredMemories(process.keeper).load()).values()
    read_at = {each.of.read_at for each in there}
    for seconds, moves in ((FRESH_SECONDS / 2, False), (FRESH_SECONDS / 2 + 1, True)):
        process.sleep(seconds)
        await process.look()
        process.of().looks, process.of("", Target("main")).looks = 1, 10
        await process.memories.round()
        now = {each.of.read_at for each in (await StoredMemories(process.keeper).load()).values()}
        assert (now != read_at) is moves


@pytest.mark.parametrize(
    ("server", "same"),
    [
        (replace(SHOP, started_at=NOON.timestamp() + 30), True),
        (replace(SHOP, timeline=2), True),
        (replace(SHOP, system_identifier=8), False),
        (replace(SHOP, started_at=NOON.timestamp() - 60), False),
        (replace(SHOP, started_at=NOON.timestamp() + 30, in_recovery=True, timeline=0), False),
        (replace(SHOP, started_at=NOON.timestamp() + 30, timeline=2), False),
        (replace(SHOP, system_identifier=None), True),
        (replace(SHOP, system_identifier=None, started_at=NOON.timestamp() + 30), False),
    ],
    ids=["restarted", "promoted", "another", "was running already", "a standby", "a copy", "untold", "untold and anew"],
)
async def test_another_server_has_nothing_of_it(process: Process, server: Facts, *, same: bool) -> None:
    """Only what was its own is there after the next restart."""
    await process.look()
    after = await process.stopped()
    after.sleep(60)
    await after.look(server)
    assert after.of().looks == (2 if same else 1)
    assert after.of("", Target("main")).looks == (20 if same else 10)
    last = await after.stopped()
    await last.look(server)
    assert last.of().looks == (3 if same else 2)


async def test_what_a_failover_made_forget_is_not_remembered_after_a_restart(process: Process) -> None:
    await process.look()
    await process.memories.round()
    process.sleep(60)
    await process.look(replace(SHOP, system_identifier=8))
    process.of().looks = 0
    await process.memories.round()
    assert "main/shop count" not in await process.stored()


async def test_a_server_that_was_never_reached_keeps_what_is_remembered_of_it(process: Process) -> None:
    """Through any number of restarts in between."""
    await process.look()
    after = await process.stopped()
    after.sleep(60)
    await after.memories.round()
    last = await after.stopped()
    await last.look()
    assert last.of().looks == 2


async def test_an_address_that_changed_is_another_server(process: Process) -> None:
    """Its name may be the same."""
    await process.look()
    after = await process.stopped()
    after.runner.forget("main")
    await after.look()
    assert after.of().looks == 1


async def test_a_document_of_another_version_begins_afresh(process: Process) -> None:
    """Whatever it holds; it is written anew by who reads it no more."""
    await process.look()
    await process.memories.write()
    stored = StoredMemories(process.keeper)
    known = await stored.load()
    for text in ("{}", "[1]", "null", "7", "{", '{"looks": "many", "more": 1}', "[" * 100_000):
        await stored.write({place: replace(each, text=text) for place, each in known.items()}, (), process.now)
        after = await process.killed()
        assert (await after.look()).result is Result.OK
        assert after.of().looks == 1
        await after.keeper.close()
        await process.keeper.open()


async def test_a_row_that_cannot_be_read_takes_no_other_with_it(process: Process, tmp_path: Path) -> None:
    await process.look()
    await process.memories.write()
    with closing(sqlite3.connect(tmp_path / "state.db")) as file:
        file.execute("update memories set \"of\" = '{}' where probe = 'count'")
        file.commit()
    after = await process.killed()
    await after.look()
    assert (after.of().looks, after.of("", Target("main")).looks) == (1, 20)


@pytest.mark.parametrize("more", ["x" * LARGEST, {1, 2}, "\ud800"], ids=["too large", "no JSON", "half a pair"])
async def test_a_document_that_cannot_be_kept_is_said_once_and_stops_no_other(
    process: Process, more: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was kept of it before is old, and goes. JSON's escapes take any text."""
    await process.look()
    await process.memories.round()
    process.of().more = more
    for _ in range(3):
        process.sleep(60)
        await process.look()
        await process.memories.round()
    stored = await process.stored()
    assert stored["main "] == '{"looks":40,"more":""}'
    fits = more == "\ud800"
    assert ("main/shop count" in stored) is fits
    assert capsys.readouterr().out.count("not kept over a restart") == (0 if fits else 1)


async def test_while_the_store_is_locked_it_waits_and_nothing_fails(process: Process, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        other.execute("begin immediate")
        await process.look()
        await process.memories.round()
        assert not process.memories.due()
        other.execute("rollback")
    process.sleep(MENDING_SECONDS)
    await process.keeper.write()
    await process.memories.round()
    assert len(await process.stored()) == 2


@pytest.mark.parametrize("begun", [0, 1], ids=["not begun", "begun afresh"])
async def test_a_store_that_comes_late_gives_what_was_remembered(process: Process, tmp_path: Path, begun: int) -> None:
    """What began without it meanwhile is let go: it is a minute's."""
    await process.look()
    await process.memories.write()
    await process.keeper.close()
    (tmp_path / "state.db").rename(tmp_path / "away")
    (tmp_path / "state.db").mkdir()
    late = Process(process.url, process.now, process.seconds, lives=process.lives)
    await late.begin()
    assert late.keeper.reason
    for _ in range(begun):
        assert (await late.look()).result is Result.OK
        assert late.of().looks == 1
    (tmp_path / "state.db").rmdir()
    (tmp_path / "away").rename(tmp_path / "state.db")
    late.sleep(MENDING_SECONDS)
    await late.keeper.write()
    await late.memories.round()
    await late.look()
    assert (late.of().looks, late.of("", Target("main")).looks) == (2, 20)


async def test_who_is_in_the_midst_of_it_is_given_the_past_a_round_later(process: Process) -> None:
    await process.look()
    await process.memories.write()
    past = await StoredMemories(process.keeper).load()
    other = Process(process.url, process.now, process.seconds, lives=process.lives)
    await other.begin()
    other.runner.past.forget("main")

    async def slow(_session: Session, memory: Memory, _options: object) -> Sequence[Row]:
        memory.of(Counted).looks += 5
        other.runner.past.add(past)
        other.runner.recall()
        assert memory.of(Counted).looks == 5
        return ()

    other.probe = replace(PROBE, observe=slow)
    assert (await other.look()).result is Result.OK
    other.runner.recall()
    other.probe = PROBE
    await other.look()
    assert (other.of().looks, other.of("", Target("main")).looks) == (2, 20)


async def test_a_new_store_is_given_all_there_is(process: Process, tmp_path: Path) -> None:
    """The old file is gone: what has not changed since is written too."""
    await process.look()
    await process.memories.round()
    await process.keeper.close()
    for file in tmp_path.glob("state.db*"):
        file.unlink()
    process.sleep(60)
    await process.keeper.write()
    await process.memories.round()
    await process.keeper.write()
    process.sleep(60)
    await process.memories.round()
    assert len(await process.stored()) == 2


async def test_what_nobody_keeps_any_more_is_dropped_after_a_month(process: Process) -> None:
    """Targets and probes that are gone; who is still there writes itself now and then."""
    await process.look()
    await process.memories.round()
    gone = Place(target=Target("gone"), probe="count", kind="any")
    (one, *_) = (await StoredMemories(process.keeper).load()).values()
    await StoredMemories(process.keeper).write({gone: one}, (), process.now)
    for age, there in ((KEPT.total_seconds() - 60, True), (FRESH_SECONDS + 120, False)):
        process.sleep(age)
        await process.look()
        await process.memories.round()
        assert ("gone count" in await process.stored()) is there
        assert "main/shop count" in await process.stored()


async def test_a_probe_under_way_is_not_asked_for_its_document(process: Process) -> None:
    """It may be in the midst of it."""
    asked: list[list[str]] = []

    async def slow(_session: Session, memory: Memory, _options: object) -> Sequence[Row]:
        memory.of(Counted).looks += 1
        asked.append([probe for _, probe, _, _ in process.runner.memories()])
        return ()

    process.probe = replace(PROBE, observe=slow)
    await process.look()
    assert asked == [[""]]
    assert process.of().looks == 1


async def test_both_stores_give_back_what_was_written(either: Store) -> None:
    """Any names, none of them for another; the newer document counts."""
    stored = StoredMemories(either)
    of = (await _one(stored)).of
    odd = [
        Place(target=Target(name, base), probe=name, kind="k") for name in ("a", "\0é\ud800") for base in (None, "a")
    ]
    await stored.write({place: Remembered(text=str(i), of=of) for i, place in enumerate(odd)}, (), NOON)
    await stored.write({odd[0]: Remembered(text="9", of=replace(of, system_identifier=None))}, odd[3:], NOON)
    found = await stored.load()
    assert [found[place].text if place in found else None for place in odd] == ["9", "1", "2", None]
    assert found[odd[1]].of == of


async def _one(stored: StoredMemories) -> Remembered:
    """Write one document of a server, and give it as it comes back."""
    place = Place(target=Target("x"), probe="", kind="k")
    await stored.write({place: Remembered(text="1", of=identity(SHOP, 1.5))}, (), NOON)
    return (await stored.load())[place]
