"""The shipped example configuration, run as it stands by the daemon against a real server.

The test supplies what the file asks for: the DSN by its variable, a store beside the copied file, and a free port.
"""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.embedded import free_port
from monitor.kinds import POSTGRES
from monitor.whole import whole_catalog
from tests.database import Database
from tests.faults.harness import Daemon, Samples, one, series

SHIPPED = Path(__file__).resolve().parents[2] / "config"
TARGET = "shop"


class Example(Daemon):
    """The daemon on a copy of the shipped folder."""

    def write(self) -> Path:
        """Copy it as it is; only the port is another, since 9779 may be taken on this machine."""
        shutil.copytree(SHIPPED, self.folder, dirs_exist_ok=True)
        file = self.folder / "monitor.example.yaml"
        shipped = file.read_text(encoding="utf-8")
        assert 'listen: "127.0.0.1:9779"' in shipped
        file.write_text(shipped.replace("127.0.0.1:9779", self.config["web"]["listen"]), encoding="utf-8")
        return file


@pytest.fixture
async def subscribed(database: Database) -> AsyncIterator[Database]:
    """A database with an enabled subscription, which the shipped probe in YAML watches; nobody publishes to it."""
    await database.execute(
        "create subscription copy connection 'host=127.0.0.1 port=1' publication p with (connect = false)"
    )
    await database.execute("alter subscription copy enable")
    yield database
    await database.execute("alter subscription copy disable")
    await database.execute("alter subscription copy set (slot_name = none)")
    await database.execute("drop subscription copy")


@pytest.fixture
async def example(subscribed: Database, tmp_path: Path) -> AsyncIterator[Example]:
    monitor = await subscribed.as_monitor()
    made = Example(tmp_path, {"web": {"listen": f"127.0.0.1:{free_port()}"}}, {"PGARCHITECT_DSN": monitor.dsn})
    await made.start()
    try:
        yield made
    finally:
        if made.running.returncode is None:
            made.running.kill()
            await made.running.wait()


async def test_the_example_runs_and_publishes_all_that_it_names(example: Example, subscribed: Database) -> None:
    """Ready, its target up, every probe asked and none broken, the probe in YAML among them; it ends well when told."""
    catalog = whole_catalog()
    wanted = {probe.name for probe in catalog.asked.values() if probe.scope.kind == POSTGRES} | {"subscriptions"}
    asked = "every probe has been asked"
    await example.until(20, asked, lambda seen: asked_for(seen) >= wanted)
    assert await example.get("/readyz") == "ok\n"
    samples = await example.samples()
    assert one(samples, "pgarchitect_up", target=TARGET) == 1
    ends = {dict(labels)["result"] for labels in series(samples, "pgarchitect_probe_result")}
    assert ends <= {"ok", "skipped"}, ends
    assert one(samples, "pgarchitect_subscriptions_workers", target=TARGET, subscription="copy") == 0
    assert series(samples, "pgarchitect_server_commits_total", target=TARGET, database=subscribed.name)
    (target,) = await example.targets()
    assert target["labels"] == {"env": "production"}
    assert (example.folder / "state.db").is_file()
    assert await example.stop() == 0
    assert "Traceback" not in example.log


def asked_for(samples: Samples) -> set[str]:
    """Name the probes that have had an ending."""
    return {dict(labels)["probe"] for labels in series(samples, "pgarchitect_probe_result", target=TARGET)}


async def test_the_example_says_what_it_lacks(tmp_path: Path) -> None:
    """Without its variable: one line with place and name, exit status 2, nothing begun."""
    made = Example(tmp_path, {"web": {"listen": f"127.0.0.1:{free_port()}"}})
    await made.start()
    assert await made.ended(20) == 2
    lines = (SHIPPED / "monitor.example.yaml").read_text(encoding="utf-8").splitlines()
    place = next(number for number, line in enumerate(lines, start=1) if "!env PGARCHITECT_DSN" in line)
    problem = "targets[0].dsn: the environment has no PGARCHITECT_DSN"
    assert made.log == f"{tmp_path / 'monitor.example.yaml'}:{place}: {problem}\n"
    assert not (tmp_path / "state.db").exists()
