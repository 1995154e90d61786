"""Statements over HTTP, as a page and as JSON: the busiest, and what they did hour by hour by our own store; pools."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

from monitor.draw.listing import SORTS, Wanted, listing
from monitor.draw.page import Drawer
from monitor.draw.statements import HOURS
from monitor.errors import UsageError
from monitor.expose import api
from monitor.expose.answers import document, html
from monitor.status import Glance, Workload


class Statements:
    """The handlers; without a workload both say that there is nothing to show."""

    def __init__(self, workload: Workload | None, glance: Callable[[], Glance], drawer: Drawer) -> None:
        self._workload, self._glance, self._drawer = workload, glance, drawer

    def routes(self) -> list[web.RouteDef]:
        """Give every address."""
        return [
            web.get("/statements", self.page),
            web.get("/api/v1/statements", self.api),
            web.get("/api/v1/pools", self.api_pools),
        ]

    async def page(self, request: web.Request) -> web.Response:
        """Give one page of the busiest statements."""
        glance = self._glance()
        if self._workload is None:
            return self._missing(glance, "No statements", "No statements are kept here.")
        asked = wanted(request.query)
        if asked.target is not None and asked.target not in {target.server for target in glance.shelf.targets()}:
            return self._missing(glance, "No such target", "No target of this name is watched.")
        listed = listing(await self._workload.statements(asked.target), asked)
        hours = await self._workload.hours(listed.rows, HOURS)
        return html(self._drawer.statements(glance, listed, hours, self._workload.window))

    async def api(self, request: web.Request) -> web.Response:
        """Give the busiest statements as JSON, and what they did hour by hour where that is asked for."""
        if self._workload is None:
            return document(api.error("no statements are kept here"), 404)
        return document(await api.statements(self._workload, request.query))

    async def api_pools(self, request: web.Request) -> web.Response:
        """Give slots, sessions and pools as JSON."""
        if self._workload is None:
            return document(api.error("no pools are kept here"), 404)
        return document(api.pools(self._workload, request.query))

    def _missing(self, glance: Glance, title: str, text: str) -> web.Response:
        return html(self._drawer.message(title, text, glance.now), 404)


def wanted(asked: Mapping[str, str]) -> Wanted:
    """Read a request's query; raises UsageError, whose text is for who asked."""
    read = api.query(asked, ("target", "database", "sort", "statement"), sized=False)
    sort = read.filters.get("sort", "time")
    if sort not in SORTS:
        raise UsageError(f"sort must be one of {', '.join(SORTS)}")
    return Wanted(
        target=read.filters.get("target"),
        database=read.filters.get("database"),
        sort=sort,
        statement=read.filters.get("statement"),
        page=read.page if "page" in asked else None,
    )
