"""`monitor snapshot` beside a daemon: what the configuration ignores is left out, what the ledger knows is said."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.findings.silences import maintenance, silence_document
from monitor.model import Alert, State, Target
from monitor.store.alerts import StoredAlerts
from monitor.store.engine import Store
from monitor.store.ledger_book import StoredLedger
from monitor.store.records import LedgerWrite, SilenceRow
from monitor.store.silences import StoredSilences
from tests.alerts import firing
from tests.database import Database
from tests.end_to_end.command import Outcome, monitor
from tests.faults.harness import Daemon, daemon
from tests.patience import PATIENCE

pytestmark = pytest.mark.soak

RULE = "index.missing_foreign_key"
SUBJECT = "public.child (parent_id)"
HOUR = timedelta(hours=1)
SICK = """
    create table public.parent (id int primary key);
    create table public.child (id int primary key, parent_id int references public.parent);
    insert into public.parent select generate_series(1, 3000);
    insert into public.child select g, g from generate_series(1, 3000) g;
    analyze
"""


def ignore(rule: str = RULE, **more: str) -> Mapping[str, str]:
    return {"rule": rule, "reason": "the table goes away in spring", **more}


def day(distance: int) -> str:
    return str((datetime.now(UTC) + timedelta(days=distance)).date())


def write(folder: Path, dsn: str, **more: object) -> Path:
    file = folder / "monitor.yaml"
    file.write_text(json.dumps({"targets": [{"name": "shop", "dsn": dsn}], "store": "sqlite:///state.db", **more}))
    return file


async def look(file: Path, *words: str) -> Outcome:
    return await monitor("snapshot", "--config", str(file), "--window", "0", "--rule", "index.*", *words)


async def report(file: Path, *words: str) -> dict[str, Any]:
    done = await look(file, "--format", "json", *words)
    assert (done.status, done.err) == (0, ""), done.err
    return dict(json.loads(done.out))


def accused(document: Mapping[str, Any]) -> dict[str, Any]:
    (found,) = [each for each in document["findings"] if each["rule"] == RULE]
    return dict(found)


@pytest.fixture
async def sick(database: Database) -> Database:
    await database.execute(SICK)
    return database


async def test_what_the_configuration_ignores_is_counted_and_not_shown(sick: Database, tmp_path: Path) -> None:
    """It neither fails the run nor spoils the verdict; an entry that is over, or of another target, hides nothing."""
    file = write(tmp_path, sick.dsn, ignore=[ignore(subject="public.child*", until=day(1))])
    document = await report(file, "--fail-on", "info")
    assert (document["findings"], document["ignored"]) == ([], 1)
    shown = await look(file)
    assert "1 finding is ignored by the configuration" in shown.out.splitlines()
    assert SUBJECT not in shown.out
    assert "1 finding is ignored by the configuration" in (await look(file, "--format", "markdown")).out.splitlines()
    write(tmp_path, sick.dsn, ignore=[ignore(until=day(-1)), ignore(target="other")])
    document = await report(file)
    assert (accused(document)["subject"], document["ignored"]) == (SUBJECT, 0)


async def test_since_when_a_finding_stands_is_what_the_daemon_says(sick: Database, tmp_path: Path) -> None:
    """While it runs and after it has ended; with what people have said of it meanwhile."""
    changed = {"probes": {"indexes": {"every": "1s"}}}
    async with daemon(tmp_path, {"shop": sick.dsn}, changed) as running:
        await running.up()
        known = await running.fires(RULE)
        file = running.folder / "monitor.yaml"
        found = accused(await report(file, "--store"))
        assert (found["fingerprint"], found["occurrences"]) == (known["fingerprint"], 1)
        assert datetime.fromisoformat(found["since"]) == datetime.fromisoformat(known["starts_at"])
        assert {"acked", "silenced"} & found.keys() == set()
        await said(running, "ack", known["fingerprint"], "--comment", "with the owners")
        await said(running, "silence", "--target", "shop", "--for", "2h", "--comment", "moving house")
        await until_stored(tmp_path)
        assert await running.stop() == 0
    found = accused(await report(file, "--store"))
    assert (found["acked"]["comment"], found["silenced"]["comment"]) == ("with the owners", "moving house")
    line = f"since {datetime.fromisoformat(known['starts_at']):%Y-%m-%d %H:%M} UTC"
    for form in ("text", "markdown"):
        shown = (await look(file, "--store", "--format", form)).out
        assert line in shown
        assert "with the owners" in shown
    assert "since" not in accused(await report(file)), "nothing is said of it unasked"


async def said(running: Daemon, *words: str) -> None:
    done = await monitor("findings", *words, "--url", running.url, "--author", "ann")
    assert done.status == 0, done.err


async def until_stored(folder: Path) -> None:
    """Wait until both changes are in the store."""
    end = time.monotonic() + 10 * PATIENCE
    while True:
        store = await Store.look_into(f"sqlite:///{folder / 'state.db'}")
        alerts, silences = await StoredAlerts(store).load(), await StoredSilences(store).load()
        await store.close()
        if silences and any(alert.acked for alert in alerts):
            return
        assert time.monotonic() < end
        await asyncio.sleep(0.2)


async def test_a_finding_that_came_back_says_for_which_time(sick: Database, tmp_path: Path) -> None:
    """Read from a store on PostgreSQL; a silence counts while it lasts; what is over does not stand."""
    store = await Store.open(sick.dsn)
    file = write(tmp_path, sick.dsn, store=sick.dsn)
    known = third_time(sick)
    await StoredAlerts(store).save([known])
    for lasts, silenced in ((-60, False), (60, True)):
        now = datetime.now(UTC)
        quiet = replace(maintenance("shop", 3600, silence_id="one", now=now, author="bob"), starts_at=now - HOUR)
        quiet = replace(quiet, ends_at=now + timedelta(seconds=lasts))
        row = SilenceRow(id=quiet.id, ends_at=quiet.ends_at, document=silence_document(quiet))
        await StoredLedger(store).write(LedgerWrite(silences=[row]))
        found = accused(await report(file, "--store"))
        assert (found["occurrences"], "silenced" in found) == (3, silenced)
    assert ", 3rd time; silenced by bob until" in " ".join((await look(file, "--store")).out.split())
    await StoredAlerts(store).save([replace(known, state=State.RESOLVED, ends_at=datetime.now(UTC))])
    await store.close()
    assert "since" not in accused(await report(file, "--store"))


def third_time(sick: Database) -> Alert:
    """What a ledger holds of the finding; its fingerprint is that of target, rule and subject."""
    alert = replace(firing(SUBJECT, rule=RULE), occurrences=3)
    return replace(alert, finding=replace(alert.finding, target=Target("shop", sick.name)))


async def test_a_store_that_cannot_be_read_is_one_clear_line(database: Database, tmp_path: Path) -> None:
    """Before anything is looked at: no file, a store that is none, no configuration. No secret, nothing on stdout."""
    missing = write(tmp_path, database.dsn)
    done = await look(missing, "--store")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("monitor: store ")
    assert "state.db: there is no such file" in done.err
    empty = write(tmp_path, database.dsn, store=database.dsn)
    done = await look(empty, "--store")
    assert (done.status, done.out) == (2, "")
    assert "store (PostgreSQL): nothing has been stored in it" in done.err
    done = await monitor("snapshot", "--dsn", "env:SHOP", "--store", env={"SHOP": database.dsn})
    assert (done.status, done.out) == (2, "")
    assert "add --config FILE" in done.err
    assert done.err.count("\n") == 1


async def test_entries_that_do_nothing_are_told(sick: Database, tmp_path: Path) -> None:
    """One that is idle and one that is over, by a real daemon; when they are gone from the file it is over."""
    ours = {"ignore.unused": {"after": "4s"}}
    entries = [ignore(), ignore("wal.*", target="shop"), ignore("pool.*", until=day(-1))]
    changed = {"probes": {"indexes": {"every": "1s"}}, "rules": ours, "ignore": entries}
    async with daemon(tmp_path, {"shop": sick.dsn}, changed) as running:
        await running.up()
        expired = await running.fires("ignore.expired", 20)
        assert expired["object"] == {"kind": "setting", "schema": None, "name": "ignore", "column": None, "columns": []}
        assert expired["subject"] == "pool.*"
        unused = await running.fires("ignore.unused", 25)
        assert [each["subject"] for each in await running.firing("ignore.unused")] == ["wal.*, target shop"]
        assert (unused["target"], unused["severity"]) == ("pgarchitect", "info")
        assert await running.firing(RULE) == []
        running.config["ignore"] = entries[:1]
        running.reload()
        await gone(running, "ignore.unused")
        await gone(running, "ignore.expired")


async def gone(running: Daemon, rule: str, seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while await running.firing(rule):
        assert time.monotonic() < end, f"{rule} still fires\n{running.tail()}"
        await asyncio.sleep(0.2)
