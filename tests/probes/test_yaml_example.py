"""The shipped YAML probe on real servers of every version: it runs, finds what is sick, and is content when cured."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.config.probes import read_yaml_probe
from monitor.model import Finding
from monitor.shipped import shipped
from tests.database import Database

PROBE = read_yaml_probe(Path(str(shipped("config", "probes.d", "subscriptions.yaml"))))


@pytest.fixture
async def subscribed(any_database: Database) -> AsyncIterator[Database]:
    """A subscription to a publisher that is not there; a subscription would keep its database from being dropped."""
    await any_database.execute(
        "create subscription \"Copy\" connection 'host=127.0.0.1 port=1' publication p with (connect = false)"
    )
    yield any_database
    await any_database.execute('alter subscription "Copy" disable')
    await any_database.execute('alter subscription "Copy" set (slot_name = none)')
    await any_database.execute('drop subscription "Copy"')


async def found(monitor: Database) -> Finding:
    """Look until there is no worker: nobody publishes, so each lives for a moment, and the next comes 5 s later."""
    for _ in range(50):
        for finding in await monitor.judge(PROBE):
            return finding
        await asyncio.sleep(0.1)
    raise AssertionError("nothing is found")


async def test_the_shipped_probe_runs_as_the_monitor_on_every_version(any_database: Database) -> None:
    assert await (await any_database.as_monitor()).judge(PROBE) == []


async def test_an_enabled_subscription_without_a_worker_is_found_until_it_is_disabled(subscribed: Database) -> None:
    monitor = await subscribed.as_monitor()
    assert await monitor.judge(PROBE) == []
    await subscribed.execute('alter subscription "Copy" enable')
    finding = await found(monitor)
    assert (finding.rule, finding.subject, finding.object.kind) == ("subscriptions.stopped", '"Copy"', "subscription")
    assert finding.summary == "Copy is enabled and nothing applies its changes"
    await subscribed.execute('alter subscription "Copy" disable')
    assert await monitor.judge(PROBE) == []
