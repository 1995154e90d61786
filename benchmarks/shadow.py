"""`python -m benchmarks.shadow`: does the shadow plan as the server does? The exam's 84 statements, asked of both.

Generic plans, before and after the exam's right indexes stand. A plan is the same when its nodes
and the tables they read are; of costs the ratio is told. The real server has the rows, the shadow only their shape.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import asyncpg

from monitor.collect.runner import Clock, Runner
from monitor.collect.server import PostgresServer
from monitor.config.model import Planning
from monitor.log import configure
from monitor.model import Secret, Server, Target
from monitor.planners import planner_of
from monitor.planning import Query
from monitor.shape import Shape
from monitor.shaped import shape_of
from probes.shape import PROBE
from tests.exam import world
from tests.planner.real import outline
from tests.versions import NEWEST

SAME, LEAST, MOST = 0.9, 0.5, 2.0
"""The goals: plans that are the same, and costs within these factors of the real ones for as many."""
FRESH = {"jit": "off", "plan_cache_mode": "force_generic_plan"}


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One statement: whether both plan alike, and the shadow's cost by the server's; None: one would not plan it."""

    name: str
    same: bool = False
    ratio: float | None = None
    why: str = ""


async def compare(dsn: str) -> list[Compared]:
    """Plan every statement of the exam on both."""
    real = await _real(dsn)
    queries = [Query(name=each.name, text=each.sql) for each in world.SHAPES]
    choice = planner_of(Planning(source="shadow", plans=10_000))
    try:
        async with choice.opened(await _shape(dsn)) as shadow:
            answer = await shadow.cost(queries)
    finally:
        await choice.close()
    return [_compared(query.name, real[query.name], answer) for query in queries]


def _compared(name: str, real: Mapping[str, Any] | str, answer: Any) -> Compared:
    if isinstance(real, str):
        return Compared(name=name, why=f"the server: {real}")
    planned = answer.planned.get(name)
    if planned is None:
        return Compared(name=name, why=f"the shadow: {answer.refused.get(name, answer.cut)}")
    ratio = planned.cost / real["Total Cost"] if real["Total Cost"] else 1.0
    return Compared(name=name, same=outline(planned.plan) == outline(real), ratio=ratio)


async def _real(dsn: str) -> dict[str, Mapping[str, Any] | str]:
    session = await asyncpg.connect(dsn, server_settings=FRESH, statement_cache_size=0)
    found: dict[str, Mapping[str, Any] | str] = {}
    for shape in world.SHAPES:
        try:
            found[shape.name] = await _plan(session, shape.sql)
        except asyncpg.PostgresError as error:
            found[shape.name] = type(error).__name__
    await session.close()
    return found


async def _plan(session: asyncpg.Connection, sql: str) -> Mapping[str, Any]:
    await session.execute(f"prepare asked as {sql}")
    many = await session.fetchval(
        "select cardinality(parameter_types) from pg_prepared_statements where name = 'asked'"
    )
    nulls = f"({', '.join(['null'] * many)})" if many else ""
    try:
        (row,) = await session.fetch(f"explain (verbose, format json) execute asked{nulls}")
    finally:
        await session.execute("deallocate asked")
    plan: Mapping[str, Any] = json.loads(row[0])[0]["Plan"]
    return plan


async def _shape(dsn: str) -> Shape:
    server = Server(name="exam", dsn=Secret(dsn), only=world.DATABASE)
    postgres, runner = PostgresServer(server), Runner(Clock())
    try:
        async with postgres.visit(world.DATABASE) as session:
            seen = await runner.run(PROBE, Target("exam", world.DATABASE), session)
    finally:
        await postgres.close()
    return shape_of(seen)


async def _build(dsn: str) -> None:
    """Make the first of each right answer."""
    session = await asyncpg.connect(dsn)
    for number, right in enumerate(world.RIGHTS):
        await session.execute(right.answers[0].sql(right.table, f"right_{number}"))
    await session.execute("vacuum analyze")
    await session.close()


def report(title: str, found: Sequence[Compared]) -> str:
    """Write what came of it, with what differs."""
    ratios = {each: each.ratio for each in found if each.ratio is not None}
    same, near = [each for each in ratios if each.same], [each for each, ratio in ratios.items() if _near(ratio)]
    middle = median(ratios.values())
    return "\n".join(
        [
            f"{title}: {len(ratios)} of {len(found)} statements planned by both",
            f"  the same plan        {len(same):>4} ({len(same) / len(ratios):.0%}; goal {SAME:.0%})",
            f"  cost within 0.5-2x   {len(near):>4} ({len(near) / len(ratios):.0%}; goal {SAME:.0%})",
            f"  median of costs      {middle:.2f}x",
            *(f"  other plan: {each.name} (cost {ratio:.2f}x)" for each, ratio in ratios.items() if not each.same),
            *(f"  cost {ratio:.2f}x: {each.name}" for each, ratio in ratios.items() if each.same and not _near(ratio)),
            *(f"  not planned: {each.name}: {each.why}" for each in found if each.why),
        ]
    )


def _near(ratio: float) -> bool:
    return LEAST <= ratio <= MOST


async def main(scale: float, major: int) -> None:
    async with world.server(major) as running:
        dsn = await world.load(running, scale)
        print(report(f"PostgreSQL {major}, as it is", await compare(dsn)), flush=True)
        await _build(dsn)
        print(report(f"PostgreSQL {major}, with the right indexes", await compare(dsn)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shadow", description=__doc__)
    parser.add_argument("--scale", type=float, default=0.25)
    parser.add_argument("--major", type=int, default=NEWEST)
    given = parser.parse_args(sys.argv[1:])
    configure("console", "error")
    asyncio.run(main(given.scale, given.major))
