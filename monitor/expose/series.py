"""The series of one probe on one target: sample lines made once a reading, and counters that never fall."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from monitor.expose.text import Family, Number, as_number, label_set, label_text, legal, number_text
from monitor.measurement import Measurement, Row
from monitor.model import Target
from monitor.probe import Kind, Metric, Probe

Named: TypeAlias = Sequence[tuple[str, Row]]

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
        """Write the label set of one row."""
        own = target.database or "" if database is None else database
        return label_set([("target", target.server), ("database", own), *zip(self.labels, values, strict=True)])


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
        self._counters = [metric.column for metric, _ in shape.columns if metric.kind is Kind.COUNTER]
        self._names: dict[tuple[str, ...], str] = {}
        self._totals: dict[str, dict[str, Number]] = {}

    def take(self, seen: Measurement, room: int) -> None:
        """Replace the samples by a new reading's, at most `room` of them."""
        rows = [(self._name(row), row) for row in (seen.rows if seen.exposed is None else seen.exposed)]
        self._count(seen, rows)
        samples = self._samples(rows)
        shown = _fitting(samples, room)
        self.series = sum(map(_width, shown.values()))
        self.left_away = sum(map(_width, samples.values())) - self.series
        self.chunks = self._encode(shown)
        self._forget(shown)

    def _name(self, row: Row) -> str:
        values = tuple(label_text(row.get(label)) for label in self._labels)
        database = label_text(row.get("database")) if self.shape.per_database else None
        key = values if database is None else (*values, database)
        if key not in self._names:
            self._names[key] = self.shape.name(self._target, values, database)
        return self._names[key]

    def _count(self, seen: Measurement, rows: Named) -> None:
        """Let the counters grow: by growth where it is known, else new ones start at the server's own figure."""
        if seen.exposed is not None:
            self._add(rows)
        elif seen.grown is None:
            known = set(self._totals)
            self._add([(name, row) for name, row in rows if name not in known])
        else:
            self._add(rows, factor=0)
            self._add([(self._name(row), row) for row in seen.grown])

    def _add(self, rows: Named, factor: int = 1) -> None:
        for name, row in rows:
            totals = self._totals.setdefault(name, {})
            for column in self._counters:
                growth = as_number(row.get(column))
                if growth is not None and math.isfinite(growth):
                    totals[column] = totals.get(column, 0) + max(growth, 0) * factor

    def _samples(self, rows: Named) -> dict[str, list[Number | None]]:
        """Give each label set's values in the order of the columns; of equal label sets the last row wins."""
        metrics = [(metric.column, metric.kind is Kind.COUNTER) for metric, _ in self.shape.columns]
        return {
            name: [
                self._totals[name].get(column) if counts else as_number(row.get(column)) for column, counts in metrics
            ]
            for name, row in rows
        }

    def _encode(self, shown: Mapping[str, Sequence[Number | None]]) -> Mapping[str, bytes]:
        chunks = {}
        for place, (_, each) in enumerate(self.shape.columns):
            values = ((name, row[place]) for name, row in shown.items())
            lines = [f"{each.sample}{name} {number_text(value)}\n" for name, value in values if value is not None]
            if lines:
                chunks[each.name] = "".join(lines).encode()
        return chunks

    def _forget(self, shown: Mapping[str, object]) -> None:
        absent = [name for name in self._totals if name not in shown][-REMEMBERED:]
        self._totals = {name: self._totals[name] for name in (*absent, *shown)}
        self._names = {key: name for key, name in self._names.items() if name in shown}


def _width(values: Iterable[Number | None]) -> int:
    return sum(value is not None for value in values)


def _fitting(samples: Mapping[str, list[Number | None]], room: int) -> dict[str, list[Number | None]]:
    """Keep whole label sets, the first ones, as long as there is room."""
    shown = {}
    for name, values in samples.items():
        room -= _width(values)
        if room < 0:
            break
        shown[name] = values
    return shown
