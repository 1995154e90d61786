"""What the probe statements gives its history: squares of times that are right on every version; and a record of it."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.collect.runner import Clock
from monitor.history.recorder import Recorder
from monitor.measurement import Measurement, Row
from monitor.model import Secret, Server
from monitor.store.engine import Store
from monitor.store.hours import StoredHours
from probes.statements import PROBE
from tests.database import Database

NAPS = (0.01, 0.01, 0.06, 0.13)
"""Seconds; their spread is some 0.05, far above what a busy machine adds."""

LAST_MINUTE = 58
"""From here on, a minute later might be another hour."""


async def nap(database: Database) -> None:
    session = await database.connect()
    for seconds in NAPS:
        await session.fetch("select pg_sleep($1) as squares_of_naps", seconds)
    await session.close()


def napping(seen: Measurement, database: Database) -> Row:
    """The naps' row as it goes to exporter and recorder."""
    labels = {row["statement"] for row in seen.details.values() if "squares_of_naps" in str(row.get("text"))}
    (row,) = [row for row in seen.exposed or () if row["query"] in labels and row["database"] == database.name]
    return row


def figure(row: Row, column: str) -> float:
    return float(str(row[column]))


async def test_the_growth_of_squares_tells_the_spread_of_the_calls_in_between(any_database: Database) -> None:
    """Of these calls alone, whatever ran before; and it is a counter that no metric shows."""
    await nap(any_database)
    monitor = await any_database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        await eye.look()
        await nap(any_database)
        await eye.look()
        await nap(any_database)
        row = napping(await eye.look(), any_database)
    calls, seconds, squares = (figure(row, name) for name in ("calls", "exec_seconds", "exec_squares"))
    assert calls == len(NAPS)
    deviation = math.sqrt(squares / calls - (seconds / calls) ** 2)
    assert deviation == pytest.approx(0.049, abs=0.025)
    assert "exec_squares" not in {metric.column for metric in PROBE.metrics}


async def test_it_is_kept_hour_by_hour_by_database_and_fingerprint(database: Database, tmp_path: Path) -> None:
    """From the real reading into a real store and back."""
    now = datetime.now(UTC)
    recorder = Recorder(Clock(now=lambda: now + timedelta(seconds=60 if now.minute < LAST_MINUTE else 0)))
    server = Server(name="shop", dsn=Secret(database.dsn))
    monitor = await database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        recorder.take(server, PROBE, await eye.look())
        await nap(database)
        seen = await eye.look()
        recorder.take(server, PROBE, seen)
    store = await Store.open(f"sqlite:///{tmp_path}/state.db")
    stored = StoredHours(store)
    await recorder.round(stored)
    history = recorder.histories["shop", "statements"]
    row = napping(seen, database)
    key = (database.name, str(row["query"]))
    assert key in history.keys()  # noqa: SIM118 - no mapping
    stretch = history.recent(key, len(NAPS))
    assert stretch is not None
    assert stretch.values["exec_seconds"] == pytest.approx(figure(row, "exec_seconds"))
    assert history.baseline(key) is None
    assert key in await stored.keys("shop", "statements")
    await store.close()
