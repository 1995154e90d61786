"""Who changed what, and what was given up, as pages: read from our own store, a page at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from monitor.draw.page import FIRST, LETTERS, Drawer
from monitor.errors import MonitorError
from monitor.expose import api
from monitor.expose.answers import html
from monitor.status import Controls, Glance, Part

Read = Callable[[int, int], Awaitable[Part]]
Draw = Callable[[Glance, Part, int], bytes]


class Journal:
    """The handlers; without controls both say that there is nothing to show.

    The audit log names people, and so is for those whom `private` lets in; all others are told why not.
    """

    def __init__(
        self,
        controls: Controls | None,
        glance: Callable[[], Glance],
        drawer: Drawer,
        *,
        private: Callable[[web.Request], bool],
    ) -> None:
        self._controls, self._glance, self._drawer, self._private = controls, glance, drawer, private

    def routes(self) -> list[web.RouteDef]:
        """Give every address."""
        return [web.get("/audit", self.audit), web.get("/dead-letters", self.dead_letters)]

    async def audit(self, request: web.Request) -> web.Response:
        """Give one page of who changed what."""
        if not self._private(request):
            text = "It names people: sign in (web.basic_auth, web.tokens), or ask from the machine the monitor runs on."
            return self._message(403, "Not for everybody", text)
        if self._controls is None:
            return self._nothing()
        return await self._page(request, FIRST, self._controls.audited, self._drawer.audit)

    async def dead_letters(self, request: web.Request) -> web.Response:
        """Give one page of the messages that were given up."""
        if self._controls is None:
            return self._nothing()
        return await self._page(request, LETTERS, self._controls.dead_letters, self._drawer.dead_letters)

    async def _page(self, request: web.Request, each: int, read: Read, draw: Draw) -> web.Response:
        page = api.query(request.query, sized=False).page
        try:
            part = await read((page - 1) * each, each)
        except MonitorError as error:
            return self._message(503, "Cannot be read at present", str(error))
        return html(draw(self._glance(), part, page))

    def _nothing(self) -> web.Response:
        return self._message(404, "Nothing is kept", "This monitor keeps no such list.")

    def _message(self, status: int, title: str, text: str) -> web.Response:
        return html(self._drawer.message(title, text, self._glance().now), status)
