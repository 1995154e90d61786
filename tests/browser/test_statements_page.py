"""The page of statements as people use it: a real daemon on a real server, in a real Chromium, wide and narrow."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from monitor.history.earlier import hour_of
from monitor.history.past import Key
from monitor.store.engine import Store
from monitor.store.hours import StoredHours
from tests.browser.opening import ground, opened, overhang
from tests.database import Database
from tests.faults.harness import Daemon, daemon

pytestmark = pytest.mark.browser

SETTINGS = {
    "probes": {"statements": {"every": "1s"}},
    "rules": {"statements.slow": {"simple_ms": 0.001, "complex_ms": 0.001, "min_calls": 3, "hold": 0, "keep": 600}},
}
MARK = "seen_in_the_browser"
COLUMNS = ", ".join(f"count(*) filter (where relpages > $1::int + {each}) as {MARK}_{each}" for each in range(12))
SQL = f"select {COLUMNS} from pg_class /*controller='rooms',route='%2Frooms'*/"
EARLIER = {2: (10, 4.0), 5: (20, 1.0)}
"""Hours ago, with calls and seconds: means of 400 ms and of 50 ms."""
NARROW = 400


async def listed(watched: Daemon, database: Database) -> dict[str, Any]:
    """Call our statement until the daemon lists it; give how it does."""
    session = await database.connect()
    found: list[dict[str, Any]] = []
    while not found:
        for _ in range(5):
            await session.fetch(SQL, 1)
        await asyncio.sleep(0.5)
        statements = json.loads(await watched.get("/api/v1/statements?target=shop"))["statements"]
        found = [each for each in statements if MARK in each["text"]]
    await session.close()
    assert [each["target"] for each in found] == ["shop"]
    return found[0]


async def plant(folder: Path, database: str, statement: str) -> None:
    """Give the statement some earlier hours, in the store of a daemon that has ended."""
    store, present = await Store.open(f"sqlite:///{folder / 'state.db'}"), hour_of(datetime.now(UTC))
    for ago, figures in EARLIER.items():
        kept: dict[Key, list[float]] = {(database, statement): [*map(float, figures), *[0.0] * 6]}
        await StoredHours(store).write("shop", "statements", present - ago, kept)
    await store.close()


async def test_statements_are_found_read_and_followed(browser: Browser, database: Database, tmp_path: Path) -> None:
    """From the overview to the row, from the row to its finding and back, with the hours of before a restart.

    Another target has the very same statement: neither its row nor its finding is taken for ours.
    """
    dsns = dict.fromkeys(("shop", "twin"), (await database.as_monitor()).dsn)
    async with asyncio.timeout(180):
        async with daemon(tmp_path, dsns, SETTINGS) as watched:
            await watched.up()
            name = (await listed(watched, database))["statement"]
        await plant(tmp_path, database.name, name)
        async with daemon(tmp_path, dsns, SETTINGS) as watched:
            await watched.up()
            await listed(watched, database)
            finding = await about(watched, name)
            await read(browser, watched.url, name)
            await follow(browser, watched.url, name, finding)
            await fits(browser, watched.url, ("", f"?target=shop&statement={name}#{name}"))


async def about(watched: Daemon, name: str) -> str:
    """Wait until the statement is called slow; give the finding's fingerprint."""
    while True:
        slow = await watched.firing("statements.slow")
        found = [each for each in slow if (each["target"], each["subject"]) == ("shop", name)]
        if found:
            return str(found[0]["fingerprint"])
        await asyncio.sleep(0.2)


async def read(browser: Browser, url: str, name: str) -> None:
    """By the menu to the list; the row has the figures, the tags, the whole text and the hours in words."""
    async with opened(browser, 1200) as page:
        await page.goto(f"{url}/?refresh=off")
        await page.get_by_role("navigation").get_by_role("link", name="Statements").click()
        await page.get_by_role("link", name="shop", exact=True).first.click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Statements of shop")
        row = page.locator(f"tr[id='{name}']")
        await expect(row).to_contain_text("tags route=/rooms, controller=rooms")
        await expect(row).to_contain_text("complex")
        whole = row.locator("pre")
        await expect(whole).to_be_hidden()
        await row.get_by_text("the whole text").click()
        await expect(whole).to_contain_text(f"{MARK}_11")
        chart = row.get_by_role("img")
        words = await chart.get_attribute("aria-label") or ""
        assert "longest 400 ms from" in words
        bars = (await chart.locator("path").last.get_attribute("d") or "").count("M")
        assert bars >= len(EARLIER)
        assert f"nothing was seen in {24 - bars} hours" in words
        await page.get_by_role("link", name="calls").click()
        await expect(page.get_by_role("columnheader", name="Calls")).to_have_attribute("aria-sort", "descending")


async def follow(browser: Browser, url: str, name: str, finding: str) -> None:
    """Between finding and row, both ways; the row is in sight and marked."""
    async with opened(browser, 1200) as page:
        await page.goto(f"{url}/findings/{finding}")
        await page.get_by_role("link", name="among the statements").click()
        row = page.locator("tr:target")
        await expect(row).to_have_id(name)
        await expect(row).to_be_in_viewport()
        await row.get_by_role("link", name="A statement is slow").click()
        assert page.url == f"{url}/findings/{finding}"


async def fits(browser: Browser, url: str, places: Sequence[str]) -> None:
    """On a narrow screen nothing hangs over, in the light and in the dark."""
    grounds = set()
    for scheme in ("light", "dark"):
        async with opened(browser, NARROW, scheme) as page:
            for place in places:
                await page.goto(f"{url}/statements{place}")
                await page.get_by_text("the whole text").first.click()
                assert await overhang(page) == 0
                box = await page.locator("svg.chart").first.bounding_box()
                assert box is not None
                assert box["x"] + box["width"] <= NARROW
            grounds.add(await ground(page))
    assert len(grounds) == 2
