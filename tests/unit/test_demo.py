"""The demo's parts that need no server: what is planted, its configuration, and how it ends."""

import asyncio
import os
import signal
import socket
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.config.load import load_config
from monitor.demo import turns
from monitor.demo.config import BACK_DATED, CONFIG, NOTE, open_port, write_config
from monitor.demo.ending import INTERRUPTED, ending
from monitor.demo.faults import INVITATION, LEADERBOARD, PLANTED, SEARCH, fingerprint
from monitor.demo.past import HOURS, back_date
from monitor.demo.schema import DATABASE
from monitor.demo.traffic import ACTORS
from monitor.errors import EmbeddedError
from monitor.history.earlier import Ledge, hour_of
from monitor.sql.text import StatementKind, read_statement
from monitor.store.engine import Store
from monitor.store.hours import StoredHours
from monitor.whole import whole_catalog

DSN = "postgresql://monitor:planted@127.0.0.1:1/videochat"


def test_every_planted_fault_names_a_rule_that_exists() -> None:
    """A rule that is renamed must be renamed here too."""
    assert {fault.rule for fault in PLANTED} <= whole_catalog().rules.keys()


def test_the_slow_statement_is_simple_and_the_heavy_one_is_not() -> None:
    """The slow one is judged by the lower limit; the heavy one must not be slow as well."""
    slow, heavy = read_statement(SEARCH), read_statement(LEADERBOARD)
    assert slow is not None
    assert heavy is not None
    assert (slow.kind, heavy.kind) == (StatementKind.SIMPLE, StatementKind.COMPLEX)


def test_the_configuration_has_no_mistake_and_warns_of_nothing(tmp_path: Path) -> None:
    """It is read as any other; each changed rule says so in its findings' evidence."""
    config = load_config(write_config(tmp_path / "monitor", DSN, 9779), whole_catalog())
    assert config.warnings == ()
    changed = {name for name, judge in config.catalog.rules.items() if judge.note}
    assert changed <= {fault.rule for fault in PLANTED}
    assert {judge.note for judge in config.catalog.rules.values()} == {"", NOTE, BACK_DATED}
    assert config.catalog.rules["statements.regressed"].note == BACK_DATED


async def test_the_back_dated_hours_are_a_day_and_hold_what_was_counted(tmp_path: Path) -> None:
    """As long ago as the rule wants, and none in the present hour, which is the show's own."""
    config = load_config(write_config(tmp_path / "monitor", DSN, 9779), whole_catalog())
    probe, key = config.catalog.probes["statements"], (DATABASE, fingerprint(INVITATION))
    assert probe.history is not None
    counted = [
        dict.fromkeys(probe.history.columns, 0.0) | {"calls": 100.0, "exec_seconds": 0.1 + hour / 1000}
        for hour in range(HOURS)
    ]
    await back_date(config, counted)
    present, store = hour_of(datetime.now(UTC)), await Store.open(config.store_url.reveal())
    stored = StoredHours(store)
    ledge = Ledge(
        stored=stored, server="demo", probe=probe.name, kept=probe.history, since=present - 48, present=present
    )
    before = (await ledge.baselines([key]))[key]
    begins = await stored.begins("demo", probe.name)
    await store.close()
    assert (before.hours, before.weight, round(before.median, 6)) == (25, 2500, 0.00112)
    assert begins is not None
    assert present - begins >= 25


def test_nobody_else_may_read_the_configuration(tmp_path: Path) -> None:
    """Folder, configuration and DSN are the owner's alone."""
    file = write_config(tmp_path / "monitor", DSN, 9779)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (file.parent, file, file.parent / "dsn")]
    assert modes == [0o700, 0o600, 0o600]
    assert "planted" not in file.read_text()


def test_a_taken_port_gives_another_one() -> None:
    """The demo runs beside a daemon on the usual port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert open_port(port) not in {0, port}


async def test_what_is_cancelled_by_a_signal_may_clean_up_first() -> None:
    """Ctrl-C cancels the work, waits for its end, and says 130."""
    cleaned = []

    async def work() -> str:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)
        return "done"

    async with ending() as end:
        assert await end.unless_over(work()) is None
    assert (cleaned, end.status) == ([True], INTERRUPTED)


async def test_work_that_fails_fails() -> None:
    """A failure is not taken for an end that somebody wanted."""

    async def work() -> None:
        raise EmbeddedError("it does not start")

    async with ending() as end:
        with pytest.raises(EmbeddedError):
            await end.unless_over(work())


def test_a_machine_four_times_slower_still_shows_the_n_plus_one_and_not_its_near_miss() -> None:
    """The lookups stay above the rule's limit when they are asked for a quarter as often; the near miss never is."""
    (paced,) = (actor for actor in ACTORS if actor.turn is turns.overview)
    (near,) = (actor for actor in ACTORS if actor.turn is turns.accept)
    limit = 600
    assert f"n_plus_one: {{{{calls_per_minute: {limit}," in CONFIG
    lookups = sum(turns.PAGES) / 2 * sum(turns.PAGE_OF_ROOMS) / 2
    assert 60 / paced.every * lookups > 4 * limit
    assert 60 / (near.every * 0.9) < 0.9 * limit
    # In flight at a reading: at most one page, beside what a quarter of the pace asks for in five seconds.
    assert turns.PAGE_OF_ROOMS[1] < 5 / paced.every * lookups / 4
