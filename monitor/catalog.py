"""The catalogue: probes from entry points and files, every rule by its id, and both as the configuration sets them.

A probe that cannot be loaded becomes a CatalogProblem, shown as probe.broken, and harms no other.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Annotated, Any, Final, TypeVar

from pydantic import Field

from monitor.config.values import Mistake, Seconds, Setting, did_you_mean, read_settings, settings_of
from monitor.config.yamlfile import KeyPath
from monitor.errors import ConfigError
from monitor.measurement import Row
from monitor.probe import Probe, Scope
from monitor.rule import Judge

J = TypeVar("J", bound=Judge)
T = TypeVar("T")

GROUP = "monitor.probes"
USUAL_INTERVAL = 15.0
"""The interval that `defaults.interval` replaces."""

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_RULE_ID = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\Z")
_TAKEN_LABELS = frozenset({"target", "le", "quantile", "job", "instance"})
_PROBE_FIELDS: Final[Mapping[str, Any]] = {
    "every": Annotated[Seconds, Field(ge=1)],
    "timeout": Annotated[Seconds, Field(gt=0)],
    "enabled": bool,
}
_JUDGE_FIELDS: Final[Mapping[str, Any]] = {"hold": Seconds, "keep": Seconds, "every": Annotated[Seconds, Field(ge=1)]}


@dataclass(frozen=True)
class CatalogProblem:
    """A probe that cannot be used, and why."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """Probes by name; `judges` are the rules and advisors that belong to no probe."""

    probes: Mapping[str, Probe] = field(default_factory=dict)
    judges: tuple[Judge, ...] = ()
    problems: tuple[CatalogProblem, ...] = ()

    @property
    def rules(self) -> Mapping[str, Judge]:
        """Every rule and advisor by its id."""
        of_probes = (rule for probe in self.probes.values() for rule in probe.rules)
        return MappingProxyType({judge.id: judge for judge in (*of_probes, *self.judges)})

    @property
    def asked(self) -> Mapping[str, Probe]:
        """The probes that are not turned off, by name."""
        return {name: probe for name, probe in self.probes.items() if probe.enabled}

    @property
    def judging(self) -> set[str]:
        """The rules that judge: those of probes that are asked, and those that belong to none."""
        of_probes = {rule.id for probe in self.asked.values() for rule in probe.rules}
        return of_probes | {judge.id for judge in self.judges}

    @property
    def silenced(self) -> set[str]:
        """The rules whose probe is turned off."""
        return set(self.rules) - self.judging

    @property
    def unloaded(self) -> list[Row]:
        """The probes that could not be loaded, as runs that broke."""
        broken = {
            "kind": "probe",
            "database": None,
            "result": "broken",
            "duration_seconds": 0.0,
            "timeout_seconds": 5.0,
        }
        return [{**broken, "probe": problem.name, "reason": problem.reason} for problem in self.problems]

    @property
    def sections(self) -> frozenset[str]:
        """The top-level keys of the configuration that fill a probe's options."""
        return frozenset(probe.section for probe in self.probes.values() if probe.section)

    def with_probe(self, probe: Probe) -> Catalog:
        """Add a probe; raises ConfigError, without a line, when it does not fit in."""
        self._check_new(probe)
        _check_columns(probe)
        _check_settings(probe)
        return replace(self, probes=MappingProxyType({**self.probes, probe.name: probe}))

    def compatible(self, exporters: Collection[str]) -> Catalog:
        """Enable the probes that only these exporters' names need."""
        needed = {name: probe for name, probe in self.probes.items() if probe.compat and probe.compat in exporters}
        enabled = {name: replace(probe, enabled=True) for name, probe in needed.items()}
        return replace(self, probes=MappingProxyType({**self.probes, **enabled}))

    def configured(
        self,
        probes: Mapping[str, object],
        rules: Mapping[str, object],
        sections: Mapping[str, object],
        *,
        interval: float | None = None,
    ) -> tuple[Catalog, list[Mistake]]:
        """Give the catalogue as the configuration's `probes`, `rules` and sections change it, and what is wrong."""
        mistakes = [*self._strangers("probe", probes, self.probes), *self._strangers("rule", rules, self.rules)]
        made = {}
        for name, probe in self.probes.items():
            usual = interval if interval and probe.every == USUAL_INTERVAL else probe.every
            changed, wrong = _set_probe(replace(probe, every=usual), probes.get(name), sections)
            judged, also = _set_judges(changed.rules, rules)
            made[name] = replace(changed, rules=judged)
            mistakes += [*wrong, *also]
        judges, wrong = _set_judges(self.judges, rules)
        return replace(self, probes=MappingProxyType(made), judges=judges), [*mistakes, *wrong]

    def _strangers(self, word: str, given: Mapping[str, object], known: Mapping[str, object]) -> list[Mistake]:
        """Complain of unknown names; a probe that could not be loaded is no stranger, and takes its rules with it."""
        lost = {problem.name for problem in self.problems}
        unknown = [name for name in given if name not in known and name not in lost]
        if word == "rule" and lost:
            return []
        return [
            Mistake((f"{word}s", name), f"no such {word}", did_you_mean(name, known, "there are")) for name in unknown
        ]

    def _check_new(self, probe: Probe) -> None:
        if not _NAME.match(probe.name):
            raise _misfit(probe, "its name is no lower-case word", "letters, digits and _, a letter first")
        if probe.name in self.probes:
            raise _misfit(probe, f"there is a probe {probe.name} already", "choose another name")
        ids = [rule.id for rule in probe.rules]
        for rule_id in ids:
            if not _RULE_ID.match(rule_id):
                raise _misfit(probe, f"rule id {rule_id}", "should be family.word in lower case")
            if rule_id in self.rules or ids.count(rule_id) > 1:
                raise _misfit(probe, f"there is a rule {rule_id} already", "choose another id")


def load_catalog(judges: Iterable[Judge] = (), found: Iterable[EntryPoint] | None = None) -> Catalog:
    """Load the probes of the entry-point group, the house's own first; `judges` are rules without a probe."""
    catalog = Catalog(judges=tuple(judges))
    points = entry_points(group=GROUP) if found is None else found
    for point in sorted(points, key=lambda point: (not point.value.startswith("probes."), point.name)):
        catalog = _with_point(catalog, point)
    return catalog


def _with_point(catalog: Catalog, point: EntryPoint) -> Catalog:
    try:
        return catalog.with_probe(_loaded(point))
    except (ConfigError, ImportError, AttributeError) as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - third parties' imports may fail in any way, and say anything
        reason = f"its import fails with {type(error).__name__}"
    return replace(catalog, problems=(*catalog.problems, CatalogProblem(point.name, reason)))


def _loaded(point: EntryPoint) -> Probe:
    probe = point.load()
    if isinstance(probe, Probe):
        return probe
    raise ConfigError(point.name, 0, "", f"{point.value} is no Probe", "the entry point names the constant PROBE")


def _misfit(probe: Probe, problem: str, remedy: str) -> ConfigError:
    return ConfigError(probe.name, 0, "", problem, remedy)


def _check_columns(probe: Probe) -> None:
    for part in probe.parts:
        _check_part(part)
    columns = Counter(metric.column for part in probe.parts for metric in part.metrics)
    for name, count in (columns + Counter(each.name for each in probe.asides)).items():
        if count > 1:
            raise _misfit(probe, f"{name} is declared twice", "a column is one metric or one label")


def _check_part(probe: Probe) -> None:
    names = [metric.column for metric in probe.metrics]
    for name in (*names, *probe.labels):
        if not _NAME.match(name):
            raise _misfit(probe, f"{name!r} is no legal metric or label name", "use lower case, digits and _")
        if [*names, *probe.labels].count(name) > 1:
            raise _misfit(probe, f"{name} is declared twice", "a column is one metric or one label")
    taken = _TAKEN_LABELS | ({"database"} if probe.scope is Scope.DATABASE else set())
    for name in sorted(taken & set(probe.labels)):
        raise _misfit(probe, f"the exporter sets the label {name} itself", "name the column otherwise")


def _check_settings(probe: Probe) -> None:
    """See that all types of settings can be read, which fails here rather than when somebody sets one."""
    clash = {setting.name for setting in settings_of(probe.options)} & _PROBE_FIELDS.keys()
    if clash:
        raise _misfit(probe, f"every probe has a setting {min(clash)}", "name the option otherwise")
    for rule in probe.rules:
        _judge_settings(rule)


def _probe_settings(probe: Probe) -> list[Setting]:
    own = [Setting(name, kind, getattr(probe, name)) for name, kind in _PROBE_FIELDS.items()]
    return own if probe.section else [*own, *settings_of(probe.options)]


def _judge_settings(judge: Judge) -> list[Setting]:
    return [replace(item, type=_JUDGE_FIELDS.get(item.name, item.type)) for item in settings_of(judge)]


def _set_probe(probe: Probe, given: object, sections: Mapping[str, object]) -> tuple[Probe, list[Mistake]]:
    values, mistakes = read_settings(_probe_settings(probe), given, ("probes", probe.name))
    mistakes = [_elsewhere(probe, mistake) for mistake in mistakes]
    options = {name: values.pop(name) for name in [*values] if name not in _PROBE_FIELDS}
    path: KeyPath = ("probes", probe.name)
    if probe.section:
        path = (probe.section,)
        options, wrong = read_settings(settings_of(probe.options), sections.get(probe.section), path)
        mistakes += wrong
    changed, wrong = _changed(probe.options, options, path)
    return replace(probe, options=changed, **values), [*mistakes, *wrong]


def _elsewhere(probe: Probe, mistake: Mistake) -> Mistake:
    """Send a setting that stands under `probes` to the section it belongs to."""
    options = {setting.name for setting in settings_of(probe.options)} if probe.section else set()
    if mistake.problem == "no such setting" and mistake.path[-1] in options:
        return replace(mistake, problem="stands in the wrong place", remedy=f"set {probe.section}.{mistake.path[-1]}")
    return mistake


def _set_judges(judges: Sequence[J], given: Mapping[str, object]) -> tuple[tuple[J, ...], list[Mistake]]:
    made, mistakes = [], []
    for judge in judges:
        path = ("rules", judge.id)
        values, wrong = read_settings(_judge_settings(judge), given.get(judge.id), path)
        changed, also = _changed(judge, values, path)
        made.append(changed)
        mistakes += [*wrong, *also]
    return tuple(made), mistakes


def _changed(instance: T, values: Mapping[str, Any], path: KeyPath) -> tuple[T, list[Mistake]]:
    """Replace fields; the dataclass may refuse their combination by ValueError."""
    if not values:
        return instance, []
    try:
        return dataclasses.replace(instance, **values), []  # type: ignore[type-var]  # only a dataclass has settings
    except ValueError as error:
        return instance, [Mistake(path, str(error))]
