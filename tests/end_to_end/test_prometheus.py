"""A real Prometheus scrapes a running monitor: the target is up, nothing is warned of, names and types are legal."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from monitor.embedded import free_port
from monitor.kinds import POSTGRES
from monitor.whole import whole_catalog
from tests.conftest import absent
from tests.database import Database
from tests.faults.harness import Daemon, daemon, one

CONFIG = """
global: {{scrape_interval: {every}, scrape_timeout: {every}, evaluation_interval: 1s}}
rule_files: {rules}
scrape_configs:
  - job_name: pgarchitect
    static_configs: [{{targets: ["{target}"]}}]
"""
PATIENCE = 30.0
SCRAPES = 6
COMPLAINTS = ("level=warn", "level=error", "Scrape failed", "Append failed", "Error on ingesting")
TABLES = """
    create table rooms (id int primary key);
    create table questions (id int primary key, room int references rooms, "ask\\" text)
"""


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus and its log."""

    port: int
    log: Path

    async def ask(self, path: str, **query: str) -> Any:
        """Ask its API."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}"
        async with aiohttp.ClientSession() as http, http.get(url, params=query) as answer:
            return json.loads(await answer.text())["data"]

    async def value(self, query: str) -> float | None:
        """Give an instant query's one value; None while there is none."""
        result = (await self.ask("query", query=query))["result"]
        return float(result[0]["value"][1]) if result else None

    def complaints(self) -> list[str]:
        """Give the lines of its log that are warnings, errors, or tell of a failed scrape; its end by us is none."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if any(sign in line for sign in COMPLAINTS) and "SIGTERM" not in line]


@asynccontextmanager
async def scraping(
    target: str, folder: Path, *, rules: Sequence[Path] = (), every: str = "500ms"
) -> AsyncIterator[Prometheus]:
    """Run Debian's Prometheus on one target until it has scraped some times; `rules` are files of rules."""
    program = shutil.which("prometheus")
    if program is None:
        absent("prometheus is not installed")
    config, log, port = folder / "prometheus.yml", folder / "prometheus.log", free_port()
    listed = json.dumps([str(path) for path in rules])  # JSON is YAML
    config.write_text(CONFIG.format(target=target, rules=listed, every=every))
    ways = (f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}", "--log.level=debug")
    with log.open("wb") as talk:
        process = await asyncio.create_subprocess_exec(
            *(program, *ways, f"--web.listen-address=127.0.0.1:{port}"), stdout=talk, stderr=talk
        )
    try:
        prometheus = Prometheus(port, log)
        await scraped(prometheus)
        yield prometheus
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 20)


async def scraped(prometheus: Prometheus) -> None:
    """Wait for some scrapes."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                if (await prometheus.value("count_over_time(up[1h])") or 0) >= SCRAPES:
                    return
            except (aiohttp.ClientError, json.JSONDecodeError, KeyError):  # it is starting
                pass
            await asyncio.sleep(0.2)


@pytest.fixture
async def watched(database: Database, tmp_path: Path) -> AsyncIterator[Daemon]:
    """The monitor on a database with something to say of, as its own role."""
    await database.execute(TABLES)
    monitor = await database.as_monitor()
    (tmp_path / "monitor").mkdir()
    names = {probe.name for probe in whole_catalog().asked.values() if probe.scope.kind == POSTGRES}
    async with daemon(tmp_path / "monitor", {"shop": monitor.dsn}) as running:
        await running.measured()
        await running.until(
            10, "all probes ran", lambda seen: all(one(seen, "pgarchitect_probe_success", probe=name) for name in names)
        )
        yield running


async def test_prometheus_scrapes_it_without_a_word(watched: Daemon, tmp_path: Path) -> None:
    """Up at every scrape, every series taken, OpenMetrics spoken, no complaint in a log that tells everything."""
    async with scraping(watched.config["web"]["listen"], tmp_path) as prometheus:
        (target,) = (await prometheus.ask("targets"))["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")
        assert await prometheus.value("min_over_time(up[1h])") == 1
        assert await prometheus.value("pgarchitect_up") == 1
        kept = await prometheus.value("scrape_samples_scraped - scrape_samples_post_metric_relabeling")
        assert kept == 0
        # Only OpenMetrics names a counter without its `_total`.
        metadata = await prometheus.ask("metadata", metric="pgarchitect_self_database_seconds")
        assert [each["type"] for each in metadata["pgarchitect_self_database_seconds"]] == ["counter"]
        assert await prometheus.value("count(count_over_time(pgarchitect_self_database_seconds_total[1h]))") == 1
    assert prometheus.complaints() == []


async def test_promtool_finds_no_error(watched: Daemon) -> None:
    """Names, types, units and help texts are as Prometheus' own linter wants them."""
    if shutil.which("promtool") is None:
        absent("promtool is not installed")
    page = await watched.get("/metrics")
    done = await asyncio.to_thread(
        subprocess.run, ["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
