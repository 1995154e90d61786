"""The report as a file in a real Chromium: it asks nobody for anything, and fits a phone and a sheet of paper."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from monitor.report.html import as_html
from monitor.report.review import Review
from tests import reviews
from tests.browser.conftest import Accessible
from tests.browser.opening import ground, opened, overhang

pytestmark = pytest.mark.browser

PAPER = 703
"""Pixels between the margins of an A4 page."""


@asynccontextmanager
async def reading(browser: Browser, path: Path, width: int, scheme: str = "light") -> AsyncIterator[Page]:
    """Open a file that may load nothing but itself."""
    async with opened(browser, width, scheme, only=path.as_uri()) as page:
        await page.goto(path.as_uri())
        yield page


def written(folder: Path, review: Review) -> Path:
    path = folder / "report.html"
    path.write_text(as_html(review), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["sick", "hostile"])
async def test_it_fits_every_width_light_and_dark(browser: Browser, tmp_path: Path, name: str) -> None:
    """Nothing hangs over at 390, 1,200 and 2,560 pixels, and the style is let in by the policy."""
    path, grounds = written(tmp_path, reviews.EVERY[name]), set()
    for width in (390, 1200, 2560):
        for scheme in ("light", "dark"):
            async with reading(browser, path, width, scheme) as page:
                assert await overhang(page) == 0
                grounds.add(await ground(page))
    assert len(grounds) == 2
    assert "rgba(0, 0, 0, 0)" not in grounds


@pytest.mark.parametrize("name", ["sick", "hostile", "healthy"])
async def test_everybody_can_read_it(browser: Browser, tmp_path: Path, accessible: Accessible, name: str) -> None:
    """axe-core has no serious complaint, on a screen by day and on a phone by night."""
    path = written(tmp_path, reviews.EVERY[name])
    for width, scheme in ((1200, "light"), (390, "dark")):
        async with reading(browser, path, width, scheme) as page:
            await accessible(page)


@pytest.mark.parametrize("name", ["sick", "hostile"])
async def test_it_prints_whole(browser: Browser, tmp_path: Path, name: str) -> None:
    """On paper everything is unfolded, nothing is cut off at the side, and it is dark on light."""
    path = written(tmp_path, reviews.EVERY[name])
    async with reading(browser, path, PAPER, "dark") as page:
        await page.emulate_media(media="print")
        assert await overhang(page) == 0
        assert await page.evaluate(CUT_OFF) == []
        assert await ground(page) == "rgb(255, 255, 255)"
        for evidence in await page.locator("details.finding .meta").all():
            await expect(evidence).to_be_visible()
        assert (await page.pdf(format="A4")).startswith(b"%PDF-")


CUT_OFF = """[...document.querySelectorAll("td, th, p, pre, li, summary, h1, h2, h3")]
    .filter(each => each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).display !== "inline")
    .map(each => each.outerHTML.slice(0, 200))"""


async def test_a_finding_is_found_from_the_head_of_thousands(browser: Browser, tmp_path: Path) -> None:
    """From the list of rules to the finding, which opens at a click and holds its SQL in one piece to copy."""
    path = written(tmp_path, reviews.SICK)
    async with reading(browser, path, 390) as page:
        await page.get_by_role("navigation", name="Contents").get_by_role("link", name="Findings (3)").click()
        finding = page.locator("details.finding", has_text="index.missing_foreign_key")
        await expect(finding.locator("pre").first).to_have_text(f"{reviews.NO_INDEX.remedy.sql[0]};")
        await finding.locator("summary").click()
        await expect(finding.locator("pre").first).to_be_hidden()
        await finding.get_by_text("public.rooms (owner_id)").first.click()
        await finding.get_by_role("link", name="index.missing_foreign_key").click()
        await expect(page.locator("details[id='r-index.missing_foreign_key']")).to_be_in_viewport()
