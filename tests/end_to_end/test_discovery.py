"""Discovery, live: who is written into a file is watched, who is taken out is let go; no page tells the password."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.database import Database
from tests.faults.harness import Daemon, daemon, one, series

pytestmark = pytest.mark.soak

RULE = "headcount.many"
PROMPTLY = 10.0
"""Seconds within which a changed file has its effect."""
NOBODY = "127.0.0.1:1"


@dataclass(frozen=True, kw_only=True)
class World:
    """A server to be discovered: a role whose password needs escaping, and a folder of files."""

    database: Database
    role: str
    canary: str
    folder: Path

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.database.server.port}"

    @property
    def environ(self) -> Mapping[str, str]:
        return {"CANARY": f"{self.canary}@/:%#?& x"}

    @property
    def settings(self) -> dict[str, Any]:
        dsn = f"postgresql://{self.role}@{{address}}/{self.database.name}"
        entry = {"files": ["targets.d/*.yaml", "targets.d/*.json"], "dsn": dsn, "password": "${CANARY}"}
        only = {"include": [self.database.name]}
        return {"discovery": [{**entry, "databases": only, "labels": {"found": "yes"}}]}

    def write(self, name: str, *groups: Mapping[str, object]) -> None:
        self.tell(name, json.dumps(groups))

    def tell(self, name: str, text: str) -> None:
        place = self.folder / "targets.d" / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)

    async def innocent(self, watched: Daemon) -> None:
        """Nothing that can be read shows the password."""
        pages = ("/metrics", "/", "/targets", "/findings", "/api/v1/targets", "/api/v1/findings", "/api/v1/status")
        told = [await watched.get(page) for page in pages]
        assert self.canary not in "".join([watched.log, *told])


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[World]:
    canary = f"c4n4ry{secrets.token_hex(8)}"
    role = f"found_{secrets.token_hex(4)}"
    made = World(database=database, role=role, canary=canary, folder=tmp_path)
    await database.execute(f"create role {role} login password '{made.environ['CANARY']}'")
    await database.execute(f"grant pg_monitor to {role}")
    yield made
    await database.execute(f"drop role {role}")


async def gone(watched: Daemon, target: str, seconds: float = PROMPTLY) -> None:
    await watched.until(seconds, f"{target} is gone", lambda seen: not series(seen, "pgarchitect_up", target=target))


async def alerts(watched: Daemon, target: str) -> list[dict[str, Any]]:
    return [each for each in await watched.findings() if each["target"] == target]


async def fires(watched: Daemon, target: str) -> dict[str, Any]:
    """Wait for the finding that the probe of the exam makes of each database."""
    until = time.monotonic() + PROMPTLY
    while not (found := [each for each in await watched.firing(RULE) if each["target"] == target]):
        assert time.monotonic() < until, watched.tail()
        await asyncio.sleep(0.1)
    return found[0]


async def test_targets_come_and_go_with_their_file(world: World, tmp_path: Path) -> None:
    """Added: up within ten seconds, with its labels. Taken out: no series any more, and its alerts are over."""
    configured = await world.database.as_monitor()
    async with daemon(tmp_path, {"shop": configured.dsn}, world.settings, world.environ) as watched:
        await watched.up()
        world.write("a.yaml", {"targets": [world.address], "labels": {"__name": "found", "env": "exam", "__x": "y"}})
        world.write("b.json", {"targets": [NOBODY]})
        assert await watched.up(PROMPTLY, "found") < PROMPTLY
        await watched.down(PROMPTLY, NOBODY)
        await fires(watched, "found")
        labels = {each["target"]: each["labels"] for each in await watched.targets()}
        assert labels == {"shop": {}, "found": {"found": "yes", "env": "exam"}, NOBODY: {"found": "yes"}}
        await world.innocent(watched)

        world.write("a.yaml")
        await gone(watched, "found")
        (alert,) = [each for each in await alerts(watched, "found") if each["rule"] == RULE]
        assert (alert["status"], alert["ended_by"]) == ("resolved", "the target is watched no longer")
        samples = await watched.samples()
        assert not [name for name, labels in samples if ("target", "found") in labels]
        assert one(samples, "pgarchitect_up", target="shop") == 1
        assert {each["target"] for each in await watched.firing(RULE)} == {"shop"}

        (world.folder / "targets.d" / "b.json").unlink()
        await gone(watched, NOBODY, 2 * PROMPTLY)
        await world.innocent(watched)
    assert watched.log.count('"target up"') == 2


async def test_a_broken_file_changes_nothing(world: World, tmp_path: Path) -> None:
    """It goes on with what it said last, is told of once, and is a finding; a reload or a restart ends nothing."""
    configured = await world.database.as_monitor()
    settings = {**world.settings, "rules": {"config.reload_failed": {"hold": 0, "keep": 0}}}
    world.write("a.yaml", {"targets": [world.address]})
    async with daemon(tmp_path, {"shop": configured.dsn}, settings, world.environ) as watched:
        await watched.up(PROMPTLY, world.address)
        finding = await fires(watched, world.address)
        world.tell("a.yaml", f"- targets: [{NOBODY}\n  password: {world.canary}\n")
        told = await watched.fires("config.reload_failed", 2 * PROMPTLY)
        assert "targets.d/a.yaml:2: is not YAML" in told["summary"]
        watched.reload()
        await asyncio.sleep(6)
        assert one(await watched.samples(), "pgarchitect_up", target=world.address) == 1
        assert watched.log.count("targets.d/a.yaml:2") == watched.log.count('"discovery"') == 1, watched.tail()

        assert await watched.stop() == 0
        await watched.start()
        await watched.up()
        await asyncio.sleep(6)
        (again,) = [each for each in await alerts(watched, world.address) if each["rule"] == RULE]
        assert (again["status"], again["starts_at"]) == ("firing", finding["starts_at"])
        world.write("a.yaml", {"targets": [world.address]})
        await watched.up(PROMPTLY, world.address)
        assert (await fires(watched, world.address))["starts_at"] == finding["starts_at"]
        await world.innocent(watched)
