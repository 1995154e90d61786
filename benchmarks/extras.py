"""`python -m benchmarks.extras`: what trends, and the names of postgres_exporter, cost the daemon. It only tells.

Three daemons watch one large cluster in the same minutes, so that a busy machine changes all of them alike: without
trends, as it is, and with `compat: postgres_exporter`. Each is scraped every 15 s, as Prometheus would.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from benchmarks.__main__ import say
from benchmarks.cluster import DATABASE, admitted, cluster, traffic
from benchmarks.cost import CYCLE, WARM_UP_SECONDS
from benchmarks.processor import process_seconds, resident_mib
from benchmarks.watcher import Watcher, watcher
from monitor.embedded import EmbeddedServer

KINDS = {
    "without trends": ("benchmarks.trendless", ()),
    "as it is": ("monitor", ()),
    "with postgres_exporter's names": ("monitor", ("postgres_exporter",)),
}
"""What is run, and whose names it has."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one of them costs."""

    kind: str
    cpu_ms: float
    rss_mib: float
    series: int

    def line(self, before: Cost) -> str:
        """Write it beside another."""
        ratio, more = self.cpu_ms / before.cpu_ms, self.rss_mib - before.rss_mib
        memory = f"{self.rss_mib:>8.1f} MiB {more:>+6.1f}"
        return f"{self.kind:<32} {self.cpu_ms:>8.1f} ms {ratio:>6.2f} x {memory} {self.series:>8,}"


async def measure(tables: int, duration: float) -> Sequence[Cost]:
    """Watch one cluster three times at once."""
    async with cluster(tables, say) as server, AsyncExitStack() as stack:
        working = asyncio.create_task(traffic(await asyncpg.connect(server.dsn(DATABASE))))
        stack.callback(working.cancel)
        return await _measured(stack, server, duration)


async def _measured(stack: AsyncExitStack, server: EmbeddedServer, duration: float) -> Sequence[Cost]:
    dsn, folder = await admitted(server), Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="extras-")))
    watching: dict[str, Watcher] = {}
    for place, (kind, (program, compat)) in enumerate(KINDS.items()):
        own = folder / str(place)
        own.mkdir()
        watching[kind] = await stack.enter_async_context(watcher(dsn, own, compat=compat, program=program))
    say(f"warming up, then measuring for {duration:.0f} s")
    await _scraped(watching.values(), WARM_UP_SECONDS)
    before = {kind: process_seconds(each.pid) for kind, each in watching.items()}
    seconds = await _scraped(watching.values(), duration)
    return [
        Cost(
            kind=kind,
            cpu_ms=(process_seconds(each.pid) - before[kind]) / seconds * CYCLE * 1000,
            rss_mib=resident_mib(each.pid),
            series=len(await each.samples()),
        )
        for kind, each in watching.items()
    ]


async def _scraped(watching: Iterable[Watcher], duration: float) -> float:
    """Scrape all every 15 s for so long; give the seconds that took."""
    loop, everyone = asyncio.get_running_loop(), [*watching]
    began = loop.time()
    while loop.time() - began < duration:
        for each in everyone:
            await each.page("/metrics")
        await asyncio.sleep(CYCLE)
    return loop.time() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.extras", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--tables", type=int, default=2000)
    asked = parser.parse_args()
    costs = asyncio.run(measure(asked.tables, asked.seconds))
    print(f"{'daemon, in 15 s':<32} {'CPU':>11} {'':>8} {'memory':>12} {'':>6} {'series':>8}")
    print("\n".join(each.line(costs[0]) for each in costs))
    print(f"load of this machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
