"""The words of the table: a metric of theirs, where its value stands in our readings, and one sample of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeAlias

from monitor.expose.text import Number, as_number, escape, label_value
from monitor.measurement import Row
from monitor.probe import Kind

Merge: TypeAlias = Callable[[Iterable[Number]], Number]


@dataclass(frozen=True, kw_only=True)
class Theirs:
    """One metric of theirs: our column times `factor`; what has the same labels is put together by `merge`."""

    name: str
    kind: Kind
    column: str
    help: str
    factor: int = 1
    merge: Merge = sum

    def header(self, *, openmetrics: bool) -> str:
        """Give the HELP and TYPE lines; OpenMetrics knows no counter whose name does not end in `_total`."""
        counter = self.kind is Kind.COUNTER
        named = self.name.removesuffix("_total") if openmetrics and counter else self.name
        kind = "unknown" if openmetrics and counter and named == self.name else self.kind.value
        text = escape(self.help) if openmetrics else escape(self.help).replace(r"\"", '"')
        return f"# HELP {named} {text}\n# TYPE {named} {kind}\n"

    def value(self, row: Row) -> Number | None:
        """Read a row's value as the server gave it; times become seconds since 1970."""
        given = row.get(self.column)
        number = as_number(given.timestamp() if isinstance(given, datetime) else given)
        return None if number is None else number * self.factor


class Sample(NamedTuple):
    """One value under one label set, which is written `name="value",…`."""

    metric: Theirs
    labels: str
    value: Number


@dataclass(frozen=True, kw_only=True)
class Collector:
    """One collector of theirs: the rows of a probe of ours that it is made of, and its labels by our columns."""

    name: str
    probe: str
    kind: str | None = None
    """Which rows, where a probe's rows are told apart by `kind`."""
    labels: Mapping[str, str] = field(default_factory=dict)
    present: str | None = None
    """A column without which a row is none of theirs."""
    metrics: tuple[Theirs, ...]

    def samples(self, row: Row) -> Iterator[Sample]:
        """Give what they would say of a row."""
        if not self._tells(row):
            return
        labels = ",".join(f'{theirs}="{label_value(row.get(ours))}"' for theirs, ours in self.labels.items())
        for metric in self.told(row):
            value = metric.value(row)
            if value is not None:
                yield Sample(metric, labels, value)

    def told(self, row: Row) -> Iterable[Theirs]:
        """Give the metrics of a row: of views that lack some on this version (`given`), those that are there."""
        given = row.get("given")
        return self.metrics if not isinstance(given, tuple) else [each for each in self.metrics if _has(each, given)]

    def _tells(self, row: Row) -> bool:
        if self.kind is not None and row.get("kind") != self.kind:
            return False
        given = row.get("given")
        return self.present is None or (
            self.present in given if isinstance(given, tuple) else row.get(self.present) not in {None, ""}
        )


def _has(metric: Theirs, given: tuple[str, ...]) -> bool:
    """Tell whether a view has a counter; what is not counted, such as its reset, is not listed."""
    return metric.kind is not Kind.COUNTER or metric.column in given or metric.column == "stats_reset"


def gauge(name: str, column: str, told: str, *, factor: int = 1, merge: Merge = sum) -> Theirs:
    """Say where a gauge's value stands."""
    return Theirs(name=name, kind=Kind.GAUGE, column=column, help=told, factor=factor, merge=merge)


def counter(name: str, column: str, told: str, *, factor: int = 1) -> Theirs:
    """Say where a counter's value stands; like theirs it falls when the server's statistics are reset."""
    return Theirs(name=name, kind=Kind.COUNTER, column=column, help=told, factor=factor)
