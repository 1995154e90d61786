"""The series of one probe on one target: sample lines made once a reading, and counters that never fall."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from monitor.expose.text import Family, Number, as_number, label_set, label_value, legal, number_text
from monitor.measurement import Measurement, Row
from monitor.model import Target
from monitor.probe import Kind, Metric, Probe

Key: TypeAlias = tuple[str | None, ...]
Named: TypeAlias = Sequence[tuple[Key, Row]]

REMEMBERED = 1000
"""Counters kept for label sets that are not on the page at present, the longest absent forgotten first."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a probe's columns become series."""

    probe: str
    labels: tuple[str, ...]
    columns: tuple[tuple[Metric, Family], ...]
    per_database: bool
    """True when the rows say themselves which database they are of."""

    def name(self, target: Target, values: Sequence[str], database: str | None) -> str:
        """Write the label set of one row, whose values label_value gave."""
        server = label_value(target.server)
        own = label_value(target.database) if database is None else database
        return label_set([("target", server), ("database", own), *zip(self.labels, values, strict=True)])


def layout(probe: Probe, taken: Iterable[str] = ()) -> Layout:
    """Lay a probe out, without the metrics whose names are `taken`."""
    columns = [(metric, family(probe, metric)) for metric in probe.metrics]
    free = [(metric, each) for metric, each in columns if each.name not in set(taken)]
    return Layout(
        probe=probe.name,
        labels=tuple(legal(name) for name in _own_labels(probe)),
        columns=tuple({each.name: (metric, each) for metric, each in free}.values()),
        per_database="database" in probe.labels,
    )


def family(probe: Probe, metric: Metric) -> Family:
    """Name a column's metric: `pgarchitect_<probe>_<column>`."""
    column = metric.column.removesuffix("_total") if metric.kind is Kind.COUNTER else metric.column
    return Family(legal(f"pgarchitect_{probe.name}_{column}"), metric.kind, metric.help)


def _own_labels(probe: Probe) -> list[str]:
    return [name for name in dict.fromkeys(probe.labels) if name not in {"target", "database"}]


class _Series:
    """One label set: its values by column, counters' totals among them, and the lines written of them last."""

    __slots__ = ("lines", "prefixes", "values", "written")

    def __init__(self, prefixes: list[str]) -> None:
        self.prefixes = prefixes
        self.values: list[Number | None] = [None] * len(prefixes)
        self.written: list[Number | None] = [None] * len(prefixes)
        self.lines = [""] * len(prefixes)

    @property
    def width(self) -> int:
        """Count the values that are known."""
        return len(self.values) - self.values.count(None)

    def write(self) -> None:
        """Write the lines of the values that changed."""
        for place, value in enumerate(self.values):
            if value != self.written[place]:
                self.lines[place] = "" if value is None else f"{self.prefixes[place]}{number_text(value)}\n"
        self.written = self.values.copy()


class Reading:
    """The newest samples of one probe on one target, and the counters' totals behind them."""

    def __init__(self, probe: Probe, target: Target, shape: Layout) -> None:
        self.shape = shape
        self.chunks: Mapping[str, bytes] = {}
        """Sample lines by the family's name."""
        self.series = 0
        self.left_away = 0
        self._target = target
        self._labels = _own_labels(probe)
        kinds = [(place, metric.column, metric.kind) for place, (metric, _) in enumerate(shape.columns)]
        self._counters = [(place, column) for place, column, kind in kinds if kind is Kind.COUNTER]
        self._gauges = [(place, column) for place, column, kind in kinds if kind is Kind.GAUGE]
        self._known: dict[Key, _Series] = {}

    def take(self, seen: Measurement, room: int) -> None:
        """Replace the samples by a new reading's, at most `room` of them."""
        rows = seen.rows if seen.exposed is None else seen.exposed
        before = set(self._known) if self._counters else ()
        named = [(self._key(row), row) for row in rows]
        present = {key: self._of(key) for key, _ in named}
        self._gauge(named)
        self._count(seen, named, before)
        shown = _fitting(present, room)
        self.series = sum(each.width for each in shown.values())
        self.left_away = sum(each.width for each in present.values()) - self.series
        self.chunks = self._encode(list(shown.values()))
        self._forget(shown)

    def _key(self, row: Row) -> Key:
        database = label_value(row.get("database")) if self.shape.per_database else None
        return (database, *[label_value(row.get(label)) for label in self._labels])

    def _of(self, key: Key) -> _Series:
        known = self._known.get(key)
        if known is None:
            database, *values = key
            name = self.shape.name(self._target, [value or "" for value in values], database)
            known = self._known[key] = _Series([f"{each.sample}{name} " for _, each in self.shape.columns])
        return known

    def _gauge(self, named: Named) -> None:
        """Take the gauges as they are; of equal label sets the last row wins."""
        for key, row in named:
            values = self._known[key].values
            for place, column in self._gauges:
                values[place] = as_number(row.get(column))

    def _count(self, seen: Measurement, named: Named, before: Container[Key]) -> None:
        """Let the counters grow: by growth where it is known, else new ones start at the server's own figure."""
        if not self._counters:
            return
        if seen.exposed is not None:
            self._grow(named)
        elif seen.grown is None:
            self._grow([(key, row) for key, row in named if key not in before])
        else:
            self._begin(named)
            self._grow([(self._key(row), row) for row in seen.grown])

    def _begin(self, named: Named) -> None:
        """Let counters that are read for the first time start at nought."""
        for key, row in named:
            values = self._known[key].values
            for place, column in self._counters:
                if values[place] is None and as_number(row.get(column)) is not None:
                    values[place] = 0

    def _grow(self, named: Named) -> None:
        for key, row in named:
            values = self._of(key).values
            for place, column in self._counters:
                growth = as_number(row.get(column))
                if growth is not None:
                    values[place] = (values[place] or 0) + (growth if 0 < growth < math.inf else 0)

    def _encode(self, shown: Sequence[_Series]) -> Mapping[str, bytes]:
        for each in shown:
            each.write()
        chunks = (
            (family.name, "".join([each.lines[place] for each in shown]))
            for place, (_, family) in enumerate(self.shape.columns)
        )
        return {name: chunk.encode() for name, chunk in chunks if chunk}

    def _forget(self, shown: Mapping[Key, _Series]) -> None:
        """Keep what is shown, and some of what is not: a counter that returns must not fall."""
        absent = [key for key in self._known if key not in shown][-REMEMBERED:] if self._counters else []
        self._known = {**{key: self._known[key] for key in absent}, **shown}


def _fitting(present: Mapping[Key, _Series], room: int) -> dict[Key, _Series]:
    """Keep whole label sets, the first ones, as long as there is room."""
    shown = {}
    for key, series in present.items():
        room -= series.width
        if room < 0:
            break
        shown[key] = series
    return shown
