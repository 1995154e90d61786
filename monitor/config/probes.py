"""Reads a probe from a YAML file: the same Probe, under the same guards, as one written in Python."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, model_validator
from pydantic import ValidationError as Invalid

from monitor.config.values import Mistake, Seconds, mistakes_of, quantity
from monitor.config.yamlfile import Document, read_document
from monitor.errors import ConfigError, ConfigErrors
from monitor.model import Area, Severity
from monitor.probe import Kind, Metric, Probe, Scope
from monitor.rule import Rule
from monitor.rules.threshold import Reading, Wording, made_threshold, placeholders
from monitor.sql.text import read_statement

_OLDEST = 14
_ARGUMENTS = frozenset(
    (
        "seen",
        "subject",
        "object",
        "summary",
        "impact",
        "remedy",
        "severity",
        "confidence",
        "in_database",
        "limit",
        "note",
    )
)

Name: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Text: TypeAlias = Annotated[str, Field(min_length=1)]
Limit: TypeAlias = Annotated[float, BeforeValidator(quantity("limit")), Field(allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MetricYaml(_Strict):
    """A column that is exported."""

    column: Name
    kind: Kind = Kind.GAUGE
    help: Text


class ThresholdYaml(_Strict):
    """A limit on a column, with the words of its finding and of its manual page."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")]
    column: Name
    warning: Limit | None = None
    critical: Limit | None = None
    direction: Literal["above", "below"] = "above"
    per_second: bool = False
    severity: Severity = Severity.WARNING
    hold: Seconds = 0.0
    keep: Seconds = 0.0
    area: Area = Area.OPERATIONS
    title: str = ""
    summary: str = ""
    impact: Text
    what_to_do: str = ""
    when_wrong: str = "where the limit does not fit this server: set it under `rules`."
    object: str = ""
    remedy: str = ""
    caution: str = ""

    @model_validator(mode="after")
    def _words_can_be_filled(self) -> ThresholdYaml:
        placeholders(self.summary)
        if placeholders(self.remedy) - {"object"}:
            raise ValueError("remedy may hold {object} only, which is quoted as an identifier")
        if "{object}" in self.remedy and not self.object:
            raise ValueError("a remedy with {object} needs `object`, the kind of thing that the key names")
        return self


class ProbeYaml(_Strict):
    """One file of `probes.files`."""

    name: Name
    help: Text
    scope: Literal[Scope.SERVER, Scope.DATABASE] = Scope.SERVER
    sql: str | dict[int, str]
    labels: tuple[Name, ...] = ()
    key: tuple[Name, ...] | None = None
    metrics: tuple[MetricYaml, ...] = ()
    thresholds: tuple[ThresholdYaml, ...] = ()
    ttl: Annotated[Seconds, Field(ge=1)] = 60.0
    timeout: Annotated[Seconds, Field(gt=0)] = 5.0
    window: Seconds = 0.0
    min_version: Annotated[int, Field(ge=_OLDEST)] = _OLDEST
    max_version: int | None = None
    needs: tuple[Annotated[str, Field(pattern=r"^(extension|role):\S+$")], ...] = ()
    cost: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """What tells rows apart: the labels, where nothing else is said."""
        return self.labels if self.key is None else self.key

    @property
    def texts(self) -> dict[int, str]:
        """The SQL by the lowest major version it is for."""
        return {self.min_version: self.sql} if isinstance(self.sql, str) else self.sql


_ADAPTER: TypeAdapter[ProbeYaml] = TypeAdapter(ProbeYaml)


def read_yaml_probe(path: Path) -> Probe:
    """Read one probe; raises ConfigErrors with every mistake of the file."""
    return probe_of(read_document(path))


def probe_of(document: Document) -> Probe:
    """Make the probe of a file that was read; raises ConfigErrors."""
    errors = list(document.errors)
    try:
        given = _ADAPTER.validate_python(document.data)
    except Invalid as invalid:
        mistakes = mistakes_of(invalid, document.data, (), _ADAPTER)
        raise ConfigErrors([*errors, *_placed(document, mistakes)]) from None
    rules, mistakes = _rules(given)
    errors += _placed(document, [*_sql_mistakes(given), *_threshold_mistakes(given), *mistakes])
    if errors:
        raise ConfigErrors(errors)
    return _probe(given, tuple(rules))


def _placed(document: Document, mistakes: list[Mistake]) -> list[ConfigError]:
    return [document.mistake(mistake.path, mistake.problem, mistake.remedy) for mistake in mistakes]


def _probe(given: ProbeYaml, rules: tuple[Rule, ...]) -> Probe:
    return Probe(
        name=given.name,
        scope=given.scope,
        every=given.ttl,
        timeout=given.timeout,
        window=given.window,
        sql=given.texts,
        needs=given.needs,
        key=given.keys,
        labels=given.labels,
        metrics=tuple(Metric(metric.column, metric.kind, metric.help) for metric in given.metrics),
        rules=rules,
        min_version=given.min_version,
        max_version=given.max_version,
    )


def _sql_mistakes(given: ProbeYaml) -> list[Mistake]:
    found = []
    for lowest, text in given.texts.items():
        path = ("sql",) if isinstance(given.sql, str) else ("sql", str(lowest))
        if read_statement(text) is None:
            found.append(
                Mistake(path, "PostgreSQL's parser cannot read this", "one statement, without psql's commands")
            )
    if given.min_version < min(given.texts, default=_OLDEST):
        found.append(Mistake(("sql",), "has no text for min_version", f"give one under {given.min_version}:"))
    return found


def _threshold_mistakes(given: ProbeYaml) -> list[Mistake]:
    """Check thresholds against the probe they stand in."""
    counters = {metric.column for metric in given.metrics if metric.kind is Kind.COUNTER}
    found = []
    for place, threshold in enumerate(given.thresholds):
        path = ("thresholds", place)
        if threshold.per_second and threshold.column not in counters:
            found.append(
                Mistake((*path, "per_second"), "is for counters", "declare the column as a metric, kind: counter")
            )
        if threshold.column in _ARGUMENTS:
            found.append(Mistake((*path, "column"), "is a word of findings themselves", "name the column otherwise"))
        strangers = placeholders(threshold.summary) - {"value", "limit", *given.keys}
        if strangers:
            known = ", ".join(sorted({"value", "limit", *given.keys}))
            found.append(Mistake((*path, "summary"), f"has no {{{min(strangers)}}}", f"may hold: {known}"))
        if threshold.object and len(given.keys) not in {1, 2}:
            found.append(Mistake((*path, "object"), "needs a key of one or two columns", "key: [schema, name]"))
    return found


def _rules(given: ProbeYaml) -> tuple[list[Rule], list[Mistake]]:
    rules: list[Rule] = []
    mistakes = []
    for place, threshold in enumerate(given.thresholds):
        try:
            rules.append(_rule(given, threshold))
        except ValueError as error:
            mistakes.append(Mistake(("thresholds", place), str(error)))
    return rules, mistakes


def _rule(given: ProbeYaml, threshold: ThresholdYaml) -> Rule:
    reading = Reading(
        column=threshold.column,
        above=threshold.direction == "above",
        per_second=threshold.per_second,
        key=given.keys,
        kind=threshold.object,
    )
    wording = Wording(
        summary=threshold.summary or f"{threshold.column} is {{value}}; the limit is {{limit}}",
        impact=threshold.impact,
        remedy_sql=threshold.remedy,
        caution=threshold.caution or threshold.what_to_do,
    )
    made = made_threshold(threshold.id, threshold.area, _manual(given, threshold), reading, wording)
    return made(
        severity=threshold.severity,
        hold=threshold.hold,
        keep=threshold.keep,
        warning=threshold.warning,
        critical=threshold.critical,
    )


def _manual(given: ProbeYaml, threshold: ThresholdYaml) -> str:
    """Write the manual page that a rule in Python has as its docstring."""
    side = threshold.direction
    fault = threshold.title or f"{given.help.rstrip('.')}: {threshold.column} is {side} its limit"
    cost = given.cost or f"one query every {given.ttl:g} s, ended after {given.timeout:g} s."
    what = threshold.what_to_do or threshold.caution or threshold.remedy or "see the probe's file."
    pages = {"Why": threshold.impact, "What to do": what, "When it is wrong": threshold.when_wrong, "Cost": cost}
    lines = [f"{fault.strip().rstrip('.')}.", "", *(f"{name}: {_one_line(text)}" for name, text in pages.items())]
    return "\n".join(lines)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
