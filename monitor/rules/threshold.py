"""The rule of YAML probes: a column beyond a limit. Each threshold of a file becomes a class of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any, ClassVar

from monitor.errors import Needs, ProbeSkipped
from monitor.measurement import Measurement, Row, duration, number, size
from monitor.model import Area, Finding, NoVerdict, Object, Remedy, Severity
from monitor.rule import Rule
from monitor.sql.text import identifier


@dataclass(frozen=True, kw_only=True)
class Wording:
    """What a threshold says. `summary` may name the key's columns, {value} and {limit}; `remedy_sql` only {object}."""

    summary: str
    impact: str
    remedy_sql: str = ""
    caution: str = ""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a threshold reads: a column, its growth a second or not, and which side of the limit is bad."""

    column: str
    above: bool = True
    per_second: bool = False
    key: tuple[str, ...] = ()
    kind: str = ""
    """An object's kind (CONTRACT §Objects), whose schema and name the key holds; "" when the key is no object."""


@dataclass(frozen=True, kw_only=True)
class Threshold(Rule):
    """A column is beyond its limit; a value exactly at the limit is well.

    Why: the threshold's file says.
    What to do: the threshold's file says.
    When it is wrong: where the limit does not fit the server.
    Cost: none beyond the probe's one query.
    """

    area: ClassVar[Area] = Area.OPERATIONS
    reading: ClassVar[Reading]
    wording: ClassVar[Wording]
    warning: float | None = None
    critical: float | None = None

    def __post_init__(self) -> None:
        """Refuse limits that can never, or only in the wrong order, be passed."""
        if self.warning is None and self.critical is None:
            raise ValueError("needs a limit: warning, critical or both")
        if self.warning is not None and self.critical is not None and self._passes(self.warning, self.critical):
            raise ValueError("critical must be the worse of the two limits")

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        """Judge each row; a row without a number is left unjudged by itself."""
        for row in seen.changes if self.reading.per_second else seen.rows:
            try:
                yield from self._judged(seen, row, self._value(seen, row))
            except ProbeSkipped as error:
                yield NoVerdict(reason=str(error), needs=error.needs, subject=self._subject(seen, row))

    def _passes(self, value: float, limit: float) -> bool:
        return value > limit if self.reading.above else value < limit

    def _value(self, seen: Measurement, row: Row) -> float:
        value = number(row, self.reading.column)
        if not self.reading.per_second:
            return value
        if seen.window_seconds <= 0:
            raise ProbeSkipped("no time has passed between the readings", Needs.HISTORY)
        return value / seen.window_seconds

    def _judged(self, seen: Measurement, row: Row, value: float) -> Iterator[Finding]:
        levels = ((Severity.CRITICAL, self.critical), (self.severity, self.warning))
        passed = ((severity, limit) for severity, limit in levels if limit is not None and self._passes(value, limit))
        for severity, limit in passed:
            yield self._accusation(seen, row, severity, {"value": value, "limit": limit})
            return

    def _accusation(self, seen: Measurement, row: Row, severity: Severity, figures: Mapping[str, float]) -> Finding:
        name, wording = self._subject(seen, row), self.wording
        shown = {name: self._shown(figure) for name, figure in figures.items()}
        words = {column: str(row.get(column)) for column in self.reading.key}
        evidence: dict[str, Any] = {self.reading.column: round(figures["value"], 6), "limit": figures["limit"]}
        return self.finding(
            seen,
            subject=name,
            object=self._object(seen, row),
            summary=wording.summary.format_map({**words, **shown}),
            impact=wording.impact,
            remedy=Remedy(
                sql=(wording.remedy_sql.format_map({"object": name}),) if wording.remedy_sql else (),
                caution=wording.caution,
            ),
            severity=severity,
            **evidence,
        )

    def _subject(self, seen: Measurement, row: Row) -> str:
        values = [str(row.get(column)) for column in self.reading.key]
        if self.reading.kind:
            return identifier(*values)
        return ", ".join(values) or seen.target.database or seen.target.server

    def _object(self, seen: Measurement, row: Row) -> Object:
        if not self.reading.kind:
            database = seen.target.database
            return Object("database", name=database) if database else Object("server", name=seen.target.server)
        *schema, name = (str(row.get(column)) for column in self.reading.key)
        return Object(self.reading.kind, schema=schema[0] if schema else None, name=name)

    def _shown(self, figure: float) -> str:
        column = self.reading.column.removesuffix("_total")
        unit = "/s" if self.reading.per_second else ""
        if column.endswith("_bytes"):
            return size(figure) + unit
        if column.endswith("_seconds") and not unit:
            return duration(figure)
        return f"{figure:,.6g}{unit}"


def made_threshold(rule_id: str, area: Area, manual: str, reading: Reading, wording: Wording) -> type[Threshold]:
    """Make the class of one threshold: its own id, area and manual page, with Threshold's fields."""
    name = "".join(part.capitalize() for part in rule_id.replace("_", ".").split("."))
    body = {"__doc__": manual, "id": rule_id, "area": area, "reading": reading, "wording": wording}
    return type(name, (Threshold,), {**body, "__module__": __name__})


def placeholders(template: str) -> set[str]:
    """Give the names in a template's braces; raises ValueError for anything but plain `{name}`."""
    parts = [(name, spec, conversion) for _, name, spec, conversion in Formatter().parse(template) if name is not None]
    if any(not name.isidentifier() or spec or conversion for name, spec, conversion in parts):
        raise ValueError("braces may hold a plain name only, such as {value}; write {{ for a brace")
    return {name for name, _, _ in parts}
