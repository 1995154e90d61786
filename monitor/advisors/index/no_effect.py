"""Indexes that were made as advised, and did not do what they were made for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.advisors.index.bound import Ties
from monitor.advisors.index.reading import KEEP, described, object_of, read, removal, unread
from monitor.advisors.index.unused import MISSING, relied_on
from monitor.advisors.index.upkeep import write_ms_per_day
from monitor.advisors.index.uses import uses_of
from monitor.measurement import Measurement, size
from monitor.model import Area, Confidence, Finding, NoVerdict, Severity
from monitor.proof import Cure, Outcome
from monitor.rule import Advisor, Book
from monitor.shape import Index, Shape, Table
from monitor.shaped import PROBE

PAGE = 8192
ALONE = 2.0
"""An index that is scanned more than so many times as often as that statement was called has other users."""
LOOK = "Look first whether another statement came to use it: what was measured is the one that it was made for. "


@dataclass(frozen=True, kw_only=True)
class Vain:
    """An index that helped nobody, and how often it was scanned since it is there."""

    index: Index
    table: Table
    scans: float


@dataclass(frozen=True, kw_only=True)
class NoEffect(Advisor):
    """An index was made as advised, and the statement it was made for is no faster.

    Why: it is written with every insert and most updates, takes disk and cache, and did not do what it was made for:
    the planner was wrong about the statement, or another index was made than the one that was proposed.
    What to do: drop it; the rollback makes it again.
    When it is wrong: other statements use it by now. It is not told while it is scanned more than twice as often as
    that statement was called before, nor where the server does not count scans; never of an index that is unique,
    keeps a constraint, serves a foreign key, replication or CLUSTER, or that another proposal relies on. A statement
    whose calls became dearer at the same moment for another reason hides what the index did.
    Cost: none beyond the reading of the probe shape; only the daemon knows what was advised before.
    """

    id: ClassVar[str] = "index.no_effect"
    area: ClassVar[Area] = Area.PERFORMANCE
    reads: ClassVar[tuple[str, ...]] = (PROBE,)
    hears: ClassVar[tuple[str, ...]] = (MISSING,)
    severity: Severity = Severity.INFO
    keep: float = KEEP
    every: float = 600.0

    async def advise(self, book: Book) -> Sequence[Finding | NoVerdict]:
        seen, shape = read(book)
        return [*unread(shape), *self._findings(seen, shape, book)]

    def _findings(self, seen: Measurement, shape: Shape, book: Book) -> Iterator[Finding]:
        vain = [each for each in book.tried(MISSING) if each.outcome in {Outcome.NO_EFFECT, Outcome.WORSE}]
        standing = {index.full_name: (index, table) for table in shape.tables.values() for index in table.indexes}
        ties, relied = Ties(shape), relied_on(shape, book.found(MISSING))
        uses = uses_of(shape, seen.taken_at) if vain else {}
        for cure in vain:
            index, table = standing.get(cure.thing.name, (None, None))
            if index is None or table is None or index.unique or index.oid in relied:
                continue
            tied = ties.of_table(table) or ties.of(index) or ties.of_key(index, table)
            scans = uses[index.oid].scans - (cure.thing.uses or 0.0)
            if not tied and not index.parent and _alone(cure, scans, (seen.taken_at - cure.at).total_seconds()):
                yield self._accuse(seen, shape, cure, Vain(index=index, table=table, scans=scans))

    def _accuse(self, seen: Measurement, shape: Shape, cure: Cure, what: Vain) -> Finding:
        index, table, scans = what.index, what.table, what.scans
        statement = cure.proof.labels.get("statement", "") if cure.proof else ""
        worse = cure.outcome is Outcome.WORSE
        return self.finding(
            seen,
            subject=index.full_name,
            object=object_of(index),
            summary=f"{described(index)} exists since {cure.at:%Y-%m-%d %H:%M} UTC; the statement {statement} that an "
            f"index was advised for is {'slower since' if worse else 'no faster'}",
            impact=f"{size(index.pages * PAGE)} of disk and cache, written with every insert and most updates",
            remedy=removal(index, table, LOOK if scans else ""),
            confidence=Confidence.MEDIUM if scans else Confidence.HIGH,
            table=table.full_name,
            columns=[key.expression for key in index.keys],
            outcome=str(cure.outcome),
            statement=statement,
            made_at=cure.at.isoformat(),
            scans=scans,
            size_bytes=index.pages * PAGE,
            write_ms_per_day=write_ms_per_day(shape, table, index.method),
        )


def _alone(cure: Cure, scans: float, seconds: float) -> bool:
    """Tell whether nobody but the statement that it was made for can have used it much."""
    if cure.thing.uses is None or cure.proof is None:
        return False
    return 0 <= scans <= ALONE * cure.proof.pace * seconds
