"""`kill -9` at random moments, as often as asked: no announcement is lost, and what is said twice has one key."""

import asyncio
import contextlib
import os
import random
import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.database import Cluster, Database
from tests.end_to_end.hooks import RULE, TABLE, Hook, hook, settings, until
from tests.faults.harness import STARTING, Daemon, daemon
from tests.faults.nursery import nursery

pytestmark = pytest.mark.soak

CRASHES = int(os.environ.get("PGARCHITECT_CRASHES", "200"))
SIDE_BY_SIDE = int(os.environ.get("PGARCHITECT_SIDE_BY_SIDE", "2"))
"""Daemons that are killed at the same time, each with a store, a database and a receiver of its own."""
AT_ONCE = 8
"""Findings that come, grow worse and go at the same time."""
LIFE_SECONDS = 1.3
"""How long one lives at the most, once it watches; one in eight dies while it starts."""


@dataclass
class Written:
    """What the store says has happened, whoever lives: by item, the statuses that were committed."""

    file: Path
    said: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _newest: int = 0

    async def watch(self) -> None:
        while True:
            with contextlib.suppress(sqlite3.OperationalError):  # it is not there yet
                await asyncio.to_thread(self.read)
            await asyncio.sleep(0.05)

    def read(self) -> None:
        steps = (
            "select t.id, a.finding ->> 'subject', t.state || iif(t.state = 'firing', ' ' || t.severity, '')"
            " from transitions t join alerts a using (fingerprint)"
            " where t.id > ? and a.finding ->> 'rule' = ? order by t.id"
        )
        with contextlib.closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as store:
            for number, item, status in store.execute(steps, (self._newest, RULE)):
                self._newest = number
                self.said[item].append(status)

    async def has(self, item: str, status: str) -> None:
        while status not in self.said[item]:  # noqa: ASYNC110 - another task reads it
            await asyncio.sleep(0.02)


@dataclass
class Sickness:
    """Items that fall sick, grow worse and are cured.

    Every other one takes its next step as soon as the step before is in the store: what still waits to be said is then
    overtaken, at times. The rest wait until people heard of it: for them nothing may stand in for anything.
    """

    database: Database
    written: Written
    told: Hook
    over: bool = False
    items: int = 0
    patient: set[str] = field(default_factory=set)
    _one_by_one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def come_and_go(self) -> None:
        while not self.over:
            self.items += 1
            item = f"item {self.items}"
            if self.items % 2:
                self.patient.add(item)
            await self._run("insert into public.sick values ($1, 1)", item)
            await self._is(item, "firing warning")
            if random.random() < 0.5:
                await self._run("update public.sick set level = 2 where item = $1", item)
                await self._is(item, "firing critical")
            await self._run("delete from public.sick where item = $1", item)
            await self._is(item, "resolved")

    async def _is(self, item: str, status: str) -> None:
        """Wait until the store has it, and for the patient until somebody was told."""
        await self.written.has(item, status)
        while item in self.patient and (item, status) not in heard_of(self.told):  # noqa: ASYNC110 - threads hear
            await asyncio.sleep(0.05)

    async def _run(self, sql: str, item: str) -> None:
        async with self._one_by_one:
            await self.database.execute(sql, item)


async def crash(running: Daemon) -> None:
    """Let it live for a random time, then start it anew."""
    if random.random() < 1 / 8:
        await asyncio.sleep(random.uniform(0, 1))
    else:
        await until(lambda: watches(running), running, STARTING)
        await asyncio.sleep(random.uniform(0, LIFE_SECONDS))
    assert running.running.returncode is None, running.tail()
    running.running.kill()
    await running.running.wait()
    for log in running.folder.glob("std*"):
        log.unlink()
    await running.start()


def watches(running: Daemon) -> bool:
    assert running.running.returncode is None, running.tail()
    return '"watching"' in running.log


def lost(told: Hook, written: Written, patient: set[str]) -> list[tuple[str, str]]:
    """Give what was committed and the receiver has not heard of, nor, if that item is impatient, of anything later."""
    heard = heard_of(told)
    return [
        (item, status)
        for item, steps in written.said.items()
        for number, status in enumerate(steps)
        if not any((item, each) in heard for each in steps[number : number + 1 if item in patient else None])
    ]


def heard_of(told: Hook) -> dict[tuple[str, str], set[str]]:
    """Give the idempotency keys under which the receiver heard of each status."""
    heard: dict[tuple[str, str], set[str]] = defaultdict(set)
    for alert in told.alerts:
        status = f"firing {alert['severity']}" if alert["status"] == "firing" else "resolved"
        heard[alert["subject"], status].add(alert["idempotency_key"])
    return heard


async def test_no_crash_loses_an_announcement(cluster: Cluster, tmp_path: Path) -> None:
    """Each status that was committed reaches the receiver, or a later one does; twice only under the same key."""
    shares = [len(range(number, CRASHES, SIDE_BY_SIDE)) for number in range(SIDE_BY_SIDE)]
    async with asyncio.TaskGroup() as group:
        for number, crashes in enumerate(shares):
            group.create_task(survived(cluster, tmp_path / f"daemon {number}", crashes))


async def survived(cluster: Cluster, folder: Path, crashes: int) -> None:
    """Kill one daemon so often, and see that nothing it had to say was lost."""
    folder.mkdir()
    async with cluster.fresh() as database:
        await database.execute(TABLE)
        with hook() as told:
            await kill(database, told, folder, crashes)


async def kill(database: Database, told: Hook, folder: Path, crashes: int) -> None:
    config = settings(
        folder,
        database,
        receivers={"told": {"webhook": {"url": told.url}, "rate_limit": {"messages": 10_000, "per": "1s"}}},
        route={"receiver": "told", "group_by": ["subject"], "group_wait": 0, "group_interval": 0.1},
    )
    written = Written(folder / "state.db")
    sickness = Sickness(database, written, told)
    watching = asyncio.create_task(written.watch())
    async with nursery() as loaded, daemon(folder, {"shop": database.dsn}, config) as running:
        running.spawn = loaded.spawn
        lives = [asyncio.create_task(sickness.come_and_go()) for _ in range(AT_ONCE)]
        for _ in range(crashes):
            await crash(running)
        sickness.over = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*lives), 60)
        with contextlib.suppress(AssertionError):
            await until(lambda: not lost(told, written, sickness.patient), running, 30)
        assert lost(told, written, sickness.patient) == []
        assert all(life.done() and not life.cancelled() for life in lives), running.tail()
    watching.cancel()
    heard = heard_of(told)
    print(f"{crashes} crashes, {sickness.items} items, {len(heard)} statuses, {len(told.alerts)} alerts said")  # noqa: T201 - a measurement
    assert {status: names for status, names in heard.items() if len(names) > 1} == {}
