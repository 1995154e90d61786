"""How long the statements on a table take, and what an index changes about it."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import fmean, median
from typing import Any

import asyncpg

from tests.exam.model import Index, Shape
from tests.exam.world import SHAPES, Values, at_work, setting, values

ROWS, RUNS = 3, 5
"""So many sets of parameters, each run so often (and once before, to warm up)."""
WRITTEN = 300
"""So many rows are written for a measurement, and rolled back."""

GAIN = 1.5
"""A statement has to become so many times quicker."""
WORTH_MS = 10.0
"""What an index has to save in the whole workload, its price paid."""


@dataclass(frozen=True, kw_only=True)
class Timed:
    """How long a call takes, and the steps of its plan (of writes: none)."""

    ms: float
    plan: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What an index does to the statements on its table."""

    before: Mapping[str, Timed]
    after: Mapping[str, Timed]

    def affected(self, shape: str) -> bool:
        """Say whether it is written, or planned anew: any other difference is noise."""
        return CALLED[shape].writes or self.before[shape].plan != self.after[shape].plan

    def gain(self, shape: str) -> float:
        return self.before[shape].ms / self.after[shape].ms if self.affected(shape) else 1.0

    @property
    def best(self) -> str:
        """The statement that saves most in the whole workload."""
        return max(self.before, key=self._saved)

    @property
    def worst(self) -> str:
        """The one whose calls become slowest."""
        return max(self.before, key=lambda name: (self.after[name].ms - self.before[name].ms) * self.affected(name))

    @property
    def saved_ms(self) -> float:
        """What reading saves in the whole workload."""
        return sum(self._saved(name) for name in self.before if not CALLED[name].writes)

    @property
    def price_ms(self) -> float:
        """What writing costs more in the whole workload; below 0 where it is a foreign key's search that is quicker."""
        return sum(-self._saved(name) for name in self.before if CALLED[name].writes)

    @property
    def net_ms(self) -> float:
        return self.saved_ms - self.price_ms

    @property
    def pays(self) -> bool:
        return self.gain(self.best) >= GAIN and self.net_ms >= WORTH_MS

    def _saved(self, name: str) -> float:
        return (self.before[name].ms - self.after[name].ms) * CALLED[name].calls * self.affected(name)


CALLED = {shape.name: shape for shape in SHAPES}


ROOT = """
    select format('%I.%I', n.nspname, c.relname)
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
     where c.oid = coalesce(pg_partition_root(($1::text)::regclass), ($1::text)::regclass)
"""


@dataclass(frozen=True)
class Watch:
    """Times the shapes of a database."""

    dsn: str
    session: asyncpg.Connection

    @asynccontextmanager
    async def standing(self, *wanted: tuple[str, Index]) -> AsyncIterator[None]:
        """Build these indexes, and remove them afterwards."""
        names = [f"exam_try_{number}" for number, _ in enumerate(wanted)]
        try:
            for name, (table, index) in zip(names, wanted, strict=True):
                await self.session.execute(index.sql(table, name))
                await self.session.execute(f"analyze {table}")
            yield
        finally:
            for name, (table, _) in zip(names, wanted, strict=True):
                await self.session.execute(f"drop index if exists {table.split('.')[0]}.{name}")

    async def times(self, tables: Sequence[str]) -> dict[str, Timed]:
        """Time each shape on these tables; statements name the parent of a partition."""
        for table in tables:
            await self.session.execute(f"vacuum {table}")
        named = {await self.session.fetchval(ROOT, table) for table in tables}
        shapes = [shape for shape in SHAPES if named & set(shape.tables)]
        return {shape.name: await self._time(shape) for shape in shapes}

    async def _time(self, shape: Shape) -> Timed:
        rows = await values(self.session, shape)
        async with at_work(self.dsn, shape, await setting(self.session, shape)) as own:
            if shape.writes:
                return Timed(ms=await write_ms(own, shape, rows[:WRITTEN]), plan=())
            return Timed(ms=await read_ms(own, shape, rows[:ROWS]), plan=await plan_of(own, shape, rows[0]))


def quicker(one: Mapping[str, Timed], other: Mapping[str, Timed]) -> dict[str, Timed]:
    """Give the quicker of two measurements of the same: what is above it came from elsewhere."""
    return {name: min(timed, other[name], key=lambda each: each.ms) for name, timed in one.items()}


async def plan_of(session: asyncpg.Connection, shape: Shape, row: Sequence[object]) -> tuple[str, ...]:
    """Give the steps, without the parameters that the text would show."""
    plan = json.loads(await session.fetchval(f"explain (costs off, format json) {shape.sql}", *row))
    return tuple(steps(plan[0]["Plan"]))


def steps(node: Mapping[str, Any]) -> Iterator[str]:
    yield f"{node['Node Type']} {node.get('Index Name') or node.get('Relation Name', '')}"
    for below in node.get("Plans", ()):
        yield from steps(below)


async def read_ms(session: asyncpg.Connection, shape: Shape, rows: Values) -> float:
    """Give the mean over the rows of the median of some warm runs, as the server says."""
    medians = []
    for row in rows:
        runs = [await once_ms(session, shape.sql, row) for _ in range(RUNS + 1)]
        medians.append(median(runs[1:]))
    return fmean(medians)


async def once_ms(session: asyncpg.Connection, sql: str, row: Sequence[object]) -> float:
    plan = json.loads(await session.fetchval(f"explain (analyze, timing off, format json) {sql}", *row))
    return float(plan[0]["Execution Time"])


async def write_ms(session: asyncpg.Connection, shape: Shape, rows: Values) -> float:
    """Give the processor's time a row, the least of some runs that are rolled back.

    Not the clock's: an index adds a few microseconds, and other processes take away more.
    """
    process = await session.fetchval("select pg_backend_pid()")
    least = inf
    for _ in range(RUNS):
        change = session.transaction()
        await change.start()
        try:
            begun = processor_ms(process)
            await session.executemany(shape.sql, rows)
            least = min(least, processor_ms(process) - begun)
        finally:
            await change.rollback()
    return least / len(rows)


def processor_ms(process: int) -> float:
    """Give what a process of this machine has used so far."""
    return int(Path(f"/proc/{process}/schedstat").read_text(encoding="ascii").split()[0]) / 1e6
