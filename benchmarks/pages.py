"""`python -m benchmarks.pages`: what every page costs with 200 targets, 5,000 findings and 30 days of history.

The store is filled as the recorder fills it; pages and lists of the API are asked for over HTTP, each time after
something new was seen. It only tells; its status is 0.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import http.client
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.fleet import Size, alerts, config, name_of, statement
from benchmarks.house import House, Time, house
from benchmarks.month import Month, fill
from monitor.cli.run import COLLECT_AFTER
from monitor.log import configure
from monitor.model import Alert
from monitor.store.engine import Store

PAGE_MS, FIRST_MS, PAGE_KB = 150.0, 80.0, 300
HEAD = f"{'':<62} {'CPU':>7} {'p50':>7} {'p95':>7} {'goal':>5}  {'size':>8} {'goal':>5}"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one address cost, again and again."""

    path: str
    milliseconds: Sequence[float]
    cpu: float
    """Milliseconds of this process's processor a turn, the asking included: a busy machine changes it less."""
    size: int
    status: int

    def __str__(self) -> str:
        """Write a line of the table."""
        p50, p95 = statistics.median(self.milliseconds), statistics.quantiles(self.milliseconds, n=20)[-1]
        goal, page, kilobytes = FIRST_MS if self.path == "/" else PAGE_MS, self._is_page, self.size / 1000
        wrong = [f"HTTP {self.status}"] if self.status != 200 else []
        wrong += ["slow"] if p95 > goal else []
        wrong += ["large"] if page and kilobytes > PAGE_KB else []
        times = f"{self.cpu:>7.1f} {p50:>7.1f} {p95:>7.1f} {goal:>5.0f}"
        sizes = f"{kilobytes:>5.0f} kB {PAGE_KB if page else '-':>5}"
        return f"{self.path:<62} {times}  {sizes}  {', '.join(wrong) or 'OK'}"

    @property
    def _is_page(self) -> bool:
        return not self.path.startswith("/api/")


def addresses(found: Sequence[Alert], size: Size) -> Iterator[str]:
    """Give every page and every list of the API, where it has most to do."""
    worst, finding = name_of(0), found[7].finding
    yield from ("/", "/findings", "/findings?q=orders_19", "/findings?sort=newest&state=all&page=50")
    yield from (f"/findings?target={worst}", f"/findings/{finding.fingerprint}", "/targets", "/targets?q=team-3")
    yield from (f"/targets/{worst}", "/statements", "/statements?sort=mean&page=100", f"/statements?target={worst}")
    yield f"/statements?target={worst}&statement={statement(worst, 7)}"
    yield from ("/pools", "/pools?sort=transaction&page=3", f"/pools?target={worst}")
    for hours in (168, 720):
        yield f"/pools?target={worst}&hours={hours}"
    yield f"/pools?target={name_of(size.targets - 1)}&hours=720"
    yield from ("/tables", "/tables?sort=growth&page=9", "/tables?text=orders_1", f"/tables?target={worst}&hours=720")
    yield f"/tables?target={worst}&database=shop&schema=public&table=orders_3&hours=720"
    yield from ("/auth", "/auth?page=4", f"/auth?target={worst}", f"/auth?target={worst}&hours=720", "/migrations")
    yield from ("/rules", f"/rules/{finding.rule}", "/audit", "/audit?page=100")
    yield from ("/dead-letters", "/dead-letters?page=20")
    yield from ("/api/v1/findings", "/api/v1/findings?per_page=500", f"/api/v1/findings/{finding.fingerprint}")
    yield from ("/api/v1/targets", "/api/v1/status", "/api/v1/silences", "/api/v1/pools", "/api/v1/dead-letters")
    yield from ("/api/v1/statements", "/api/v1/statements?hours=24", "/api/v1/statements?hours=720&per_page=10")
    yield from (f"/api/v1/statements?target={worst}&per_page=500", "/api/v1/openapi.json")


async def cost(opened: House, path: str, turns: int) -> Cost:
    """Ask for one address again and again; the first time compiles its template, and does not count."""
    caller = http.client.HTTPConnection("127.0.0.1", opened.web.port, timeout=60)
    taken, used = list[float](), list[float]()
    body, status = b"", 0
    for _ in range(turns + 1):
        opened.change()
        begun, before = time.perf_counter(), time.process_time()
        status, body = await asyncio.to_thread(_asked, caller, path)
        taken.append(1000 * (time.perf_counter() - begun))
        used.append(1000 * (time.process_time() - before))
    caller.close()
    return Cost(path=path, milliseconds=taken[1:], cpu=statistics.median(used[1:]), size=len(body), status=status)


def _asked(caller: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
    caller.request("GET", path)
    answer = caller.getresponse()
    return answer.status, answer.read()


async def measure(folder: Path, size: Size, turns: int) -> AsyncIterator[str]:
    """Fill a store, and give the table line by line."""
    given, moment = config(folder, size), Time(datetime.now(UTC))
    found, path = alerts(given.catalog.rules, size, moment.now), folder / "state.db"
    if not path.exists():
        begun = time.perf_counter()
        store = await Store.open(given.store_url.reveal())
        probes = [*given.catalog.asked.values()]
        month = Month(servers=given.servers, probes=probes, found=found, size=size, now=moment.now)
        count = await fill(store, month)
        await store.close()
        yield f"{count:,} hours written in {time.perf_counter() - begun:.0f} s, {path.stat().st_size / 1e9:.1f} GB"
    begun = time.perf_counter()
    async with house(given, size, moment) as opened:
        yield f"opened in {time.perf_counter() - begun:.1f} s; load {os.getloadavg()[0]:.1f}\n\n{HEAD}"
        for address in addresses(found, size):
            yield str(await cost(opened, address, turns))


async def _print(folder: Path, size: Size, turns: int) -> None:
    async for line in measure(folder, size, turns):
        print(line, flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--targets", type=int, default=200)
    parser.add_argument("--findings", type=int, default=5000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--statements", type=int, default=500, help="statements of a target that have a history")
    parser.add_argument("--turns", type=int, default=20, help="how often each address is asked for")
    parser.add_argument("--folder", type=Path, help="keep the store here, and use the one that is here")
    asked = parser.parse_args()
    configure("console", "error")
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)  # as the daemon does
    size = Size(targets=asked.targets, findings=asked.findings, days=asked.days, statements=asked.statements)
    print(f"{size.targets} targets, {size.findings:,} findings, {size.days} days", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="pages-") as folder:
        asyncio.run(_print(asked.folder or Path(folder), size, asked.turns))


if __name__ == "__main__":
    main()
