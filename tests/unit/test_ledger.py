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
from monitor.model import Ack, Alert, Judgement, NoVerdict, Severity, State, Target
from tests.alerts import NOON, SHOP, at, finding, judgement, unknown

GONE = NoVerdict(reason="there is no schema auth", needs=None)
CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING
PRINT = finding().fingerprint


def only(ledger: Ledger) -> Alert:
    (alert,) = ledger.alerts
    return alert


def noted(severity: Severity = WARNING) -> Ack:
    return Ack(author="ada", comment="I look into it", at=at(5), severity=severity)


def acked(severity: Severity = WARNING) -> Ledger:
    """A ledger with one firing alert of that severity, of which somebody has taken note."""
    ledger = Ledger()
    ledger.observe([judgement(finding(severity=severity))], NOON)
    assert ledger.ack(PRINT, noted(severity)) is not None
    return ledger


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


def test_what_is_not_seen_any_more_says_so() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding())], NOON)
    (change,) = ledger.observe([judgement()], at(15))
    assert (change.alert.state, change.alert.ended_by) == (State.RESOLVED, "not seen any more")


@pytest.mark.parametrize(
    ("verdicts", "by"),
    [
        ([GONE], "there is no schema auth"),
        ([replace(GONE, subject="shop")], "there is no schema auth"),
        ([replace(GONE, reason="its table is gone", subject="shop"), GONE], "its table is gone"),
        ([GONE, replace(GONE, reason="its table is gone", subject="shop")], "its table is gone"),
        ([replace(GONE, subject="other")], "not seen any more"),
        ([replace(GONE, reason="")], "it is gone"),
        ([unknown("other")], "not seen any more"),
    ],
)
def test_what_a_rule_does_not_apply_to_any_more_ends_by_its_reason(verdicts: list[NoVerdict], by: str) -> None:
    """The reason given for this subject counts before the one given for all."""
    ledger = Ledger()
    ledger.observe([judgement(finding())], NOON)
    (change,) = ledger.observe([judgement(*verdicts)], at(15))
    assert change.alert.ended_by == by


def test_what_concerned_a_server_that_is_watched_no_longer_says_so() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding())], NOON)
    (change,) = ledger.drop_targets(set(), at(15))
    assert change.alert.ended_by == "the target is watched no longer"


def test_a_new_episode_forgets_what_ended_the_last() -> None:
    """As soon as it fires; a suspicion that comes to nothing leaves the last episode's end as it was."""
    ledger = Ledger()
    for moment, verdicts in ((0, [finding()]), (15, []), (30, [finding()])):
        ledger.observe([judgement(*verdicts, hold=0 if moment == 0 else 60)], at(moment))
    assert (only(ledger).state, only(ledger).ended_by) == (State.PENDING, "not seen any more")
    ledger.observe([judgement(GONE, hold=60)], at(45))
    assert (only(ledger).state, only(ledger).ended_by) == (State.RESOLVED, "not seen any more")
    ledger.observe([judgement(finding())], at(60))
    assert (only(ledger).state, only(ledger).ended_by) == (State.FIRING, "")


def test_an_ack_lies_in_the_alert_and_is_no_news() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding())], NOON)
    change = ledger.ack(PRINT, noted())
    assert change is not None
    assert (change.before, change.alert.acked, change.worth_telling) == (State.FIRING, noted(), False)
    assert only(ledger).acked == noted()


def test_an_ack_stays_while_the_alert_is_seen_again_with_other_numbers() -> None:
    ledger = acked()
    for n in range(5):
        ledger.observe([judgement(finding(used=90 + n))], at(15 + 15 * n))
        ledger.observe([judgement(unknown())], at(20 + 15 * n))
    assert only(ledger).acked == noted()


def test_an_ack_outlives_a_restart() -> None:
    ledger = Ledger(acked().alerts)
    ledger.observe([judgement(finding())], at(15))
    assert only(ledger).acked == noted()


def test_a_suspicion_may_be_acked_before_it_fires() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding(), hold=10)], NOON)
    assert ledger.ack(PRINT, noted()) is not None
    ledger.observe([judgement(finding(), hold=10)], at(15))
    assert (only(ledger).state, only(ledger).acked) == (State.FIRING, noted())


def test_an_ack_ends_with_its_alert() -> None:
    """Also when the target goes; the next episode begins without it."""
    for ledger in (acked(), acked()):
        ledger.observe([judgement()], at(15))
        assert only(ledger).acked is None
        ledger.observe([judgement(finding())], at(30))
        assert only(ledger).acked is None
    ledger = acked()
    ledger.drop_targets(set(), at(15))
    assert only(ledger).acked is None


def test_an_ack_of_a_suspicion_goes_with_it() -> None:
    """What had fired and ended before is as it was: not acked."""
    ledger = Ledger()
    ledger.observe([judgement(finding())], NOON)
    ledger.observe([judgement()], at(15))
    before = only(ledger)
    ledger.observe([judgement(finding(), hold=60)], at(30))
    ledger.ack(PRINT, noted())
    ledger.observe([judgement(hold=60)], at(45))
    assert (only(ledger).state, only(ledger).acked, only(ledger).ended_by) == (before.state, None, before.ended_by)


def test_an_ack_ends_when_the_alert_grows_worse_and_does_not_come_back() -> None:
    ledger = acked()
    (change,) = ledger.observe([judgement(finding(severity=CRITICAL))], at(15))
    assert (change.alert.acked, change.worth_telling) == (None, True)
    for moment in (30, 200):
        ledger.observe([judgement(finding())], at(moment))
    assert (only(ledger).finding.severity, only(ledger).acked) == (WARNING, None)


def test_an_ack_of_a_suspicion_ends_when_that_grows_worse() -> None:
    ledger = Ledger()
    ledger.observe([judgement(finding(), hold=60)], NOON)
    ledger.ack(PRINT, noted())
    ledger.observe([judgement(finding(severity=CRITICAL), hold=60)], at(15))
    assert only(ledger).acked is None


def test_an_ack_of_the_worse_covers_the_milder_and_the_way_back() -> None:
    ledger = acked(CRITICAL)
    for moment, severity in ((15, WARNING), (100, WARNING), (115, CRITICAL)):
        ledger.observe([judgement(finding(severity=severity))], at(moment))
        assert only(ledger).acked == noted(CRITICAL)


def test_what_is_not_open_cannot_be_acked() -> None:
    ledger = acked()
    ledger.observe([judgement()], at(15))
    assert (ledger.ack(PRINT, noted()), ledger.unack(PRINT), ledger.ack("0" * 16, noted())) == (None, None, None)
    assert only(ledger).acked is None


def test_an_ack_of_what_is_worse_by_now_is_not_taken() -> None:
    """Somebody read "warning" and pressed the button just after it had become critical."""
    ledger = Ledger()
    ledger.observe([judgement(finding(severity=CRITICAL))], NOON)
    assert ledger.ack(PRINT, noted(WARNING)) is None
    assert only(ledger).acked is None


def test_an_ack_can_be_taken_back_once() -> None:
    ledger = acked()
    change = ledger.unack(PRINT)
    assert change is not None
    assert (change.alert.acked, change.worth_telling) == (None, False)
    assert (ledger.unack(PRINT), ledger.unack("0" * 16)) == (None, None)


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


@given(STEPS, PATIENCE, PATIENCE, st.lists(st.sampled_from(Severity), max_size=5))
def test_an_ack_is_only_on_what_is_open_and_no_worse_than_it(
    steps: list[tuple[int, tuple[object, ...]]], hold: float, keep: float, acks: list[Severity]
) -> None:
    """And only what is over says what ended it, whatever happens; a restart in between changes nothing."""
    ledger = Ledger()
    for place, (now, look) in enumerate(walk(steps, hold, keep)):
        ledger.observe([look], now)
        for severity in acks[place : place + 1]:
            ledger.ack(finding("a").fingerprint, noted(severity))
        ledger = Ledger(ledger.alerts)
        for alert in ledger.alerts:
            over = alert.ends_at is not None
            assert bool(alert.ended_by) is over
            if alert.acked is not None:
                assert alert.state is not State.RESOLVED
                assert alert.finding.severity.rank <= alert.acked.severity.rank


def test_the_target_stands_in_the_fingerprint_but_the_source_decides_what_is_absent() -> None:
    """A server-wide look that names a database's fault, and a look at that database that does not."""
    ledger = Ledger()
    ledger.observe([judgement(finding(), source=Target("shop"))], NOON)
    assert ledger.observe([judgement(source=SHOP)], at(15)) == []
