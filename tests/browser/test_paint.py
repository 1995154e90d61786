"""How soon a person sees something: the first paint of each page of a big fleet, over loopback."""

import asyncio

import pytest
from playwright.async_api import Browser, Page

from benchmarks.pages import fleet
from tests.browser.opening import opened
from tests.patience import PATIENCE
from tests.unit.controls import Ledger, serving
from tests.unit.shelf import Pile

pytestmark = [pytest.mark.browser, pytest.mark.soak]

PAINT_MS = 1000.0
PAINT = "performance.getEntriesByName('first-contentful-paint').map(each => each.startTime)[0]"


async def test_the_first_paint_comes_within_a_second(browser: Browser) -> None:
    """With 200 targets and 5,000 findings, also on the first visit, when the style has to be fetched."""
    big = fleet()
    pile = Pile(targets_=big.servers, alerts_=big.found, not_evaluated_=big.unknown)
    worst = f"findings/{big.found[0].finding.fingerprint}"
    async with serving(pile, Ledger()) as web:
        for path in ("", "findings", worst, "targets", f"targets/{big.servers[0].server}", "rules"):
            async with opened(browser, 1200, "light") as page:
                await page.goto(web.url + path)
                assert await painted(page) <= PAINT_MS * PATIENCE, path


async def painted(page: Page) -> float:
    """Give the ms after which something was seen; Chromium tells it a little later."""
    async with asyncio.timeout(10 * PATIENCE):
        while (found := await page.evaluate(PAINT)) is None:  # noqa: ASYNC110 - Chromium tells nobody
            await asyncio.sleep(0.05)
    return float(found)
