"""Replication's rules at their limits, on readings made by hand; and what the probe remembers between two of them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitor.errors import Needs
from monitor.measurement import GIB, MIB, Measurement
from monitor.model import Finding, NoVerdict, Severity, Target
from monitor.rule import Rule
from monitor.rules.evaluate import evaluate
from probes.replication_lost import StandbyLost
from probes.replication_past import DAY, Idle, Positions, Receiver, Standbys, known_as
from probes.replication_rules import Lag
from probes.replication_slot_rules import RecoveryMisfit, Slot

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SERVER: Mapping[str, object] = {
    "kind": "server",
    "in_recovery": False,
    "subscriptions": 0,
    "blocked_seconds": None,
    "synchronous_names": "",
    "apply_delay": 0.0,
    "pause_state": "not paused",
    "has_primary": True,
    "deaf_seconds": 0.0,
    "lag_bytes": 0.0,
    "lag_seconds": 0.0,
    "known_as": None,
    "feedback": "off",
    "streaming_delay": "30s",
}
STANDBY: Mapping[str, object] = {
    "kind": "standby",
    "name": "one",
    "slot": "",
    "connections": 1,
    "logical": False,
    "hidden": False,
    "backup": False,
    "catching_up": False,
    "sent_lag_bytes": 0.0,
    "flush_lag_bytes": 0.0,
    "replay_lag_bytes": 0.0,
    "lag_seconds": 0.0,
    "received_lag_seconds": 0.0,
    "unanswered_seconds": 0.0,
}
SLOT: Mapping[str, object] = {
    "kind": "slot",
    "slot": "s",
    "slot_type": "physical",
    "active": False,
    "temporary": False,
    "synced": False,
    "wal_status": "reserved",
    "invalidated": None,
    "conflicting": False,
    "inactive_seconds": None,
    "retained_bytes": 0.0,
    "limit_bytes": -1.0,
}
SICK = {"replay_lag_bytes": 5.0 * GIB, "lag_seconds": 500.0}


def judged(rule: Rule, *rows: Mapping[str, object], server: Mapping[str, object] = SERVER) -> list[Finding | NoVerdict]:
    seen = Measurement(target=Target("db"), probe="replication", taken_at=NOON, rows=[server, *rows])
    (judgement,) = evaluate([rule], replace(seen, window_growth=seen.rows, window_seconds=600))
    return list(judgement.verdicts)


def levels(rule: Rule, *rows: Mapping[str, object], server: Mapping[str, object] = SERVER) -> list[Severity]:
    return [each.severity for each in judged(rule, *rows, server=server) if isinstance(each, Finding)]


@pytest.mark.parametrize(
    ("lag", "level"),
    [
        ({"lag_seconds": 60.0}, None),
        ({"lag_seconds": 60.1}, Severity.WARNING),
        ({"lag_seconds": 300.1}, Severity.CRITICAL),
        ({"replay_lag_bytes": 101.0 * MIB, "lag_seconds": 29.0}, None),
        ({"replay_lag_bytes": 100.0 * MIB, "lag_seconds": 30.0}, None),
        ({"replay_lag_bytes": 101.0 * MIB, "lag_seconds": 30.0}, Severity.WARNING),
        ({"replay_lag_bytes": 1025.0 * MIB, "lag_seconds": 30.0}, Severity.CRITICAL),
        ({"unanswered_seconds": 15.0, "lag_seconds": 15.0}, Severity.WARNING),
        ({"unanswered_seconds": 15.0, "lag_seconds": 0.0}, None),
        ({"unanswered_seconds": 11.0, "lag_seconds": 15.0}, None),
        ({**SICK, "catching_up": True}, Severity.WARNING),
        ({**SICK, "backup": True}, None),
        ({"logical": True, "lag_seconds": 500.0, "unanswered_seconds": 500.0}, None),
        ({**SICK, "logical": True}, Severity.CRITICAL),
    ],
)
def test_how_far_a_standby_may_be_behind(lag: Mapping[str, object], level: Severity | None) -> None:
    """By seconds; by bytes once they stood; at once when it does not answer while WAL waits for it."""
    assert levels(Lag(), {**STANDBY, **lag}) == ([level] if level else [])


def test_a_standby_that_lags_on_purpose_is_judged_by_what_it_received() -> None:
    """From its primary by its name; by itself by its own setting."""
    late = {**STANDBY, **SICK}
    assert levels(Lag(delayed=("one",)), late) == []
    assert levels(Lag(delayed=("one",)), {**late, "flush_lag_bytes": 5.0 * GIB, "received_lag_seconds": 90.0})
    own = {**SERVER, "in_recovery": True, "lag_bytes": 5.0 * GIB, "lag_seconds": 3640.0, "apply_delay": 3600.0}
    assert levels(Lag(), server=own) == []
    assert levels(Lag(), server={**own, "apply_delay": 3500.0}) == [Severity.WARNING]


def test_one_reading_does_not_tell_how_long() -> None:
    """Too little data: neither an accusation nor an all-clear."""
    (unsaid,) = judged(Lag(), {**STANDBY, **SICK, "lag_seconds": None})
    assert isinstance(unsaid, NoVerdict)
    assert (unsaid.needs, unsaid.subject) == (Needs.HISTORY, "one")


@pytest.mark.parametrize(
    ("deaf", "verdict"), [(0.0, []), (60.0, []), (61.0, [Severity.WARNING]), (301.0, [Severity.CRITICAL])]
)
def test_a_standby_that_hears_nothing_is_told(deaf: float, verdict: list[Severity]) -> None:
    """Then it shows no lag of its own, for it knows of nothing that it lacks."""
    assert levels(Lag(), server={**SERVER, "in_recovery": True, "deaf_seconds": deaf}) == verdict


def test_a_standby_that_follows_an_archive_is_not_evaluated() -> None:
    """Nobody tells it how far its primary is."""
    archive = {**SERVER, "in_recovery": True, "deaf_seconds": None, "has_primary": False}
    assert [each.needs for each in judged(Lag(), server=archive) if isinstance(each, NoVerdict)] == [Needs.SETTING]


@pytest.mark.parametrize(
    ("slot", "level"),
    [
        ({"retained_bytes": 1.0 * GIB}, None),
        ({"retained_bytes": 1.1 * GIB}, Severity.WARNING),
        ({"retained_bytes": 10.1 * GIB}, Severity.CRITICAL),
        ({"retained_bytes": 10.1 * GIB, "active": True}, None),
        ({"retained_bytes": 10.1 * GIB, "active": True, "slot_type": "logical"}, Severity.WARNING),
        ({"retained_bytes": 10.1 * GIB, "synced": True}, None),
        ({"retained_bytes": 80.0, "limit_bytes": 100.0, "active": True}, None),
        ({"retained_bytes": 81.0, "limit_bytes": 100.0, "active": True}, Severity.WARNING),
        ({"wal_status": "unreserved", "active": True}, Severity.WARNING),
        ({"wal_status": "lost", "retained_bytes": None}, Severity.WARNING),
        ({"retained_bytes": None}, None),
    ],
)
def test_how_much_a_slot_may_keep(slot: Mapping[str, object], level: Severity | None) -> None:
    """Bytes where nobody reads; its share of the limit and what is lost in any case; never used: nothing."""
    assert levels(Slot(), {**SLOT, **slot}) == ([level] if level else [])


def test_a_slot_whose_standby_was_seen_is_not_dropped_lightly() -> None:
    """The statement is printed where nobody is known to come back to it, and for a slot that is lost anyway."""
    lost = {"kind": "lost", "name": "one", "slot": "s"}
    full = {**SLOT, "retained_bytes": 2.0 * GIB}
    for rows, printed in (([full], True), ([full, lost], False), ([{**full, "wal_status": "lost"}, lost], True)):
        (finding,) = (each for each in judged(Slot(), *rows) if isinstance(each, Finding))
        assert bool(finding.remedy.sql) == printed
        assert finding.remedy.caution


@pytest.mark.parametrize(
    ("lost", "level"),
    [
        ({"gone_seconds": 61.0, "stood_seconds": 300.0}, Severity.WARNING),
        ({"gone_seconds": 60.0, "stood_seconds": 300.0}, None),
        ({"gone_seconds": 61.0, "stood_seconds": 299.0}, None),
        ({"was_synchronous": True, "blocked_seconds": 5.0}, Severity.CRITICAL),
        ({"was_synchronous": True, "blocked_seconds": 4.0}, None),
        ({"was_synchronous": True}, None),
    ],
)
def test_when_a_standby_is_missed(lost: Mapping[str, object], level: Severity | None) -> None:
    """After a minute if it had stood for five; at once where commits wait for it."""
    row = {"kind": "lost", "name": "one", "slot": "", "gone_seconds": 10.0, "stood_seconds": 0.0}
    assert levels(StandbyLost(), {**row, "was_synchronous": False, "blocked_seconds": None, **lost}) == (
        [level] if level else []
    )


def test_conflicts_that_feedback_would_not_end_have_no_statement() -> None:
    """How long a standby may lag is for people to say; few conflicts are none of this rule's."""
    own = {**SERVER, "in_recovery": True}
    locks = {"kind": "conflict", "cause": "lock", "conflicts": 10.0}
    (finding,) = judged(RecoveryMisfit(), locks, server=own)
    assert isinstance(finding, Finding)
    assert (finding.remedy.sql, finding.evidence["count"]) == ((), 10)
    assert "max_standby_streaming_delay (now 30s)" in finding.remedy.caution
    assert judged(RecoveryMisfit(), {**locks, "conflicts": 9.0}, server=own) == []


def test_an_idle_primary_is_no_lag_and_a_burst_is_young() -> None:
    """What counts is since when there has been more than the standby has; not when it was written last."""
    past = Positions()
    for at in range(0, 3600, 15):
        past.note(at, 1000, recovering=False)
    assert past.seconds_behind(1000) == 0
    past.note(3600, 2000, recovering=False)
    assert past.seconds_behind(1000) == 0
    past.note(3615, 3000, recovering=False)
    assert past.seconds_behind(1000) == 15
    assert not past.always_further(1000)


@pytest.mark.parametrize(("at", "position", "recovering"), [(0, 900, True), (30, 10, True), (30, 900, False)])
def test_after_a_clock_a_timeline_or_a_role_went_back_it_begins_anew(at: int, position: int, recovering: bool) -> None:  # noqa: FBT001 - a case
    past = Positions()
    past.note(10, 100, recovering=True)
    past.note(20, 800, recovering=True)
    past.note(at, position, recovering=recovering)
    assert past.seconds_behind(5) is None


def sender(**given: object) -> Mapping[str, object]:
    plain = {"application": "one", "slot": "", "logical": False, "hidden": False, "backup": False, "streaming": 1}
    return {**plain, "synchronous": 0, "replied_at": 1.0, **given}


def test_a_standby_is_forgotten_after_a_day_and_backups_are_never_missed() -> None:
    """Logical consumers neither: their slot tells."""
    known = Standbys()
    who = [sender(), sender(application="pg_basebackup", backup=True), sender(application="feed", logical=True)]
    for at in (0, 400):
        list(known.note(who, at))
    list(known.note([], 430))
    assert [(row["name"], row["gone_seconds"], row["stood_seconds"]) for row in known.lost(430)] == [("one", 30, 400)]
    list(known.note([], 400 + DAY + 1))
    assert list(known.lost(400 + DAY + 1)) == []


def test_a_standby_without_a_name_goes_by_its_slot() -> None:
    """Else all that nobody named were one."""
    rows = list(Standbys().note([sender(application="walreceiver", slot="s1"), sender(slot="s2")], 0))
    assert [row["name"] for row in rows] == ["s1", "one"]


@pytest.mark.parametrize(
    ("application", "slot", "name"),
    [("one", "s1", "one"), ("walreceiver", "s1", "s1"), ("walreceiver", None, "walreceiver"), (None, None, None)],
)
def test_a_standby_calls_itself_as_its_primary_does(application: str | None, slot: str | None, name: str) -> None:
    """One that is not connected, or shows nothing, is called nothing."""
    assert known_as({"receiver_application": application, "receiver_slot": slot}) == name
    if application is not None:
        (row,) = Standbys().note([sender(application=application, slot=slot or "")], 0)
        assert row["name"] == name


def test_silence_is_the_time_since_the_answer_changed() -> None:
    """Whatever the standby's clock says."""
    known = Standbys()
    for at, replied, silent in ((0, 5.0, 0), (15, 5.0, 15), (30, 9.0, 0)):
        (row,) = known.note([sender(replied_at=replied)], at)
        assert row["unanswered_seconds"] == silent


def test_a_subscription_that_nobody_applies_is_told() -> None:
    """It is timed from when we saw it; one that is disabled is nobody's."""
    known = Idle()
    plain = {"kind": "subscription", "database": "app", "subscription": "feed", "enabled": True, "workers": 0}
    rows = [{**plain, "apply_errors": 2.0}]
    levels_ = [levels(Lag(), *known.note(rows, at)) for at in (0, 60, 75, 301)]
    assert levels_ == [[], [], [Severity.WARNING], [Severity.CRITICAL]]
    assert levels(Lag(), *known.note([{**rows[0], "enabled": False}], 400)) == []
    assert levels(Lag(), *known.note(rows, 500)) == []


def test_a_receiver_that_is_away_is_timed_from_when_we_saw_it() -> None:
    """One that is there and silent for longer than its timeout, too; without one nobody can tell."""
    heard = Receiver()
    away = {"at": 0.0, "receiver_runs": None, "has_primary": True, "silent_seconds": None, "receiver_timeout": 60.0}
    assert [heard.deaf_seconds({**away, "at": float(at)}) for at in (0, 15, 30)] == [0, 15, 30]
    there = {**away, "receiver_runs": True, "silent_seconds": 70.0}
    assert heard.deaf_seconds(there) == 70
    assert heard.deaf_seconds({**there, "receiver_timeout": 0.0}) == 0
    assert heard.deaf_seconds({**away, "at": 45.0}) == 0
