"""PgBouncer's counters, on a real one: in base units, through a reload, and bounded where there are many databases."""

from datetime import UTC, datetime

from monitor.measurement import Measurement
from monitor.model import Result, Secret, Server, Target
from monitor.probe import Memory
from probes.pgbouncer_stats import COUNTERS, PROBE, TOLD, detail
from tests.database import Database
from tests.looking import eye_of
from tests.probes.test_pgbouncer import world


async def test_counters_go_on_through_a_reload(database: Database) -> None:
    """Growth is seen before and after RELOAD, and is the same number of queries."""
    async with (
        world(database, "transaction") as here,
        eye_of(Server(name="pool", dsn=Secret(here.pooler.dsn("eye")), kind="pgbouncer"), PROBE) as eye,
    ):
        client = await here.client()
        grown = []
        await client.execute("select 1")
        await eye.look()
        for _ in range(2):
            for _ in range(5):
                await client.execute("select 1")
            here.pooler.command("RELOAD")
            seen = await eye.look()
            assert seen.result is Result.OK, seen.reason
            grown += [row["queries_pooled"] for row in seen.grown or () if row["database"] == here.name]
        await client.close()
    assert grown == [5, 5]


def reading(growth: float | None) -> Measurement:
    names = [f"d{count}" for count in range(TOLD + 20)]
    rows = [{"database": name, **dict.fromkeys(COUNTERS, float(place))} for place, name in enumerate(names)]
    grown = [{"database": name, **dict.fromkeys(COUNTERS, growth)} for name in names]
    return Measurement(
        target=Target("pool"),
        probe=PROBE.name,
        taken_at=datetime.now(UTC),
        rows=rows,
        grown=grown if growth is not None else None,
    )


async def test_many_databases_are_bounded_and_no_counter_falls() -> None:
    """The busiest by name, the others as one; the sum grows by what all grew."""
    memory, others = Memory(), []
    for growth in (None, 2.0, 3.0):
        seen = await detail(None, memory, reading(growth))  # type: ignore[arg-type]  # it asks nothing
        assert len(seen.exposed or ()) <= TOLD + 1
        others += [row["queries_pooled"] for row in seen.exposed or () if row["database"] == "other"]
    assert others == [40.0, 60.0]
