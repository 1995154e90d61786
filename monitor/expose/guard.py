"""What stands before every page: who may ask, what browsers may do with the answer, and how long sending may take."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from multidict import CIMultiDict
from yarl import URL

from monitor.errors import UsageError
from monitor.expose import api
from monitor.expose.credentials import Credentials

Message: TypeAlias = Callable[[int, str, str], web.Response]
"""Draws a small page of a status, a title and a text."""

LOOK = ("/static/style.css", "/static/icon.svg")
"""Given to everybody, for the page that says who may not have the others wears it as well."""

OPEN = frozenset({"/metrics", "/healthz", "/readyz", *LOOK})
"""Asked by machines under any name."""

FREE = frozenset({"/healthz", "/readyz", *LOOK})
"""Answered also to who has not signed in: they say nothing of the databases."""

SEND_SECONDS = 20.0
"""A client that reads slower than this loses its connection."""

BUFFERED = 32_768
"""Bytes the system takes over without waiting."""

HEADERS = CIMultiDict(
    {
        "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        # With no-referrer browsers call the origin of our own forms "null".
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Server": "pgarchitect",
    }
)


@dataclass(frozen=True, kw_only=True)
class Guard:
    """One middleware around all pages.

    `only_loopback`: pages are given to loopback Host headers alone, so that no foreign site can reach them through
    a name that resolves to this machine (DNS rebinding); `also` is the host of `web.external_url`.
    With `credentials` named, nearly everything is given to those alone who sign in.
    """

    message: Message
    only_loopback: bool
    also: str | None = None
    credentials: Credentials = field(default_factory=Credentials)
    send_seconds: float = SEND_SECONDS

    def middleware(self) -> Middleware:
        """Give what aiohttp calls around each handler."""

        @web.middleware
        async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guarded(request, handler)

        return answer

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await self._answer(request, handler)
        response.headers.update(HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        if not response.prepared and _may_wait(request, response):
            await self._send(request, response)
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self.only_loopback and request.path not in OPEN and not self._allows(request.headers.get("Host", "")):
            text = "This page answers to loopback names such as localhost; for others set web.external_url."
            return self._say(request, 403, "Not under this name", text)
        if not await self._knows(request):
            refused = self._say(request, 401, "Who are you?", "This page needs a user's name and password, or a token.")
            refused.headers["WWW-Authenticate"] = self.credentials.challenge
            return refused
        try:
            return await handler(request)
        except UsageError as error:  # of the query: the text is for who asked
            return self._say(request, 400, "Not understood", str(error))
        except web.HTTPNotFound:
            return self._say(request, 404, "No such page", "Nothing is shown under this address.")
        except web.HTTPMethodNotAllowed as refusal:
            allowed = refusal.headers["Allow"]
            readable = "This address can only be read." if allowed == "GET,HEAD" else f"This address takes {allowed}."
            refused = self._say(request, 405, "Not in this way", readable)
            refused.headers["Allow"] = allowed
            return refused

    def _say(self, request: web.Request, status: int, title: str, text: str) -> web.Response:
        """Draw a small page; for programs, a small document."""
        if not request.path.startswith(("/api/", "/-/")):
            return self.message(status, title, text)
        return web.Response(body=api.error(text), status=status, headers={"Content-Type": "application/json"})

    async def _knows(self, request: web.Request) -> bool:
        if not self.credentials.configured or request.path in FREE:
            return True
        return await self.credentials.who(request.headers.get("Authorization", "")) is not None

    def _allows(self, host: str) -> bool:
        name = host_name(host)
        return name is not None and (name == self.also or is_loopback(name))

    async def _send(self, request: web.Request, response: web.StreamResponse) -> None:
        try:
            async with asyncio.timeout(self.send_seconds):
                await response.prepare(request)
                await response.write_eof()
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
        except ConnectionError:
            pass  # a reader who went on to another page is nothing to write down


def _may_wait(request: web.Request, response: web.StreamResponse) -> bool:
    """Tell whether sending can depend on the client: a small answer after no other goes out at once."""
    if not isinstance(response, web.Response) or request.transport is None:
        return True
    return (response.content_length or 0) > BUFFERED or request.transport.get_write_buffer_size() > 0


def host_name(host: str) -> str | None:
    """Read the name in a Host header, without its port; None when it cannot be read."""
    try:
        return URL(f"http://{host}").host
    except ValueError:
        return None


def is_loopback(name: str) -> bool:
    """Tell whether a name or address can only mean this machine."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
