"""The proof of the exam itself: each right index and each wrong one is built, and the statements are timed."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import asyncpg

from tests.exam.built import Built, indexes
from tests.exam.model import Drop, Index, Right, Wrong
from tests.exam.timing import GAIN, WORTH_MS, Effect, Watch, quicker
from tests.exam.world import DROPS, KEEPS, RIGHTS, WRONGS, Say, break_index

UNNOTICED_MS = 0.1
"""A call may become slower by so much without an index that goes."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """One line of the table."""

    what: str
    index: str
    shape: str
    before_ms: float = 0.0
    after_ms: float = 0.0
    saved_ms: float = 0.0
    price_ms: float = 0.0
    holds: bool

    def line(self) -> str:
        times = f"{self.before_ms:.3f} | {self.after_ms:.3f} | {self.before_ms / (self.after_ms or 1):.1f}"
        if not self.before_ms:
            times = " | |"
        verdict = "yes" if self.holds else "**NO**"
        return (
            f"| {self.what} | {self.index} | {self.shape} | {times} | {self.saved_ms:.0f} | {self.price_ms:.0f}"
            f" | {verdict} |"
        )


HEAD = """| | index | statement that saves most | before, ms | after, ms | times | saves, ms | costs, ms | proved |
|---|---|---|---|---|---|---|---|---|"""


async def proofs(dsn: str, only: str, say: Say) -> AsyncIterator[Proof]:
    """Prove what names `only`, one after the other."""
    session = await asyncpg.connect(dsn)
    watch = Watch(dsn, session)
    try:
        for right in RIGHTS:
            for answer in right.answers if only in right.table else ():
                say(f"{right.table} {answer}")
                yield await of_right(watch, right, answer)
        for wrong in WRONGS:
            if only in wrong.table:
                say(f"{wrong.table} {wrong.index}")
                yield await of_wrong(watch, wrong)
        for drop in DROPS:
            if only in drop.any_of[0]:
                async for each in of_drop(watch, drop):
                    yield each
        yield await of_the_rest(session)
    finally:
        await session.close()


async def effect(watch: Watch, tables: tuple[str, ...], *wanted: tuple[str, Index]) -> Effect:
    """Time the statements without, with, and again without it."""
    before = await watch.times(tables)
    async with watch.standing(*wanted):
        after = await watch.times(tables)
    return Effect(before=quicker(before, await watch.times(tables)), after=after)


async def of_right(watch: Watch, right: Right, answer: Index) -> Proof:
    """Its statement has to become quicker, and what it saves has to be more than what it costs."""
    seen = await effect(watch, (right.table,), (right.table, answer), *right.beside)
    holds = seen.gain(right.shape) >= GAIN and seen.net_ms >= WORTH_MS
    return proof("right", f"{right.table} {answer}", seen, right.shape, holds=holds)


async def of_wrong(watch: Watch, wrong: Wrong) -> Proof:
    """It cannot be built, nothing becomes quicker, or it costs more than it saves."""
    try:
        async with watch.standing(*wrong.given):
            seen = await effect_beside(watch, wrong)
    except asyncpg.InvalidObjectDefinitionError:
        return Proof(
            what="wrong", index=f"{wrong.table} {wrong.index}", shape=f"cannot be built ({wrong.why})", holds=True
        )
    return proof("wrong", f"{wrong.table} {wrong.index}", seen, seen.best, holds=not seen.pays, why=wrong.why)


async def effect_beside(watch: Watch, wrong: Wrong) -> Effect:
    tables = (wrong.table, *(table for table, _ in wrong.given))
    before = await watch.times(tables)
    await watch.session.execute(wrong.index.sql(wrong.table, "exam_wrong"))
    try:
        after = await watch.times(tables)
    finally:
        await watch.session.execute(f"drop index {wrong.table.split('.')[0]}.exam_wrong")
    return Effect(before=quicker(before, await watch.times(tables)), after=after)


def proof(what: str, index: str, seen: Effect, shape: str, *, holds: bool, why: str = "") -> Proof:
    moved = max(seen.gain(shape), 1 / seen.gain(shape)) >= GAIN or bool(
        seen.before[shape].plan and seen.affected(shape)
    )
    told = shape if moved else "nothing is planned anew"
    return Proof(
        what=what,
        index=index,
        shape=f"{told} ({why})" if why else told,
        before_ms=seen.before[shape].ms * moved,
        after_ms=seen.after[shape].ms * moved,
        saved_ms=seen.saved_ms,
        price_ms=seen.price_ms,
        holds=holds,
    )


async def of_drop(watch: Watch, drop: Drop) -> AsyncIterator[Proof]:
    """Without it nothing becomes slower; without all of several, something does."""
    standing = await indexes(watch.session)
    for names in [(name,) for name in drop.any_of] + [drop.any_of] * (len(drop.any_of) > 1):
        seen = await without(watch, [standing[name] for name in names])
        worst = seen.worst
        slower = seen.after[worst].ms - seen.before[worst].ms > UNNOTICED_MS and seen.gain(worst) < 1 / GAIN
        together = len(names) > 1
        what = "not both" if together else "drop"
        yield proof(what, " and ".join(names), seen, worst, holds=slower is together, why=drop.why)


async def without(watch: Watch, gone: Sequence[Built]) -> Effect:
    """Time the statements with and without these; they are built again."""
    table = gone[0].table
    before = await watch.times((table,))
    for each in gone:
        await watch.session.execute(f"drop index {each.name}")
    after = await watch.times((table,))
    for each in gone:
        await (watch.session.execute(each.definition) if each.valid else break_index(watch.session))
    return Effect(before=before, after=after)


async def of_the_rest(session: asyncpg.Connection) -> Proof:
    """Of the other indexes only those that are listed as to be kept are without a scan."""
    listed = {keep.name for keep in KEEPS} | {name for drop in DROPS for name in drop.any_of}
    found = await indexes(session)
    idle = sorted(each.name for each in found.values() if not each.scans and not each.constrains)
    strangers = [name for name in idle if name not in listed]
    return Proof(what="keep", index="all others", shape=f"without a scan: {strangers or 'none'}", holds=not strangers)
