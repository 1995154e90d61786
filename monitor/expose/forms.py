"""What people change by the forms of a finding's page; no script is needed, and other sites' pages can do nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, TypeAlias

from aiohttp import web

from monitor.config.values import seconds
from monitor.draw.page import SCOPES, SPANS
from monitor.errors import MonitorError, UsageError
from monitor.expose.credentials import Credentials
from monitor.expose.guard import Message
from monitor.expose.origin import Origin
from monitor.expose.wishes import Refused, Wish, form
from monitor.model import Alert
from monitor.status import Controls, Shelf

Deed: TypeAlias = Callable[[Wish, Alert], Awaitable[bool]]

LABELS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"finding": ("fingerprint",), "rule": ("rule", "target"), "target": ("target",)}
)
"""The labels that a silence of each scope looks at."""


class Door:
    """Lets a form through that our own page was given for, sent by who may change something."""

    def __init__(self, origin: Origin, credentials: Credentials, message: Message) -> None:
        self._origin, self._credentials, self._message = origin, credentials, message

    def token(self, request: web.Request) -> str | None:
        """Give what the forms of a page carry; None: who asks may change nothing."""
        signed_in = self._credentials.configured  # or nobody would see the page
        return self._origin.token.reveal() if signed_in or self._origin.is_local(request) else None

    def letting_in(self, name: str, deed: Deed, shelf: Shelf) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Give the handler around a deed, which says by a page what went wrong."""

        async def answer(request: web.Request) -> web.Response:
            try:
                alert = await self._do(deed, await self._wish(request), shelf)
            except Refused as error:
                return self._message(error.status, "Not done", str(error))
            except UsageError as error:
                return self._message(400, "Not done", f"{error}. Go back and mend it.")
            except MonitorError as error:
                return self._message(503, "Not done", str(error))
            return web.Response(status=303, headers={"Location": f"/findings/{alert.finding.fingerprint}?done={name}"})

        return answer

    async def _do(self, deed: Deed, wish: Wish, shelf: Shelf) -> Alert:
        alert = shelf.alert(wish.path("fingerprint"))
        if alert is None or not await deed(wish, alert):
            raise Refused(404, "There is nothing of the kind any more; look at the finding again.")
        return alert

    async def _wish(self, request: web.Request) -> Wish:
        who = await self._credentials.who(request.headers.get("Authorization", ""))
        said = await form(request)
        refusal = self._origin.refusal_of_form(request, who, str(said.get("token", "")))
        if refusal:
            raise Refused(403, refusal)
        return Wish(request, said, who or "loopback")


class Forms:
    """The handlers: each makes one change and leads back to the finding."""

    def __init__(self, controls: Controls, shelf: Shelf, clock: Callable[[], datetime]) -> None:
        self._controls, self._shelf, self._clock = controls, shelf, clock

    def routes(self, door: Door) -> list[web.RouteDef]:
        """Give every address; `door` lets in who may change something."""
        deeds = {"ack": self._ack, "unack": self._unack, "silence": self._silence, "unsilence": self._unsilence}
        return [
            web.post(f"/findings/{{fingerprint}}/{name}", door.letting_in(name, deed, self._shelf))
            for name, deed in deeds.items()
        ]

    async def _ack(self, wish: Wish, alert: Alert) -> bool:
        wish.only("token", "comment")
        return await self._controls.ack(alert.finding.fingerprint, wish.author, wish.text("comment"))

    async def _unack(self, wish: Wish, alert: Alert) -> bool:
        wish.only("token")
        return await self._controls.unack(alert.finding.fingerprint, wish.author)

    async def _silence(self, wish: Wish, alert: Alert) -> bool:
        wish.only("token", "comment", "scope", "duration")
        labels = alert.all_labels
        begin = self._clock()
        document = {
            "matchers": [f"{label}={quoted(labels[label])}" for label in LABELS[_chosen(wish, "scope", SCOPES)]],
            "comment": wish.text("comment"),
            "starts_at": begin.isoformat(),
            "ends_at": (begin + timedelta(seconds=seconds(_chosen(wish, "duration", SPANS)))).isoformat(),
        }
        try:
            await self._controls.silence(document, wish.author)
        except ValueError as error:  # of a matcher
            raise UsageError(str(error)) from None
        return True

    async def _unsilence(self, wish: Wish, alert: Alert) -> bool:
        wish.only("token", "id")
        return await self._controls.unsilence(wish.text("id"), wish.author)


def quoted(value: str) -> str:
    r"""Write a matcher's value as `parse_matcher` reads it: \, " and line feeds are escaped."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _chosen(wish: Wish, key: str, choices: Mapping[str, str]) -> str:
    value = str(wish.value(key))
    if value not in choices:
        raise UsageError(f"{key}: should be one of {', '.join(choices)}")
    return value
