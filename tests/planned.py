"""Plans of real servers for tests of index advice: the shape as the probe reads it, generic plans."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from monitor.advisors.index.candidates import Group, propose
from monitor.model import Result
from monitor.planning import Candidate, Planned, Query
from monitor.shape import Shape
from monitor.shaped import shape_of
from monitor.sqltext import identifier
from probes.shape import PROBE
from tests.database import Database


async def shape_read(database: Database) -> Shape:
    """Read the shape as the probe does."""
    async with database.eye(PROBE) as eye:
        seen = await eye.look()
    assert seen.result is Result.OK, seen.reason
    return shape_of(seen)


async def plan(database: Database, text: str) -> Planned:
    """Plan a statement for any value of its parameters."""
    await database.execute("set plan_cache_mode = force_generic_plan; set max_parallel_workers_per_gather = 0")
    await database.execute(f"prepare asked as {text}")
    try:
        count = await database.value(
            "select cardinality(parameter_types) from pg_prepared_statements where name = 'asked'"
        )
        arguments = f"({', '.join(['null'] * count)})" if count else ""
        written = await database.value(f"explain (verbose, format json) execute asked{arguments}")
    finally:
        await database.execute("deallocate asked")
    top: dict[str, Any] = json.loads(written)[0]["Plan"]
    return Planned(cost=top["Total Cost"], plan=top)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A database with its shape."""

    database: Database
    shape: Shape

    async def groups(self, text: str, *, rows: float = 1.0, given: Iterable[tuple[int, str]] = ()) -> list[Group]:
        """Give what is proposed for a statement that returns so many rows a call."""
        query = Query(name="q", text=text, calls=10, seconds=1, rows=10 * rows, given=tuple(given))
        return [*propose(query, await plan(self.database, text), self.shape)]

    async def indexes(self, text: str, *, rows: float = 1.0) -> list[str]:
        """Give the single candidates as short texts: `orders btree (user_id, created_at) where …`."""
        return [short(each) for group in await self.groups(text, rows=rows) if len(group) == 1 for each in group]

    async def together(self, text: str) -> list[set[str]]:
        """Give the groups of several."""
        return [{short(each) for each in group} for group in await self.groups(text) if len(group) > 1]

    async def build(self, candidates: Collection[Candidate]) -> None:
        """Build candidates for real; the server says whether they are right."""
        for number, candidate in enumerate(candidates):
            await self.database.execute(candidate.definition(f"built_{number}"))


def short(candidate: Candidate) -> str:
    """Write a candidate without its name and schema."""
    return (
        candidate.definition("x")
        .partition(" on ")[2]
        .removeprefix(f"{identifier(candidate.schema)}.")
        .replace(" using btree", "")
    )
