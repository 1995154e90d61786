"""Growth of counters: since the last run, and over a probe's window.

Works on columns, not rows, so that ten thousand rows cost a few list passes. Nothing here is ever negative: a row one
of whose counters fell (reset, eviction) grows by nothing that time, and a reset of the whole reading begins anew.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, overload

from monitor.measurement import Row
from monitor.probe import Probe, Shape

Key: TypeAlias = tuple[object, ...]

SLICE, SLICES = 32, 8

ROUNDING = 1e-9
"""A number with a fraction that falls by no more than this part of itself has not fallen: it was computed anew."""

BUCKETS = 20
"""A window is forgotten in this many steps, so it is at most 5 % longer than asked for."""


class Table(Sequence[Row]):
    """Equally long columns, read as rows; a row is built only when it is asked for, unless `rows` holds it."""

    def __init__(
        self, columns: Mapping[str, Sequence[object]], constants: Row | None = None, rows: Sequence[Row] = ()
    ) -> None:
        self.columns = columns
        self.constants = constants or {}
        self._rows = rows
        self._length = len(rows) or len(next(iter(columns.values()), ()))

    def __len__(self) -> int:
        """Count the rows."""
        return self._length

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | Sequence[Row]:
        """Give one row without the constants, or a list of them."""
        if isinstance(place, slice):
            return [self[index] for index in range(*place.indices(self._length))]
        return self._rows[place] if self._rows else {name: column[place] for name, column in self.columns.items()}

    def key(self, columns: Sequence[str], place: int) -> Key:
        """Give one row's key."""
        return tuple(self.columns[name][place] for name in columns)

    def keys(self, columns: Sequence[str]) -> Iterator[Key]:
        """Give all rows' keys in order."""
        if not columns or not self._length:  # without rows there are no columns either
            return iter([()] * self._length)
        return zip(*(self.columns[name] for name in columns), strict=True)


def as_table(probe: Probe, rows: Sequence[Row]) -> Table:
    """Lay a reading out as columns, whatever shape it arrived in."""
    if probe.shape is Shape.COLUMNS:
        row = rows[0] if rows else {}
        columns = {name: value for name, value in row.items() if isinstance(value, list | array)}
        return Table(columns, {name: value for name, value in row.items() if name not in columns})
    wanted = {*probe.key, *probe.counters, probe.reset_column, "stats_reset"}
    names = [name for name in (rows[0] if rows else ()) if name in wanted]  # no more than is compared
    return Table({name: [row[name] for row in rows] for name in names}, rows=rows)


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
    sums: dict[Key, list[float]] = field(default_factory=dict)
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
        self._sums: dict[Key, list[float]] = {}
        self._still: list[float] = [0] * len(self._counters)
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
        since_last = [self._row(row, deltas) for row, _, deltas in grown]
        self._remember(grown, since_last, last)
        self._expire(at)
        return Growth(
            since_last=since_last,
            seconds=at - last,
            over_window=list(self._rows.values()),
            window_seconds=at - (self._begins if self._begins is not None else last),
        )

    def _row(self, row: Row, counters: Sequence[float]) -> Row:
        grown = dict(row)
        grown.update(zip(self._counters, counters, strict=True))
        return grown

    def _began_anew(self, now: Table, before: Table) -> bool:
        column = self._probe.reset_column
        return column is not None and now.constants.get(column) != before.constants.get(column)

    def _forget(self, at: float) -> None:
        self._begins = at
        self._buckets.clear()
        self._sums.clear()
        self._rows.clear()

    def _grown(self, now: Table, before: Table) -> Iterator[tuple[Row, Key, list[float]]]:
        """Give row, key and deltas; of big readings only the rows that changed."""
        if not now or not before or not _aligned(now, before, self._probe):
            yield from self._matched(now, before)
            return
        names, common = self._counters, len(before)
        pairs = [(now.columns[name], before.columns[name]) for name in names]
        places: Sequence[int] = range(common)
        if self._probe.shape is Shape.COLUMNS:
            places = _changed(now, before, (self._probe.pulse,) if self._probe.pulse else names)
        for place, *grown in zip(places, *(_differences(new, old, places) for new, old in pairs), strict=True):
            if _sound(grown) and not self._row_reset(now, place, before, place):
                yield now[place], now.key(self._probe.key, place), grown
        for place in range(common, len(now) if self._probe.complete else common):
            fresh = [_difference(new[place], 0) for new, _ in pairs]
            if _sound(fresh) and (self._probe.shape is Shape.ROWS or any(fresh)):
                yield now[place], now.key(self._probe.key, place), fresh  # type: ignore[misc]  # likewise

    def _matched(self, now: Table, before: Table) -> Iterator[tuple[Row, Key, list[float]]]:
        """Compare by key, where rows came or went."""
        names, key = self._probe.counters, self._probe.key
        places = {each: place for place, each in enumerate(before.keys(key))}
        for place, each in enumerate(now.keys(key)):
            old = places.get(each)
            if old is None:
                if not self._probe.complete:
                    continue
                grown = [_difference(now.columns[name][place], 0) for name in names]
            elif self._row_reset(now, place, before, old):
                continue
            else:
                grown = [_difference(now.columns[name][place], before.columns[name][old]) for name in names]
            if _sound(grown) and (self._probe.shape is Shape.ROWS or any(grown)):
                yield now[place], each, grown  # type: ignore[misc]  # _sound rules None out

    def _row_reset(self, now: Table, place: int, before: Table, old: int) -> bool:
        column = self._probe.reset_column
        if column is None or column not in now.columns or column not in before.columns:
            return False
        return bool(now.columns[column][place] != before.columns[column][old])

    def _remember(self, grown: Sequence[tuple[Row, Key, list[float]]], since_last: Sequence[Row], began: float) -> None:
        if not self._window:
            self._rows = {key: row for (_, key, _), row in zip(grown, since_last, strict=True)}
            self._begins = began
            return
        if not self._buckets or began - self._buckets[-1].begins >= self._window / BUCKETS:
            self._buckets.append(_Bucket(began))
        bucket = self._buckets[-1]
        for (_, key, deltas), row in zip(grown, since_last, strict=True):
            if any(deltas):
                for sums in (bucket.sums, self._sums):
                    sums[key] = [a + b for a, b in zip(sums[key], deltas, strict=True)] if key in sums else deltas
            else:
                bucket.idle.add(key)
            total = self._sums.get(key, deltas)
            self._rows[key] = row if total is deltas else self._row(row, total)

    def _expire(self, at: float) -> None:
        while len(self._buckets) > 1 and self._buckets[1].begins <= at - self._window:
            gone = self._buckets.popleft()
            self._begins = self._buckets[0].begins
            for key, deltas in gone.sums.items():
                if any(key in bucket.sums for bucket in self._buckets):
                    left = [max(a - b, 0) for a, b in zip(self._sums[key], deltas, strict=True)]
                    self._sums[key] = left
                else:
                    left = self._still
                    del self._sums[key]
                self._rows[key] = self._row(self._rows[key], left)
            present = (keys for bucket in self._buckets for keys in (bucket.sums, bucket.idle))
            for key in (gone.sums.keys() | gone.idle).difference(*present):
                del self._rows[key]


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
            places.update(_differing(new, old, 0, len(before)))
    return sorted(places)


def _differing(new: Sequence[object], old: Sequence[object], start: int, stop: int) -> Iterator[int]:
    """Sift ten thousand rows by ever smaller slices: comparing those is done in C."""
    if new[start:stop] == old[start:stop]:
        return
    if stop - start <= SLICE:
        yield from (place for place in range(start, stop) if new[place] != old[place])
        return
    step = (stop - start + SLICES - 1) // SLICES
    for at in range(start, stop, step):
        yield from _differing(new, old, at, min(at + step, stop))


def _differences(now: Sequence[object], before: Sequence[object], places: Sequence[int]) -> Sequence[float | None]:
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


def _sound(grown: Sequence[float | None]) -> bool:
    """A row counts only when every counter is known and none fell."""
    return None not in grown and all(delta >= 0 for delta in grown)  # type: ignore[operator]  # `in` does not narrow
