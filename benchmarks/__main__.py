"""`python -m benchmarks`: prints what the monitor costs beside what it may cost. It only tells; its status is 0."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator

from benchmarks import scrape
from benchmarks.cost import Cost, measure
from benchmarks.lines import Line, table_head
from benchmarks.single import HEAD


def lines(cost: Cost) -> Iterator[Line]:
    """Give all figures that have a goal."""
    yield Line("server CPU in 15 s, in counts of pg_stat_statements(false)", cost.ratio, 1.8, "x")
    yield Line("daemon CPU in 15 s", cost.daemon_ms, 15, "ms")
    yield Line("daemon resident memory", cost.rss_mib, 90, "MiB")
    yield Line("series of the target", cost.series, 2000, "")
    alone = next(each for each in cost.singles if each.name == "statements")
    yield Line("server CPU of `statements` by itself, in such counts", alone.server_ms / cost.yardstick_ms, 1.6, "x")
    yield Line("daemon CPU of `statements` by itself", alone.own_ms, 8, "ms")
    yield Line("/metrics with 50 scrapers at once, p99", cost.scrape["p99"], scrape.LIMIT_MS, "ms")


def table(cost: Cost, bare: float) -> str:
    """Write the whole report."""
    return "\n".join(
        [
            table_head(),
            *map(str, lines(cost)),
            "",
            f"statements in pg_stat_statements   {cost.entries:,}",
            f"one count of them                  {cost.yardstick_ms:.1f} ms of the server's CPU",
            f"the monitor in 15 s                {cost.server_ms:.1f} ms (the server idle: {cost.idle_ms:.1f} ms)",
            f"memory at its most                 {cost.peak_mib:.1f} MiB",
            f"/metrics, p50                      {cost.scrape['p50']:.1f} ms; bare aiohttp, p99: {bare:.1f} ms",
            f"load of this machine at the end    {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
            "",
            HEAD,
            *map(str, cost.singles),
        ]
    )


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="how long the watched server is measured")
    parser.add_argument("--tables", type=int, default=2000, help="tables; five statements each")
    parser.add_argument("--only", nargs="+", default=(), metavar="PROBE", help="the others are switched off")
    options = parser.parse_args()
    cost = asyncio.run(measure(options.seconds, options.tables, options.only, say))
    print(table(cost, scrape.measure()["bare_p99_ms"]))


if __name__ == "__main__":
    main()
