"""How long 50 scrapers at once wait for /metrics with 1,500 series, while readings go on coming in.

The scrapers are another process, with open connections as Prometheus keeps them; a reading comes every second,
fifteen times as often as by default, so that the page is written and packed anew again and again. Beside it the
same bytes from a handler that does nothing else: what aiohttp and this machine, as busy as it is, take by themselves.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import selectors
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from statistics import median

from aiohttp import web

from monitor.expose.metrics import Exposition
from monitor.expose.own import Own
from monitor.expose.server import Site, Web
from monitor.model import Alert, Result, Target
from monitor.probe import Kind, Measurement, Metric, Probe, Scope
from monitor.status import (
    IgnoreStatus,
    NotEvaluated,
    Past,
    ProbeStatus,
    ReceiverStatus,
    SilenceStatus,
    TargetStatus,
)

SCRAPERS = 50
ROUNDS = 60
ROWS = 150
LIMIT_MS = 20.0
ENCODINGS = ("gzip", "identity")

PROBE = Probe(
    name="statements",
    scope=Scope.SERVER,
    every=15,
    key=("queryid",),
    labels=("queryid", "user", "database"),
    metrics=tuple(Metric(f"figure_{each}", Kind.COUNTER, "A figure of a statement.") for each in range(10)),
)


@dataclass
class Bench:
    """A shelf with one server on it."""

    revision: int = 0
    ready: bool = True

    def targets(self) -> Sequence[TargetStatus]:
        """Give the one server."""
        now = datetime.now(UTC)
        run = ProbeStatus(target=Target("bench"), probe=PROBE.name, result=Result.OK, taken_at=now, last_success=now)
        return [TargetStatus(server="bench", up=True, since=now, probes=(run,))]

    def alerts(self) -> Sequence[Alert]:
        """Give nothing."""
        return ()

    def alert(self, fingerprint: str) -> Alert | None:
        """Give nothing."""
        return None

    def labelled(self, alert: Alert) -> Alert:
        """Give it as it is: nobody put labels on anything."""
        return alert

    def not_evaluated(self) -> Sequence[NotEvaluated]:
        """Give nothing."""
        return ()


class Unhandled:
    """Nothing is done about any finding."""

    def silences(self, now: datetime) -> Sequence[SilenceStatus]:
        """Give nothing."""
        return ()

    def silenced_by(self, alert: Alert, now: datetime) -> SilenceStatus | None:
        """Give nothing."""
        return None

    def inhibited_by(self, alert: Alert) -> Alert | None:
        """Give nothing."""
        return None

    def store(self) -> str:
        """It is well."""
        return ""

    def configuration(self) -> str:
        """It is well."""
        return ""

    def receivers(self) -> Sequence[ReceiverStatus]:
        """Give nothing."""
        return ()

    def ignores(self, today: date) -> Sequence[IgnoreStatus]:
        """Give nothing."""
        return ()

    async def completed(self, alerts: Sequence[Alert]) -> Sequence[Alert]:
        """Give them as they are."""
        return alerts

    async def history(self, fingerprint: str) -> Past:
        """Give nothing."""
        return Past(steps=())


def measure() -> dict[str, float]:
    """Give milliseconds: a reading's taking over, and for both encodings half and 99 of 100 scrapes."""
    return asyncio.run(_measure())


async def _measure() -> dict[str, float]:
    shelf, exposition = Bench(), Exposition()
    own = Own(shelf, exposition.left_away)
    site = Site(shelf=shelf, handling=Unhandled(), exposition=exposition, own=own, rules={})
    door, costs = Web(site, port=0), list[float]()
    await door.start()
    reading = asyncio.create_task(_read(shelf, exposition, costs))
    try:
        await asyncio.sleep(0.3)
        waits = {encoding: await _scraped(door.port, encoding) for encoding in ENCODINGS}
        waits["bare"] = await _bare(gzip.compress(exposition.page(openmetrics=False), 1))
    finally:
        reading.cancel()
        await asyncio.wait([reading])
        await door.stop()
    figures = {f"{encoding}_{name}_ms": value for encoding, each in waits.items() for name, value in each.items()}
    return {"series": float(ROWS * len(PROBE.metrics)), "absorb_ms": median(costs), **figures}


async def _bare(body: bytes) -> dict[str, float]:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body)

    app = web.Application()
    app.router.add_get("/metrics", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return await _scraped(runner.addresses[0][1], "gzip")
    finally:
        await runner.cleanup()


async def _read(shelf: Bench, exposition: Exposition, costs: list[float]) -> None:
    """Take readings over until cancelled."""
    figures = {metric.column: 1.5 for metric in PROBE.metrics}
    rows = [{"queryid": -(7**20) - each, "user": "api", "database": "shop", **figures} for each in range(ROWS)]
    while True:
        seen = Measurement(
            target=Target("bench"),
            probe=PROBE.name,
            taken_at=datetime.now(UTC),
            rows=rows,
            grown=rows if costs else None,
        )
        began = time.process_time()
        exposition.absorb(PROBE, seen)
        costs.append((time.process_time() - began) * 1000)
        shelf.revision += 1
        await asyncio.sleep(1)


async def _scraped(port: int, encoding: str) -> dict[str, float]:
    """Scrape from another process."""
    command = (sys.executable, "-m", "benchmarks.scrape", str(port), encoding)
    client = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await client.communicate()
    figures: dict[str, float] = json.loads(output)
    return figures


def _scrapers(port: int, encoding: str) -> dict[str, float]:
    """Let all scrapers ask at once, again and again; over plain sockets, so that asking costs little."""
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(SCRAPERS)]
    waits: list[float] = []
    for _ in range(ROUNDS):
        waits.extend(
            _round(sockets, f"GET /metrics HTTP/1.1\r\nHost: bench\r\nAccept-Encoding: {encoding}\r\n\r\n".encode())
        )
        time.sleep(0.05)
    for each in sockets:
        each.close()
    waits = sorted(waits[SCRAPERS:])  # the first round warms up
    return {"p50": median(waits), "p99": waits[len(waits) * 99 // 100]}


def _round(sockets: Sequence[socket.socket], question: bytes) -> list[float]:
    """Give each scraper's milliseconds, from its question to its answer's last byte."""
    began: dict[socket.socket, float] = {}
    waits: list[float] = []
    with selectors.DefaultSelector() as waiting:
        for each in sockets:
            waiting.register(each, selectors.EVENT_READ, _Answer())
            began[each] = time.perf_counter()
            each.sendall(question)
        while len(waits) < len(sockets):
            for key, _ in waiting.select():
                place = key.fileobj
                if isinstance(place, socket.socket) and key.data.ends(place.recv(1 << 20)):
                    waits.append((time.perf_counter() - began[place]) * 1000)
                    waiting.unregister(place)
    return waits


@dataclass
class _Answer:
    """How much of an answer is still to come."""

    missing: int | None = None

    def ends(self, part: bytes) -> bool:
        """Take what came; the head comes in one piece."""
        if self.missing is None:
            head, _, part = part.partition(b"\r\n\r\n")
            self.missing = int(head.lower().partition(b"content-length:")[2].split(None, 1)[0])
        self.missing -= len(part)
        return self.missing == 0


def main() -> None:
    """Scrape a port, as the other process does, or measure the whole."""
    if len(sys.argv) > 1:
        print(json.dumps(_scrapers(int(sys.argv[1]), sys.argv[2])))
        return
    for name, value in measure().items():
        print(f"{name:20} {value:10.2f}")


if __name__ == "__main__":
    main()
