"""A reading laid out as columns: ten thousand rows are compared in a few list passes."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias, overload

from monitor.measurement import Row
from monitor.probe import Probe, Shape

Key: TypeAlias = tuple[object, ...]


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

    def grown(self, places: Sequence[int], growth: Mapping[str, Sequence[object]]) -> Iterator[Row]:
        """Give the rows at these places with growth instead of the counters."""
        if self._rows:
            for place, values in zip(places, zip(*growth.values(), strict=True), strict=True):
                yield {**self._rows[place], **dict(zip(growth, values, strict=True))}
            return
        others = {
            name: [column[place] for place in places] for name, column in self.columns.items() if name not in growth
        }
        names = (*others, *growth)
        for values in zip(*others.values(), *growth.values(), strict=True):
            yield dict(zip(names, values, strict=True))

    def keys(self, columns: Sequence[str], places: Sequence[int]) -> Iterator[Key]:
        """Give the keys of the rows at these places."""
        if not columns or not self._length:  # without rows there are no columns either
            return iter([()] * len(places))
        return zip(*([self.columns[name][place] for place in places] for name in columns), strict=True)


def as_table(probe: Probe, rows: Sequence[Row]) -> Table:
    """Lay a reading out as columns, whatever shape it arrived in."""
    if probe.shape is Shape.COLUMNS:
        row = rows[0] if rows else {}
        columns = {name: value for name, value in row.items() if isinstance(value, list | array)}
        return Table(columns, {name: value for name, value in row.items() if name not in columns})
    wanted = {*probe.key, *probe.counters, probe.reset_column, "stats_reset"}
    names = [name for name in (rows[0] if rows else ()) if name in wanted]  # no more than is compared
    return Table({name: [row[name] for row in rows] for name in names}, rows=rows)
