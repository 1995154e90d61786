"""What people come to the page for, done in a real Chromium: find the worst, copy SQL, quiet it, search, look on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, expect

from monitor.expose.events import Pace
from monitor.expose.server import Web
from monitor.model import Ack, Alert, Severity
from monitor.status import SilenceStatus
from tests.browser.opening import opened
from tests.browser.world import OPEN, SLOT, pile, told
from tests.database import Database
from tests.faults.harness import Daemon, daemon
from tests.unit.controls import Ledger, serving
from tests.unit.shelf import NOW, Pile, Told, alert, finding, silence

pytestmark = pytest.mark.browser


@dataclass
class Desk(Ledger):
    """A ledger whose acks and silences are seen on the page."""

    pile: Pile = field(default_factory=pile)
    told: Told = field(default_factory=told)

    async def ack(self, fingerprint: str, author: str, comment: str) -> bool:
        noted = Ack(author=author, comment=comment, at=NOW, severity=Severity.CRITICAL)
        self.pile.alerts_ = [self._noted(each, fingerprint, noted) for each in self.pile.alerts_]
        return await super().ack(fingerprint, author, comment)

    async def silence(self, document: object, author: str) -> dict[str, object]:
        assert isinstance(document, dict)
        made = {**await super().silence(document, author)}
        ends = datetime.fromisoformat(document["ends_at"])
        shown: SilenceStatus = replace(silence(document["comment"], author), id=str(made["id"]), ends_at=ends)
        fingerprint = document["matchers"][0].partition('"')[2].rstrip('"')
        self.told.silenced = {fingerprint: shown}
        return made

    def _noted(self, each: Alert, fingerprint: str, noted: Ack) -> Alert:
        return replace(each, acked=noted) if each.finding.fingerprint == fingerprint else each


@asynccontextmanager
async def fleet() -> AsyncIterator[tuple[Web, Desk]]:
    """The small fleet behind a door that tells changes at once."""
    desk = Desk()
    desk.fingerprints = {each.finding.fingerprint for each in desk.pile.alerts_}
    async with serving(desk.pile, desk, told=desk.told, pace=Pace(look=0.05, beat=0.5)) as web:
        yield web, desk


async def pasted(page: Page) -> str:
    """Give what lies on the clipboard, by pasting it into the search's field."""
    await page.get_by_role("searchbox").focus()
    await page.keyboard.press("Control+V")
    return await page.get_by_role("searchbox").input_value()


async def test_the_worst_finding_is_found_and_its_sql_copied(browser: Browser) -> None:
    """By two clicks from the first page; what lies on the clipboard is the statement and nothing else."""
    async with fleet() as (web, _), opened(browser) as page:
        await page.goto(web.url)
        await expect(page.get_by_role("heading", level=1)).to_have_text("3 critical findings, 8 warnings, 1 remark.")
        await page.locator("article").first.get_by_role("link", name=SLOT.title).click()
        await page.get_by_role("button", name="Copy").click()
        await expect(page.get_by_role("button", name="Copied")).to_be_visible()
        await page.get_by_role("navigation").get_by_role("link", name="Findings").click()
        assert await pasted(page) == "select pg_drop_replication_slot('warehouse_sync');"


@pytest.mark.parametrize("script", [True, False])
async def test_a_finding_is_silenced_for_an_hour(browser: Browser, script: bool) -> None:  # noqa: FBT001 - a parameter
    """With and without JavaScript; the page says until when, and who knows of it."""
    async with fleet() as (web, desk), opened(browser, script=script) as page:
        await page.goto(f"{web.url}findings/{OPEN.fingerprint}")
        await page.get_by_label("Silence it because").fill("we move it tonight")
        await page.get_by_label("For").select_option("1 hour")
        await page.get_by_role("button", name="Silence").click()
        await expect(page.get_by_role("status").first).to_contain_text("Silenced: nobody is told")
        await expect(page.locator("main")).to_contain_text("Silenced until 2026-11-22 16:00:00 UTC (in 60 min)")
        assert [each[0] for each in desk.audit] == ["silence"]


@pytest.mark.parametrize("script", [True, False])
async def test_a_finding_is_acknowledged(browser: Browser, script: bool) -> None:  # noqa: FBT001 - a parameter
    """By the keyboard alone; the list shows it."""
    async with fleet() as (web, desk), opened(browser, script=script) as page:
        await page.goto(f"{web.url}findings/{OPEN.fingerprint}")
        await page.get_by_label("Note").focus()
        await page.keyboard.type("ann looks at it")
        await page.keyboard.press("Enter")
        await expect(page.locator("main")).to_contain_text("Acknowledged by loopback just now: ann looks at it")
        assert desk.acks == {OPEN.fingerprint: "ann looks at it"}
        await page.goto(f"{web.url}findings?severity=critical")
        await expect(page.locator(".rows li", has_text=OPEN.title)).to_contain_text("acked")


@pytest.mark.parametrize("script", [True, False])
async def test_findings_are_searched_for(browser: Browser, script: bool) -> None:  # noqa: FBT001 - a parameter
    """By a form, whose address can be passed on; and it says so when nothing fits."""
    async with fleet() as (web, _), opened(browser, 390, script=script) as page:
        await page.goto(f"{web.url}findings")
        await page.get_by_label("Area").select_option("security")
        await page.get_by_role("button", name="Show").click()
        await expect(page.locator(".rows li")).to_have_count(1)
        await expect(page.locator(".rows li")).to_contain_text(OPEN.title)
        assert "area=security" in page.url
        await page.get_by_label("Text").fill("nothing of the kind")
        await page.get_by_role("button", name="Show").click()
        await expect(page.locator("main")).to_contain_text("Nothing matches.")
        await page.get_by_role("link", name="Clear the filter").click()
        await expect(page.locator(".rows li")).to_have_count(13)


async def test_who_comes_by_keyboard_passes_the_menu_by(browser: Browser) -> None:
    """The first stop of the keyboard leads to the content."""
    async with fleet() as (web, _), opened(browser) as page:
        await page.goto(web.url)
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="To the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("main")).to_be_focused()
        await expect(page.locator("nav [aria-current=page]")).to_have_text("Overview")


async def test_the_page_follows_what_happens(browser: Browser) -> None:
    """A new finding stands there by itself; what a reader opened, wrote and stands on is left alone."""
    async with fleet() as (web, desk), opened(browser) as page:
        await page.goto(web.url)
        await page.locator("article summary").first.click()
        await expect(page.locator("article details").first).to_have_attribute("open", "")
        await page.evaluate("scrollTo(0, 300)")
        desk.pile.alerts_ = [*desk.pile.alerts_, alert(finding("new", rule="a.new", title="Something new"))]
        desk.pile.revision += 1
        await expect(page.get_by_text("Something new")).to_be_visible()
        await expect(page.locator("article details").first).to_have_attribute("open", "")
        await expect(page.locator("article summary").first).to_be_focused()
        assert await page.evaluate("scrollY") == 300


async def test_a_half_written_form_outlives_a_change(browser: Browser) -> None:
    """Its text, its choices, the cursor's place."""
    async with fleet() as (web, desk), opened(browser) as page:
        await page.goto(f"{web.url}findings/{OPEN.fingerprint}")
        await page.get_by_label("For").select_option("1 week")
        await page.get_by_label("Silence it because").fill("we move")
        desk.pile.alerts_ = [
            replace(each, occurrences=777) if each.finding.fingerprint == OPEN.fingerprint else each
            for each in desk.pile.alerts_
        ]
        desk.pile.revision += 1
        await expect(page.locator("main")).to_contain_text("777 times")
        await page.keyboard.type(" it")
        await expect(page.get_by_label("Silence it because")).to_have_value("we move it")
        await expect(page.get_by_label("For")).to_have_value("7d")


async def test_a_page_whose_monitor_is_gone_says_so(browser: Browser) -> None:
    """And since when; what stood there stays readable."""
    async with fleet() as (web, _), opened(browser, refused=("/events", "/")) as page:
        await page.goto(web.url)
        await expect(page.locator("#lost")).to_be_hidden()
        await web.stop()
        await expect(page.locator("#lost")).to_contain_text("Connection lost: last seen at", timeout=30_000)
        await expect(page.get_by_text(SLOT.title)).to_be_visible()


async def test_a_page_held_still_stays_as_it_is(browser: Browser) -> None:
    """No events are asked for."""
    async with fleet() as (web, _), opened(browser) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"{web.url}?refresh=off")
        await expect(page.get_by_role("link", name="live again")).to_be_visible()
        assert not [each for each in asked if each.endswith("/events")]


async def counted(watched: Daemon) -> None:
    """Wait until something fires."""
    while True:
        if await watched.firing("headcount.many"):
            return
        await asyncio.sleep(0.2)


async def test_a_silence_of_the_page_works_in_the_daemon(browser: Browser, database: Database, tmp_path: Path) -> None:
    """The real one, on a real server: what the form asked for stands in the API, and in who changed what."""
    dsn = (await database.as_monitor()).dsn
    async with asyncio.timeout(120), daemon(tmp_path, {"shop": dsn}, {}) as watched:
        await watched.up()
        await counted(watched)
        async with opened(browser) as page:
            await page.goto(f"{watched.url}/findings?rule=headcount.many")
            await page.locator(".rows a.what").first.click()
            fingerprint = urlsplit(page.url).path.rpartition("/")[2]
            await page.get_by_label("Silence it because").fill("only a headcount")
            await page.get_by_role("button", name="Silence").click()
            await expect(page.locator("main")).to_contain_text("by loopback: only a headcount")
            await page.goto(f"{watched.url}/audit")
            await expect(page.locator("main")).to_contain_text("only a headcount")
        found = json.loads(await watched.get(f"/api/v1/findings/{fingerprint}"))
        assert found["silenced_by"]
