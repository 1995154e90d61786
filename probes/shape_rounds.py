"""A reading in turns: each visit does a little, and what did not change is carried over from the reading before.

A round looks for what changed, counts the rest, reads anew what changed, and ends with a shape. Small databases are
read in whole, in one visit.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.probe import Session, duration, shape
from probes.shape_beside import Beside, place
from probes.shape_building import Pools
from probes.shape_marks import Counts, Mark, changed, counts_of, mark_of
from probes.shape_numbers import numbers_of
from probes.shape_reading import Reading, rows_of
from probes.shape_security import roles, secured
from probes.shape_statistics import MOST as MOST_COLUMNS
from probes.shape_statistics import is_lent, way
from probes.shape_tables import LARGEST, MOST

TURNS = 48
"""After so many rounds every table was read anew, whatever was seen to change: a day, at the usual pace."""
FORMER_SECONDS = 7200.0
"""So long an earlier reading stands in for a table that cannot be read; then it is left out."""
LONGEST_SECONDS = 1800.0
"""A round that could not be ended in this time begins anew."""
FEW = 500
"""Of so few tables, what stands around them is read in the same visit."""
VISIT_SECONDS = 5.0
"""A visit to a slow server ends sooner than its work is done."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How much a visit does: 20 µs of the server's time a column that is read, or a table that is counted."""

    columns: int = 1200
    tables: int = MOST
    """Tables that are read at all; of more, the largest."""
    seconds: float = VISIT_SECONDS


@dataclass(frozen=True, kw_only=True)
class Listed:
    """The tables of a database, the largest first, with how many columns each has."""

    widths: Mapping[int, int]
    total: int

    def known(self) -> frozenset[int]:
        """Give the tables whose columns' statistics are read: the largest."""
        most, known = MOST_COLUMNS, list[int]()
        for oid, width in self.widths.items():
            most -= width
            if most < 0 and known:
                break
            known.append(oid)
        return frozenset(known)


class Kept:
    """What is known of one database."""

    def __init__(self) -> None:
        self.pools = Pools()
        self.shape: shape.Shape | None = None
        """The last whole one."""
        self.round: Round | None = None
        """The one under way."""
        self.tables: dict[int, shape.Table] = {}
        self.stale: dict[int, float] = {}
        """Tables to be read anew, and since when (monotonic) what is known of them may be wrong."""
        self.mark: Mark | None = None
        self.counts: Counts | None = None
        self.beside = Beside()
        self.rounds = 0
        self.known_at = time.monotonic()
        """When the last round began."""

    async def visit(self, session: Session, pace: Pace) -> None:
        """Go on with the round that is under way, or begin one."""
        began, left = time.monotonic(), pace.columns
        if self.round is None or began - self.round.began > LONGEST_SECONDS:
            self.round = await Round.begun(session, self, pace)
            left -= self.round.cost
        while (left > 0 or self.round.nearly) and time.monotonic() - began < pace.seconds:
            left -= await self.round.step(session, left)
            if self.round.done:
                await self.end(session)
                return

    async def end(self, session: Session, why: str = "") -> None:
        """End the round; what is not read yet was left out, and that is `why`."""
        if self.round is not None:
            self.shape = await self.round.end(session, why)
            self.known_at, self.round = self.round.began, None
            self.rounds += 1

    @property
    def waiting(self) -> str:
        """Say how far the first reading is; "": it is done."""
        if self.round is None or self.shape is not None:
            return ""
        total = len(self.round.listed.widths)
        return f"{len(self.tables):,} of {total:,} tables are read so far; the rest follows within minutes"


class Round:
    """One round through one database."""

    def __init__(self, kept: Kept, listed: Listed, mark: Mark, counts: Counts, *, small: bool) -> None:
        self.began = time.monotonic()
        self.cost = max(len(listed.widths) // 5, 1)
        """What a look at the whole catalogue costs, in columns."""
        self.listed, self.reading = listed, list[int]()
        self._kept, self._mark, self._counts, self._small = kept, mark, counts, small
        self.looked = False
        self._known = listed.known()
        self._counting: list[int] = []
        self._failed: dict[int, tuple[str, str]] = {}

    @classmethod
    async def begun(cls, session: Session, kept: Kept, pace: Pace) -> Round:
        """Make a mark, then list the tables and count what could go."""
        mark = await mark_of(session, lent=await is_lent(session))
        (row,) = await rows_of(session, LARGEST, pace.tables)
        widths = dict(zip(row["oids"] or (), row["widths"] or (), strict=True))
        small = sum(widths.values()) <= pace.columns
        counts = await counts_of(session)
        return cls(kept, Listed(widths=widths, total=row["total"] or 0), mark, counts, small=small)

    async def _look(self, session: Session) -> None:
        """Find out which tables are to be read anew, and which only counted."""
        kept, mark, before = self._kept, self._mark, self._kept.mark
        if before is not None and before.database != mark.database:
            kept.tables, kept.stale, kept.shape = {}, {}, None
        if self._small or before is None or not mark.follows(before):
            stale, kept.beside = frozenset(self.listed.widths), Beside()
        else:
            stale = await self._changed(session, before)
        kept.tables = {oid: kept.tables[oid] for oid in self.listed.widths if oid in kept.tables}
        kept.stale = {
            oid: kept.stale.get(oid, kept.known_at)
            for oid in self.listed.widths
            if oid in stale or oid in kept.stale or oid not in kept.tables
        }
        kept.mark, kept.counts, self.looked = mark, self._counts, True
        self.reading = [*reversed(kept.stale)]
        self._counting = [oid for oid in self.listed.widths if oid not in kept.stale]

    async def _changed(self, session: Session, before: Mark) -> frozenset[int]:
        """Give the tables to be read anew: those that changed, that cannot be told, and those whose turn it is."""
        kept, counts = self._kept, self._counts
        found = await changed(session, before)
        apart = counts.apart(kept.counts) if kept.counts else frozenset()
        turn = {oid for oid in kept.tables if oid % TURNS == kept.rounds % TURNS}
        broken = {oid for oid, each in kept.tables.items() if not all(index.valid for index in each.indexes)}
        same = kept.counts is not None and kept.counts.around == counts.around
        if found.anything or not same or kept.beside.left_out:
            kept.beside = Beside()
        if found.too_many or (kept.shape is not None and not kept.shape.counting):
            return frozenset(self.listed.widths)
        return found.tables | apart | turn | broken

    @property
    def done(self) -> bool:
        """Tell whether all is read."""
        return self._of_tables and self._kept.beside.done

    @property
    def nearly(self) -> bool:
        """Tell whether what is left costs next to nothing."""
        return self._of_tables and len(self.listed.widths) < FEW

    @property
    def _of_tables(self) -> bool:
        return self.looked and not self._counting and not self.reading

    async def step(self, session: Session, most: int) -> int:
        """Look, count some tables, read some, or what stands around; for `most` columns about; give for how many."""
        if not self.looked:
            await self._look(session)
            return self.cost
        if self._counting:
            return await self._count(session, most)
        if self.reading:
            return await self._read(session, most)
        await self._kept.beside.step(session, self._kept.tables)
        return max(most // 2, 1) if self._kept.beside.begun else most

    async def _read(self, session: Session, most: int) -> int:
        kept, bite = self._kept, self._bite(most)
        reading = await Reading.opened(session, self._known, kept.tables, kept.pools)
        await reading.take(bite)
        del self.reading[-len(bite) :]
        for oid in bite:
            if oid in reading.failed:
                self._failed[oid] = reading.failed[oid]
                continue
            kept.stale.pop(oid, None)
            if oid in reading.tables:
                kept.tables[oid] = reading.tables[oid]
            else:  # it is gone
                kept.tables.pop(oid, None)
        return sum(self._width(oid) for oid in bite)

    async def _count(self, session: Session, most: int) -> int:
        bite = self._counting[:most]
        tables = [self._kept.tables[oid] for oid in bite]
        numbers = await numbers_of(session, tables)
        del self._counting[:most]
        for table in tables:
            new = numbers.of(table)
            if new is not None:
                self._kept.tables[table.oid] = new
            elif table.oid in numbers.tables:
                self._kept.stale[table.oid] = self._kept.known_at
                self.reading.append(table.oid)
            else:
                del self._kept.tables[table.oid]
        return len(bite)

    def _bite(self, most: int) -> Sequence[int]:
        """Give the next tables to be read, the last first."""
        bite = list[int]()
        for oid in reversed(self.reading):
            if most <= 0:
                break
            bite.append(oid)
            most -= self._width(oid)
        return bite

    def _width(self, oid: int) -> int:
        return max(self.listed.widths.get(oid, 0), 1)

    async def end(self, session: Session, why: str) -> shape.Shape:
        """Read what stands around the tables, and put all together."""
        kept = self._kept
        kept.tables = {oid: kept.tables[oid] for oid in self.listed.widths if oid in kept.tables}
        late, left_out = self._unread(time.monotonic())
        inner, outer = list[shape.ForeignKey](), list[shape.ForeignKey]()
        for key in kept.beside.keys:
            (inner if key.table in kept.tables and key.parent in kept.tables else outer).append(key)
        under_policies = await secured(session, [*kept.tables.values()], kept.beside.types)
        return shape.Shape(
            version_num=session.facts.version_num,
            tables=kept.tables,
            foreign_keys=tuple(inner),
            outer_keys=tuple(outer),
            types=kept.beside.types,
            views=tuple(kept.beside.views),
            functions=kept.beside.functions,
            statistics=way(kept.tables.values(), lent=self._mark.lent),
            left_out={**kept.beside.left_out, **left_out, **dict(self._beyond(why))},
            late=late,
            secured=under_policies,
            roles=await roles(session, under_policies),
            **await place(session),
        )

    def _unread(self, now: float) -> tuple[dict[str, str], dict[str, str]]:
        """Give the tables that could not be read: those that stay as they were, for a time, and those left out."""
        kept = self._kept
        late, left_out = dict[str, str](), dict[str, str]()
        for oid, (name, reason) in self._failed.items():
            age = now - kept.stale[oid]
            if oid in kept.tables and age < FORMER_SECONDS:
                late[name] = f"as it was {duration(age)} ago: {reason}"
            else:
                kept.tables.pop(oid, None)
                left_out[name] = reason
        return late, left_out

    def _beyond(self, why: str) -> Iterator[tuple[str, str]]:
        """Count what was not read for want of time or room."""
        listed = len(self.listed.widths)
        if self.reading:
            yield f"{len(self.reading):,} smaller tables", why
        if self.listed.total > listed:
            yield f"{self.listed.total - listed:,} smallest tables", f"only the {listed:,} largest are read"


async def whole(session: Session, *, most: int = MOST) -> shape.Shape:
    """Read a database in one go."""
    kept, pace = Kept(), Pace(tables=most)
    while kept.shape is None:
        await kept.visit(session, pace)
    return kept.shape
