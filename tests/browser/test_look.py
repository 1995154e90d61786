"""Every page in a real Chromium, light and dark, narrow and wide: nothing hangs over, axe-core has no complaint."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from tests.browser.conftest import Accessible, Shot
from tests.browser.opening import opened, overhang
from tests.browser.world import ODD, OPEN, alerts, pile, told
from tests.unit.controls import Ledger, serving
from tests.unit.shelf import Pile

pytestmark = pytest.mark.browser

FULL = 1200
"""The width at which axe-core looks at every page; at the others at those that hold most."""
BUSY = ("overview", "odd-finding", "targets")
LOOKS = [
    (FULL, "light"),
    pytest.param(FULL, "dark", marks=pytest.mark.soak),
    (390, "light"),
    pytest.param(2560, "dark", marks=pytest.mark.soak),
]
ODD_ONE = next(each.finding.fingerprint for each in alerts() if each.finding.title == ODD)
PAGES = {
    "overview": "",
    "findings": "findings",
    "nothing-found": "findings?q=nothing",
    "finding": f"findings/{OPEN.fingerprint}?done=ack",
    "odd-finding": f"findings/{ODD_ONE}",
    "targets": "targets",
    "target": "targets/shop-eu",
    "rules": "rules",
    "rule": "rules/statements.temp_spill",
    "audit": "audit",
    "migrations": "migrations",
}


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
async def test_every_page_can_be_used_by_everybody(
    browser: Browser, accessible: Accessible, shot: Shot, width: int, scheme: str
) -> None:
    """Also with names as long, as foreign and as hostile as they come."""
    ledger = Ledger(audit=[("ack", "5c1599c63985c16a", ODD, "ann")])
    async with serving(pile(), ledger, told=told()) as web, opened(browser, width, scheme) as page:
        for name, path in PAGES.items():
            await page.goto(web.url + path)
            assert await overhang(page) <= 0, name
            if width == FULL or name in BUSY:
                await shot(page, f"{name}-{width}-{scheme}")
                await accessible(page)


async def test_an_empty_page_and_one_that_waits_can_be_used(
    browser: Browser, accessible: Accessible, shot: Shot
) -> None:
    """Before anything was read, with no target at all, and where there is nothing."""
    waiting = [each for each in pile().targets_ if each.server == "crm"]
    piles = {"none": Pile(), "loading": Pile(ready=False, targets_=waiting), "well": Pile(targets_=waiting)}
    for name, empty in piles.items():
        async with serving(empty, Ledger()) as web, opened(browser, FULL, refused=("/findings/0",)) as page:
            for path in ("", "findings", "targets", "findings/0"):
                await page.goto(web.url + path)
                await shot(page, f"{name}-{path.replace('/', '-') or 'overview'}")
            await accessible(page)
            await page.goto(web.url)
            await accessible(page)
