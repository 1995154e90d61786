"""What becomes of findings, as page and API are told: silences, inhibition, what waits, what is ignored, the past."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.collect.runner import Clock
from monitor.config.load import load_config
from monitor.daemon.controls import DaemonControls
from monitor.daemon.desk import Desk
from monitor.daemon.handling import DaemonHandling
from monitor.daemon.pending import Pending
from monitor.daemon.telling import Telling
from monitor.embedded import free_port
from monitor.errors import StoreError
from monitor.expose.metrics import Exposition
from monitor.findings.ignores import Ignores
from monitor.findings.ledger import Ledger
from monitor.model import Secret, Server, Severity, State, Target
from monitor.schedule import Schedule, Tasks
from monitor.standing import ServerStanding
from monitor.whole import whole_catalog
from tests.alerts import NOON, finding, firing, judgement
from tests.notices import notice

SAMPLE = notice(firing(), receiver="gone")

SERVER = Target("shop")


@dataclass
class Place:
    """A desk with its telling, whose one receiver is not there; `failing` is what the daemon would remember."""

    desk: Desk
    telling: Telling
    controls: DaemonControls
    handling: DaemonHandling
    failing: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def folder(tmp_path: Path, blank: Path) -> Path:
    """A place with a store that is up to date."""
    shutil.copy(blank, tmp_path / "state.db")
    return tmp_path


def config_file(folder: Path) -> Path:
    file = folder / "monitor.yaml"
    file.write_text(
        f"""
targets: [{{name: shop, dsn: "postgresql://monitor@127.0.0.1:1/shop", labels: {{env: prod}}}}]
receivers: {{ops: {{webhook: {{url: "http://127.0.0.1:{free_port()}/"}}}}}}
route: {{receiver: ops, group_wait: 0}}
ignore:
  - {{rule: "pool.*", reason: "known"}}
  - {{rule: "index.*", target: shop, reason: "old", until: 2026-02-28}}
  - {{rule: "sessions.*", reason: "never"}}
store: "sqlite:///state.db"
""",
        encoding="utf-8",
    )
    return file


async def nothing() -> str:
    return ""


@asynccontextmanager
async def told(folder: Path, tasks: Tasks) -> AsyncIterator[Place]:
    """Begin to tell, at noon; everything ends with the block."""
    config, pending, clock = load_config(config_file(folder), whole_catalog()), Pending(), Clock(now=lambda: NOON)
    desk = Desk(Ledger(), Exposition(), clock, pending)
    server = Server(name="shop", dsn=Secret("postgresql://x"), labels={"env": "prod"})
    desk.shelf.servers["shop"] = ServerStanding(server=server, spent=lambda: 0.0, up=True)
    failing: dict[str, str] = {}
    telling = Telling(
        desk,
        pending,
        config,
        tasks=tasks,
        schedule=Schedule(),
        clock=clock,
        heard=lambda name, _, why: failing.update({name: why}),
    )
    desk.wake = telling.want
    controls = DaemonControls(
        desk, telling.silences, pending, clock=clock, store=lambda: telling.keeper.store, reload=nothing
    )
    handling = DaemonHandling(desk, telling, lambda: failing, str)
    await telling.keeper.open()
    telling.begin(config, "http://127.0.0.1:9779")
    try:
        yield Place(desk, telling, controls, handling, failing)
    finally:
        await telling.end(0.1)
        await tasks.drain(0.1)
        await telling.keeper.close()


async def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def test_a_silence_is_named_while_it_works_and_only_for_what_is_not_over(folder: Path) -> None:
    """Also where it matches a label of the target; the page is drawn anew."""
    alert = firing()
    async with told(folder, Tasks()) as place:
        assert place.handling.silenced_by(alert, NOON) is None
        before = place.desk.shelf.revision
        hour = {"starts_at": NOON.isoformat(), "ends_at": (NOON + timedelta(hours=1)).isoformat()}
        made = await place.controls.silence({"matchers": ['env="prod"'], "comment": "upgrade", **hour}, "ann")
        (active,) = place.handling.silences(NOON)
        assert place.desk.shelf.revision > before
        assert place.handling.silenced_by(alert, NOON) == active
        assert (active.id, active.matchers, active.author, active.comment) == (
            made["id"], ('env="prod"',), "ann", "upgrade",
        )  # fmt: skip
        assert place.handling.silenced_by(replace(alert, state=State.RESOLVED), NOON) is None
        later = NOON + timedelta(hours=1)
        assert (place.handling.silenced_by(alert, later), place.handling.silences(later)) == (None, [])


async def test_what_explains_a_finding_is_named(folder: Path) -> None:
    """A server that is down explains what is said of it, as soon as a round was made; itself it does not."""
    down = replace(finding("shop", Severity.CRITICAL, rule="target.unreachable"), target=SERVER)
    async with told(folder, Tasks()) as place:
        assert place.handling.inhibited_by(firing()) is None
        place.desk.follow([judgement(down, rule="target.unreachable", source=SERVER), judgement(finding())])
        await until(lambda: place.handling.inhibited_by(firing()))
        source = place.handling.inhibited_by(firing())
        assert source is not None
        assert source.finding == down
        assert place.handling.inhibited_by(source) is None


async def test_what_waits_for_a_receiver_is_counted_and_why(folder: Path) -> None:
    """With since when; who was told of all has nothing waiting."""
    async with told(folder, Tasks()) as place:
        (idle,) = place.handling.receivers()
        assert (idle.name, idle.waiting, idle.oldest, idle.dead, idle.failing) == ("ops", 0, None, 0, "")
        place.desk.follow([judgement(finding())])
        await until(lambda: place.failing)
        (ops,) = place.handling.receivers()
        assert (ops.waiting, ops.oldest, ops.dead) == (1, NOON, 0)
        assert ops.failing.startswith("ops: ")


async def test_a_past_is_read_from_the_store_and_its_absence_is_said(folder: Path) -> None:
    """Not as an empty one."""
    async with told(folder, Tasks()) as place:
        place.desk.follow([judgement(finding())])
        await place.telling.keeper.write()
        past = await place.handling.history(finding().fingerprint)
        assert [(step.at, step.state, step.severity) for step in past.steps or ()] == [(NOON, "firing", "warning")]
        assert (await place.handling.history("0" * 16)).steps == []
        assert place.handling.store() == ""
        await place.telling.keeper.close()
        away = await place.handling.history(finding().fingerprint)
        assert (away.steps, away.reason) == (None, "the store is not open")


async def test_entries_that_ignore_nothing_are_told(folder: Path) -> None:
    """Unused, or expired, whatever they have met."""
    async with told(folder, Tasks()) as place:
        config = load_config(config_file(folder), whole_catalog())
        place.desk.ignores = Ignores(config.ignores)
        place.desk.ignores.ignored(finding(), NOON.date())
        shown = {each.rule: (each.state, each.reason) for each in place.handling.ignores(NOON.date())}
    assert shown == {"pool.*": ("used", "known"), "index.*": ("expired", "old"), "sessions.*": ("unused", "never")}


async def test_who_changed_what_can_be_read(folder: Path) -> None:
    """Newest first, once it is written; while the store is away, that is said."""
    async with told(folder, Tasks()) as place:
        hour = {"starts_at": NOON.isoformat(), "ends_at": (NOON + timedelta(hours=1)).isoformat()}
        made = await place.controls.silence({"matchers": ['env="prod"'], "comment": "upgrade", **hour}, "ann")
        await place.controls.unsilence(str(made["id"]), "bob")
        await place.telling.keeper.write()
        lines = (await place.controls.audited(0, 10)).entries
        assert [(line["who"], line["action"], line["at"]) for line in lines] == [
            ("bob", "unsilence", NOON.isoformat()), ("ann", "silence", NOON.isoformat()),
        ]  # fmt: skip
        older = await place.controls.audited(1, 10)
        assert ([line["who"] for line in older.entries], older.total) == (["ann"], 2)
        await place.telling.keeper.close()
        with pytest.raises(StoreError):
            await place.controls.audited(0, 10)


async def test_what_was_given_up_is_counted_and_listed_after_a_restart_too(folder: Path) -> None:
    """For whom, why and since when, and which findings it told of."""
    async with told(folder, Tasks()) as place:
        place.telling._say(SAMPLE)
        await place.telling.keeper.write()
        assert [(each.name, each.dead) for each in place.handling.receivers()] == [("ops", 0), ("gone", 1)]
    async with told(folder, Tasks()) as place:
        assert [(each.name, each.dead) for each in place.handling.receivers()] == [("ops", 0), ("gone", 1)]
        (letter,) = (await place.controls.dead_letters(0, 10)).entries
        told_of = SAMPLE.alerts[0].finding
        assert letter["findings"] == [
            {
                **{name: getattr(told_of, name) for name in ("fingerprint", "rule", "severity", "subject", "title")},
                "target": told_of.target.server,
                "database": told_of.target.database,
            }
        ]
        assert (letter["findings_count"], letter["digest"]) == (1, False)
        assert (letter["receiver"], letter["created_at"]) == ("gone", SAMPLE.created_at.isoformat())
        assert "does not name this receiver any more" in str(letter["reason"])
        place.telling.forget(SAMPLE.created_at + timedelta(seconds=1))
        assert [(each.name, each.dead) for each in place.handling.receivers()] == [("ops", 0)]
