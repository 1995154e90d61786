"""A page in Chromium that must say nothing on its console and ask nobody else for anything."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, ConsoleMessage, Page, Request


@asynccontextmanager
async def opened(
    browser: Browser, width: int = 1200, scheme: Any = "light", *, script: bool = True, refused: Sequence[str] = ()
) -> AsyncIterator[Page]:
    """Open it; `refused` are the addresses that may be answered with an error, which Chromium writes down."""
    context = await browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
    )
    page = await context.new_page()
    complaints: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if not message.location.get("url", "").endswith(tuple(refused) or ("\0",)):
            complaints.append(message.text)

    def asked(request: Request) -> None:
        if urlsplit(request.url).hostname != "127.0.0.1":
            complaints.append(request.url)

    page.on("console", said)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", asked)
    yield page
    await context.close()
    assert complaints == []


async def overhang(page: Page) -> int:
    """Give the pixels by which the page is wider than the window."""
    return int(await page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
