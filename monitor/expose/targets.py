"""Targets over HTTP, as pages and as JSON: the list with its filters, and each with its probes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

from monitor.draw.fleet import Wanted
from monitor.draw.health import STATES
from monitor.draw.page import Drawer
from monitor.errors import UsageError
from monitor.expose import api
from monitor.expose.answers import document, html
from monitor.status import Glance


class Targets:
    """The handlers."""

    def __init__(self, glance: Callable[[], Glance], drawer: Drawer) -> None:
        self._glance, self._drawer = glance, drawer

    def routes(self) -> list[web.RouteDef]:
        """Give every address."""
        return [
            web.get("/targets", self.list),
            web.get("/targets/{target}", self.one),
            web.get("/api/v1/targets", self.api),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Give one page of the targets that are asked for."""
        glance = self._glance()
        try:
            wanted = asked(request.query)
        except UsageError as error:
            return self._message(glance, 400, "Not understood", str(error))
        return html(self._drawer.targets(glance, wanted))

    async def one(self, request: web.Request) -> web.Response:
        """Give one target."""
        glance, name = self._glance(), request.match_info["target"]
        target = next((each for each in glance.shelf.targets() if each.server == name), None)
        if target is None:
            return self._message(glance, 404, "No such target", "No target of this name is watched.")
        return html(self._drawer.target(glance, target))

    async def api(self, request: web.Request) -> web.Response:
        """Give targets as JSON."""
        try:
            return document(api.targets(self._glance(), request.query))
        except UsageError as error:
            return document(api.error(str(error)), 400)

    def _message(self, glance: Glance, status: int, title: str, text: str) -> web.Response:
        return html(self._drawer.message(title, text, glance.now), status)


def asked(query: Mapping[str, str]) -> Wanted:
    """Read which targets are asked for; raises UsageError, whose text is for who asked."""
    read = api.query(query, ("q", "state"), sized=False)
    state = read.filters.get("state", "")
    if state and state not in STATES:
        raise UsageError(f"state must be one of {', '.join(STATES)}")
    return Wanted(q=read.filters.get("q", ""), state=state, page=read.page)
