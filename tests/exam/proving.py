"""The proof of the exam itself: each right index and each wrong one is built, and the statements are timed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg

from tests.exam.built import indexes
from tests.exam.model import Drop, Exam, Index, Right, Wrong
from tests.exam.timing import GAIN, WORTH_MS, Effect, Watch
from tests.exam.world import Say

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


HEAD = """| | index | statement it changes most | before, ms | after, ms | times | saves, ms | costs, ms | proved |
|---|---|---|---|---|---|---|---|---|"""


async def proofs(dsn: str, exam: Exam, only: str, say: Say) -> AsyncIterator[Proof]:
    """Prove what names `only`, one after the other."""
    session = await asyncpg.connect(dsn)
    watch = Watch(dsn, session, exam)
    try:
        for right in exam.rights:
            for answer in right.answers if only in right.table else ():
                say(f"{right.table} {answer}")
                yield await of_right(watch, right, answer)
        for wrong in exam.wrongs:
            if only in wrong.table:
                say(f"{wrong.table} {wrong.index}")
                yield await of_wrong(watch, wrong)
        for drop in exam.drops:
            if only in drop.any_of[0]:
                async for each in of_drop(watch, drop):
                    yield each
        yield await of_the_rest(session, exam)
    finally:
        await session.close()


async def of_right(watch: Watch, right: Right, answer: Index) -> Proof:
    """Its statement has to become quicker, and what it saves has to be more than what it costs."""
    seen = await watch.effect([right.table], watch.standing((right.table, answer), *right.beside))
    holds = seen.gain(right.shape) >= GAIN and seen.net_ms >= WORTH_MS
    return proof("right", f"{right.table} {answer}", seen, right.shape, holds=holds)


async def of_wrong(watch: Watch, wrong: Wrong) -> Proof:
    """It cannot be built, nothing becomes quicker, or it costs more than it saves."""
    named = f"{wrong.table} {wrong.index}"
    tables = [wrong.table, *(table for table, _ in wrong.given)]
    try:
        async with watch.standing(*wrong.given):
            seen = await watch.effect(tables, watch.standing((wrong.table, wrong.index)))
    except asyncpg.InvalidObjectDefinitionError:
        return Proof(what="wrong", index=named, shape=f"cannot be built ({wrong.why})", holds=True)
    return proof("wrong", named, seen, seen.best, holds=not seen.pays, why=wrong.why)


async def of_drop(watch: Watch, drop: Drop) -> AsyncIterator[Proof]:
    """Without it nothing becomes slower; without all of several, something does."""
    known = await indexes(watch.session)
    for names in [(name,) for name in drop.any_of] + [drop.any_of] * (len(drop.any_of) > 1):
        gone = [known[name] for name in names]
        seen = await watch.effect([gone[0].table], watch.without(*gone))
        worst, together = seen.worst, len(names) > 1
        slower = seen.gain(worst) < 1 / GAIN and seen.after[worst] - seen.before[worst] > UNNOTICED_MS
        what = "not both" if together else "drop"
        yield proof(what, " and ".join(names), seen, worst, holds=slower is together, why=drop.why)


def proof(what: str, index: str, seen: Effect, shape: str, *, holds: bool, why: str = "") -> Proof:
    """Put it into a line; a difference in writing that is none is not shown as one."""
    shown = shape in seen.before and (not seen.shapes[shape].writes or seen.gain(shape) >= GAIN)
    told = shape if shown else "none"
    return Proof(
        what=what,
        index=index,
        shape=f"{told} ({why})" if why else told,
        before_ms=seen.before[shape] if shown else 0.0,
        after_ms=seen.after[shape] if shown else 0.0,
        saved_ms=seen.saved_ms,
        price_ms=seen.price_ms,
        holds=holds,
    )


async def of_the_rest(session: asyncpg.Connection, exam: Exam) -> Proof:
    """Of the other indexes only those that are listed as to be kept are without a scan."""
    listed = {keep.name for keep in exam.keeps} | {name for drop in exam.drops for name in drop.any_of}
    found = await indexes(session)
    idle = sorted(each.name for each in found.values() if not each.scans and not each.constrains)
    strangers = [name for name in idle if name not in listed]
    return Proof(what="keep", index="all others", shape=f"without a scan: {strangers or 'none'}", holds=not strangers)
