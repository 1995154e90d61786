"""Pages of figures, and those of 401, 403 and 404, in a real Chromium: they fit, and axe-core has no complaint."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from monitor.expose.credentials import Credentials
from monitor.model import Secret
from tests.browser.charted import API, POOL, SHOP, serving
from tests.browser.conftest import Accessible, Shot
from tests.browser.opening import ground, opened, overhang
from tests.unit.shelf import Told

pytestmark = pytest.mark.browser

LOOKS = [
    (390, "light"),
    pytest.param(2560, "dark", marks=pytest.mark.soak),
    pytest.param(390, "dark", marks=pytest.mark.soak),
    pytest.param(2560, "light", marks=pytest.mark.soak),
    pytest.param(1200, "light", marks=pytest.mark.soak),
    pytest.param(760, "dark", marks=pytest.mark.soak),
]
PAGES = {
    "pools": "pools",
    "pools-server": f"pools?target={SHOP}",
    "pools-pgbouncer": f"pools?target={POOL}",
    "pools-application": f"pools?target={API}",
    "tables": "tables",
    "tables-one": f"tables?target={SHOP}",
    "table": f"tables?target={SHOP}&database=shop&schema=public&table=orders",
    "indexes": f"tables/indexes?target={SHOP}",
    "indexes-none": "tables/indexes",
    "auth": "auth",
    "auth-one": f"auth?target={SHOP}&database=shop",
    "auth-blind": "auth?target=crm&database=crm",
    "statements": "statements",
    "dead-letters": "dead-letters",
}
REFUSED = "monitor.yaml:14: routes: no such setting; did you mean route?"


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
async def test_pages_of_figures_can_be_used_by_everybody(
    browser: Browser, accessible: Accessible, shot: Shot, width: int, scheme: str
) -> None:
    """Also while the configuration was refused, with the longest and most hostile names."""
    async with serving(Told(refused=REFUSED)) as web, opened(browser, width, scheme) as page:
        for name, path in PAGES.items():
            await page.goto(web.url + path)
            await shot(page, f"{name}-{width}-{scheme}")
            assert await overhang(page) <= 0, name
            await expect(page.get_by_role("region", name="Configuration")).to_contain_text(REFUSED)
            await accessible(page)


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
async def test_pages_that_refuse_have_the_style_too(
    browser: Browser, accessible: Accessible, shot: Shot, width: int, scheme: str
) -> None:
    """Who has not signed in, who may not see it, and who asks for what is not there."""
    credentials = Credentials(tokens=[Secret("word")])  # of the other challenge Chromium asks its user
    refused = ("/", "/audit", "/nope", "/favicon.ico")
    grounds = set()
    async with serving(credentials=credentials) as web, serving() as free:
        for name, url in {"401": web.url, "403": f"{free.url}audit", "404": f"{free.url}nope"}.items():
            async with opened(browser, width, scheme, refused=refused) as page:
                await page.set_extra_http_headers({"X-Forwarded-For": "10.0.0.7"})
                answer = await page.goto(url)
                await shot(page, f"{name}-{width}-{scheme}")
                assert (str(answer and answer.status), await overhang(page) <= 0) == (name, True)
                grounds.add(await ground(page))
                await accessible(page)
    assert len(grounds) == 1
    assert not {"rgba(0, 0, 0, 0)", "rgb(255, 255, 255)"} & grounds


async def test_when_a_pool_is_full_is_drawn_and_told(browser: Browser) -> None:
    """Dashed for what fills up, with the moment in words; nothing for what does not."""
    async with serving() as web, opened(browser) as page:
        await page.goto(f"{web.url}pools?target={SHOP}")
        chart = page.locator("figure", has_text="Connection slots")
        await expect(chart.locator("path.ahead").first).to_be_visible()
        await expect(chart).to_contain_text("full at 15:17 UTC, in 17.7 min, if it goes on like this")
        assert (
            await chart.locator("path.ahead").first.evaluate("each => getComputedStyle(each).strokeDasharray") != "none"
        )
        for other in (API, "crm"):
            await page.goto(f"{web.url}pools?target={other}")
            await expect(page.locator("figure").first).to_be_visible()
            await expect(page.locator("path.ahead")).to_have_count(0)


async def test_an_index_that_is_in_vain_is_found(browser: Browser) -> None:
    """From the tables to the list, to the ones with fewest scans, and from there to its table."""
    async with serving() as web, opened(browser, 390) as page:
        await page.goto(f"{web.url}tables?target={SHOP}")
        await page.get_by_role("link", name="all of them").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(f"Indexes of {SHOP}")
        await expect(page.locator("main")).to_contain_text("64 indexes")
        await expect(page.locator("tbody tr")).to_have_count(50)
        await page.get_by_role("link", name="fewest scans").click()
        row = page.locator("tbody tr", has_text="parcels_4_idx")
        await expect(row).to_contain_text("no scan in 61 d; nor on shop-eu-replica")
        await expect(page.locator("tbody tr", has_text="letters_6_idx")).to_contain_text(
            "used on shop-eu-replica, not here"
        )
        await row.get_by_role("link", name="public.parcels").click()
        await expect(page.get_by_role("heading", level=2, name="Its indexes")).to_be_visible()
        await expect(page.locator("tbody tr", has_text="parcels_4_idx")).to_be_visible()
