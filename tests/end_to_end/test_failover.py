"""A primary is lost and its standby promoted, both watched: what was known of the tables goes on at the new primary."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import absent
from tests.database import Database
from tests.faults.harness import Daemon, daemon, one
from tests.patience import PATIENCE
from tests.standby import follows, on, primary_of, standby_of, until
from tests.versions import NEWEST, binaries

RULE = "tables.stale_statistics"
CONFIG = {
    "probes": {name: {"every": "1s"} for name in ("tables", "replication")},
    "rules": {RULE: {"hold": 0, "keep": 0, "after": 0}},
}
CHANGE = "update orders set note = note || 'x'"


@pytest.mark.soak
async def test_findings_move_with_the_server(tmp_path: Path) -> None:
    """The same table is stale at the new primary: one finding that goes on, and none that is new."""
    if binaries(NEWEST) is None:
        absent(f"PostgreSQL {NEWEST} is not fetched: python -m tests.versions fetch")
    async with primary_of(NEWEST) as cluster:
        north = on(cluster.server, cluster.server)
        await north.execute("create table orders (id int, note text) with (autovacuum_enabled = off)")
        await north.execute("insert into orders select n, '' from generate_series(1, 30000) n")
        async with standby_of(north, cluster.server, NEWEST, name="south") as standby:
            south = on(standby, cluster.server)
            targets = [
                {"name": "north", "dsn": north.dsn, "databases": {"include": ["postgres"]}},
                {"name": "south", "dsn": south.dsn, "databases": {"include": ["postgres"]}, "replica_of": "north"},
            ]
            dsns = {"north": north.dsn, "south": south.dsn}
            async with daemon(tmp_path, dsns, CONFIG | {"targets": targets}) as running:
                await fails_over(running, north, south)
                await south.close()


async def fails_over(running: Daemon, north: Database, south: Database) -> None:
    """Let the finding stand at the primary, take that away, promote the standby, and look where the finding is."""
    before = await running.fires(RULE, 30 * PATIENCE)
    assert before["target"] == "north"
    await running.until(20, "the standby is watched", lambda seen: one(seen, "pgarchitect_up", target="south") == 1)
    await follows(north, "south")
    await north.close()
    await north.server.stop()
    await running.down(30, "north")
    await south.execute("select pg_promote()")
    await south.execute(CHANGE)

    async def moved() -> bool:
        return bool(await told(running, "south"))

    await until(moved, 30)
    (after,) = await told(running, "south")
    (former,) = await told(running, "north")
    assert (after["subject"], after["moved_from"]) == (before["subject"], "north")
    assert after["starts_at"] == before["starts_at"]
    assert former["status"] == "resolved"
    past = json.loads(await running.get(f"/api/v1/findings/{after['fingerprint']}"))
    assert "north" in json.dumps(past)


async def told(running: Daemon, target: str) -> list[dict[str, Any]]:
    """Give what the rule says of a server."""
    return [each for each in await running.findings() if (each["rule"], each["target"]) == (RULE, target)]
