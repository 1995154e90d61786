"""A real Chromium for the tests of the page; each test gets a fresh one, which may reach nothing but this machine."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.browser import axe
from tests.conftest import absent

Accessible = Callable[[Page], Awaitable[None]]
Shot = Callable[[Page, str], Awaitable[None]]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, steered by Playwright."""
    path = shutil.which("chromium")
    if path is None:
        absent("Chromium is not installed: apt-get install chromium")
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=path, args=as_root)
        yield chromium
        await chromium.close()


@pytest.fixture(scope="session")
def accessible() -> Accessible:
    """Checks that axe-core finds nothing serious on a page as it stands."""
    try:
        script = axe.script()
    except (OSError, subprocess.SubprocessError) as error:
        absent(f"axe-core {axe.RELEASE} cannot be had from npm: {error}")

    async def check(page: Page) -> None:
        assert await axe.faults(page, script) == []

    return check


@pytest.fixture(scope="session")
def shot() -> Shot:
    """Keeps a picture of a whole page in $PGARCHITECT_SHOTS, or .cache/shots."""
    folder = Path(os.environ.get("PGARCHITECT_SHOTS") or Path(__file__).parents[2] / ".cache" / "shots")
    folder.mkdir(parents=True, exist_ok=True)

    async def keep(page: Page, name: str) -> None:
        await page.screenshot(path=folder / f"{name}.png", full_page=True)

    return keep
