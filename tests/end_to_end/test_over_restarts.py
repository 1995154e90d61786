"""The daemon is killed and started again: what happened meanwhile is seen, and forecasts go on from their points."""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import absent
from tests.faults.harness import Samples, daemon, one
from tests.patience import PATIENCE
from tests.standby import follows, on, primary_of, standby_of
from tests.versions import NEWEST, binaries

TEN_TIB = 10 * 2**40
ASKED = ("replication", "sequences", "server", "settings", "sizes", "vacuum")
REMEMBERED = {"Standbys", "Known", "Limits", "Burn", "Courses", "Start"}
CONFIG = {
    "probes": {name: {"every": "2s"} for name in ASKED}
    | {"sizes": {"every": "2s", "limits": [{"limit_bytes": TEN_TIB}]}},
    "rules": {"replication.standby_lost": {"hold": 0, "after": 1, "settled": 0}},
}


def kept(file: Path) -> dict[str, Any]:
    """Give the documents in the store, by the name of their class."""
    with contextlib.suppress(sqlite3.OperationalError), contextlib.closing(sqlite3.connect(file)) as store:
        rows = store.execute("select kind, document from memories where target = 'shop'").fetchall()
        return {kind.rpartition(".")[2]: json.loads(document) for kind, document in rows}
    return {}


async def until_kept(file: Path, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async with asyncio.timeout(60 * PATIENCE):
        while not holds(documents := await asyncio.to_thread(kept, file)):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.2)
    return documents


@pytest.mark.soak
async def test_what_was_known_before_a_crash_is_known_after_it(tmp_path: Path) -> None:
    """A standby left and a setting changed while nobody watched; the forecasts' first points are still the first."""
    if binaries(NEWEST) is None:
        absent(f"PostgreSQL {NEWEST} is not fetched: python -m tests.versions fetch")
    async with primary_of(NEWEST) as cluster:
        owner = on(cluster.server, cluster.server)
        await owner.execute("create table orders (id smallserial); select setval('orders_id_seq', 9000)")
        async with (
            standby_of(owner, cluster.server, NEWEST, name="one") as standby,
            daemon(tmp_path, {"shop": owner.dsn}, CONFIG) as running,
        ):
            await follows(owner, "one")
            before = await until_kept(
                tmp_path / "state.db", lambda found: found.keys() >= REMEMBERED and "one" in found["Standbys"]
            )
            running.running.kill()
            await running.running.wait()
            await standby.stop()
            await owner.execute("alter system set random_page_cost = 3")
            await owner.execute("select pg_reload_conf()")
            await running.start()
            finding = await running.fires("replication.standby_lost", 20 * PATIENCE)
            assert finding["subject"] == "one"
            await running.until(20, "the setting changed", changed)
            after = await until_kept(tmp_path / "state.db", lambda found: further(found, before))
        await owner.close()
    assert after["Limits"][""][0] == before["Limits"][""][0]
    assert after["Courses"][0][2]["at"] == before["Courses"][0][2]["at"]
    assert after["Start"] == before["Start"]


def changed(samples: Samples) -> bool:
    return one(samples, "pgarchitect_settings_changed_timestamp_seconds", setting="random_page_cost") is not None


def further(found: dict[str, Any], before: dict[str, Any]) -> bool:
    """Tell whether the points of the ids' pace begin as before, and go on since."""
    now, then = (documents["Burn"]["xids"]["points"] for documents in (found, before))
    return bool(now[0] == then[0] and now[-1][0] > then[-1][0])
