"""How long the statements on a table take, and what an index changes about it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from statistics import fmean, median
from typing import Any, TypeVar

import asyncpg

from tests.exam.built import Built
from tests.exam.model import Exam, Index, Shape
from tests.exam.world import Values, at_work, break_index, setting, values

T = TypeVar("T")

ROWS, RUNS = 3, 5
"""So many sets of parameters, each run so often (and once before, to warm up)."""
WRITTEN = 300
"""So many rows are written for a measurement, and rolled back."""

FEW, SLOW_MS = 10, 2.0
"""A write that takes longer is measured by so many rows."""

GAIN = 1.5
"""A statement has to become so many times quicker."""
WORTH_MS = 10.0
"""What an index has to save in the whole workload, its price paid."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a change does to the statements it touches: those that write, and those that are planned anew; ms a call."""

    shapes: Mapping[str, Shape]
    """All there are, by name."""
    before: Mapping[str, float]
    after: Mapping[str, float]

    def gain(self, shape: str) -> float:
        """Give how many times quicker it is: 1 where nothing changed."""
        return self.before[shape] / self.after[shape] if shape in self.before else 1.0

    @property
    def best(self) -> str:
        """The statement that saves most in the whole workload; empty where none is touched."""
        return max(self.before, key=self._saved, default="")

    @property
    def worst(self) -> str:
        """The one whose calls become slowest; empty where none is touched."""
        return max(self.before, key=lambda name: self.after[name] - self.before[name], default="")

    @property
    def saved_ms(self) -> float:
        """What reading saves in the whole workload."""
        return sum(self._saved(name) for name in self.before if not self.shapes[name].writes)

    @property
    def price_ms(self) -> float:
        """What writing costs more in the whole workload; below 0 where it is a foreign key's search that is quicker."""
        return sum(-self._saved(name) for name in self.before if self.shapes[name].writes)

    @property
    def net_ms(self) -> float:
        return self.saved_ms - self.price_ms

    @property
    def pays(self) -> bool:
        return self.gain(self.best) >= GAIN and self.net_ms >= WORTH_MS

    def _saved(self, name: str) -> float:
        return (self.before[name] - self.after[name]) * self.shapes[name].calls


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
    exam: Exam

    async def effect(self, tables: Sequence[str], change: AbstractAsyncContextManager[None]) -> Effect:
        """Time the statements on these tables with a change, and twice without it: the quicker one counts."""
        named = {await self.session.fetchval(ROOT, table) for table in tables}
        shapes = [shape for shape in self.exam.shapes if named & set(shape.tables)]
        plans = await self._plans(shapes)
        async with change:
            anew = await self._plans(shapes)
            touched = [shape for shape in shapes if shape.writes or anew[shape.name] != plans[shape.name]]
            after = await self.times(touched)
        before, again = await self.times(touched), await self.times(touched)
        quickest = {name: min(ms, again[name]) for name, ms in before.items()}
        return Effect(shapes={shape.name: shape for shape in self.exam.shapes}, before=quickest, after=after)

    @asynccontextmanager
    async def standing(self, *wanted: tuple[str, Index]) -> AsyncIterator[None]:
        """Build these indexes, and remove them afterwards."""
        async with AsyncExitStack() as stack:
            for table, index in wanted:
                name = f"exam_{token_hex(4)}"
                await self.session.execute(index.sql(table, name))
                stack.push_async_callback(self.session.execute, f"drop index {table.split('.')[0]}.{name}")
                await self.session.execute(f"analyze {table}")
            yield

    @asynccontextmanager
    async def without(self, *gone: Built) -> AsyncIterator[None]:
        """Drop these indexes, and build them again afterwards."""
        for each in gone:
            await self.session.execute(f"drop index {each.name}")
        yield
        for each in gone:
            await (self.session.execute(each.definition) if each.valid else break_index(self.session))

    @asynccontextmanager
    async def again(self, *built: Built) -> AsyncIterator[None]:
        """Build once more what a report built."""
        async with AsyncExitStack() as stack:
            for each in built:
                await self.session.execute(each.definition)
                stack.push_async_callback(self.session.execute, f"drop index {each.name}")
            yield

    async def _plans(self, shapes: Sequence[Shape]) -> dict[str, Sequence[str]]:
        """Give the steps of those that read."""
        return {shape.name: await self._at_work(shape, plan_of) for shape in shapes if not shape.writes} | {
            shape.name: () for shape in shapes if shape.writes
        }

    async def times(self, shapes: Sequence[Shape]) -> dict[str, float]:
        """Give the ms a call takes, on tables that are vacuumed."""
        for table in {table for shape in shapes for table in shape.tables}:
            await self.session.execute(f"vacuum {table}")
        return {shape.name: await self._at_work(shape, write_ms if shape.writes else read_ms) for shape in shapes}

    async def _at_work(self, shape: Shape, ask: Callable[[asyncpg.Connection, Shape, Values], Awaitable[T]]) -> T:
        rows = await values(self.session, shape)
        async with at_work(self.dsn, shape, await setting(self.session, shape)) as own:
            return await ask(own, shape, rows)


async def plan_of(session: asyncpg.Connection, shape: Shape, rows: Values) -> Sequence[str]:
    """Give the steps, without the parameters that the text would show."""
    plan = json.loads(await session.fetchval(f"explain (costs off, format json) {shape.sql}", *rows[0]))
    return tuple(steps(plan[0]["Plan"]))


def steps(node: Mapping[str, Any]) -> Iterator[str]:
    yield f"{node['Node Type']} {node.get('Index Name') or node.get('Relation Name', '')}"
    for below in node.get("Plans", ()):
        yield from steps(below)


async def read_ms(session: asyncpg.Connection, shape: Shape, rows: Values) -> float:
    """Give the mean over the rows of the median of some warm runs, as the server says."""
    medians = []
    for row in rows[:ROWS]:
        runs = [await once_ms(session, shape.sql, row) for _ in range(RUNS + 1)]
        medians.append(median(runs[1:]))
    return fmean(medians)


async def once_ms(session: asyncpg.Connection, sql: str, row: Sequence[object]) -> float:
    plan = json.loads(await session.fetchval(f"explain (analyze, timing off, format json) {sql}", *row))
    return float(plan[0]["Execution Time"])


async def write_ms(session: asyncpg.Connection, shape: Shape, rows: Values) -> float:
    """Give the processor's time a row, the least of some runs that are rolled back.

    Not the clock's: an index adds a few microseconds, and other processes take away more. Of a slow one, which looks
    for its row in the whole table, a few rows tell enough.
    """
    few = await written_ms(session, shape, rows[:FEW])
    if few > SLOW_MS:
        return few
    return min([await written_ms(session, shape, rows[:WRITTEN]) for _ in range(RUNS)])


async def written_ms(session: asyncpg.Connection, shape: Shape, rows: Values) -> float:
    """Write these rows once, roll that back, and give the processor's time a row."""
    process = await session.fetchval("select pg_backend_pid()")
    change = session.transaction()
    await change.start()
    try:
        begun = processor_ms(process)
        await session.executemany(shape.sql, rows)
        return (processor_ms(process) - begun) / len(rows)
    finally:
        await change.rollback()


def processor_ms(process: int) -> float:
    """Give what a process of this machine has used so far."""
    return int(Path(f"/proc/{process}/schedstat").read_text(encoding="ascii").split()[0]) / 1e6
