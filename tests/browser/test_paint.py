"""How soon a person sees something: the first paint of each page of a big fleet, over loopback."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from benchmarks.fleet import Size, alerts, config, name_of
from benchmarks.house import Time, house
from benchmarks.month import Month, fill
from monitor.config.load import Config
from monitor.model import Alert
from monitor.store.engine import Store
from tests.browser.opening import opened
from tests.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.soak]

PAINT_MS = 1000.0
PAINT = "performance.getEntriesByName('first-contentful-paint').map(each => each.startTime)[0]"
SIZE = Size(days=1, statements=100)
"""A day of history: charts of more hours have no more to paint than they have places."""


async def test_the_first_paint_comes_within_a_second(browser: Browser, tmp_path: Path) -> None:
    """With 200 targets and 5,000 findings, also on the first visit, when the style has to be fetched."""
    given, moment = config(tmp_path, SIZE), Time(datetime.now(UTC))
    found = alerts(given.catalog.rules, SIZE, moment.now)
    await filled(given, found, moment.now)
    async with house(given, SIZE, moment) as fleet:
        for path in paths(found):
            async with opened(browser, 1200, "light") as page:
                await page.goto(fleet.web.url + path)
                assert await painted(page) <= PAINT_MS * PATIENCE, path


def paths(found: Sequence[Alert]) -> list[str]:
    """Every kind of page, of the server with most to show."""
    worst = name_of(0)
    charted = [f"{page}?target={worst}&hours=720" for page in ("pools", "tables", "auth")]
    lists = ["", "findings", "targets", "statements", "pools", "tables", "auth", "rules", "audit", "dead-letters"]
    return [*lists, *charted, f"findings/{found[7].finding.fingerprint}", f"targets/{worst}"]


async def filled(given: Config, found: Sequence[Alert], now: datetime) -> None:
    store = await Store.open(given.store_url.reveal())
    probes = [*given.catalog.asked.values()]
    await fill(store, Month(servers=given.servers, probes=probes, found=found, size=SIZE, now=now))
    await store.close()


async def painted(page: Page) -> float:
    """Give the ms after which something was seen; Chromium tells it a little later."""
    async with asyncio.timeout(10 * PATIENCE):
        while (found := await page.evaluate(PAINT)) is None:  # noqa: ASYNC110 - Chromium tells nobody
            await asyncio.sleep(0.05)
    return float(found)
