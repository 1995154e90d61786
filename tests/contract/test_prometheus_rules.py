"""The rules for Prometheus: they parse, are tested by promtool, name what is exported, and say what to do."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.whole import whole_catalog
from tests.conftest import absent
from tests.contract.test_dashboards import CHECKOUT, exported, named

FOLDER = CHECKOUT / "dashboards" / "prometheus"
RULES = sorted(FOLDER.glob("*.rules.yaml"))
TESTS = sorted((CHECKOUT / "tests" / "promtool").glob("*.test.yaml"))
FREQUENT = 15.0
"""Seconds between the runs of the probes that are called frequent."""
STALE = {"frequent": 900, "rare": 7200}


def rules() -> list[Mapping[str, Any]]:
    """Give all rules of all files."""
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


ALERTS = [rule for rule in rules() if "alert" in rule]


def promtool(*arguments: str | Path) -> None:
    """Run it; it must be content."""
    if shutil.which("promtool") is None:
        absent("promtool is not installed")
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout + done.stderr


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_the_rules_are_sound(path: Path) -> None:
    """Prometheus' own linter finds no mistake and no rule twice."""
    promtool("check", "rules", "--lint=all", "--lint-fatal", path)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_the_rules_do_what_they_are_for(path: Path) -> None:
    """Sick, near miss, absent, recovers: by Prometheus' own engine."""
    promtool("test", "rules", path)


def test_every_alert_is_tested() -> None:
    """Each one is expected to fire in a test."""
    text = "".join(path.read_text(encoding="utf-8") for path in TESTS)
    assert {rule["alert"] for rule in ALERTS} == set(re.findall(r'alertname="(Pgarchitect\w+)"', text))


def test_the_rules_name_only_what_is_exported() -> None:
    """A renamed metric leaves no dead rule behind; nor does a recording rule."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    used = {name for rule in rules() for name in re.findall(r"\w+:pgarchitect_\w+:\w+", rule["expr"])}
    assert used <= recorded
    plain = " ".join(re.sub(r"\w+:pgarchitect_\w+:\w+", "", rule["expr"]) for rule in rules())
    assert named(plain) <= exported().keys()


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_it_means(rule: Mapping[str, Any]) -> None:
    """It has a severity as findings have, says what and what of it, and has a section in the manual."""
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    assert rule["annotations"]["description"].endswith(".")
    file, _, anchor = rule["annotations"]["runbook"].partition("#")
    manual = (CHECKOUT / file).read_text(encoding="utf-8")
    assert anchor == rule["alert"].lower()
    assert f"\n## {rule['alert']}\n" in manual


def test_the_manual_has_no_alert_that_is_gone() -> None:
    sections = re.findall(r"^## (\w+)$", (FOLDER / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(sections) == sorted({rule["alert"] for rule in ALERTS})


def test_a_stale_probe_is_one_that_should_have_run() -> None:
    """Those called frequent run every 15 s unless told else; the others at least four times within their limit."""
    stale = {rule["labels"]["probes"]: rule["expr"] for rule in ALERTS if rule["alert"] == "PgarchitectProbeStale"}
    assert all(f"> {limit}" in stale[pace] for pace, limit in STALE.items())
    (names,) = re.findall(r'probe=~"([^"]*)"', stale["frequent"])
    every = {probe.name: probe.every for probe in whole_catalog().probes.values()}
    assert {every[name] for name in names.split("|")} == {FREQUENT}
    assert f'probe!~"{names}"' in stale["rare"]
    assert max(every.values()) <= STALE["rare"] / 4
