"""What people may change over HTTP: take note of findings, silence them, reload; each with who asked for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from aiohttp import web

from monitor.config.values import seconds
from monitor.errors import MonitorError, UsageError
from monitor.expose import api
from monitor.expose.credentials import Credentials
from monitor.expose.origin import Origin
from monitor.expose.wishes import Document, Refused, Wish, document, text
from monitor.status import Controls

Change: TypeAlias = Callable[[Wish], Awaitable[web.Response]]

MOST_MATCHERS = 50


class Changes:
    """The handlers."""

    def __init__(
        self, controls: Controls, origin: Origin, credentials: Credentials, clock: Callable[[], datetime]
    ) -> None:
        self._controls, self._origin, self._credentials, self._clock = controls, origin, credentials, clock

    def routes(self) -> list[web.RouteDef]:
        """Give every address."""
        return [
            web.post("/api/v1/findings/{fingerprint}/ack", self._changing(self.ack)),
            web.delete("/api/v1/findings/{fingerprint}/ack", self._changing(self.unack)),
            web.get("/api/v1/silences", self.silences),
            web.post("/api/v1/silences", self._changing(self.silence)),
            web.delete("/api/v1/silences/{id}", self._changing(self.unsilence)),
            web.get("/api/v1/audit", self._changing(self.audit)),
            web.get("/api/v1/dead-letters", self.dead_letters),
            web.post("/-/reload", self._changing(self.reload)),
        ]

    async def ack(self, wish: Wish) -> web.Response:
        """Take note of a finding: `{author?, comment}`."""
        wish.only("author", "comment")
        fingerprint, author, comment = wish.path("fingerprint"), wish.author, wish.text("comment")
        if not await self._controls.ack(fingerprint, author, comment):
            raise Refused(404, "no such finding, or it is over")
        return _json({"fingerprint": fingerprint, "author": author, "comment": comment})

    async def unack(self, wish: Wish) -> web.Response:
        """Take an ack back."""
        wish.only("author")
        if not await self._controls.unack(wish.path("fingerprint"), wish.author):
            raise Refused(404, "no such finding, or nobody took note of it")
        return _json({"fingerprint": wish.path("fingerprint")})

    async def silences(self, request: web.Request) -> web.Response:
        """Give silences, one page of them."""
        return _json(api.query(request.query).cut("silences", self._controls.silences(), dict))

    async def silence(self, wish: Wish) -> web.Response:
        """Begin a silence: `{matchers, ends_at | duration, starts_at?, author?, comment}`."""
        wish.only("matchers", "starts_at", "ends_at", "duration", "author", "comment")
        document = {
            "matchers": _matchers(wish.value("matchers")),
            "comment": wish.text("comment"),
            **_span(wish, self._clock()),
        }
        try:
            return _json(await self._controls.silence(document, wish.author), 201)
        except ValueError as error:  # of a matcher
            raise UsageError(str(error)) from None

    async def unsilence(self, wish: Wish) -> web.Response:
        """End a silence."""
        wish.only("author")
        if not await self._controls.unsilence(wish.path("id"), wish.author):
            raise Refused(404, "no such silence, or it is over")
        return _json({"id": wish.path("id")})

    async def audit(self, wish: Wish) -> web.Response:
        """Give who changed what, one page; it names people, and so is for those who may change something."""
        asked = api.query(wish.query)
        return _json(asked.told("audit", await self._controls.audited(*asked.span)))

    async def dead_letters(self, request: web.Request) -> web.Response:
        """Give the messages that were given up, one page."""
        asked = api.query(request.query)
        try:
            return _json(asked.told("dead_letters", await self._controls.dead_letters(*asked.span)))
        except MonitorError as error:
            return _json({"error": str(error)}, 503)

    async def reload(self, wish: Wish) -> web.Response:
        """Read the configuration anew."""
        wish.only("author")
        why = await self._controls.reload(wish.author)
        return _json({"error": why}, 500) if why else _json({"reloaded": True})

    def _changing(self, change: Change) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Let a change happen only when it may, and say what went wrong as a document."""

        async def answer(request: web.Request) -> web.Response:
            who = await self._credentials.who(request.headers.get("Authorization", ""))
            refusal = self._origin.refusal(request, who)
            if refusal:
                return _json({"error": refusal}, 403)
            try:
                return await change(Wish(request, await document(request), who or "loopback"))
            except Refused as error:
                return _json({"error": str(error)}, error.status)
            except UsageError as error:
                return _json({"error": str(error)}, 400)
            except MonitorError as error:
                return _json({"error": str(error)}, 503)

        return answer


def _matchers(given: object) -> list[str]:
    if not isinstance(given, list) or not given:
        raise UsageError('matchers: should be a list of texts, such as ["target=\\"shop\\""]')
    if len(given) > MOST_MATCHERS:
        raise UsageError(f"matchers: {MOST_MATCHERS} are the most")
    return [text("matcher", each) for each in given]


def _span(wish: Wish, now: datetime) -> dict[str, str]:
    """Give when a silence begins and ends: a moment, or so long after its begin."""
    begin = now if wish.value("starts_at") is None else _moment("starts_at", wish.value("starts_at"))
    if (wish.value("ends_at") is None) is (wish.value("duration") is None):
        raise UsageError("a silence needs either ends_at or duration")
    if wish.value("duration") is None:
        end = _moment("ends_at", wish.value("ends_at"))
    else:
        end = _after(begin, wish.value("duration"))
    if end <= max(begin, now):
        raise UsageError("a silence should end after it begins, and not before now")
    return {"starts_at": begin.isoformat(), "ends_at": end.isoformat()}


def _after(begin: datetime, given: object) -> datetime:
    try:
        span = seconds(given) if isinstance(given, str) else given
        if isinstance(span, int | float) and not isinstance(span, bool):
            return begin + timedelta(seconds=span)
    except (ValueError, OverflowError):
        pass
    raise UsageError("duration: should be seconds, or a text such as 30m, 2h or 7d")


def _moment(key: str, given: object) -> datetime:
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else None
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise UsageError(f"{key}: should be a time with its zone, such as 2027-01-31T08:00:00+01:00")


def _json(document: Document, status: int = 200) -> web.Response:
    return web.Response(body=api.dump(document), status=status, headers={"Content-Type": "application/json"})
