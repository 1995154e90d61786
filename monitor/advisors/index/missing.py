"""The rule about indexes that the workload lacks: proved by a planner, weighed against writes, chosen as a set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar

from monitor.advisors.index.advice import Advice, advice
from monitor.advisors.index.awaited import awaited
from monitor.advisors.index.choices import Choice, Terms
from monitor.advisors.index.making import name_of, remedy
from monitor.advisors.index.reading import unread
from monitor.advisors.index.spared import spared
from monitor.advisors.index.workload import UNKNOWN_TEXT
from monitor.errors import Needs
from monitor.measurement import GIB, duration, plural, size
from monitor.model import Area, Confidence, Finding, NoVerdict, Object, Remedy
from monitor.planning import Candidate
from monitor.proof import Cure, Outcome, Proof, Sign
from monitor.rule import Advisor, Book
from monitor.shape import Index, Shape
from monitor.shaped import PROBE
from monitor.sql.text import identifier

DAY = 86400.0
SHOWN = 10
NAMED = 3
UNPLANNED = 0.05
"""The part of the workload's time that may be left unplanned without a word."""


@dataclass(frozen=True, kw_only=True)
class Missing(Advisor):
    """An index would save much of the time that statements take.

    Why: without it they read many times the rows they return, slower with each row that is added, and drive everything
    else out of the cache.
    What to do: run the SQL; it lets reads and writes go on. The planner was asked with and without the index, and its
    upkeep was weighed; afterwards the statements are measured again, and the outcome is told.
    When it is wrong: costs are the planner's, not times; the statements' parameters are not known, so one that is
    asked for rare values only may gain more, one for frequent values less than is told. Statements that this reading
    did not see (other jobs, other days) may read or write differently. A statement counts as helped when its cost
    falls below `part` of what it was and by `units`; what all save must be `times_price` times what writers pay, and
    `least_ms_per_day`. No more than `per_table` indexes are proposed for a table at a time, and in all no more than
    `budget_bytes`. What was built as proposed and helped nobody is not proposed anew before `again_after`, if it is
    dropped: the planner would still want it.
    Cost: none on the server beyond the readings of the probes shape and statements: plans are made by an embedded
    PostgreSQL of our own that only has the tables' shape. With `planner: {source: hypopg}` they are made on the server:
    one session, at most 300 plans and 2 s, every half hour, and not while it is busy.
    """

    id: ClassVar[str] = "index.missing"
    area: ClassVar[Area] = Area.PERFORMANCE
    reads: ClassVar[tuple[str, ...]] = (PROBE, "statements")
    every: float = 1800.0
    hold: float = 1200.0
    keep: float = 4000.0
    part: float = 0.6
    units: float = 20.0
    times_price: float = 2.0
    least_ms_per_day: float = 1000.0
    per_table: float = 8
    budget_bytes: float = 1024 * GIB
    again_after: float = 30 * DAY

    async def advise(self, book: Book) -> Sequence[Finding | NoVerdict]:
        found = await advice(book, self.terms)
        tried = names_tried(book.tried(self.id), found.statements.taken_at - timedelta(seconds=self.again_after))
        wanted = (each for each in found.chosen.choices if name_of(each.candidate, found.shape) not in tried)
        return [
            *unread(found.shape),
            *_unplanned(found),
            *awaited(found),
            *(self._accuse(book, found, each) for each in wanted),
        ]

    @property
    def terms(self) -> Terms:
        """What an index must bring."""
        return Terms(
            part=self.part,
            units=self.units,
            times_price=self.times_price,
            least_ms_per_day=self.least_ms_per_day,
            per_table=int(self.per_table),
            budget_bytes=self.budget_bytes,
        )

    def _accuse(self, book: Book, found: Advice, choice: Choice) -> Finding:
        candidate, table = choice.candidate, found.shape.tables[choice.candidate.table]
        columns, best = columns_of(candidate, found.shape), choice.helped[0]
        replaced = spared(choice, found.shape, found.statements.taken_at)
        saved, spent = choice.saved_ms_per_day, choice.spent_ms_per_day
        names = [each.query.name for each in choice.helped]
        subject = f"{table.full_name} ({', '.join(map(_written, columns))})"
        accusation = self.finding(
            found.statements,
            in_database=book.target.database,
            subject=subject,
            object=Object("table", schema=table.schema, name=table.name, columns=columns),
            summary=f"an index on {subject}{_kind(candidate)} would save {_time(saved, found)} of {len(names)} "
            f"{'statement' if len(names) == 1 else 'statements'} ({', '.join(names[:NAMED])}); "
            f"the planner's cost of the first falls from {best.before:,.0f} to {best.after:,.0f}",
            impact=f"{table.full_name} is read for far more rows than are asked for; writers would pay "
            f"{_time(spent, found)} for the index, and it would take {size(choice.size_bytes)}",
            remedy=_remedy(choice, found, replaced),
            confidence=_confidence(found, choice),
            count=len(names),
            method=found.method,
            statements=names[:SHOWN],
            statement=best.query.text,
            cost_before=round(best.before, 2),
            cost_after=round(best.after, 2),
            saved_ms_per_day=round(saved, 1),
            spent_ms_per_day=round(spent, 1),
            size_bytes=round(choice.size_bytes),
            index_method=candidate.method,
            index_where=candidate.where or None,
            include=list(candidate.include) or None,
            relies_on=_relied(choice, found.shape) or None,
            makes_redundant=[index.full_name for index in replaced] or None,
            window_seconds=round(found.work.seconds, 1),
            plans=found.plans,
            planner=found.remark,
        )
        return replace(accusation, proof=proof_of(choice, found, str(book.target.database)))


def names_tried(cures: Iterable[Cure], since: datetime) -> frozenset[str]:
    """Name the indexes that were made since then and helped nobody."""
    vain = (each for each in cures if each.outcome is not Outcome.FIXED and each.at >= since)
    return frozenset(each.thing.name for each in vain)


def columns_of(candidate: Candidate, shape: Shape) -> tuple[str, ...]:
    """Give the keys in order: columns by their names, expressions as they are written."""
    by_number = {column.number: column.name for column in shape.tables[candidate.table].columns}
    return tuple(by_number.get(key.column, key.expression) for key in candidate.keys)


def _written(column: str) -> str:
    return column if "(" in column else identifier(column)


def _kind(candidate: Candidate) -> str:
    how = "" if candidate.method == "btree" else f" by {candidate.method}"
    include = f" with {', '.join(identifier(each) for each in candidate.include)} beside" if candidate.include else ""
    return how + include + (f" where {candidate.where}" if candidate.where else "")


def _time(milliseconds: float, found: Advice) -> str:
    per = "a day" if found.work.seconds else "of all that was counted"
    return f"{duration(milliseconds / 1000)} {per}"


def _confidence(found: Advice, choice: Choice) -> Confidence:
    """A snapshot has no second cycle that would have to say the same; nor is a value sure that we put in."""
    if found.method == "arithmetic" or found.shape.statistics == "none":
        return Confidence.LOW
    supposed = all(each.query.name in found.supposed for each in choice.helped)
    return Confidence.MEDIUM if found.statements.snapshot or supposed else Confidence.HIGH


def _relied(choice: Choice, shape: Shape) -> list[str]:
    """Name the indexes that stand and would be read with it: they must not go."""
    indexes = (index for table in shape.tables.values() for index in table.indexes)
    return sorted(index.full_name for index in indexes if index.name in choice.reads)


def _remedy(choice: Choice, found: Advice, replaced: Sequence[Index]) -> Remedy:
    candidate = choice.candidate
    made, table = remedy(candidate, found.shape), found.shape.tables[candidate.table]
    before = tuple(sorted(index.full_name for index in table.indexes))
    plain = candidate.method == "btree" and not candidate.where and all(key.column for key in candidate.keys)
    columns = columns_of(candidate, found.shape) if plain else ()
    sign = Sign(kind="index", relation=table.full_name, columns=columns, before=before)
    return replace(made, caution=made.caution + _afterwards(replaced) + _supposition(choice, found), sign=sign)


def _afterwards(replaced: Sequence[Index]) -> str:
    names = ", ".join(index.full_name for index in replaced)
    return f" It does all that {names} does: that can go once this one stands, and will be told then." if names else ""


def _supposition(choice: Choice, found: Advice) -> str:
    """Say with which values statements were planned that nobody can tell from their text."""
    unsure = [found.supposed[name] for each in choice.helped if (name := each.query.name) in found.supposed]
    reasons = dict.fromkeys(each.why for each in unsure if not each.sure)
    return f" Supposed of its statements: {'; '.join(reasons)}." if reasons else ""


def proof_of(choice: Choice, found: Advice, database: str) -> Proof | None:
    """The time that a call of the statement which gains most takes; nothing where the window is not known."""
    best = choice.helped[0].query
    if not found.work.seconds or not best.calls:
        return None
    return Proof(
        probe="statements",
        metric="exec_seconds",
        per="calls",
        labels={"statement": best.name, "database": database},
        value=best.seconds / best.calls,
        what="seconds that a call of the statement takes",
        pace=best.calls / found.work.seconds,
    )


def _unplanned(found: Advice) -> Iterator[NoVerdict]:
    """Say what was not looked at: the search was cut short, or much of the workload cannot be planned."""
    if found.chosen.cut:
        yield NoVerdict(reason=f"the search was cut short: {found.chosen.cut}", needs=Needs.TIME)
    if found.method == "hypopg" and found.chosen.refused:
        first = next(iter(found.chosen.refused.values()))
        what = plural(len(found.chosen.refused), "index", "indexes")
        yield NoVerdict(reason=f"{what} could not be tried: {first}; a shadow knows more", needs=Needs.SETTING)
    lost = {name: found.work.times.get(name, 0.0) for name in found.refused}
    whole, unknown = sum(found.work.times.values()), sum(lost.values())
    if whole and unknown > UNPLANNED * whole:
        reasons = list(dict.fromkeys(found.refused[name] for name in sorted(lost, key=lambda each: -lost[each])))
        part = f"{plural(len(lost), 'statement')} with {100 * unknown / whole:.0f} % of the time"
        needs = Needs.HISTORY if reasons[0] == UNKNOWN_TEXT else Needs.REPAIR
        yield NoVerdict(reason=f"{part} could not be planned: {'; '.join(reasons[:NAMED])}", needs=needs)
