"""YAML probes and the rule their thresholds become."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.config.probes import read_yaml_probe
from monitor.errors import ConfigErrors, Needs
from monitor.measurement import Measurement, Row
from monitor.model import Area, Finding, NoVerdict, Object, Severity, Target
from monitor.probe import Kind, Metric, Probe, Scope
from monitor.rule import HEADINGS, Rule

QUEUE = """
name: queue
help: Jobs that wait.
scope: database
sql:
  14: select 'a' as schema, 'b' as name, 1 as waiting, 2 as failed
  17: select 'a' as schema, 'b' as name, 1 as waiting, 2 as failed, 3 as extra
key: [schema, name]
labels: [schema, name]
metrics:
  - {column: waiting, kind: gauge, help: Jobs that wait.}
  - {column: failed, kind: counter, help: Jobs that failed.}
thresholds:
  - id: queue.long
    column: waiting
    warning: 10
    critical: 1000
    hold: 5m
    object: table
    summary: "{value} jobs wait in {name}, more than {limit}"
    impact: users wait for their mail
    what_to_do: Start more workers.
    remedy: analyze {object}
  - {id: queue.failing, column: failed, per_second: true, warning: 0.5, impact: work is lost, area: capacity}
  - {id: queue.idle, column: waiting, direction: below, warning: 1, critical: 0, impact: nobody sends work}
ttl: 2m
timeout: 500ms
max_version: 18
needs: ["extension:pgmq"]
"""

TARGET = Target("shop", "app")


def probe(tmp_path: Path, text: str = QUEUE) -> Probe:
    path = tmp_path / "queue.yaml"
    path.write_text(text)
    return read_yaml_probe(path)


def mistakes(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        probe(tmp_path, text)
    return [str(error).removeprefix(f"{tmp_path}/") for error in caught.value.errors]


def rule(tmp_path: Path, rule_id: str) -> Rule:
    return next(rule for rule in probe(tmp_path).rules if rule.id == rule_id)


def seen(*rows: Row, seconds: float | None = None) -> Measurement:
    growth = rows if seconds is not None else None
    now = datetime.now(UTC)
    return Measurement(
        target=TARGET, probe="queue", taken_at=now, rows=rows, window_growth=growth, window_seconds=seconds or 0
    )


def row(**values: object) -> Row:
    return {"schema": "public", "name": "Jobs", **values}


def test_a_yaml_file_becomes_the_same_probe_as_one_in_python(tmp_path: Path) -> None:
    made = probe(tmp_path)
    assert replace(made, rules=(), sql={}) == Probe(
        name="queue",
        scope=Scope.DATABASE,
        every=120.0,
        timeout=0.5,
        needs=("extension:pgmq",),
        key=("schema", "name"),
        labels=("schema", "name"),
        metrics=(Metric("waiting", Kind.GAUGE, "Jobs that wait."), Metric("failed", Kind.COUNTER, "Jobs that failed.")),
        min_version=14,
        max_version=18,
    )
    assert "extra" not in str(made.sql_for(16))
    assert "extra" in str(made.sql_for(17))


def test_each_threshold_has_its_own_id_area_and_manual_page(tmp_path: Path) -> None:
    long, failing, _ = probe(tmp_path).rules
    assert (long.id, long.area, failing.id, failing.area) == (
        "queue.long",
        Area.OPERATIONS,
        "queue.failing",
        Area.CAPACITY,
    )
    manual = long.manual()
    assert manual["fault"] == "Jobs that wait: waiting is above its limit."
    assert manual["What to do"] == "Start more workers."
    assert all(manual[heading] for heading in HEADINGS)
    assert dict(long.thresholds()) == {
        "severity": Severity.WARNING, "hold": 300.0, "keep": 0.0, "note": "", "warning": 10.0, "critical": 1000.0,
    }  # fmt: skip


def test_beyond_the_limit_is_a_finding_about_the_named_object(tmp_path: Path) -> None:
    (finding,) = rule(tmp_path, "queue.long").check(seen(row(waiting=11)))
    assert isinstance(finding, Finding)
    assert (finding.severity, finding.subject) == (Severity.WARNING, 'public."Jobs"')
    assert finding.object == Object("table", schema="public", name="Jobs")
    assert finding.summary == "11 jobs wait in Jobs, more than 10"
    assert finding.remedy.sql == ('analyze public."Jobs"',)
    assert finding.evidence == {"waiting": 11.0, "limit": 10.0}


def test_exactly_at_the_limit_is_well(tmp_path: Path) -> None:
    assert list(rule(tmp_path, "queue.long").check(seen(row(waiting=10)))) == []


def test_the_worse_limit_makes_it_critical(tmp_path: Path) -> None:
    (finding,) = rule(tmp_path, "queue.long").check(seen(row(waiting=1001)))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.CRITICAL


def test_below_looks_at_the_other_side(tmp_path: Path) -> None:
    idle = rule(tmp_path, "queue.idle")
    (finding,) = idle.check(seen(row(waiting=0)))
    assert isinstance(finding, Finding)
    assert (finding.severity, finding.subject) == (Severity.WARNING, "public, Jobs")
    assert list(idle.check(seen(row(waiting=1)))) == []


def test_a_row_without_a_number_is_left_unjudged_and_the_others_are_not(tmp_path: Path) -> None:
    verdicts = list(rule(tmp_path, "queue.long").check(seen(row(waiting=None), row(waiting=11))))
    assert [type(verdict) for verdict in verdicts] == [NoVerdict, Finding]


def test_growth_is_judged_a_second_and_only_once_it_is_known(tmp_path: Path) -> None:
    failing = rule(tmp_path, "queue.failing")
    (finding,) = failing.check(seen(row(failed=60), seconds=100))
    assert isinstance(finding, Finding)
    assert finding.summary == "failed is 0.6/s; the limit is 0.5/s"
    assert list(failing.check(seen(row(failed=50), seconds=100))) == []
    (unknown,) = failing.check(seen(row(failed=50), seconds=0))
    assert isinstance(unknown, NoVerdict)
    assert unknown.needs is Needs.HISTORY


def test_limits_can_be_moved_but_not_into_nonsense(tmp_path: Path) -> None:
    long = rule(tmp_path, "queue.long")
    assert list(replace(long, warning=11.0).check(seen(row(waiting=11)))) == []  # type: ignore[call-arg]  # Threshold's
    with pytest.raises(ValueError, match="the worse of the two"):
        replace(long, warning=2000.0)  # type: ignore[call-arg]  # Threshold's
    with pytest.raises(ValueError, match="needs a limit"):
        replace(long, warning=None, critical=None)  # type: ignore[call-arg]  # Threshold's


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("name: queue", "name: Queue", "queue.yaml:2: name: does not look right"),
        ("ttl: 2m", "tll: 2m", "queue.yaml:26: tll: no such key; did you mean ttl?"),
        ("help: Jobs that wait.\nscope", "scope", "queue.yaml:2: help: is required"),
        ("id: queue.long", "id: long", "queue.yaml:14: thresholds[0].id: does not look right"),
        ("hold: 5m", "hold: 5 moons", "queue.yaml:18: thresholds[0].hold: should be a duration"),
        (
            "in {name}",
            "in {nmae}",
            "queue.yaml:20: thresholds[0].summary: has no {nmae}; may hold: limit, name, schema, value",
        ),
        ("in {name}", "in {name.__class__}", "queue.yaml:14: thresholds[0]: braces may hold a plain name only"),
        ("analyze {object}", "analyze {name}", "queue.yaml:14: thresholds[0]: remedy may hold {object} only"),
        ("    object: table\n", "", "queue.yaml:14: thresholds[0]: a remedy with {object} needs `object`"),
        ("kind: counter", "kind: gauge", "queue.yaml:24: thresholds[1].per_second: is for counters"),
        ("critical: 1000", "critical: 1", "queue.yaml:14: thresholds[0]: critical must be the worse"),
        ("14: select", "14: selec", "queue.yaml:6: sql.14: PostgreSQL's parser cannot read this"),
        ("14: select 'a' as schema", "15: select 'a' as schema", "queue.yaml:5: sql: has no text for min_version"),
        ('"extension:pgmq"', '"pgmq"', "queue.yaml:29: needs[0]: does not look right"),
        ("kind: gauge", "kind: gague", "metrics[0].kind: should be 'gauge' or 'counter'; did you mean gauge?"),
        ("column: waiting\n    w", "column: subject\n    w", "thresholds[0].column: is a word of findings themselves"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_line(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert old in QUEUE
    assert any(complaint in mistake for mistake in mistakes(tmp_path, QUEUE.replace(old, new, 1)))


def test_dollar_quotes_of_sql_stay_as_they_are(tmp_path: Path) -> None:
    text = "name: quoted\nhelp: Quoting.\nsql: select $$a$$ as a, '${HOME}' as b\n"
    assert probe(tmp_path, text).sql == {14: "select $$a$$ as a, '${HOME}' as b"}
