"""Which indexes could go: decided for all of a database together, so that none goes with what takes its place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from monitor.advisors.index.bound import Ties
from monitor.advisors.index.coverage import alike, covers
from monitor.advisors.index.uses import Use, Uses
from monitor.measurement import KIB, MIB
from monitor.shape import Index, Shape, Table

DAY = 86400.0
PAGE = 8192


class Fate(StrEnum):
    """What is to become of an index."""

    KEPT = "kept"
    DUPLICATE = "duplicate"
    PREFIX = "redundant prefix"
    UNUSED = "unused"
    YOUNG = "too young"
    """It would be called unused, but it was watched for too short a time."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """From where on an index is too much: seconds without a scan, bytes, and how much bigger a cover may be."""

    min_age: float = 14 * DAY
    unused_for: float = 92 * DAY
    """The same for an index that was of use before: a quarter, for what is done at the end of each."""
    min_bytes: float = 40 * KIB
    """Of an index that nobody uses: a smaller one is of a table that the planner reads whole anyway."""
    wide_bytes: float = 8 * MIB
    """Of a cover that may be too wide: a smaller one is in the cache as a whole."""
    wider: float = 4.0
    often: float = 1000.0
    """Scans a day."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What is to become of one index, and why."""

    index: Index
    table: Table
    fate: Fate
    why: str
    use: Use
    cover: Index | None = None
    """What does its work once it is gone."""
    cover_use: Use | None = None

    @property
    def size_bytes(self) -> float:
        """The size of it, or of all its partitions' together."""
        return self.use.pages * PAGE


def decide(
    shape: Shape, uses: Uses, relied: Collection[int] = (), limits: Limits | None = None
) -> Mapping[int, Decision]:
    """Say of every index, by oid, whether it could go; the parts of a partitioned one go or stay with it.

    `uses` are those of all servers together; `relied` are indexes that plans with proposed ones read: they, or what
    covers them, have to stay.
    """
    together = _Together(shape, uses, frozenset(relied), limits or Limits())
    together.cover()
    together.retire()
    return together.decided


class _Together:
    """The decision under way."""

    def __init__(self, shape: Shape, uses: Uses, relied: frozenset[int], limits: Limits) -> None:
        self._shape, self._uses, self._ties, self._limits = shape, uses, Ties(shape), limits
        self._advised = set(relied)
        self.decided: dict[int, Decision] = {}
        self._relied: set[int] = set()
        """Indexes that could do another's work: whether or not that one goes now, they must not go with it."""
        self._tied = {index.oid: self._ties.of(index) for table in shape.tables.values() for index in table.indexes}

    def cover(self) -> None:
        """Let go what another index covers; partitioned tables first, for their indexes' parts go with them."""
        for table in _top_down(self._shape):
            ranked = sorted(table.indexes, key=self._rank, reverse=True)
            staying: list[Index] = []
            for index in ranked:
                decision = self._covered(index, table, staying)
                self.decided[index.oid] = decision
                if decision.fate is Fate.KEPT:
                    staying.append(index)
            self._relied.update(self._covers_something(table))

    def retire(self) -> None:
        """Let go what nobody uses, of what is left."""
        for known in (self._relied, self._advised):
            known.update([above for oid in known for above in self._above(oid)])
        for oid, decision in self.decided.items():
            whole = self.decided.get(decision.index.parent)
            if whole is not None:
                self.decided[oid] = _with(decision, whole.fate, whole.why)
            elif decision.fate is Fate.KEPT and not decision.why:
                self.decided[oid] = self._used(decision)

    def _rank(self, index: Index) -> tuple[object, ...]:
        """Order indexes so that each comes after all that cover it; of two alike the one to keep comes first."""
        tied = bool(self._tied[index.oid])
        leftover = _made_by_reindex(index.name)
        return (len(index.keys), len(index.include), index.unique, tied, not leftover, -index.oid)

    def _covered(self, index: Index, table: Table, staying: Sequence[Index]) -> Decision:
        use = self._use(index)
        whole = self.decided.get(index.parent)
        if whole is not None:
            return Decision(index=index, table=table, fate=whole.fate, why=whole.why, use=use)
        why = self._tied[index.oid] or self._ties.of_table(table)
        if not why:
            for other in reversed(staying):
                if covers(other, index, table) and not self._much_wider(other, index):
                    return self._spared(index, table, other)
        return Decision(index=index, table=table, fate=Fate.KEPT, why=why, use=use)

    def _spared(self, index: Index, table: Table, cover: Index) -> Decision:
        same = alike(index, cover)
        return Decision(
            index=index,
            table=table,
            fate=Fate.DUPLICATE if same else Fate.PREFIX,
            why="the same index is there once more" if same else "another index begins with its columns",
            use=self._use(index),
            cover=cover,
            cover_use=self._use(cover),
        )

    def _used(self, decision: Decision) -> Decision:
        """Decide by use; `decision` is of an index that nothing ties and nothing covers."""
        use = decision.use
        if why := self._needed(decision.index, decision.table):
            return _with(decision, Fate.KEPT, why)
        if decision.size_bytes < self._limits.min_bytes:
            return _with(decision, Fate.KEPT, "it is small")
        if use.complete and use.idle >= (self._limits.unused_for if use.scans else self._limits.min_age):
            return _with(decision, Fate.UNUSED, "no query used it")
        if use.scans:
            return _with(decision, Fate.KEPT, "it was used")
        return _with(decision, Fate.YOUNG, "no query used it so far")

    def _needed(self, index: Index, table: Table) -> str:
        if index.unique:
            return "it keeps rows unique"
        if index.oid in self._advised:
            return "a proposed index is read together with it"
        if index.oid in self._relied:
            return "another index could go, as this one does its work"
        return self._ties.of_key(index, table)

    def _much_wider(self, cover: Index, index: Index) -> bool:
        """Tell whether many scans would have to read so much more that it matters."""
        wide, narrow = self._use(cover), self._use(index)
        big = wide.pages * PAGE >= self._limits.wide_bytes and wide.pages > self._limits.wider * max(narrow.pages, 1)
        return big and narrow.scans / max((self._shape.counted_seconds or DAY) / DAY, 1.0) >= self._limits.often

    def _covers_something(self, table: Table) -> Iterator[int]:
        for index in table.indexes:
            if not self._tied[index.oid]:
                yield from (each.oid for each in table.indexes if covers(each, index, table))

    def _above(self, oid: int) -> Iterator[int]:
        while oid in self.decided and (oid := self.decided[oid].index.parent):
            yield oid

    def _use(self, index: Index) -> Use:
        return self._uses.get(index.oid, Use())


def _with(decision: Decision, fate: Fate, why: str) -> Decision:
    return Decision(index=decision.index, table=decision.table, fate=fate, why=why, use=decision.use)


def _top_down(shape: Shape) -> Iterator[Table]:
    """Give tables so that each partitioned one comes before its parts."""
    below: dict[int, list[Table]] = {}
    for table in shape.tables.values():
        below.setdefault(table.parent if table.parent in shape.tables else 0, []).append(table)
    waiting = below.get(0, [])
    while waiting:
        yield from waiting
        waiting = [part for table in waiting for part in below.get(table.oid, ())]


def _made_by_reindex(name: str) -> bool:
    """Tell whether REINDEX CONCURRENTLY named it, and did not come to its end."""
    return name.rstrip("0123456789").endswith(("_ccnew", "_ccold"))
