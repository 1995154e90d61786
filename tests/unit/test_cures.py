"""What a remedy did: fixed, no effect, worse, or not measured; and that neither a restart nor a guess decides it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from monitor.findings.cure import PATIENCE_SECONDS, REST_SECONDS, STILL_SECONDS
from monitor.findings.ledger import Change, Ledger
from monitor.measurement import FRESH_SECONDS, Measurement, measured
from monitor.model import Alert, Finding, NoVerdict, Result, Severity, State, Target
from monitor.proof import Better, Outcome, Proof, Sign, Thing
from monitor.store.documents import alert_document, alert_from_document, document_from_text, document_text
from tests.alerts import NOON, SHOP, at, finding, judgement, unknown

SIGN = Sign(kind="index", relation="public.orders", columns=("customer_id",), before=("public.orders_pkey",))
INDEX = Thing(
    kind="index",
    relation="public.orders",
    name="public.orders_customer_id_idx",
    columns=("customer_id", "placed"),
    uses=0,
    undo="drop index public.orders_customer_id_idx",
)
PROOF = Proof(
    probe="indexes",
    metric="seq_tup_read",
    labels={"kind": "table", "table": "orders"},
    value=120_000.0,
    what="rows a second read by sequential scans",
    pace=2.0,
)
LATER = 1800.0


def sick(*, proof: Proof | None = PROOF, sign: Sign | None = SIGN, severity: Severity = Severity.WARNING) -> Finding:
    plain = finding(severity=severity)
    return replace(plain, remedy=replace(plain.remedy, sign=sign), proof=proof)


def fired(found: Finding, *, remedied: bool = True) -> Ledger:
    """A ledger in which it fires; a minute later its remedy is there."""
    ledger = Ledger()
    ledger.observe([judgement(found)], NOON)
    if remedied:
        look(ledger, "not enough time has passed", seconds=60)
    return ledger


def look(ledger: Ledger, number: float | str, seconds: float = LATER, *things: Thing) -> list[Change]:
    def read(_proof: Proof, _since: datetime) -> float | str:
        return number

    return ledger.catalogued(SHOP, lambda _: things or (INDEX,), read, at(seconds))


def used(count: float = 3000) -> Thing:
    return replace(INDEX, uses=count)


def only(ledger: Ledger) -> Alert:
    (alert,) = ledger.alerts
    return alert


def restarted(ledger: Ledger) -> Ledger:
    """The same, written down and read again."""
    return Ledger(
        alert_from_document(document_from_text(document_text(alert_document(alert)))) for alert in ledger.alerts
    )


def test_a_number_that_fell_while_the_remedy_is_used_is_fixed() -> None:
    """Both numbers are said; until the window is fresh the alert is held open, also over a restart."""
    ledger = fired(sick())
    assert ledger.observe([judgement()], at(60)) != []
    assert only(ledger).state is State.FIRING
    ledger = restarted(ledger)
    assert look(ledger, "not enough time has passed", 600, used()) == []
    (change,) = look(ledger, 300.0, LATER, used())
    assert (change.alert.state, change.alert.outcome, change.worth_telling) == (State.RESOLVED, Outcome.FIXED, True)
    assert change.alert.ended_by == (
        "fixed: index public.orders_customer_id_idx exists since 2026-03-01 12:01 UTC; "
        "rows a second read by sequential scans: 120,000 before, 300 now"
    )


@pytest.mark.parametrize(
    ("now", "outcome"),
    [
        (96_000.0, Outcome.FIXED),
        (96_001.0, Outcome.NO_EFFECT),
        (120_000.0, Outcome.NO_EFFECT),
        (144_000.0, Outcome.NO_EFFECT),
        (144_001.0, Outcome.WORSE),
    ],
)
def test_a_change_within_the_noise_is_none(now: float, outcome: Outcome) -> None:
    """A fifth either way; at the limit it counts as fixed, and not as worse. The same where higher is better."""
    ledger = fired(sick())
    ledger.observe([judgement()], at(60))
    look(ledger, now, LATER, used())
    assert only(ledger).outcome is outcome
    higher = replace(PROOF, value=now, better=Better.HIGHER)
    ledger = fired(sick(proof=higher))
    ledger.observe([judgement()], at(60))
    look(ledger, 120_000.0, LATER, used())
    assert only(ledger).outcome is outcome


def test_what_did_not_help_says_how_to_undo_it_and_rests_before_it_fires_again() -> None:
    """Not in the same breath; what grew worse does not wait."""
    ledger = fired(sick())
    (change,) = look(ledger, 119_000.0, LATER, used())
    assert change.alert.outcome is Outcome.NO_EFFECT
    assert change.alert.ended_by.endswith("undo it: drop index public.orders_customer_id_idx")
    again = sick(sign=replace(SIGN, before=(*SIGN.before, INDEX.name)))
    ledger = restarted(ledger)
    assert ledger.observe([judgement(again)], at(LATER)) == []
    assert ledger.observe([judgement(again)], at(LATER + REST_SECONDS - 1)) == []
    worse = Ledger(ledger.alerts)
    worse.observe([judgement(replace(again, severity=Severity.CRITICAL))], at(LATER + 1))
    assert only(worse).state is State.FIRING
    (change,) = ledger.observe([judgement(again)], at(LATER + REST_SECONDS))
    assert (change.alert.state, change.alert.occurrences, change.alert.cure) == (State.FIRING, 2, None)
    assert look(ledger, 119_000.0, LATER + REST_SECONDS + 300, used()) == []


@pytest.mark.parametrize(
    ("number", "thing", "reason"),
    [
        (0.0, used(0), "used 0 times since"),
        (300.0, used(20), "used 20 times since"),
        (300.0, replace(INDEX, uses=None), "nobody counts"),
        ("its counters were reset, or it is gone", used(), "counters were reset"),
    ],
)
def test_what_cannot_be_measured_is_never_called_fixed(number: float | str, thing: Thing, reason: str) -> None:
    """The traffic stopped, or the counters were reset: it is waited for, and then ends without an outcome."""
    ledger = fired(sick())
    ledger.observe([judgement()], at(60))
    assert look(ledger, number, LATER, thing) == []
    (change,) = look(ledger, number, 60 + PATIENCE_SECONDS, thing)
    assert (change.alert.state, change.alert.outcome) == (State.RESOLVED, None)
    assert "was not measured, because" in change.alert.ended_by
    assert reason in change.alert.ended_by


def test_a_reset_of_the_uses_is_no_use() -> None:
    ledger = Ledger()
    ledger.observe([judgement(sick())], NOON)
    look(ledger, "", 60, used(5000))
    ledger.observe([judgement()], at(60))
    assert look(ledger, 300.0, LATER, used(4000)) == []


def test_a_better_number_does_not_end_what_the_rule_still_finds() -> None:
    """It goes on firing; after the patience the remedy is forgotten."""
    ledger = fired(sick())
    ledger.observe([judgement(sick())], at(300))
    assert look(ledger, 300.0, LATER, used()) == []
    (change,) = look(ledger, 300.0, 60 + PATIENCE_SECONDS, used(90_000))
    assert (change.alert.state, change.alert.cure, change.worth_telling) == (State.FIRING, None, False)


def test_a_finding_without_a_number_is_fixed_once_it_is_gone() -> None:
    ledger = fired(sick(proof=None))
    (change,) = ledger.observe([judgement()], at(60))
    assert change.alert.outcome is Outcome.FIXED
    assert change.alert.ended_by == "fixed: index public.orders_customer_id_idx exists since 2026-03-01 12:01 UTC"


def test_a_finding_without_a_number_that_stays_had_no_help() -> None:
    """Two readings long: the first may be older than the remedy."""
    ledger = fired(sick(proof=None))
    ledger.observe([judgement(sick(proof=None))], at(60 + STILL_SECONDS - 1))
    assert only(ledger).state is State.FIRING
    (change,) = ledger.observe([judgement(sick(proof=None))], at(60 + STILL_SECONDS))
    assert (change.alert.outcome, change.worth_telling) == (Outcome.NO_EFFECT, True)


@pytest.mark.parametrize(
    "thing",
    [
        replace(INDEX, name="public.orders_pkey"),
        replace(INDEX, relation="public.other"),
        replace(INDEX, kind="policy"),
        replace(INDEX, columns=("placed", "customer_id")),
        replace(INDEX, columns=()),
    ],
)
def test_what_was_there_before_or_is_another_thing_is_no_sign(thing: Thing) -> None:
    ledger = fired(sick(), remedied=False)
    assert look(ledger, 300.0, 60, thing) == []
    (change,) = ledger.observe([judgement()], at(90))
    assert (change.alert.ended_by, change.alert.outcome) == ("not seen any more", None)


def test_a_remedy_of_several_partitions_is_there_when_each_has_its_part() -> None:
    """They are told as one; their uses are added, and all are undone. So also after a restart."""
    second = replace(INDEX, relation="public.later", name="public.later_idx", uses=2000, undo="drop index later_idx")
    both = sick(sign=replace(SIGN, others=("public.later",)))
    ledger = fired(both, remedied=False)
    look(ledger, "", 60, INDEX, replace(second, columns=("placed",)))
    assert only(ledger).cure is None
    ledger = restarted(ledger)
    look(ledger, "", 60, INDEX, second)
    ledger = restarted(ledger)
    (change,) = look(ledger, 119_000.0, LATER, used(1500), second)
    assert change.alert.ended_by == (
        "no effect: index public.orders_customer_id_idx (and 1 more) exists since 2026-03-01 12:01 UTC; rows a second "
        "read by sequential scans: 120,000 before, 119,000 now; if it was made for this, undo it: "
        "drop index public.orders_customer_id_idx; drop index later_idx"
    )
    assert change.alert.cure is not None
    assert change.alert.cure.thing.uses == 2000


def test_never_remedied_ends_as_ever() -> None:
    ledger = fired(sick(sign=None))
    (change,) = ledger.observe([judgement()], at(90))
    assert (change.alert.ended_by, change.alert.cure) == ("not seen any more", None)


def test_a_remedy_that_is_taken_away_again_is_none() -> None:
    ledger = fired(sick())
    look(ledger, 300.0, 90, replace(INDEX, name="public.orders_pkey"))
    assert only(ledger).cure is None
    (change,) = ledger.observe([judgement()], at(120))
    assert change.alert.outcome is None


def test_no_verdict_neither_fixes_nor_ends_and_what_is_gone_is_not_fixed() -> None:
    """The catalogue shows the index, but the rule could not say; later its database is gone."""
    gone = NoVerdict(reason="its database is gone", needs=None)
    for proof in (None, PROOF):
        ledger = fired(sick(proof=proof))
        assert ledger.observe([judgement(unknown())], at(9000)) == []
        (change,) = ledger.observe([judgement(gone)], at(9001))
        assert (change.alert.ended_by, change.alert.outcome) == ("its database is gone", None)


def test_a_suspicion_has_no_remedy() -> None:
    ledger = Ledger()
    ledger.observe([judgement(sick(), hold=600)], NOON)
    assert look(ledger, 300.0, 60, used()) == []


def test_another_target_s_catalogue_is_no_sign() -> None:
    ledger = fired(sick(), remedied=False)
    assert ledger.catalogued(Target("shop", "other"), lambda _: [INDEX], lambda *_: 0.0, at(60)) == []


def reading(seconds: float = LATER, window: float = LATER - 60, rows: Sequence[object] = (90, 30)) -> Measurement:
    grown = [{"kind": "table", "table": "orders", "seq_tup_read": each} for each in rows]
    return Measurement(
        target=SHOP,
        probe="indexes",
        taken_at=at(seconds),
        window_growth=[*grown, {"kind": "table", "table": "other", "seq_tup_read": 9}],
        window_seconds=window,
    )


def test_a_number_is_read_from_a_window_that_began_after_the_remedy() -> None:
    """The sum of the rows that agree, a second; else the reason why not."""
    since = at(60)
    assert measured(reading(), PROOF, since) == pytest.approx(120 / (LATER - 60))
    assert measured(reading(window=LATER), PROOF, since) == "not enough time has passed"
    short = reading(window=FRESH_SECONDS - 1)
    for seen, why in (
        (None, "indexes is not read"),
        (replace(reading(), result=Result.TIMEOUT, reason="too slow"), "indexes is not read: too slow"),
        (replace(reading(), window_growth=None), "its counters began anew"),
        (short, "its counters began anew"),
        (reading(rows=()), "its counters were reset"),
        (reading(rows=(None,)), "its counters were reset"),
    ):
        assert str(measured(seen, PROOF, since)).startswith(why)
