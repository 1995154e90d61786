"""The catalogue: what comes in, what is kept out and why, and what the configuration changes of it."""

from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from monitor.catalog import GROUP, Catalog, load_catalog
from monitor.config.values import Mistake
from monitor.errors import ConfigError
from monitor.model import Severity
from monitor.probe import Aside, Kind, Metric, Probe, Scope
from tests.unit.handmade import CATALOG, LINKS, THINGS, AuthOptions, Link, Own, Slow, SlowOptions


def changed(
    probes: dict[str, Any] | None = None,
    rules: dict[str, Any] | None = None,
    sections: dict[str, Any] | None = None,
    interval: float | None = None,
) -> tuple[Catalog, list[str]]:
    made, mistakes = CATALOG.configured(probes or {}, rules or {}, sections or {}, interval=interval)
    return made, [written(mistake) for mistake in mistakes]


def written(mistake: Mistake) -> str:
    return f"{'/'.join(map(str, mistake.path))}: {mistake.problem}; {mistake.remedy}".removesuffix("; ")


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group=GROUP)


def test_a_probe_comes_in_by_its_entry_point() -> None:
    catalog = load_catalog(found=[point("things", "tests.unit.handmade:THINGS")])
    assert (list(catalog.probes), catalog.problems) == (["things"], ())
    assert list(catalog.rules) == ["things.slow"]


def test_a_broken_entry_point_is_named_and_breaks_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "angry_probe.py").write_text("raise RuntimeError('password=canary')")
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        point("absent", "no_such_module:PROBE"),
        point("angry", "angry_probe:PROBE"),
        point("nothing", "tests.unit.handmade:GONE"),
        point("other", "tests.unit.handmade:Slow"),
        point("things", "tests.unit.handmade:THINGS"),
        point("twice", "tests.unit.handmade:THINGS"),
    ]
    catalog = load_catalog(found=points)
    reasons = {problem.name: problem.reason for problem in catalog.problems}
    assert list(catalog.probes) == ["things"]
    assert sorted(reasons) == ["absent", "angry", "nothing", "other", "twice"]
    assert reasons["angry"] == "its import fails with RuntimeError"
    assert "there is a probe things already" in reasons["twice"]


def test_rules_without_a_probe_are_in_the_catalogue_too() -> None:
    assert set(CATALOG.rules) == {"things.slow", "own.rule"}
    assert CATALOG.sections == {"auth"}


A = Metric("a", Kind.GAUGE, "x")


@dataclass(frozen=True, kw_only=True)
class Clashing:
    every: float = 1.0


@pytest.mark.parametrize(
    ("probe", "complaint"),
    [
        (replace(THINGS, name="Things"), "its name is no lower-case word"),
        (replace(THINGS, name="things2"), "there is a rule things.slow already"),
        (replace(LINKS, name="twice", rules=(Slow(), Slow())), "there is a rule things.slow already"),
        (
            replace(LINKS, name="bad", metrics=(Metric("a-b", Kind.GAUGE, "x"),)),
            "'a-b' is no legal metric or label name",
        ),
        (replace(LINKS, name="bad", metrics=(Metric("a", Kind.GAUGE, "x"),) * 2), "a is declared twice"),
        (
            replace(LINKS, name="bad", asides=(Aside(name="x", labels=("job",), metrics=()),)),
            "the exporter sets the label",
        ),
        (
            replace(LINKS, name="bad", metrics=(A,), asides=(Aside(name="x", labels=("b",), metrics=(A,)),)),
            "a is declared twice",
        ),
        (replace(LINKS, name="bad", labels=("target",)), "the exporter sets the label target itself"),
        (replace(LINKS, name="bad", labels=("database",)), "the exporter sets the label database itself"),
        (replace(THINGS, name="bad", rules=(), options=Clashing()), "every probe has a setting every"),
    ],
)
def test_what_does_not_fit_in_is_refused_with_its_reason(probe: Probe, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        CATALOG.with_probe(probe)


def test_a_server_wide_probe_may_have_a_database_label() -> None:
    CATALOG.with_probe(replace(LINKS, name="fine", scope=Scope.SERVER, labels=("database",)))


def test_every_timeout_enabled_and_options_are_set_under_the_probes_name() -> None:
    given = {"every": "1.5h", "timeout": "250ms", "enabled": False, "depth": 9, "floor_bytes": "64MiB"}
    made, mistakes = changed(probes={"things": given})
    probe = made.probes["things"]
    assert mistakes == []
    assert (probe.every, probe.timeout, probe.enabled) == (5400.0, 0.25, False)
    assert probe.options == SlowOptions(depth=9, floor_bytes=64 * 1024**2)


def test_nothing_given_changes_nothing() -> None:
    made, mistakes = changed(probes={"things": None}, rules={"things.slow": {}}, sections={"auth": None})
    assert (dict(made.probes), made.judges, mistakes) == (dict(CATALOG.probes), CATALOG.judges, [])


def test_a_section_fills_the_options_of_its_probe() -> None:
    given = {"grace": "10m", "links": [{"table": "public.users", "column": "auth_user_id", "one_per_user": True}]}
    made, mistakes = changed(sections={"auth": given})
    link = Link(table="public.users", column="auth_user_id", one_per_user=True)
    assert mistakes == []
    assert made.probes["links"].options == AuthOptions(grace=600.0, links=(link,))


def test_mistakes_in_a_section_are_found_at_any_depth() -> None:
    links = [{"table": "t"}, {"table": "t", "colum": "c", "column": "c"}, "t"]
    _, mistakes = changed(sections={"auth": {"grce": "5m", "links": links}})
    assert mistakes == [
        "auth/links/0/column: is required",
        "auth/links/1/colum: no such setting; did you mean column? (has: column, one_per_user, table, target)",
        "auth/links/2: should be a mapping of keys",
        "auth/grce: no such setting; did you mean grace? (has: grace, links, not_links, sample_keys, schema)",
    ]


def test_an_option_under_the_probe_is_sent_to_its_section() -> None:
    _, mistakes = changed(probes={"links": {"grace": 5}})
    assert mistakes == ["probes/links/grace: stands in the wrong place; set auth.grace"]


def test_what_the_authors_class_refuses_is_a_mistake() -> None:
    _, mistakes = changed(sections={"auth": {"sample_keys": 11}})
    assert mistakes == ["auth: sample_keys should be at most 10"]


def test_every_field_of_a_rule_can_be_set() -> None:
    given = {"simple_ms": "0.25s", "size_bytes": "4GiB", "top": 3, "severity": "critical", "hold": "2m", "note": "why"}
    made, mistakes = changed(rules={"things.slow": given})
    wanted = Slow(simple_ms=250.0, size_bytes=4 * 1024**3, top=3, severity=Severity.CRITICAL, hold=120.0, note="why")
    assert (mistakes, made.rules["things.slow"], made.probes["things"].rules) == ([], wanted, (wanted,))


def test_a_rule_without_a_probe_can_be_set_too() -> None:
    made, mistakes = changed(rules={"own.rule": {"keep": 0}})
    assert (mistakes, made.judges) == ([], (Own(keep=0.0),))


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        (
            {"things.slow": {"simple_msec": 1}},
            "no such setting; did you mean simple_ms? (has: hold, keep, note, severity, simple_ms, size_bytes, top)",
        ),
        (
            {"things.slwo": {}},
            "things.slwo: no such rule; did you mean things.slow? (there are: own.rule, things.slow)",
        ),
        (
            {"things.slow": {"severity": "critcal"}},
            "things.slow/severity: should be 'info', 'warning' or 'critical'; did you mean critical?",
        ),
        ({"things.slow": {"hold": -1}}, "things.slow/hold: should be at least 0"),
        ({"things.slow": {"hold": True}}, "things.slow/hold: should be a number"),
        ({"things.slow": {"simple_ms": float("nan")}}, "things.slow/simple_ms: should be a finite number"),
        (
            {"things.slow": {"hold": "5 parsecs"}},
            "things.slow/hold: should be a duration such as 250ms, 30s, 5m, 2h or 7d",
        ),
        (
            {"things.slow": {"size_bytes": "4GB"}},
            "things.slow/size_bytes: should be a size such as 512KiB, 64MiB or 4GiB",
        ),
        ({"things.slow": {"id": "x"}}, "no such setting; has: hold, keep, note, severity, simple_ms, size_bytes, top"),
        ({"things.slow": [1]}, "things.slow: should be a mapping of keys"),
    ],
)
def test_a_wrong_setting_says_what_would_be_right(rules: dict[str, Any], complaint: str) -> None:
    _, (mistake,) = changed(rules=rules)
    assert complaint in mistake


@pytest.mark.parametrize("given", [{"every": 0}, {"every": "10ms"}, {"timeout": 0}])
def test_a_probe_never_runs_all_the_time_nor_for_no_time(given: dict[str, Any]) -> None:
    _, mistakes = changed(probes={"things": given})
    assert len(mistakes) == 1


def test_the_default_interval_replaces_fifteen_seconds_only() -> None:
    made, _ = changed(interval=5.0)
    assert (made.probes["things"].every, made.probes["links"].every) == (5.0, 60)
    made, _ = changed(interval=5.0, probes={"things": {"every": 15}})
    assert made.probes["things"].every == 15


def test_a_probe_that_could_not_be_loaded_does_not_make_its_settings_wrong() -> None:
    catalog = load_catalog(found=[point("lost", "no_such_module:PROBE")])
    assert catalog.configured({"lost": {"every": 5}}, {"lost.rule": {}}, {})[1] == []
