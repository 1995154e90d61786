"""What somebody who changes something asks for: read from a document or a form, with who asks, and checked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TypeAlias
from urllib.parse import parse_qs

from aiohttp import web

from monitor.errors import MonitorError, UsageError

Document: TypeAlias = Mapping[str, object]

BODY = 65_536
"""Bytes a body may have."""
BODY_SECONDS = 10.0
"""A client that sends its body slower than this is told off."""
LONGEST = {"author": 100, "comment": 1000, "matcher": 1000, "id": 100}
FIELDS = 20


class Refused(MonitorError):
    """A request that is answered with this status and text."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


class Wish:
    """One request: what it is about, what its document says, and who asks."""

    def __init__(self, request: web.Request, said: Document, who: str) -> None:
        self._path, self._said, self._who = request.match_info, said, who
        self.query = request.query

    @property
    def author(self) -> str:
        """Give who asks: the name written in the document never hides who has signed in."""
        written = self.text("author", required=False)
        return self._who if written in {"", self._who} else f"{written} ({self._who})"

    def path(self, name: str) -> str:
        """Give a part of the address."""
        return self._path[name]

    def value(self, key: str) -> object:
        """Give what stands under a key; None: nothing."""
        return self._said.get(key)

    def text(self, key: str, *, required: bool = True) -> str:
        """Give a text that can be shown and stored."""
        value = self._said.get(key)
        if value is None and not required:
            return ""
        return text(key, value, required=required)

    def only(self, *keys: str) -> None:
        """Refuse a document with other keys."""
        if self._said.keys() - set(keys):
            raise UsageError(f"no such key; there are: {', '.join(keys)}")


async def document(request: web.Request) -> Document:
    """Read a body; none at all says the same as an empty document."""
    if not request.can_read_body:
        return {}
    if request.content_type != "application/json":
        raise Refused(415, "the body should be application/json")
    body = await _body(request)
    try:
        said = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise UsageError("the body is not JSON") from None
    if not isinstance(said, dict):
        raise UsageError('the body should be an object, such as {"comment": "known, mended on Monday"}')
    return said


async def form(request: web.Request) -> Document:
    """Read a form of a page; of a field that comes twice the first counts."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise Refused(415, "the body should be a form")
    try:
        said = parse_qs((await _body(request)).decode(), keep_blank_values=True, max_num_fields=FIELDS)
    except ValueError:
        raise UsageError("the body cannot be read as a form") from None
    return {key: values[0] for key, values in said.items()}


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise Refused(408, "the body took too long") from None
    except web.HTTPRequestEntityTooLarge:
        raise Refused(413, f"the body is longer than {BODY} bytes") from None


def text(key: str, value: object, *, required: bool = True) -> str:
    """Read a text that can be shown and stored; raises UsageError."""
    if not isinstance(value, str):
        raise UsageError(f"{key}: {'is required' if value is None else 'should be a text'}")
    said = value.strip()
    if required and not said:
        raise UsageError(f"{key}: is empty")
    if len(said) > LONGEST[key]:
        raise UsageError(f"{key}: {LONGEST[key]} characters are the most")
    if not all(char.isprintable() or (char in "\n\t" and key == "comment") for char in said):
        raise UsageError(f"{key}: holds a character that cannot be shown")
    return said
