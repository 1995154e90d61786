"""The ledger: what fires when, what ends when, what is told, and that neither ignorance nor a restart changes it."""

import gc
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.findings.ledger import Change, Ledger
from monitor.model import Alert, Judgement, NoVerdict, Severity, State, Target
from tests.alerts import NOON, SHOP, at, finding, judgement, unknown

GONE = NoVerdict(reason="there is no schema auth", needs=None)
CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING


def only(ledger: Ledger) -> Alert:
    (alert,) = ledger.alerts
    return alert


def test_a_finding_without_hold_fires_at_once() -> None:
    ledger = Ledger()
    (change,) = ledger.observe([judgement(finding())], NOON)
    assert (change.before, change.alert.state, change.worth_telling) == (None, State.FIRING, True)
    assert (change.alert.starts_at, change.alert.fired_at) == (NOON, NOON)


def test_a_finding_is_only_suspected_until_it_has_stood_for_its_hold() -> None:
    ledger = Ledger()
    (new,) = ledger.observe([judgement(finding(), hold=60)], NOON)
    (early,) = ledger.observe([judgement(finding(), hold=60)], at(59.9))
    (due,) = ledger.observe([judgement(finding(), hold=60)], at(60))
    assert [change.alert.state for change in (new, early, due)] == [State.PENDING, State.PENDING, State.FIRING]
    assert [change.worth_telling for change in (new, early, due)] == [False, False, True]
    assert (due.alert.starts_at, due.alert.fired_at) == (NOON, at(60))


def test_a_suspicion_that_is_gone_is_dropped_silently() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding(), hold=60)], NOON)
    (change,) = ledger.observe([judgement(hold=60)], at(15))
    assert (change.dropped, change.worth_telling, ledger.alerts) == (True, False, ())


def test_a_firing_alert_ends_only_after_it_has_stayed_away_for_keep() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding(), keep=60)], NOON)
    assert ledger.observe([judgement(keep=60)], at(59.9)) == []
    (change,) = ledger.observe([judgement(keep=60)], at(60))
    assert (change.before, change.alert.state, change.worth_telling) == (State.FIRING, State.RESOLVED, True)
    assert change.alert.ends_at == at(60)


def test_an_alert_seen_again_before_keep_is_over_goes_on() -> None:
    ledger = Ledger()
    for moment, verdicts in ((0, [finding()]), (30, []), (45, [finding()]), (90, [])):
        ledger.observe([judgement(*verdicts, keep=60)], at(moment))
    assert (only(ledger).state, only(ledger).occurrences) == (State.FIRING, 1)


def test_no_look_at_all_changes_nothing() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding())], NOON)
    other_target = judgement(source=Target("shop", "other"))
    assert ledger.observe([other_target, judgement(rule="pool.waiting")], at(9999)) == []


def test_no_verdict_keeps_the_alerts_as_they_are() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding("a"), hold=0), judgement(finding("b", rule="x"), rule="x", hold=60)], NOON)
    before = ledger.alerts
    assert ledger.observe([judgement(unknown()), judgement(unknown(), rule="x")], at(9999)) == []
    assert ledger.alerts == before


def test_no_verdict_of_one_subject_keeps_only_that_one() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding("a"), finding("b"))], NOON)
    (change,) = ledger.observe([judgement(unknown("a"))], at(15))
    assert change.alert.finding.subject == "b"
    assert change.alert.state is State.RESOLVED


def test_what_is_seen_beside_no_verdict_still_counts() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding("a"))], NOON)
    (change,) = ledger.observe([judgement(unknown(), finding("b"))], at(15))
    assert (change.alert.finding.subject, len(ledger.alerts)) == ("b", 2)


@pytest.mark.parametrize("verdict", [GONE, replace(GONE, subject="shop")], ids=["whole", "one subject"])
def test_a_rule_that_applies_no_more_ends_its_alerts_as_absence_does(verdict: NoVerdict) -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding(), keep=60)], NOON)
    assert ledger.observe([judgement(verdict, keep=60)], at(30)) == []
    (change,) = ledger.observe([judgement(verdict, keep=60)], at(60))
    assert change.alert.state is State.RESOLVED


def test_a_finding_that_comes_back_is_a_new_episode() -> None:
    ledger = Ledger()
    for moment, verdicts in ((0, [finding()]), (15, []), (30, [finding()])):
        ledger.observe([judgement(*verdicts)], at(moment))
    alert = only(ledger)
    assert (alert.state, alert.occurrences, alert.starts_at) == (State.FIRING, 2, at(30))
    assert (alert.fired_at, alert.ends_at) == (at(30), None)


def test_a_suspicion_after_an_episode_leaves_that_episode_behind_when_it_comes_to_nothing() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding())], NOON)
    ledger.observe([judgement()], at(15))
    (again,) = ledger.observe([judgement(finding(), hold=60)], at(30))
    assert (again.alert.state, again.alert.occurrences) == (State.PENDING, 2)
    (change,) = ledger.observe([judgement(hold=60)], at(45))
    assert (change.dropped, change.worth_telling) == (False, False)
    assert (change.alert.state, change.alert.occurrences, change.alert.ends_at) == (State.RESOLVED, 1, at(15))


def test_worse_counts_at_once_and_is_told() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding())], NOON)
    (change,) = ledger.observe([judgement(finding(severity=CRITICAL))], at(15))
    assert (change.alert.status, change.worth_telling) == ("firing:critical", True)


def test_milder_counts_only_after_it_has_stood_for_a_while() -> None:
    ledger = Ledger()
    seen = [(0, CRITICAL), (15, WARNING), (60, WARNING), (74, WARNING), (75, WARNING)]
    changes = [ledger.observe([judgement(finding(severity=severity))], at(s))[0] for s, severity in seen]
    assert [change.alert.finding.severity for change in changes] == [CRITICAL] * 4 + [WARNING]
    assert [change.worth_telling for change in changes] == [True, False, False, False, True]


def test_milder_waits_as_long_as_keep_says() -> None:
    ledger = Ledger()
    for moment, severity in ((0, CRITICAL), (15, WARNING), (314, WARNING)):
        ledger.observe([judgement(finding(severity=severity), keep=300)], at(moment))
    assert only(ledger).status == "firing:critical"


def test_a_severity_that_goes_to_and_fro_stays_the_worse() -> None:
    ledger = Ledger()
    told = [
        ledger.observe([judgement(finding(severity=CRITICAL if n % 3 == 0 else WARNING))], at(15 * n))[0].worth_telling
        for n in range(40)
    ]
    assert told == [True] + [False] * 39


def test_the_newest_numbers_replace_the_old_silently() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding(used=85))], NOON)
    (change,) = ledger.observe([judgement(finding(used=91))], at(15))
    assert (change.alert.finding.evidence["used"], change.alert.last_seen, change.worth_telling) == (91, at(15), False)


def test_of_one_subject_named_twice_the_worse_counts() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding(severity=CRITICAL), finding())], NOON)
    assert only(ledger).finding.severity is CRITICAL


def test_a_clock_set_back_neither_ends_nor_holds_anything_for_ever() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding(), keep=60)], at(1e6))
    (waits,) = ledger.observe([judgement(keep=60)], NOON)
    assert waits.alert.state is State.FIRING
    assert ledger.observe([judgement(keep=60)], at(59)) == []
    (change,) = ledger.observe([judgement(keep=60)], at(60))
    assert change.alert.state is State.RESOLVED
    assert change.alert.ends_at is not None
    assert change.alert.starts_at <= change.alert.ends_at


def test_a_suspicion_from_the_future_waits_for_its_hold_from_now() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding(), hold=60)], at(1e6))
    ledger.observe([judgement(finding(), hold=60)], NOON)
    (change,) = ledger.observe([judgement(finding(), hold=60)], at(60))
    assert change.alert.state is State.FIRING


def test_only_what_receivers_should_hear_and_have_not_is_untold() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding("a")), judgement(finding("b", rule="x"), rule="x", hold=60)], NOON)
    (alert,) = ledger.untold()
    assert alert.finding.subject == "a"
    ledger.told(alert.finding.fingerprint, alert.status)
    assert ledger.untold() == []
    ledger.observe([judgement(finding("a", CRITICAL))], at(15))
    assert [alert.status for alert in ledger.untold()] == ["firing:critical"]


def test_the_end_is_told_only_of_what_was_announced() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding("heard"), finding("never heard"))], NOON)
    ledger.told(finding("heard").fingerprint, "firing:warning")
    ledger.observe([judgement()], at(15))
    (alert,) = ledger.untold()
    assert (alert.finding.subject, alert.status) == ("heard", "resolved")
    ledger.told(alert.finding.fingerprint, "resolved")
    assert ledger.untold() == []


def test_telling_of_a_forgotten_alert_is_no_error() -> None:
    assert Ledger().told("0" * 16, "resolved") is None


def test_forgetting_drops_only_what_was_over_before() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding("a"), finding("b"), finding("c"))], NOON)
    ledger.observe([judgement(finding("b"), finding("c"))], at(10))
    ledger.observe([judgement(finding("c"))], at(20))
    assert ledger.forget(at(20)) == [finding("a").fingerprint]
    assert {alert.finding.subject for alert in ledger.alerts} == {"b", "c"}


def test_a_server_that_is_watched_no_longer_ends_its_alerts() -> None:
    other = Target("other")
    ledger = Ledger()
    ledger.observe([judgement(finding("a")), judgement(finding("b", rule="x"), rule="x", hold=60)], NOON)
    ledger.observe([judgement(finding("c", rule="y"), rule="y", source=other)], NOON)
    changes = ledger.drop_targets({"other"}, at(15))
    assert {(change.alert.finding.subject, change.dropped, change.worth_telling) for change in changes} == {
        ("a", False, True),
        ("b", True, False),
    }
    assert {alert.finding.subject: alert.state for alert in ledger.alerts} == {"a": State.RESOLVED, "c": State.FIRING}


def test_thousands_of_findings_cost_no_more_each() -> None:
    """Ten times as many scopes take about ten times as long, whatever lies in the ledger already."""

    def seconds(count: int) -> float:
        ledger = Ledger()
        round_ = [judgement(finding(rule=f"r{n}"), rule=f"r{n}") for n in range(count)]
        ledger.observe(round_, NOON)
        gc.disable()
        started = time.process_time()
        ledger.observe(round_, at(15))
        spent = time.process_time() - started
        gc.enable()
        return spent

    assert min(seconds(4000) for _ in range(5)) < 40 * min(seconds(400) for _ in range(5))


# -- properties ---------------------------------------------------------------------------------------------------

SUBJECTS = ("a", "b")
LOOKS = st.one_of(
    st.just((unknown(),)),
    st.just((GONE,)),
    st.lists(
        st.one_of(
            st.builds(finding, st.sampled_from(SUBJECTS), st.sampled_from(Severity)),
            st.builds(unknown, st.sampled_from(SUBJECTS)),
        ),
        max_size=3,
    ).map(tuple),
)
STEPS = st.lists(st.tuples(st.integers(-40, 200), LOOKS), max_size=30)
PATIENCE = st.sampled_from([0.0, 30.0, 90.0])


def walk(steps: Sequence[tuple[int, tuple[object, ...]]], hold: float, keep: float) -> list[tuple[datetime, Judgement]]:
    moment, walked = 0, []
    for seconds, verdicts in steps:
        moment += seconds
        walked.append((at(moment), judgement(*verdicts, hold=hold, keep=keep)))  # type: ignore[arg-type]
    return walked


def key(change: Change) -> tuple[str, bool]:
    return (change.alert.finding.fingerprint, change.dropped)


@given(STEPS, PATIENCE, PATIENCE)
def test_each_fired_alert_ends_at_most_once(
    steps: list[tuple[int, tuple[object, ...]]], hold: float, keep: float
) -> None:
    ledger = Ledger()
    fired: Counter[tuple[str, int]] = Counter()
    ended: Counter[tuple[str, int]] = Counter()
    for now, look in walk(steps, hold, keep):
        for change in ledger.observe([look], now):
            episode = (change.alert.finding.fingerprint, change.alert.occurrences)
            if change.alert.state is State.FIRING and change.before is not State.FIRING:
                fired[episode] += 1
            if change.alert.state is State.RESOLVED and change.before is State.FIRING:
                ended[episode] += 1
                assert fired[episode] == 1
    assert max([*fired.values(), *ended.values()], default=1) == 1


@given(STEPS, PATIENCE, PATIENCE)
def test_no_verdict_never_changes_anything(
    steps: list[tuple[int, tuple[object, ...]]], hold: float, keep: float
) -> None:
    ledger = Ledger()
    for now, look in walk(steps, hold, keep):
        ledger.observe([look], now)
        before = ledger.alerts
        assert ledger.observe([judgement(unknown(), hold=hold, keep=keep)], at(10**7)) == []
        assert ledger.alerts == before


@given(STEPS, PATIENCE, PATIENCE)
def test_a_restart_between_any_two_looks_changes_nothing(
    steps: list[tuple[int, tuple[object, ...]]], hold: float, keep: float
) -> None:
    whole, restarted = Ledger(), Ledger()
    for now, look in walk(steps, hold, keep):
        told, told_again = whole.observe([look], now), restarted.observe([look], now)
        assert sorted(told, key=key) == sorted(told_again, key=key)
        restarted = Ledger(restarted.alerts)
    assert set(map(repr, whole.alerts)) == set(map(repr, restarted.alerts))


@given(STEPS, PATIENCE, PATIENCE)
def test_an_alert_is_worth_telling_exactly_when_its_status_moved(
    steps: list[tuple[int, tuple[object, ...]]], hold: float, keep: float
) -> None:
    """What receivers would hear, in order: never twice the same, and no end without a beginning."""
    ledger = Ledger()
    heard: dict[str, list[str]] = {subject: [] for subject in SUBJECTS}
    for now, look in walk(steps, hold, keep):
        for change in ledger.observe([look], now):
            if change.worth_telling:
                heard[change.alert.finding.subject].append(change.alert.status)
    for words in heard.values():
        assert words[:1] != ["resolved"]
        assert all(one != other for one, other in pairwise(words))


def test_the_target_stands_in_the_fingerprint_but_the_source_decides_what_is_absent() -> None:
    """A server-wide look that names a database's fault, and a look at that database that does not."""
    ledger = Ledger()
    ledger.observe([judgement(finding(), source=Target("shop"))], NOON)
    assert ledger.observe([judgement(source=SHOP)], at(15)) == []
