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
        return html(self._drawer.targets(self._glance(), asked(request.query)))

    async def one(self, request: web.Request) -> web.Response:
        """Give one target."""
        glance, name = self._glance(), request.match_info["target"]
        target = next((each for each in glance.shelf.targets() if each.server == name), None)
        if target is None:
            text = "No target of this name is watched."
            return html(self._drawer.message("No such target", text, glance.now), 404)
        return html(self._drawer.target(glance, target))

    async def api(self, request: web.Request) -> web.Response:
        """Give targets as JSON."""
        return document(api.targets(self._glance(), request.query))


def asked(query: Mapping[str, str]) -> Wanted:
    """Read which targets are asked for; raises UsageError, whose text is for who asked."""
    read = api.query(query, ("q", "state"), sized=False)
    state = read.filters.get("state", "")
    if state and state not in STATES:
        raise UsageError(f"state must be one of {', '.join(STATES)}")
    return Wanted(q=read.filters.get("q", ""), state=state, page=read.page)
