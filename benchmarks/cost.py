"""What the monitor costs a server and its own machine, measured while it watches the large cluster.

The yardstick runs in the same minutes on the same machine: one `select count(*) from pg_stat_statements(false)`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import asyncpg

from benchmarks.cluster import DATABASE, admitted, cluster, traffic
from benchmarks.processor import process_seconds, resident_mib, seconds, server_seconds
from benchmarks.single import Single, singles
from benchmarks.watcher import Watcher, watcher
from monitor.embedded import EmbeddedServer

CYCLE = 15.0
"""Seconds: the default interval, which all figures are for."""
YARDSTICK = "select count(*) from pg_stat_statements(false)"
YARDSTICK_EVERY, BASELINE_SECONDS, WARM_UP_SECONDS = 5.0, 30.0, 60.0


@dataclass(frozen=True, kw_only=True)
class Cost:
    """All figures of one run; milliseconds are of processor time unless they are of waiting."""

    entries: int
    yardstick_ms: float
    idle_ms: float
    server_ms: float
    daemon_ms: float
    rss_mib: float
    peak_mib: float
    series: int
    scrape: Mapping[str, float]
    singles: Sequence[Single]

    @property
    def ratio(self) -> float:
        """What a cycle costs the server, in yardsticks."""
        return self.server_ms / self.yardstick_ms


class Meter:
    """Reads the server's processor time without the sessions of the benchmark itself, and takes the yardstick."""

    def __init__(self, server: EmbeddedServer, own: tuple[asyncpg.Connection, ...]) -> None:
        self._server, self._session = server, own[0]
        self._pids = [session.get_server_pid() for session in own]
        self.yardsticks: list[float] = []

    async def over(self, duration: float) -> float:
        """Give the milliseconds a cycle took the server, averaged over so many seconds."""
        loop = asyncio.get_running_loop()
        began, before = loop.time(), self._total()
        while (left := began + duration - loop.time()) > 0:
            await self._yard()
            await asyncio.sleep(min(YARDSTICK_EVERY, left))
        return (self._total() - before) / (loop.time() - began) * CYCLE * 1000

    def _total(self) -> float:
        return server_seconds(self._server.pid, self._pids)

    async def _yard(self) -> None:
        before = seconds(self._pids[0])
        await self._session.fetchval(YARDSTICK)
        self.yardsticks.append((seconds(self._pids[0]) - before) * 1000)


async def measure(duration: float, tables: int, only: Collection[str], say: Callable[[str], None]) -> Cost:
    """Build the cluster, measure it idle, then watched."""
    async with cluster(tables, say) as server:
        own = await asyncpg.connect(server.dsn(DATABASE)), await asyncpg.connect(server.dsn(DATABASE))
        working = asyncio.create_task(traffic(own[1]))
        try:
            return await _measured(server, own, duration, only, say)
        finally:
            working.cancel()
            await asyncio.wait([working])
            for session in own:
                session.terminate()


async def _measured(
    server: EmbeddedServer,
    own: tuple[asyncpg.Connection, ...],
    duration: float,
    only: Collection[str],
    say: Callable[[str], None],
) -> Cost:
    dsn, meter = await admitted(server), Meter(server, own)
    say(f"measuring it idle for {BASELINE_SECONDS:.0f} s")
    idle_ms = await meter.over(BASELINE_SECONDS)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with watcher(dsn, Path(folder), only) as watching:
            say(f"warming up, then measuring it watched for {duration:.0f} s")
            await asyncio.sleep(WARM_UP_SECONDS)
            meter.yardsticks.clear()
            loop = asyncio.get_running_loop()
            began, before = loop.time(), process_seconds(watching.pid)
            server_ms = await meter.over(duration) - idle_ms
            daemon_ms = (process_seconds(watching.pid) - before) / (loop.time() - began) * CYCLE * 1000
            samples = await watching.samples()
            return Cost(
                entries=await own[0].fetchval(YARDSTICK),
                yardstick_ms=median(meter.yardsticks),
                idle_ms=idle_ms,
                server_ms=server_ms,
                daemon_ms=daemon_ms,
                rss_mib=resident_mib(watching.pid),
                series=sum('target="shop"' in name for name in samples),
                singles=await singles(dsn, DATABASE),
                scrape=await _scraped(watching),
                peak_mib=resident_mib(watching.pid, "VmHWM"),
            )


async def _scraped(watching: Watcher) -> dict[str, float]:
    """Let 50 scrapers at it, from another process."""
    command = (sys.executable, "-m", "benchmarks.scrape", str(watching.port), "gzip")
    client = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await client.communicate()
    figures: dict[str, float] = json.loads(output)
    return figures
