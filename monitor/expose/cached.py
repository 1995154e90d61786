"""Bodies that are made once a version and served many times, also compressed."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Hashable

SMALL = 50_000
"""Bytes that are compressed in the loop; what is bigger goes to a thread."""


class Cached:
    """One body, made anew when it is asked for under another version."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self._version: Hashable = object()
        self._body = b""
        self._packed_from: bytes | None = None
        self._packed = b""
        self._packing = asyncio.Lock()

    def plain(self, version: Hashable) -> bytes:
        """Give the body."""
        if version != self._version:
            self._body = self._make()
            self._version = version
        return self._body

    async def packed(self, version: Hashable) -> bytes:
        """Give the body under gzip; all who wait for the same version share one compression."""
        if self.plain(version) is self._packed_from:
            return self._packed
        async with self._packing:
            body = self.plain(version)
            if body is not self._packed_from:
                self._packed = await _pack(body)
                self._packed_from = body
            return self._packed


async def _pack(body: bytes) -> bytes:
    if len(body) <= SMALL:
        return gzip.compress(body, 1, mtime=0)
    return await asyncio.to_thread(gzip.compress, body, 1, mtime=0)
