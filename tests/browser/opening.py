"""A page in Chromium that must say nothing on its console and ask nobody else for anything; what is seen of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page, Request

HERE = "http://127.0.0.1:"


@asynccontextmanager
async def opened(
    browser: Browser,
    width: int = 1200,
    scheme: Any = "light",
    *,
    script: bool = True,
    only: str = HERE,
    refused: Sequence[str] = (),
) -> AsyncIterator[Page]:
    """Open it; `only` is how all begins that it may ask for.

    `refused` are ends of the addresses that may be answered with an error, which Chromium writes down.
    """
    context = await browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
    )
    page = await context.new_page()
    complaints: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if not message.location.get("url", "").endswith(tuple(refused) or ("\0",)):
            complaints.append(message.text)

    def asked(request: Request) -> None:
        if not request.url.startswith(only):
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


async def ground(page: Page) -> str:
    """Give the colour behind everything."""
    return str(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
