"""`monitor check-config | probes | rules | explain | schema`: what there is, in words."""

from __future__ import annotations

import difflib
import json
import textwrap
from pathlib import Path

from monitor.catalog import Catalog
from monitor.config.load import load_config, schema
from monitor.errors import UsageError
from monitor.probe import Probe
from monitor.rule import HEADINGS, Judge
from monitor.whole import whole_catalog

WIDTH = 100


def catalog_of(config: Path | None) -> Catalog:
    """Give the catalogue, as a configuration sets it where one is named."""
    catalog = whole_catalog()
    return catalog if config is None else load_config(config, catalog).catalog


def checked(file: Path) -> str:
    """Give warnings and a last line that all is well; raises ConfigErrors with every mistake."""
    config = load_config(file, whole_catalog())
    count = len(config.everyone)
    return "\n".join([*config.warnings, f"{file}: well; {count} target{'s' if count != 1 else ''}"])


def probe_list(config: Path | None) -> str:
    """One line a probe: name, scope, interval, rules."""
    catalog = catalog_of(config)
    lines = [
        f"{probe.name:<16} {probe.scope.value:<9} every {probe.every:g} s"
        + ("" if probe.enabled else "  (off)")
        + f"  {', '.join(rule.id for rule in probe.rules) or '(no rules)'}"
        for probe in catalog.probes.values()
    ]
    broken = [f"{problem.name:<16} cannot be used: {problem.reason}" for problem in catalog.problems]
    return "\n".join([*lines, *broken])


def probe_sql(config: Path | None, major: int) -> str:
    """Give what each probe asks a server of that major version."""
    return "\n\n".join(f"-- {probe.name}\n{_asks(probe, major)}" for probe in catalog_of(config).probes.values())


def _asks(probe: Probe, major: int) -> str:
    sql = probe.sql_for(major)
    if sql is not None:
        return textwrap.dedent(sql).strip("\n") + ";"
    if probe.observe is not None:
        return "-- asks several questions, one after the other; see its module"
    return f"-- nothing: it is made for PostgreSQL {min(probe.sql, default=probe.min_version)} and later"


def rule_list(config: Path | None) -> str:
    """One line a rule: id, severity, area, fault."""
    judges = sorted(catalog_of(config).rules.items())
    return "\n".join(
        f"{name:<34} {judge.severity.value:<9} {judge.area.value:<12} {judge.manual()['fault'].rstrip('.')}"
        for name, judge in judges
    )


def rule_page(config: Path | None, name: str) -> str:
    """Give a rule's manual page with its settings; raises UsageError with what was meant."""
    judges = catalog_of(config).rules
    if name not in judges:
        near = difflib.get_close_matches(name, judges, n=1)
        hint = f"did you mean {near[0]}?" if near else "`monitor rules` lists them"
        raise UsageError(f"explain {name}: no such rule; {hint}")
    judge = judges[name]
    manual = judge.manual()
    parts = [f"{name}  ({judge.severity.value}, {judge.area.value})", "", _filled(manual["fault"])]
    for heading in HEADINGS:
        if heading in manual:
            parts += ["", f"{heading}:", _filled(manual[heading])]
    return "\n".join([*parts, "", "Settings (rules: " + name + "):", *_settings(judge)])


def _filled(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="  ")


def _settings(judge: Judge) -> list[str]:
    return [f"  {name} = {value}" for name, value in judge.thresholds().items() if value != ""]


def config_schema() -> str:
    """Give the JSON Schema of the configuration."""
    return json.dumps(schema(whole_catalog()), indent=2)
