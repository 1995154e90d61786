"""`python -m benchmarks`: prints what the monitor costs beside what it may cost. It only tells; its status is 0."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import scrape
from benchmarks.cost import Cost, measure
from benchmarks.single import HEAD


@dataclass(frozen=True)
class Line:
    """One figure and its goal."""

    what: str
    value: float
    goal: float
    unit: str

    def __str__(self) -> str:
        """Write the line of the table."""
        verdict = "OK" if self.value <= self.goal else "over"
        return f"{self.what:<58} {self.value:>9,.1f} {self.unit:<4} {self.goal:>8,.1f} {self.unit:<4}  {verdict}"


def lines(cost: Cost) -> Iterator[Line]:
    """Give all figures that have a goal."""
    yield Line("server CPU in 15 s, in counts of pg_stat_statements(false)", cost.ratio, 1.8, "x")
    yield Line("daemon CPU in 15 s", cost.daemon_ms, 15, "ms")
    yield Line("daemon resident memory", cost.rss_mib, 90, "MiB")
    yield Line("series of the target", cost.series, 2000, "")
    yield Line("/metrics with 50 scrapers at once, p99", cost.scrape["p99"], scrape.LIMIT_MS, "ms")


def table(cost: Cost, bare: float) -> str:
    """Write the whole report."""
    head = f"{'':<58} {'measured':>9}      {'goal':>8}"
    return "\n".join(
        [
            head,
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="how long the watched server is measured")
    parser.add_argument("--tables", type=int, default=2000, help="tables; five statements each")
    options = parser.parse_args()
    cost = asyncio.run(measure(options.seconds, options.tables, lambda text: print(text, file=sys.stderr)))
    print(table(cost, scrape.measure()["bare_p99_ms"]))


if __name__ == "__main__":
    main()
