"""Carries out a whole report as its reader would, times the statements it names before and after, and asks again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from monitor.embedded import EmbeddedServer
from monitor.sql.text import read_statement
from tests.exam.advising import advice
from tests.exam.executing import run
from tests.exam.grade import Grade, Kind
from tests.exam.grading import DROPPING, FOREIGN_KEY, MISSING, Finding, graded, proposes
from tests.exam.model import Exam, Shape
from tests.exam.timing import Watch
from tests.exam.world import Say
from tests.exam.worlds import World

QUICKER = 1.2
"""So many times quicker a statement has to be that a finding names: clocks of a busy machine differ by less."""


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A statement that a finding names, before and after; ms a call."""

    subject: str
    shape: str
    before_ms: float
    after_ms: float

    @property
    def gain(self) -> float:
        return self.before_ms / self.after_ms

    def line(self) -> str:
        return f"| {self.subject} | {self.shape} | {self.before_ms:.3f} | {self.after_ms:.3f} | {self.gain:.1f} |"


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What came of it."""

    timed: Sequence[Timed]
    """The statements that findings name, one by one."""
    unnamed: Sequence[str]
    """Proposals that no statement of ours is better for; a foreign key's may be, for want of deletes."""
    refused: Sequence[str]
    """What the server said to SQL that it would not run."""
    again: Sequence[str]
    """What is said of indexes afterwards and was not before."""

    @property
    def slower(self) -> Sequence[Timed]:
        """Statements that did not become quicker."""
        return [each for each in self.timed if each.gain < QUICKER]

    @property
    def holds(self) -> bool:
        return not (self.unnamed or self.refused or self.again or self.slower)

    def text(self) -> str:
        """Write it down."""
        lines = [each.line() for each in self.timed]
        lines += [f"NOT QUICKER: {each.line()}" for each in self.slower]
        faults = {"NO STATEMENT": self.unnamed, "REFUSED": self.refused, "SAID AFTERWARDS": self.again}
        return "\n".join([*lines, *(f"{fault}: {what}" for fault, every in faults.items() for what in every)])


WRONG = (Kind.EXTRA, Kind.REPEATED, Kind.FORBIDDEN, Kind.BROKEN, Kind.WRONGLY_DROPPED)


@dataclass(frozen=True, kw_only=True)
class Followed:
    """A world, its advice graded and followed."""

    grade: Grade
    carried: Carried
    healthy: Sequence[str]
    """Indexes that are missed when it works on with those it was advised to have."""

    @property
    def holds(self) -> bool:
        """Tell whether nothing was wrong; what was missed is not asked here."""
        return self.carried.holds and not self.healthy and not self.grade.count(*WRONG)

    def text(self) -> str:
        """Write it down."""
        late = [f"MISSED WHEN HEALTHY: {what}" for what in self.healthy]
        return "\n".join([self.grade.text(), self.carried.text(), *late, "holds" if self.holds else "DOES NOT HOLD"])


async def followed(place: World, running: EmbeddedServer, scale: float, say: Say, *, whole: bool = True) -> Followed:
    """Make a world, let it work, ask for advice, grade and follow it, and let it work on.

    Without `whole` extras are not timed by themselves, and it does not work on.
    """
    dsn = await place.load(running, scale)
    await place.work(dsn, say)
    say("monitor advise")
    report = await advice(dsn, aged=False)
    grade = await graded(dsn, report, build=whole, aged=False, exam=place.exam)
    say("following")
    done = await carried(dsn, place.exam, report)
    return Followed(grade=grade, carried=done, healthy=await _healthy(place, dsn, say) if whole else ())


async def _healthy(place: World, dsn: str, say: Say) -> Sequence[str]:
    """Let it work with the indexes it has; give those that are missed."""
    await place.work(dsn, say)
    report = await advice(dsn, aged=False)
    return [each["summary"] for each in report["findings"] if each["rule"] == MISSING]


async def carried(dsn: str, exam: Exam, report: Mapping[str, Any]) -> Carried:
    """Follow all of a report that proposes indexes, and ask again."""
    findings = [each for each in report["findings"] if proposes(each)]
    named = {each["subject"]: [*_named(each, exam.shapes)] for each in findings}
    shapes = list({shape.name: shape for every in named.values() for shape in every}.values())
    session = await asyncpg.connect(dsn)
    try:
        watch = Watch(dsn, session, exam)
        before = await watch.times(shapes)
        refused = [fault for each in findings if (fault := await run(session, each["remedy"]["sql"]))]
        after = await watch.times(shapes)
    finally:
        await session.close()
    timed = [
        Timed(subject=subject, shape=shape.name, before_ms=before[shape.name], after_ms=after[shape.name])
        for subject, every in named.items()
        for shape in every
    ]
    return Carried(
        timed=timed,
        unnamed=[each["subject"] for each in findings if each["rule"] != FOREIGN_KEY and not named[each["subject"]]],
        refused=refused,
        again=[*_new(report, await advice(dsn, aged=False))],
    )


def _named(finding: Finding, shapes: Sequence[Shape]) -> Iterator[Shape]:
    """Give the statements a finding names; of a foreign key, which none names, those that delete from its parent."""
    if finding["rule"] == FOREIGN_KEY:
        parent, child = finding["evidence"]["parent"], f"{finding['object']['schema']}.{finding['object']['name']}"
        yield from (each for each in shapes if each.sql.startswith(f"delete from {parent} ") and child in each.tables)
    else:
        yield from (each for each in shapes if fingerprint(each) in finding["evidence"]["statements"])


def fingerprint(shape: Shape) -> str:
    """Give what a statement is called in findings."""
    statement = read_statement(shape.sql)
    return statement.fingerprint if statement else ""


def _new(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Give what is proposed afterwards, and drops that were not told before."""
    told = {(each["rule"], each["subject"]) for each in before["findings"]}
    for each in after["findings"]:
        if proposes(each) or (each["rule"] in DROPPING and (each["rule"], each["subject"]) not in told):
            yield f"{each['rule']} {each['subject']}: {each['summary']}"
