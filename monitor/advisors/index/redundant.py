"""Indexes whose work another index of the table does as well."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.advisors.index.drops import PAGE, Decision, Fate, Limits, decide
from monitor.advisors.index.reading import KEEP, described, object_of, read, removal, unread
from monitor.advisors.index.upkeep import write_ms_per_day
from monitor.advisors.index.uses import uses_of
from monitor.measurement import MIB, Measurement, size
from monitor.model import Area, Finding, NoVerdict, Severity
from monitor.rule import Advisor, Book
from monitor.shape import Index, Shape

BY_NAME = "A hint or a script that names the index would miss it. "


@dataclass(frozen=True, kw_only=True)
class _Redundant(Advisor):
    """What both rules share: the decision over all indexes together."""

    area: ClassVar[Area] = Area.PERFORMANCE
    reads: ClassVar[tuple[str, ...]] = ("shape",)
    fate: ClassVar[Fate]
    hold: float = 3600.0
    keep: float = KEEP
    every: float = 600.0

    @property
    @abstractmethod
    def limits(self) -> Limits:
        """The thresholds."""

    @abstractmethod
    def words(self, decision: Decision, cover: Index) -> tuple[str, str]:
        """Give summary and caution."""

    async def advise(self, book: Book) -> Sequence[Finding | NoVerdict]:
        seen, shape = read(book)
        uses = uses_of(shape, seen.taken_at)
        decisions = await asyncio.to_thread(
            decide, shape, uses, limits=self.limits
        )  # 30,000 indexes take half a second
        wanted = (each for each in decisions.values() if each.fate is self.fate and not each.index.parent)
        return [*unread(shape), *(found for each in wanted for found in self._accuse(seen, shape, each))]

    def _accuse(self, seen: Measurement, shape: Shape, decision: Decision) -> Iterator[Finding]:
        index, table, cover = decision.index, decision.table, decision.cover
        if cover is None:
            return
        summary, caution = self.words(decision, cover)
        yield self.finding(
            seen,
            subject=index.full_name,
            object=object_of(index),
            summary=summary,
            impact=f"{size(decision.size_bytes)} that every insert and most updates write, and that nobody would miss",
            remedy=removal(index, table, caution),
            table=table.full_name,
            columns=[key.expression for key in index.keys],
            cover=cover.full_name,
            cover_columns=[key.expression for key in cover.keys],
            size_bytes=round(decision.size_bytes),
            cover_size_bytes=round(decision.cover_use.pages * PAGE) if decision.cover_use else None,
            scans=decision.use.scans,
            cover_scans=decision.cover_use.scans if decision.cover_use else None,
            counted_seconds=shape.counted_seconds,
            write_ms_per_day=write_ms_per_day(shape, table, index.method),
        )


@dataclass(frozen=True, kw_only=True)
class Duplicate(_Redundant):
    """The same index is there twice.

    Why: both are written with each row, take disk, cache and backups, and make vacuum and planning slower; no query is
    faster by the second.
    What to do: drop the one that is named here. Kept is the one that a constraint, replication or CLUSTER needs, a
    unique rather than a plain one, and else the older. What one of them found, the other finds as well.
    When it is wrong: a second index is being brought in to take the place of the first, which goes next; or a program
    names the index (pg_hint_plan). Indexes are the same only if table, method, keys, operator classes, collations,
    order (or all of it reversed: a btree reads both ways), predicate, by its text, and INCLUDE are the same; of other
    methods than btree the storage parameters, too. Not judged: tables of managed services and of extensions.
    Cost: none beyond the reading of the probe shape.
    """

    id: ClassVar[str] = "index.duplicate"
    fate: ClassVar[Fate] = Fate.DUPLICATE

    @property
    def limits(self) -> Limits:
        return Limits()

    def words(self, decision: Decision, cover: Index) -> tuple[str, str]:
        kind = "unique index" if cover.unique and not decision.index.unique else "index"
        told = f"{described(decision.index)} does what the {kind} {cover.full_name} does as well"
        return f"{decision.table.full_name}: {told}", BY_NAME


@dataclass(frozen=True, kw_only=True)
class RedundantPrefix(_Redundant):
    """A larger index begins with this one's columns, and serves all that it serves.

    Why: each insert, and most updates, write both; whatever the smaller one finds, the larger finds as well.
    What to do: drop the smaller one, if the larger is to stay: both are judged together, and the larger one is never
    called unused while the smaller one stands. Afterwards its scans go to the larger one.
    When it is wrong: the larger index is much wider, and the smaller one is scanned often: then more pages are read.
    With more than `wider` times the size, `wide_bytes`, and at least `often` scans a day, nothing is said; nor of
    unique indexes, of what a constraint or replication needs, of other methods than btree, or where predicate, order,
    operator class or collation differ.
    Cost: none beyond the reading of the probe shape.
    """

    id: ClassVar[str] = "index.redundant_prefix"
    fate: ClassVar[Fate] = Fate.PREFIX
    severity: Severity = Severity.INFO
    wider: float = 4.0
    often: float = 1000.0
    wide_bytes: float = 8 * MIB

    @property
    def limits(self) -> Limits:
        return Limits(wider=self.wider, often=self.often, wide_bytes=self.wide_bytes)

    def words(self, decision: Decision, cover: Index) -> tuple[str, str]:
        told = f"{described(decision.index)} is served by {described(cover)}"
        return f"{decision.table.full_name}: {told}", "Keep the larger index: it takes over the work. "
