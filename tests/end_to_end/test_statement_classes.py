"""A daemon's totals by class and its texts as labels, over a reload of the configuration and by a real Prometheus."""

import asyncio
from pathlib import Path

from tests.database import Database
from tests.end_to_end.test_prometheus import scraping
from tests.faults.harness import Samples, daemon, series

CALLS, INFO = "pgarchitect_statements_class_calls_total", "pgarchitect_statements_info"
QUICK = {"probes": {"statements": {"every": "1s"}}}
MEAN = (
    'rate(pgarchitect_statements_class_exec_seconds_total{class="simple", role="%s"}[5s])'
    ' / rate(pgarchitect_statements_class_calls_total{class="simple", role="%s"}[5s])'
)


def telling(samples: Samples) -> bool:
    """Tell whether the text of the one statement is a label."""
    return any("pg_sleep" in dict(labels)["text"] for labels in series(samples, INFO))


async def test_a_reload_takes_texts_back_and_leaves_the_sums(database: Database, tmp_path: Path) -> None:
    """Texts are labels only while `info` stands in the configuration; the counters go on."""
    monitor, app = await database.as_monitor(), await database.as_monitor()
    settings = {**QUICK, "statements": {"info": True}}
    async with daemon(tmp_path, {"shop": monitor.dsn}, settings) as running:
        await running.measured()
        session = await app.connect()
        for _ in range(3):
            await session.fetch("select pg_sleep(0.01)")
        await running.until(20, "the text is a label", telling)
        before = series(await running.samples(), CALLS, role=str(app.user))
        running.config["statements"] = {"info": False}
        running.reload()
        await running.until(10, "no text is a label", lambda seen: not series(seen, INFO))
        await asyncio.sleep(2)
        after = series(await running.samples(), CALLS, role=str(app.user))
    assert sum(before.values()) == 3
    assert all(after[labels] >= value for labels, value in before.items())


async def test_prometheus_tells_the_mean_of_simple_operations(database: Database, tmp_path: Path) -> None:
    """One division, and it is what the statement takes."""
    monitor, app = await database.as_monitor(), await database.as_monitor()
    (tmp_path / "monitor").mkdir()
    async with daemon(tmp_path / "monitor", {"shop": monitor.dsn}, QUICK) as running:
        await running.measured()
        calling = asyncio.create_task(called(app))
        try:
            await running.until(20, "its class is known", lambda seen: "simple" in classes(seen, str(app.user)))
            async with scraping(running.config["web"]["listen"], tmp_path) as prometheus:
                mean = await prometheus.value(MEAN % (app.user, app.user))
                while mean is None or mean != mean:  # noqa: PLR0124 - NaN: nothing was called in the time
                    await asyncio.sleep(0.5)
                    mean = await prometheus.value(MEAN % (app.user, app.user))
        finally:
            calling.cancel()
            await asyncio.wait([calling])
    assert 0.1 <= mean < 0.5


def classes(samples: Samples, role: str) -> set[str]:
    return {dict(labels)["class"] for labels in series(samples, CALLS, role=role)}


async def called(app: Database) -> None:
    """Call a simple statement of 100 ms again and again."""
    session = await app.connect()
    while True:
        await session.fetch("select pg_sleep(0.1)")
