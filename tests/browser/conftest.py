"""A real Chromium for the tests of the page; each test gets a fresh one, which may reach nothing but this machine."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

from tests.conftest import absent


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
