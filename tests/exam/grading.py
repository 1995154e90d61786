"""Grades a report: carries out what each finding prints, and compares what was built and dropped with the exam."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg

from tests.exam.built import Built
from tests.exam.executing import Outcome, outcome
from tests.exam.grade import Grade, Kind, Mark
from tests.exam.matching import Answers, answers, drop_of, right_of, wrong_of
from tests.exam.model import Drop, Exam, Index, Right
from tests.exam.timing import Watch
from tests.exam.world import EXAM

MISSING, FOREIGN_KEY = "index.missing", "index.missing_foreign_key"
PROPOSING = frozenset({MISSING, FOREIGN_KEY})
DROPPING = frozenset({"index.unused", "index.duplicate", "index.redundant_prefix", "index.invalid"})

Finding = Mapping[str, Any]


async def graded(dsn: str, report: Mapping[str, Any], *, build: bool, aged: bool, exam: Exam = EXAM) -> Grade:
    """Grade a report on the database it was made of. With `build` extras are built and timed."""
    session = await asyncpg.connect(dsn)
    try:
        desk = Desk(exam=exam, known=await answers(session, exam), aged=aged)
        for finding in report["findings"]:
            if proposes(finding):
                desk.propose(finding, await outcome(session, finding))
            elif finding["rule"] in DROPPING:
                desk.drop(finding, await outcome(session, finding))
        desk.forbid()
        if build:
            await desk.prove(Watch(dsn, session, exam))
        return desk.grade()
    finally:
        await session.close()


def proposes(finding: Finding) -> bool:
    """Say whether it asks for an index; a small child of a parent that never changes is a remark (CATALOGUE §index)."""
    return finding["rule"] in PROPOSING and finding["severity"] != "info"


@dataclass(kw_only=True)
class Desk:
    """Marks one finding after the other."""

    exam: Exam
    known: Answers
    aged: bool
    marks: list[Mark] = field(default_factory=list)
    answered: dict[Right, Built] = field(default_factory=dict)
    others: dict[int, Built] = field(default_factory=dict)
    """What is not right, by the place of its mark."""
    dropped: dict[Drop, str] = field(default_factory=dict)

    @property
    def drops(self) -> Sequence[Drop]:
        """Those that are asked for."""
        return [drop for drop in self.exam.drops if self.aged or not drop.aged]

    def propose(self, finding: Finding, seen: Outcome) -> None:
        rule, subject = finding["rule"], finding["subject"]
        fault = seen.fault or misnamed(finding, seen.made)
        if fault or not seen.made:
            self._mark(Mark(kind=Kind.BROKEN, rule=rule, what=subject, about=fault or "built nothing"))
        for built in seen.made:
            self._mark(self._proposed(rule, built))

    def drop(self, finding: Finding, seen: Outcome) -> None:
        rule, subject = finding["rule"], finding["subject"]
        name = full_name(finding["object"])
        if seen.fault:
            self._mark(Mark(kind=Kind.BROKEN, rule=rule, what=subject, about=seen.fault))
        for gone in sorted({name, *(each.name for each in seen.gone)}):
            self._mark(self._dropped(rule, gone))

    def forbid(self) -> None:
        """Mark what must not be proposed: at all, or beside a right one that was."""
        for place, built in list(self.others.items()):
            wrong = wrong_of(built, self.exam.wrongs)
            if wrong and all(self._answered(table, index) for table, index in wrong.given):
                self.marks[place] = replace(self.marks[place], kind=Kind.FORBIDDEN, about=wrong.why)
                del self.others[place]

    async def prove(self, watch: Watch) -> None:
        """Beside the right ones that were proposed, build each extra; it is useful if it pays."""
        async with watch.again(*self.answered.values()):
            for place, built in self.others.items():
                seen = await watch.effect([built.table], watch.again(built))
                told = f"{seen.best}: {seen.gain(seen.best):.1f} times, {seen.saved_ms:.0f} ms for {seen.price_ms:.0f}"
                kind = Kind.USEFUL if seen.pays else Kind.EXTRA
                self.marks[place] = replace(self.marks[place], kind=kind, about=told)

    def grade(self) -> Grade:
        missed = [
            f"{right.table} {right.answers[0]} for: {right.shape}"
            for right in self.exam.rights
            if right not in self.answered
        ]
        undropped = [f"drop of {' or '.join(drop.any_of)}" for drop in self.drops if drop not in self.dropped]
        return Grade(marks=self.marks, missed=[*missed, *undropped], expected=len(self.exam.rights) + len(self.drops))

    def _answered(self, table: str, index: Index) -> bool:
        return any(right.table == table and index in right.answers for right in self.answered)

    def _mark(self, mark: Mark) -> None:
        self.marks.append(mark)

    def _proposed(self, rule: str, built: Built) -> Mark:
        what = built.definition.removeprefix("CREATE INDEX ")
        right = right_of(built, self.known)
        if right in self.answered:
            same = self.answered[right].definition == built.definition
            kind = Kind.AGREED if same else Kind.REPEATED
            return Mark(kind=kind, rule=rule, what=what, about=self.answered[right].definition)
        if right:
            self.answered[right] = built
            return Mark(kind=Kind.RIGHT, rule=rule, what=what, about=right.shape)
        if rule == FOREIGN_KEY and any(
            (built.table, built.keys) == (table, index.keys) for table, index in self.exam.remarks
        ):
            return Mark(kind=Kind.REMARK, rule=rule, what=what)
        self.others[len(self.marks)] = built
        return Mark(kind=Kind.EXTRA, rule=rule, what=what)

    def _dropped(self, rule: str, name: str) -> Mark:
        drop = drop_of(name, self.exam.drops)
        if drop is None:
            return Mark(kind=Kind.WRONGLY_DROPPED, rule=rule, what=name, about="it is needed")
        if drop not in self.dropped:
            self.dropped[drop] = name
            kind = Kind.DROPPED if drop in self.drops else Kind.AGED
            return Mark(kind=kind, rule=rule, what=name, about=drop.why)
        kind = Kind.AGREED if self.dropped[drop] == name else Kind.WRONGLY_DROPPED
        return Mark(kind=kind, rule=rule, what=name, about=f"{self.dropped[drop]} goes already")


def misnamed(finding: Finding, made: Sequence[Built]) -> str:
    """Say whether the finding names other columns than its SQL builds on (expressions are not compared)."""
    said = tuple(finding["object"].get("columns") or ())
    for built in made:
        plain = tuple(unquoted(key) for key in built.keys if "(" not in key)
        if said and len(plain) == len(built.keys) and plain[: len(said)] != said:
            return f"says {said}, builds {plain}"
    return ""


def unquoted(key: str) -> str:
    return key[1:-1].replace('""', '"') if key.startswith('"') else key


def full_name(thing: Mapping[str, Any]) -> str:
    return f"{thing['schema']}.{thing['name']}"
