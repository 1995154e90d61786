"""An application's connection pool, as the application shows it to Prometheus: named gauges of one endpoint.

The answer is bounded in size and time, redirects are not followed, and of its lines only those are read that begin with
a wanted name.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Final

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from monitor.collect.endpoint import Endpoint
from monitor.errors import Needs, ProbeSkipped, TargetDenied, TargetError, TargetUnreachable
from monitor.kinds import Gauges
from monitor.model import Server
from monitor.probe import Facts, Row

SECONDS = 5.0
MOST_BYTES = 8 * 1024 * 1024
HEADERS: Final = MappingProxyType({"Accept": "text/plain;version=0.0.4", "Accept-Encoding": "identity"})
"""Compressed, a small answer may be a huge text."""

OK, REDIRECTED, UNAUTHORIZED, FORBIDDEN = 200, range(300, 400), 401, 403
WORDS: Final = frozenset({"text/plain", "application/openmetrics-text", "application/octet-stream"})
"""Kinds of content that may hold metrics."""


class AppPool(Endpoint["AppPoolSession"]):
    """The way to one application's metrics."""

    async def _open(self) -> AppPoolSession:
        session = AppPoolSession(self.server, spent=self._spend)
        try:
            await session.read()
        except TargetError:
            await session.close()
            raise
        return session


class AppPoolSession:
    """One HTTP connection that is kept; `fetch` gives the gauges' samples, whatever it is asked."""

    def __init__(self, server: Server, *, spent: Callable[[float], None]) -> None:
        self._url, self._name, self._gauges = server.dsn, server.name, server.gauges or Gauges(in_use="", size="")
        self._spent = spent
        self._timeout = SECONDS
        self._http = aiohttp.ClientSession(auto_decompress=False, trust_env=False)
        self._alive = True

    @property
    def facts(self) -> Facts:
        """Nothing but emptiness: an application says nothing of itself."""
        return Facts(
            version_num=0, version="", database="", role="", in_recovery=False, superuser=False, started_at=0.0
        )

    @property
    def alive(self) -> bool:
        """Tell whether the last answer was one."""
        return self._alive

    def within(self, seconds: float) -> None:
        """Set the time each of the next questions may take."""
        self._timeout = seconds

    async def look_again(self) -> None:
        """Nothing of it changes while a session lasts."""

    async def close(self) -> None:
        """Drop the connection."""
        self._alive = False
        await self._http.close()

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
        """Give a row for each sample: `gauge` (in_use, size, waiting), `metric`, `labels`, `value`.

        A gauge without samples has one row, with the value None. Raises ProbeSkipped or TargetUnreachable.
        """
        began = time.monotonic()
        try:
            text = await self.read()
        finally:
            self._spent(time.monotonic() - began)
        wanted = {gauge: name for gauge, name in asdict(self._gauges).items() if name}
        return [row for gauge, name in wanted.items() for row in _rows(text, gauge, name)]

    async def read(self) -> str:
        """Give the endpoint's text; raises TargetError."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._read()
        except TimeoutError:
            raise self._lost(f"no whole answer within {self._timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            said = "connection refused" if isinstance(error, ConnectionRefusedError) else type(error).__name__
            raise self._lost(f"no answer ({said}); does the application run, and is the url right?") from None
        except TargetError:
            self._alive = False
            raise

    async def _read(self) -> str:
        async with self._http.get(self._url.reveal(), allow_redirects=False, headers=HEADERS) as response:
            if response.status in {UNAUTHORIZED, FORBIDDEN}:
                raise TargetDenied(f"{self._name}: HTTP {response.status}; put user and password into the url")
            if response.status in REDIRECTED:
                raise self._lost(f"HTTP {response.status}: it sends us elsewhere; name the final url")
            if response.status != OK:
                raise self._lost(f"HTTP {response.status}")
            if response.content_type not in WORDS:
                raise self._lost(f"no metrics, but {response.content_type[:50]}; is the url that of the metrics?")
            body = await self._body(response)
        if body.lstrip().startswith(b"<"):
            raise self._lost("no metrics, but HTML; is the url that of the metrics?")
        return body.decode(errors="replace")

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MOST_BYTES:
                raise self._lost(f"more than {MOST_BYTES // 1024**2} MiB; is the url that of the metrics?")
        return bytes(body)

    def _lost(self, why: str) -> TargetUnreachable:
        self._alive = False
        return TargetUnreachable(f"{self._name}: {why}")


def _rows(text: str, gauge: str, name: str) -> Iterator[Row]:
    """Read the samples of one metric; raises ProbeSkipped where its lines cannot be read."""
    lines = re.findall(rf"^{re.escape(name)}[ \t{{].*$", text, re.MULTILINE)
    try:
        families = list(text_string_to_metric_families("".join(f"{line.rstrip()}\n" for line in lines)))
    except ValueError:
        raise ProbeSkipped(f"the lines of {name} cannot be read as metrics", Needs.SETTING) from None
    samples = [sample for family in families for sample in family.samples]
    for sample in samples:
        yield {"gauge": gauge, "metric": name, "labels": dict(sample.labels), "value": float(sample.value)}
    if not samples:
        yield {"gauge": gauge, "metric": name, "labels": {}, "value": None}
