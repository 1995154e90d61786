"""Carries out what a finding prints, and undoes it: what stood before has to stand again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from tests.exam.built import Built, indexes
from tests.exam.world import break_index


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a finding's statements did; `fault` says what went wrong with them."""

    made: Sequence[Built] = ()
    gone: Sequence[Built] = ()
    fault: str = ""


async def outcome(session: asyncpg.Connection, finding: Mapping[str, Any]) -> Outcome:
    """Run the remedy, look, run the rollback, look again."""
    remedy = finding.get("remedy") or {}
    statements = remedy.get("sql") or ()
    before = await indexes(session)
    fault = await run(session, statements)
    after = await indexes(session)
    made = [each for name, each in after.items() if name not in before]
    gone = [each for name, each in before.items() if name not in after]
    fault = fault or "".join(f"{each.name} is not valid" for each in made if not each.valid)
    if not gone or all(each.valid for each in gone):
        fault = fault or await run(session, remedy.get("rollback") or ())
    left = await restored(session, before)
    if not statements:
        fault = "prints no SQL"
    return Outcome(made=made, gone=gone, fault=fault or left)


async def run(session: asyncpg.Connection, statements: Sequence[str]) -> str:
    """Run each by itself; give what the server refused, if it did."""
    for statement in statements:
        try:
            await session.execute(statement)
        except asyncpg.PostgresError as error:
            return f"{statement}: {error}"
    return ""


async def restored(session: asyncpg.Connection, before: Mapping[str, Built]) -> str:
    """Bring back what stood before; give what the rollback had not brought back."""
    now = await indexes(session)
    more = [each for name, each in now.items() if name not in before]
    less = [each for name, each in before.items() if name not in now]
    for each in more:
        await session.execute(f"drop index if exists {each.name}")
    for each in less:
        await (session.execute(each.definition) if each.valid else break_index(session))
    lost = [each.name for each in less if each.valid]
    return f"rollback leaves {[each.name for each in more]}, lacks {lost}" if more or lost else ""
