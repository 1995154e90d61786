"""Inhibition: which firing alert keeps which others quiet, never itself, and not slowly."""

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.findings.inhibition import BUILT_IN, Inhibition, Sources
from monitor.findings.matchers import Matcher, all_match, parse_matcher
from monitor.model import Alert, Severity, State, Target
from tests.alerts import finding, firing


def alert(rule: str, target: str = "shop", database: str | None = None, *, subject: str = "x", **labels: str) -> Alert:
    told = replace(finding(subject, rule=rule), target=Target(target, database))
    return replace(firing(), finding=told, source=told.target, labels=labels)


def matchers(*texts: str) -> tuple[Matcher, ...]:
    return tuple(map(parse_matcher, texts))


DOWN = alert("target.unreachable")
BLIND = alert("auth.cannot_see", database="shop")


def test_a_server_that_is_down_mutes_all_else_of_it() -> None:
    sources = Sources(BUILT_IN, [DOWN, alert("target.unreachable", "other")])
    assert sources.inhibited_by(alert("pool.saturation", database="shop")) == DOWN
    assert sources.inhibited_by(alert("probe.broken")) == DOWN
    assert sources.inhibited_by(alert("pool.saturation", "third")) is None
    assert sources.inhibited_by(DOWN) is None


@pytest.mark.parametrize("rule", ["receiver.failing", "store.degraded", "config.reload_failed", "ignore.unused"])
def test_what_concerns_the_monitor_itself_is_never_muted(rule: str) -> None:
    """Not even by a server that bears the monitor's name."""
    sources = Sources(BUILT_IN, [DOWN, alert("target.unreachable", "pgarchitect")])
    assert sources.inhibited_by(alert(rule, "pgarchitect")) is None


def test_who_cannot_see_the_users_mutes_the_links_of_that_database() -> None:
    sources = Sources(BUILT_IN, [BLIND])
    assert sources.inhibited_by(alert("auth_links.orphaned_profile", database="shop")) == BLIND
    assert sources.inhibited_by(alert("auth_links.orphaned_profile", database="other")) is None
    assert sources.inhibited_by(alert("auth_links.orphaned_profile", "other", "shop")) is None
    assert sources.inhibited_by(alert("auth.cannot_see", database="shop", subject="y")) is None


def test_a_new_slow_statement_is_told_once() -> None:
    """As new, not also as slow; another statement, and one that is worse than that, are told as ever."""
    new, slow = alert("statements.new_slow", database="shop"), alert("statements.slow", database="shop")
    worse = replace(slow, finding=replace(slow.finding, severity=Severity.CRITICAL))
    sources = Sources(BUILT_IN, [new, slow])
    assert sources.inhibited_by(slow) == new
    assert sources.inhibited_by(new) is None
    assert sources.inhibited_by(worse) is None
    assert sources.inhibited_by(alert("statements.slow", database="shop", subject="y")) is None
    assert sources.inhibited_by(alert("statements.regressed", database="shop")) is None


@pytest.mark.parametrize("state", [State.PENDING, State.RESOLVED])
def test_only_what_fires_mutes(state: State) -> None:
    assert Sources(BUILT_IN, [replace(DOWN, state=state)]).inhibited_by(alert("pool.saturation")) is None


def test_what_is_over_is_muted_as_well() -> None:
    """The end of an alert is no news while the server is down."""
    over = replace(alert("pool.saturation"), state=State.RESOLVED)
    assert Sources(BUILT_IN, [DOWN]).inhibited_by(over) == DOWN


def test_without_equal_labels_every_target_is_muted() -> None:
    everywhere = Inhibition(source=matchers("rule=network.down"), target=matchers("area=capacity"))
    down = alert("network.down", "switch")
    assert Sources([everywhere], [down]).inhibited_by(alert("pool.saturation", "shop")) == down


def test_labels_both_have_not_are_equal() -> None:
    site = Inhibition(source=matchers("rule=network.down"), target=matchers('rule!="network.down"'), equal=("site",))
    sources = Sources([site], [alert("network.down"), alert("network.down", site="b")])
    found = [sources.inhibited_by(alert("x", **labels)) is not None for labels in ({}, {"site": "b"}, {"site": "c"})]
    assert found == [True, True, False]


def test_what_matches_both_sides_is_muted_only_by_what_does_not() -> None:
    """Neither by itself nor by another such; what is only a target is muted by either."""
    both = Inhibition(source=matchers("severity=warning"), target=matchers("target=shop"))
    one, two, elsewhere = alert("a"), alert("b"), alert("c", "other")
    info = replace(one, finding=replace(one.finding, severity=Severity.INFO))
    assert Sources([both], [one, two]).inhibited_by(one) is None
    assert Sources([both], [one, two]).inhibited_by(info) == one
    assert Sources([both], [one, two, elsewhere]).inhibited_by(one) == elsewhere


@pytest.mark.parametrize(("source", "target"), [((), ("a=b",)), (("a=b",), ())])
def test_an_inhibition_needs_both_sides(source: tuple[str, ...], target: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="needs a matcher"):
        Inhibition(source=matchers(*source), target=matchers(*target))


TEXTS = ('rule="a"', 'rule=~"a|b"', 'rule!="a"', 'target="s"', 'site=""', 'site="x"')
SIDES = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=2).map(lambda texts: matchers(*texts))
INHIBITIONS = st.builds(
    Inhibition,
    source=SIDES,
    target=SIDES,
    equal=st.lists(st.sampled_from(["target", "site", "rule"]), max_size=2).map(tuple),
)
ALERTS = st.builds(
    lambda rule, target, subject, labels: alert(rule, target, subject=subject, **labels),
    st.sampled_from("abc"),
    st.sampled_from("st"),
    st.sampled_from("xyz"),
    st.sampled_from([{}, {"site": "x"}]),
)


def mutes(rule: Inhibition, source: Alert, target: Alert) -> bool:
    """Say it as Alertmanager's documentation does, one pair at a time."""

    def both(each: Alert) -> bool:
        return all_match(rule.source, each.all_labels) and all_match(rule.target, each.all_labels)

    equal = all(source.all_labels.get(label, "") == target.all_labels.get(label, "") for label in rule.equal)
    sides = all_match(rule.source, source.all_labels) and all_match(rule.target, target.all_labels)
    return sides and equal and not (both(source) and both(target))


@given(st.lists(INHIBITIONS, max_size=3), st.lists(ALERTS, max_size=8), ALERTS)
def test_the_index_finds_what_comparing_every_pair_finds(
    rules: list[Inhibition], alerts: list[Alert], target: Alert
) -> None:
    found = Sources(rules, alerts).inhibited_by(target)
    muting = [each for each in alerts if any(mutes(rule, each, target) for rule in rules)]
    assert (found is not None) == bool(muting)
    assert found is None or found in muting


def test_thousands_of_sources_cost_no_more_each() -> None:
    """Every alert a source of its own and a target: four times as many take about four times as long."""

    def seconds(count: int) -> float:
        alerts = [alert("target.unreachable", f"s{n}") for n in range(count)]
        others = [alert("pool.saturation", f"s{n}") for n in range(count)]
        started = time.process_time()
        sources = Sources(BUILT_IN, [*alerts, *others])
        assert all(sources.inhibited_by(each) for each in others)
        return time.process_time() - started

    assert min(seconds(2000) for _ in range(3)) < 12 * min(seconds(500) for _ in range(3))
