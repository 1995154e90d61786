"""Indexes that do not work: what a build that failed left behind, and partitioned ones with parts missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.advisors.index.attach import completed, lacking
from monitor.advisors.index.coverage import alike, covers
from monitor.advisors.index.definitions import PARTITIONED, created, dropped, rest
from monitor.advisors.index.reading import KEEP, described, object_of, read, unread
from monitor.advisors.index.upkeep import write_ms_per_day
from monitor.measurement import Measurement, plural
from monitor.model import Area, Confidence, Finding, NoVerdict, Remedy
from monitor.rule import Advisor, Book
from monitor.shape import Index, Shape, Table
from monitor.shaped import PROBE

PAGE = 8192
AGAIN = (
    "It is dropped and built again, neither of which blocks writes; each statement stands outside of a transaction "
    "block. If the build fails again, its error says why: rows that are not unique, a lock that was waited for too "
    "long, no room."
)
LEFT = "Another index does its work already, so nothing is built again."
REBUILT = (
    "REINDEX CONCURRENTLY builds it anew without blocking writes, and cannot stand in a transaction block. If it "
    "fails, it leaves one more invalid index, named …_ccnew: drop that, mend the cause, and try again."
)
DOUBLES = (
    "The build of a unique index fails where values stand twice, which is the likeliest reason for this one. Remove "
    "the doubles, then make it again: "
)
UNKNOWN = "Its definition could not be read: drop it, and build it again from the schema's sources."


@dataclass(frozen=True, kw_only=True)
class Invalid(Advisor):
    """An index is there that no query can use.

    Why: a build that failed, or was cancelled, left it behind: writes pay for it, a unique one guarantees nothing, and
    the queries it was made for go on without it. Of a partitioned table: some of its partitions have no such index.
    What to do: drop it and build it again; drop only, where another index does its work, as REINDEX CONCURRENTLY leaves
    it (names that end in _ccnew or _ccold). Of a partitioned table: give the named partitions the index and attach it.
    When it is wrong: it is being built: tables with a build under way, by the server's own word, are left out, and it
    has to be seen in two readings; DROP INDEX CONCURRENTLY, which is not reported, may wait for a long transaction all
    that time. Some switch an index off by hand to see what happens.
    Cost: none beyond the reading of the probe shape.
    """

    id: ClassVar[str] = "index.invalid"
    area: ClassVar[Area] = Area.PERFORMANCE
    reads: ClassVar[tuple[str, ...]] = (PROBE,)
    hold: float = 2000.0
    keep: float = KEEP
    every: float = 600.0

    async def advise(self, book: Book) -> Sequence[Finding | NoVerdict]:
        seen, shape = read(book)
        return [*unread(shape), *self._findings(seen, shape)]

    def _findings(self, seen: Measurement, shape: Shape) -> Iterator[Finding]:
        for table in shape.tables.values():
            broken = [index for index in table.indexes if not index.valid]
            if not broken or table.managed or table.owner or any(part.building for part in _all_indexes(shape, table)):
                continue
            for index in broken:
                if table.kind == PARTITIONED:
                    yield from self._incomplete(seen, shape, table, index)
                else:
                    yield self._broken(seen, shape, table, index)

    def _broken(self, seen: Measurement, shape: Shape, table: Table, index: Index) -> Finding:
        """Accuse what a build left behind."""
        other = next((each for each in table.indexes if _instead(each, index, table)), None)
        price = write_ms_per_day(shape, table, index.method)
        return self.finding(
            seen,
            subject=index.full_name,
            object=object_of(index),
            summary=f"{table.full_name}: {described(index)} is not valid"
            + (f"; {other.full_name} does its work" if other else ""),
            impact="writes pay for it and no query can use it" + ("; it keeps nothing unique" if index.unique else ""),
            remedy=_mended(index, table, other),
            confidence=_confidence(seen),
            table=table.full_name,
            columns=[key.expression for key in index.keys],
            size_bytes=index.pages * PAGE,
            cover=other.full_name if other else None,
            unique=index.unique,
            write_ms_per_day=price,
        )

    def _incomplete(self, seen: Measurement, shape: Shape, table: Table, index: Index) -> Iterator[Finding]:
        """Accuse the index of a partitioned table that some partitions lack; its lower levels are told with it."""
        if index.parent:
            return
        parts = [*lacking(shape, table, index)]
        names = [part.full_name for part in parts]
        yield self.finding(
            seen,
            subject=index.full_name,
            object=object_of(index),
            summary=f"{table.full_name}: {described(index)} is not valid: "
            + (
                f"{plural(len(names), 'partition lacks', 'partitions lack')} it"
                if names
                else "a part of it is not valid"
            )
            + (f": {', '.join(names[:3])}" if names else ""),
            impact="new partitions get it, these do not: their queries go without"
            + ("; nothing is kept unique over the whole table" if index.unique else ""),
            remedy=completed(shape, table, index),
            confidence=_confidence(seen),
            count=len(names),
            table=table.full_name,
            columns=[key.expression for key in index.keys],
            partitions=names[:20],
            size_bytes=sum(each.pages for part in parts for each in shape.parts(part)) * PAGE,
            unique=index.unique,
        )


def _confidence(seen: Measurement) -> Confidence:
    """A report has one look at it, where the daemon waits for two."""
    return Confidence.MEDIUM if seen.snapshot else Confidence.HIGH


def _instead(other: Index, index: Index, table: Table) -> bool:
    return covers(other, index, table) and alike(index, other)


def _mended(index: Index, table: Table, other: Index | None) -> Remedy:
    if index.constraint or index.primary or index.parent or index.replica_identity:
        return Remedy(sql=(f"reindex index concurrently {index.full_name}",), caution=REBUILT)
    if other is not None:
        return Remedy(sql=(dropped(index, table),), caution=LEFT)
    if not rest(index):
        return Remedy(sql=(dropped(index, table),), caution=UNKNOWN)
    if index.unique:
        return Remedy(sql=(dropped(index, table),), caution=DOUBLES + created(index, table))
    return Remedy(sql=(dropped(index, table), created(index, table)), caution=AGAIN)


def _all_indexes(shape: Shape, table: Table) -> Iterator[Index]:
    return (index for part in (table, *shape.parts(table)) for index in part.indexes)
