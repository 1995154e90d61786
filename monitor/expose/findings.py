"""Findings over HTTP, as pages and as JSON: the list with its filters, and each with its past."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields

from aiohttp import web

from monitor.draw.page import DONE, Drawer, Leave
from monitor.draw.search import CHOICES, Search, found
from monitor.errors import UsageError
from monitor.expose import api
from monitor.expose.answers import document, html
from monitor.history.trend import Course
from monitor.model import Alert
from monitor.status import Glance


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What who asks may see and do."""

    token: Callable[[web.Request], str | None]
    """Gives what the forms on a page carry; None: nothing may be changed."""
    private: Callable[[web.Request], bool]
    """Tells whether ids of the rows that findings count may be seen."""


Numbers = Callable[[Alert], Awaitable[Course | None]]
"""Gives a finding's main number over time; None: nothing is kept."""


class Findings:
    """The handlers."""

    def __init__(self, glance: Callable[[], Glance], drawer: Drawer, rights: Rights, numbers: Numbers) -> None:
        self._glance, self._drawer, self._numbers = glance, drawer, numbers
        self._token, self._private = rights.token, rights.private

    def routes(self) -> list[web.RouteDef]:
        """Give every address."""
        return [
            web.get("/findings", self.list),
            web.get("/findings/{fingerprint}", self.one),
            web.get("/api/v1/findings", self.api_list),
            web.get("/api/v1/findings/{fingerprint}", self.api_one),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Give one page of the findings that are asked for."""
        glance = self._glance()
        search, page = asked(request.query)
        return html(self._drawer.findings(glance, found(glance.shelf.alerts(), search, page)))

    async def one(self, request: web.Request) -> web.Response:
        """Give one finding."""
        glance = self._glance()
        alert = await _alert(glance, request)
        if alert is None:
            text = "It is over and forgotten, or never was."
            return html(self._drawer.message("No such finding", text, glance.now), 404)
        past = await glance.handling.history(alert.finding.fingerprint)
        done = request.query.get("done", "")
        leave = Leave(token=self._token(request), done=done if done in DONE else "", private=self._private(request))
        return html(self._drawer.finding(glance, alert, past, leave, await self._numbers(alert)))

    async def api_list(self, request: web.Request) -> web.Response:
        """Give findings as JSON."""
        return document(await api.findings(self._glance(), request.query, private=self._private(request)))

    async def api_one(self, request: web.Request) -> web.Response:
        """Give one finding as JSON."""
        glance = self._glance()
        alert = await _alert(glance, request)
        if alert is None:
            return document(api.error("no such finding"), 404)
        past = await glance.handling.history(alert.finding.fingerprint)
        return document(api.finding(glance, alert, past, private=self._private(request)))


async def _alert(glance: Glance, request: web.Request) -> Alert | None:
    alert = glance.shelf.alert(request.match_info["fingerprint"])
    return alert and (await glance.handling.completed([alert]))[0]


def asked(query: Mapping[str, str]) -> tuple[Search, int]:
    """Read what is searched for, and which page of it; raises UsageError, whose text is for who asked.

    A form sends its empty fields too: an empty text is anything.
    """
    read = api.query(query, [field.name for field in fields(Search)], sized=False)
    given = {name: value for name, value in read.filters.items() if value}
    for name, choices in CHOICES.items():
        if given.get(name, choices[0]) not in choices:
            raise UsageError(f"{name} must be one of {', '.join(choices)}")
    return Search(**given), read.page
