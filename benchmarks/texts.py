"""`python -m benchmarks.texts`: what very long statements cost, and how many series new statements without end leave.

400 statements hold 20 MB of text, as an ORM's lists of values do: whoever reads all texts each cycle spills them to a
file (pgmonitor#489). Then 2,000 new statements a minute push each other out of pg_stat_statements and its ranking.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import asyncpg

from benchmarks.cluster import DATABASE, SETTINGS, admitted, in_batches, made
from benchmarks.lines import Line, table_head
from benchmarks.single import HEAD, Single, singles
from benchmarks.watcher import watcher
from monitor.embedded import EmbeddedServer
from monitor.whole import whole_catalog
from probes.statements import StatementsOptions

LONG, LONG_BYTES, COLUMNS = 400, 50_000, 20
A_MINUTE, CHURN_SECONDS, LOOK_SECONDS = 2000, 240.0, 5.0
FAMILY = "pgarchitect_statements_"
MAX_ENTRIES = {"pg_stat_statements.max": "5000"}


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was measured."""

    text_megabytes: float
    singles: Sequence[Single]
    most_series: int
    bound: int
    entries: int

    def __str__(self) -> str:
        """Write the report."""
        cost = next(each.server_ms for each in self.singles if each.name == "statements")
        grown = self.most_series / self.bound
        texts = Line(f"{self.text_megabytes:.0f} MB of texts: server CPU of `statements`", cost, 5, "ms")
        new = Line(f"{A_MINUTE:,} new statements a minute: series, of their bound", grown, 1.2, "x")
        seen = f"at most {self.most_series} series of statements; bound {self.bound}; {self.entries:,} entries"
        return "\n".join([table_head(), str(texts), str(new), "", seen, "", HEAD, *map(str, self.singles)])


def long_statements() -> Iterator[str]:
    """Give statements that differ in the columns they compare, each with a condition so long that its text has 50 kB.

    A name or a constant would not do: PostgreSQL takes statements that differ in nothing else for the same.
    """
    for number in range(LONG):
        first = " = ".join(_columns(number)[:2])
        yield f"select from long_lists where {' or '.join([first, *['c00 = c01 ' for _ in range(LONG_BYTES // 14)]])}"


def new_statements() -> Iterator[str]:
    """Give statements that differ in the columns they add up: the first 160,000 are all different."""
    for number in count():
        yield f"select {' + '.join(_columns(number))} from long_lists"


def _columns(number: int) -> list[str]:
    """Write a number in base 20, with columns as digits."""
    return [f"c{number // COLUMNS**place % COLUMNS:02}" for place in range(4)]


async def churn(session: asyncpg.Connection, duration: float) -> None:
    """Run new statements, as evenly as an application with names of its own making does."""
    loop, texts = asyncio.get_running_loop(), new_statements()
    ends = loop.time() + duration
    while loop.time() < ends:
        await session.execute(next(texts))
        await asyncio.sleep(60 / A_MINUTE)


async def _most_series(dsn: str, session: asyncpg.Connection) -> int:
    """Give the most series of statements that were ever seen at once while statements churned."""
    most = 0
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with watcher(dsn, Path(folder)) as watching:
            working = asyncio.create_task(churn(session, CHURN_SECONDS))
            while not working.done():
                await asyncio.wait([working], timeout=LOOK_SECONDS)
                most = max(most, len(_of_statements(await watching.samples())))
            await working
    return most


def _of_statements(samples: Mapping[str, float]) -> list[str]:
    return [name for name in samples if name.startswith(FAMILY) and 'query="' in name]


def _bound(databases: int) -> int:
    """Give how many series there may be: the chosen entries and one for the rest of each database, by all metrics."""
    metrics = Counter(probe.name for probe in whole_catalog().probes.values() for _ in probe.metrics)
    return metrics["statements"] * (StatementsOptions().top + databases)


async def measure() -> Figures:
    """Build the server, and measure both."""
    async with EmbeddedServer.started(SETTINGS | MAX_ENTRIES) as server:
        session = await made(server)
        columns = ", ".join(f"c{each:02} int" for each in range(COLUMNS))
        await session.execute("create table users (auth_user_id uuid, created_at timestamptz)")
        await session.execute(f"create table long_lists ({columns})")
        dsn = await admitted(server)
        for _ in range(3):
            await in_batches(session, long_statements())
        text_bytes = await session.fetchval("select sum(length(query)) from pg_stat_statements")
        alone = await singles(dsn, DATABASE)
        print("20 MB are measured; now the churn", file=sys.stderr)
        most = await _most_series(dsn, session)
        entries = await session.fetchval("select count(*) from pg_stat_statements(false)")
        await session.close()
        return Figures(
            text_megabytes=float(text_bytes) / 1e6, singles=alone, most_series=most, bound=_bound(1), entries=entries
        )


if __name__ == "__main__":
    print(asyncio.run(measure()))
