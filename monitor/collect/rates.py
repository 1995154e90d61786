"""Growth of counters: since the last run, and over a probe's window.

Works on columns, not rows, so that ten thousand rows cost a few list passes. Nothing here is ever negative: a row one
of whose counters fell (reset, eviction) grows by nothing that time, and a reset of the whole reading begins anew.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from operator import add, ne, sub
from typing import TypeAlias

from monitor.collect.table import Key, Table
from monitor.measurement import Row
from monitor.probe import Probe, Shape

Deltas: TypeAlias = Sequence[float | None]
"""What each counter of one row grew by; None where that cannot be told."""
Grown: TypeAlias = tuple[Row, Key, tuple[float, ...]]
"""A row whose counters are its growth, its key, and that growth by itself."""

SLICE = 32
"""So many numbers are compared at once, in C; only where they differ one by one."""

ROUNDING = 1e-9
"""A number with a fraction that falls by no more than this part of itself has not fallen: it was computed anew."""

BUCKETS = 20
"""A window is forgotten in this many steps, so it is at most 5 % longer than asked for."""


@dataclass(frozen=True, kw_only=True)
class Growth:
    """What grew: None until there are two readings to compare."""

    since_last: Sequence[Row] | None = None
    seconds: float = 0.0
    over_window: Sequence[Row] | None = None
    window_seconds: float = 0.0
    resets: int = 0
    """So many readings in a row, this one the last, found the statistics reset."""


@dataclass
class _Bucket:
    begins: float
    sums: dict[Key, tuple[float, ...]] = field(default_factory=dict)
    idle: set[Key] = field(default_factory=set)
    """Rows that were there and did not grow: most rows of most readings."""


class Rates:
    """The memory of one probe's counters on one target."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._counters = probe.counters
        self._window = probe.window
        self._before: Table | None = None
        self._taken_at = 0.0
        self._resets = 0
        self._begins: float | None = None
        self._buckets: deque[_Bucket] = deque()
        self._sums: dict[Key, tuple[float, ...]] = {}
        self._held: Counter[Key] = Counter()
        """In how many buckets a key has a sum."""
        self._still: tuple[float, ...] = (0,) * len(self._counters)
        self._rows: dict[Key, Row] = {}
        """The window's rows with their sums; made anew only where they changed."""

    def serves(self, probe: Probe) -> bool:
        """Tell whether what is remembered fits a probe: the same counters by the same key over the same window."""
        mine = self._probe
        return probe is mine or (probe.key, probe.counters, probe.window) == (mine.key, mine.counters, mine.window)

    def take(self, now: Table, at: float) -> Growth:
        """Compare with the reading before; `at` is a monotonic time in seconds."""
        if not self._counters:
            return Growth()
        before, last = self._before, self._taken_at
        self._before, self._taken_at = now, at
        self._resets = self._resets + 1 if before is not None and self._began_anew(now, before) else 0
        if before is None or self._resets:
            self._forget(at)
            return Growth(resets=self._resets)
        grown = list(self._grown(now, before))
        for key in self._remember(grown, last) | self._expire(at):
            self._rows[key] = self._row(self._rows[key], self._sums.get(key, self._still))
        return Growth(
            since_last=[row for row, _, _ in grown],
            seconds=at - last,
            over_window=list(self._rows.values()),
            window_seconds=at - (self._begins if self._begins is not None else last),
        )

    def _row(self, row: Row, counters: Sequence[float]) -> Row:
        made = dict(row)
        made.update(zip(self._counters, counters, strict=True))
        return made

    def _began_anew(self, now: Table, before: Table) -> bool:
        column = self._probe.reset_column
        return column is not None and now.constants.get(column) != before.constants.get(column)

    def _forget(self, at: float) -> None:
        self._begins = at
        self._buckets.clear()
        self._sums.clear()
        self._held.clear()
        self._rows.clear()

    def _grown(self, now: Table, before: Table) -> Iterator[Grown]:
        """Give what grew; of big readings only the rows that changed."""
        if not now or not before or not _aligned(now, before, self._probe):
            yield from self._matched(now, before)
            return
        names, common = self._counters, len(before)
        places: Sequence[int] = range(common)
        if self._probe.shape is Shape.COLUMNS:
            places = _changed(now, before, (self._probe.pulse,) if self._probe.pulse else names)
        places = [place for place in places if not self._row_reset(now, place, before, place)]
        yield from self._sound(
            now, places, [_differences(now.columns[name], before.columns[name], places) for name in names]
        )
        yield from self._new(now, range(common, len(now)))

    def _matched(self, now: Table, before: Table) -> Iterator[Grown]:
        """Compare by key, where rows came or went."""
        key = self._probe.key
        places = {each: place for place, each in enumerate(before.keys(key, range(len(before))))}
        found = [places.get(each) for each in now.keys(key, range(len(now)))]
        pairs = [
            (place, old)
            for place, old in enumerate(found)
            if old is not None and not self._row_reset(now, place, before, old)
        ]
        columns = [(now.columns[name], before.columns[name]) for name in self._counters if pairs]
        grown = [[_difference(mine[place], theirs[old]) for place, old in pairs] for mine, theirs in columns]
        yield from self._sound(now, [place for place, _ in pairs], grown, moved=self._probe.shape is Shape.COLUMNS)
        yield from self._new(now, [place for place, old in enumerate(found) if old is None])

    def _new(self, now: Table, places: Sequence[int]) -> Iterator[Grown]:
        """Give new rows, where all of their counters is growth."""
        if self._probe.complete and places:
            fresh = [[_difference(now.columns[name][place], 0) for place in places] for name in self._counters]
            yield from self._sound(now, places, fresh, moved=self._probe.shape is Shape.COLUMNS)

    def _sound(
        self, now: Table, places: Sequence[int], growth: Sequence[Deltas], *, moved: bool = False
    ) -> Iterator[Grown]:
        """Leave out rows one of whose counters is unknown or fell; with `moved`, those that stood still as well."""
        if not places:
            return
        rows = now.grown(places, dict(zip(self._counters, growth, strict=True)))
        keys = now.keys(self._probe.key, places)
        for row, key, deltas in zip(rows, keys, zip(*growth, strict=True), strict=True):
            if _is_sound(deltas) and (not moved or any(deltas)):
                yield row, key, deltas

    def _row_reset(self, now: Table, place: int, before: Table, old: int) -> bool:
        column = self._probe.reset_column
        if column is None or column not in now.columns or column not in before.columns:
            return False
        if now.columns[column][place] == before.columns[column][old]:
            return False
        return any(before.columns[name][old] for name in self._counters)  # from zero on nothing can be lost

    def _remember(self, grown: Sequence[Grown], began: float) -> set[Key]:
        """Add growth to the window; give the keys whose rows now lack their sums."""
        if not self._window:
            self._rows = {key: row for row, key, _ in grown}
            self._begins = began
            return set()
        if not self._buckets or began - self._buckets[-1].begins >= self._window / BUCKETS:
            self._buckets.append(_Bucket(began))
        bucket, sums = self._buckets[-1], self._sums
        changed: set[Key] = set()
        for row, key, deltas in grown:
            self._rows[key] = row
            if key in sums:
                changed.add(key)
            if any(deltas):
                self._held[key] += key not in bucket.sums
                bucket.sums[key] = _added(bucket.sums.get(key), deltas)
                sums[key] = _added(sums.get(key), deltas)
            else:
                bucket.idle.add(key)
        return changed

    def _expire(self, at: float) -> set[Key]:
        """Take what is too old off the window; give the keys whose rows now lack their sums."""
        changed: set[Key] = set()
        while len(self._buckets) > 1 and self._buckets[1].begins <= at - self._window:
            gone = self._buckets.popleft()
            self._begins = self._buckets[0].begins
            for key, deltas in gone.sums.items():
                self._subtract(key, deltas)
            changed |= gone.sums.keys()
            for key in (*gone.sums, *gone.idle):
                if key not in self._held and not any(key in bucket.idle for bucket in self._buckets):
                    self._rows.pop(key, None)
                    changed.discard(key)
        return changed

    def _subtract(self, key: Key, deltas: tuple[float, ...]) -> None:
        self._held[key] -= 1
        if not self._held[key]:
            del self._sums[key], self._held[key]
            return
        left = tuple(map(sub, self._sums[key], deltas))
        self._sums[key] = left if min(left) >= 0 else tuple(max(each, 0) for each in left)  # but for rounding


def _added(sums: tuple[float, ...] | None, deltas: tuple[float, ...]) -> tuple[float, ...]:
    return deltas if sums is None else tuple(map(add, sums, deltas))


def _aligned(now: Table, before: Table, probe: Probe) -> bool:
    """Tell whether the rows of the reading before are all there, in the same order, with only new ones after them."""
    common = len(before)
    if len(now) < common:
        return False
    pairs = ((now.columns[name], before.columns[name]) for name in probe.key if name in now.columns)
    return all(new is old or new[:common] == old for new, old in pairs)


def _changed(now: Table, before: Table, names: Iterable[str]) -> list[int]:
    """Give the places at which any counter differs."""
    places: set[int] = set()
    for name in names:
        new, old = now.columns[name], before.columns[name]
        if new is not old:
            places.update(_differing(new, old, len(before)))
    return sorted(places)


def _differing(new: Sequence[object], old: Sequence[object], length: int) -> Iterator[int]:
    """Sift ten thousand rows slice by slice."""
    for start in range(0, length, SLICE):
        stop = min(start + SLICE, length)
        mine, theirs = new[start:stop], old[start:stop]
        if mine != theirs:
            yield from compress(range(start, stop), map(ne, mine, theirs))


def _differences(now: Sequence[object], before: Sequence[object], places: Sequence[int]) -> Deltas:
    if isinstance(now, array) and isinstance(before, array):  # nothing but numbers
        grown = [now[place] - before[place] for place in places]
        if now.typecode == "d" and min(grown, default=0) < 0:
            return [_unrounded(each, before[place]) for each, place in zip(grown, places, strict=True)]
        return grown
    return [_difference(now[place], before[place]) for place in places]


def _difference(now: object, before: object) -> float | None:
    if isinstance(now, _NUMBERS) and isinstance(before, _NUMBERS):
        grown = now - before
        return grown if grown >= 0 else _unrounded(grown, before)
    return None


def _unrounded(grown: float, before: float) -> float:
    """Take a loss that is nothing but rounding for no growth."""
    return 0.0 if type(grown) is float and 0 > grown >= -ROUNDING * abs(before) else grown


_NUMBERS = (int, float)  # a tuple: `int | float` takes thrice the time
_AT_LEAST_0 = (0.0).__le__


def _is_sound(grown: Deltas) -> bool:
    """A row counts only when every counter is known and none fell."""
    return None not in grown and all(map(_AT_LEAST_0, grown))  # type: ignore[arg-type]  # `in` does not narrow
