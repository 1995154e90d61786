"""Pools, tables and auth over HTTP: pages of lists and charts, from memory and our own store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

from aiohttp import web

from monitor.draw import auth, indexes, pools, tables
from monitor.draw.asked import SPANS, Asked
from monitor.draw.canvas import Courses
from monitor.draw.charted import Charted
from monitor.draw.evidence import HOURS
from monitor.draw.page import Drawer
from monitor.draw.tables import Scene as TableScene
from monitor.errors import UsageError
from monitor.expose.answers import html
from monitor.history.trend import Course, Line, Trends
from monitor.model import Alert
from monitor.status import Glance


class Scene(Protocol):
    """A page before its charts."""

    @property
    def charted(self) -> Sequence[Line]:
        """Give the lines whose courses are drawn."""


S = TypeVar("S", bound=Scene)
LONGEST = 1000
"""Characters of what is asked for."""
PAGES = 100_000


class TrendPages:
    """The handlers; without trends each says that there is nothing to show. `listed` gives a server's indexes."""

    def __init__(
        self, trends: Trends | None, glance: Callable[[], Glance], drawer: Drawer, listed: indexes.Read
    ) -> None:
        self._trends, self._glance, self._drawer, self._listed = trends, glance, drawer, listed
        self._charted = Charted(drawer)

    def routes(self) -> list[web.RouteDef]:
        """Give every address."""
        return [
            web.get("/pools", self.pools),
            web.get("/tables", self.tables),
            web.get("/tables/indexes", self.indexes),
            web.get("/auth", self.auth),
        ]

    async def pools(self, request: web.Request) -> web.Response:
        """Give connection slots and pools."""
        return await self._answer(request, pools.SORTS, pools.scene, self._charted.pools)

    async def tables(self, request: web.Request) -> web.Response:
        """Give tables, and the largest indexes."""
        return await self._answer(request, tables.SORTS, self._tables, self._charted.tables)

    def _tables(self, glance: Glance, trends: Trends, asked: Asked) -> TableScene:
        """Put tables and their indexes together, which have a turning and an order of their own."""
        own = indexes.listing(glance, trends, replace(asked, sort="", page=1), self._listed)
        return tables.scene(glance, trends, asked, own)

    async def indexes(self, request: web.Request) -> web.Response:
        """Give all indexes of a server."""
        scene_of = partial(indexes.scene, read=self._listed)
        return await self._answer(request, indexes.SORTS, scene_of, self._charted.indexes)

    async def auth(self, request: web.Request) -> web.Response:
        """Give links, sweeps, accounts, sessions and sign-ups."""
        return await self._answer(request, (), auth.scene, self._charted.auth)

    async def _answer(
        self,
        request: web.Request,
        sorts: Collection[str],
        scene_of: Callable[[Glance, Trends, Asked], S],
        draw: Callable[[Glance, S, Courses], bytes],
    ) -> web.Response:
        """Put the scene together, read the courses of its charts, and draw both."""
        glance, trends = self._glance(), self._trends
        if trends is None:
            return self._missing(glance, "Nothing is kept here", "No figures are kept over time.")
        asked = read(request.path, request.query, sorts)
        if asked.target and asked.target not in {target.server for target in glance.shelf.targets()}:
            return self._missing(glance, "No such target", "No target of this name is watched.")
        scene = scene_of(glance, trends, asked)
        return html(draw(glance, scene, await trends.courses(scene.charted, asked.hours)))

    def _missing(self, glance: Glance, title: str, text: str) -> web.Response:
        return html(self._drawer.message(title, text, glance.now), 404)


def numbers(trends: Trends | None) -> Callable[[Alert], Awaitable[Course | None]]:
    """Give who knows the main numbers of findings over time."""

    async def course(alert: Alert) -> Course | None:
        if trends is None:
            return None
        return await trends.evidence(alert.finding.fingerprint, alert.finding.target.server, HOURS)

    return course


def read(path: str, query: Mapping[str, str], sorts: Collection[str]) -> Asked:
    """Understand a query; raises UsageError with what is wrong with it."""
    hours, page = query.get("hours", "24"), query.get("page", "1")
    if not hours.isdecimal() or int(hours[:9]) not in SPANS:
        raise UsageError(f"hours: one of {', '.join(map(str, SPANS))}")
    if not page.isdecimal() or not 1 <= int(page[:9]) <= PAGES:
        raise UsageError("page: a number from 1 on")
    if (sort := query.get("sort", "")) and sort not in sorts:
        raise UsageError(f"sort: one of {', '.join(sorts)}" if sorts else "sort: there is nothing to choose here")
    texts = {name: query.get(name, "") for name in ("target", "database", "schema", "table", "text")}
    if any(len(text) > LONGEST for text in texts.values()):
        raise UsageError(f"at most {LONGEST} characters each")
    return Asked(path=path, sort=sort, hours=int(hours), page=int(page[:9]), **texts)
