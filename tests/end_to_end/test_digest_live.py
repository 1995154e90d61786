"""A digest whose time came while the daemon was down: made up for once, with what was found before; kill -9 or not."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from monitor.store.engine import Store
from monitor.store.ledger_book import StoredLedger
from monitor.store.records import LedgerWrite, ToldRow
from tests.alerts import firing
from tests.database import Database
from tests.faults.harness import Daemon, daemon

pytestmark = pytest.mark.soak


async def test_a_digest_that_was_slept_through_is_sent_once(
    database: Database, httpserver: HTTPServer, tmp_path: Path
) -> None:
    httpserver.expect_request("/hook", method="POST").respond_with_data("ok")
    hour_ago, yesterday = (datetime.now(UTC) - timedelta(hours=hours) for hours in (1, 20))
    await remember(tmp_path, yesterday)
    digest = {"name": "daily", "receiver": "ops", "cron": f"{hour_ago.minute} {hour_ago.hour} * * *"}
    settings = {"receivers": {"ops": {"webhook": {"url": httpserver.url_for("/hook")}}}, "digests": [digest]}
    async with daemon(tmp_path, {"shop": database.dsn}, settings) as running:
        await heard(httpserver, running)
        running.running.kill()
        await running.running.wait()
        await running.start()
        await running.up()
        await asyncio.sleep(1)
        assert await running.stop() == 0
    (document,) = [json.loads(request.data) for request, _ in httpserver.log]
    assert document["digest"]["title"] == "Daily digest"
    assert document["digest"]["since"] == yesterday.isoformat()
    assert document["digest"]["over"] + document["digest"]["still"] == 1


async def remember(folder: Path, sent_at: datetime) -> None:
    """What a daemon leaves behind that sent a digest then, and found something before."""
    store = await Store.open(f"sqlite:///{folder}/state.db")
    mark = ToldRow(receiver="ops", group="digest:daily", fingerprint="", status="sent", at=sent_at)
    await StoredLedger(store).write(LedgerWrite(alerts=[firing()], told=[mark]))
    await store.close()


async def heard(server: HTTPServer, running: Daemon) -> None:
    end = time.monotonic() + 15
    while not server.log:
        assert time.monotonic() < end, running.tail()
        await asyncio.sleep(0.05)
    await asyncio.sleep(1)  # until it is written that it arrived
