"""What a report lists of pools: the limits, who holds sessions; and nothing that JSON cannot say."""

import json
import math

from monitor.measurement import Row
from probes.pool import PROBE
from probes.pool_listing import of_application, of_pgbouncer, of_server
from tests.database import Database


def limit(left: float | None, **given: object) -> Row:
    names = {"kind": "server", "role": "", "database": "", "slots_used": 9, "slots_limit": 97}
    return {**names, **given, "time_to_exhaustion_seconds": left}


async def test_a_server_lists_its_slots_and_who_holds_them(database: Database) -> None:
    """The server's slots with those of a real session in them."""
    await database.connect(application_name="shop")
    async with (await database.as_monitor()).eye(PROBE) as eye:
        seen = await eye.look()
    rows = [row for name, row in seen.listed() if name == "pools"]
    whole = next(row for row in rows if row["kind"] == "server")
    held = [row for row in rows if row["kind"] == "sessions"]
    assert whole["limit"] == 57
    assert whole["used"] == sum(int(str(row["sessions"])) for row in held)
    assert ("shop", "idle", 1) in [(row["application"], row["state"], row["sessions"]) for row in held]
    assert json.dumps(rows, allow_nan=False)


def test_a_limit_tells_the_time_left_only_where_there_is_a_trend() -> None:
    """No trend is infinity, which is no number in JSON."""
    limits = [limit(math.inf), limit(None), limit(61.4, kind="role", role="api")]
    rows = [row for _, row in of_server([], limits)]
    assert [row.get("seconds_left") for row in rows] == [None, None, 61]
    assert [(row["kind"], row["name"]) for row in rows] == [("server", ""), ("server", ""), ("role", "api")]


def test_waiting_clients_come_first() -> None:
    """Of two pools of PgBouncer the one with clients waiting is listed first, however busy the other is."""
    pool = {"user": "api", "pool_mode": "session", "waited_seconds": 0.0, "servers": 1.0, "pool_size": 20.0}
    calm = {**pool, "database": "calm", "cl_active": 90.0, "cl_waiting": 0.0}
    full = {**pool, "database": "full", "cl_active": 1.0, "cl_waiting": 3.0}
    assert [row["database"] for _, row in of_pgbouncer([calm, full])] == ["full", "calm"]


def test_an_applications_pool_is_listed_with_what_is_known() -> None:
    """A gauge that is not named is null."""
    (listed,) = of_application([{"pool": "api", "in_use": 3.0, "size": 10.0, "waiting": None}])
    assert listed == ("pools", {"kind": "application", "name": "api", "used": 3.0, "limit": 10.0, "waiting": None})
