"""Alerts and findings in the state store, on real SQLite files and a real PostgreSQL: nothing lost on the way."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.findings.ledger import Ledger
from monitor.model import Alert, Finding, Severity, Target
from monitor.store import tables
from monitor.store.alerts import StoredAlerts
from monitor.store.documents import finding_from_text, finding_text, target_from_text, target_text
from monitor.store.engine import Store
from tests.alerts import at, finding, findings, firing, judgement, resolved, targets, unknown
from tests.storing import whole_alerts


@given(findings())
def test_a_finding_survives_its_text(one: Finding) -> None:
    assert finding_from_text(finding_text(one)) == one


@given(targets())
def test_a_target_survives_its_text(target: Target) -> None:
    assert target_from_text(target_text(target)) == target


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"object": 1}', finding_text(finding()).replace("capacity", "of an unknown area")]
)
def test_text_that_is_no_finding_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        finding_from_text(text)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changed=st.lists(whole_alerts(), max_size=4))
async def test_alerts_come_back_exactly(store: Store, changed: list[Alert]) -> None:
    await exact(store, changed)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changed=st.lists(whole_alerts(), max_size=4))
async def test_alerts_come_back_exactly_from_postgresql(shared: Store, changed: list[Alert]) -> None:
    await exact(shared, changed)


async def exact(store: Store, changed: list[Alert]) -> None:
    stored = StoredAlerts(store)
    await stored.save((), dropped=[alert.finding.fingerprint for alert in await stored.load()])
    await stored.save(changed)
    newest = {alert.finding.fingerprint: alert for alert in changed}
    assert {alert.finding.fingerprint: alert for alert in await stored.load()} == newest


async def test_saving_again_replaces(store: Store) -> None:
    stored = StoredAlerts(store)
    await stored.save([firing()])
    await stored.save([resolved()])
    assert await stored.load() == [resolved()]


async def test_dropped_suspicions_are_deleted(store: Store) -> None:
    stored = StoredAlerts(store)
    await stored.save([firing("a"), firing("b")])
    await stored.save((), dropped=[firing("a").finding.fingerprint])
    assert await stored.load() == [firing("b")]


async def test_forgetting_deletes_only_what_was_over_before(store: Store, shared: Store) -> None:
    await forgets(StoredAlerts(store))
    await forgets(StoredAlerts(shared))


async def forgets(stored: StoredAlerts) -> None:
    await stored.save([firing("a"), resolved("b")])
    assert await stored.forget(at(60)) == 0
    assert await stored.forget(at(60.001)) == 1
    assert await stored.load() == [firing("a")]


async def test_a_row_that_cannot_be_read_is_left_out_and_said(store: Store) -> None:
    stored = StoredAlerts(store)
    await stored.save([firing("a"), firing("b")])
    spoilt = tables.alerts.update().where(tables.alerts.c.finding.contains('"a"')).values(finding="{}")
    await store.run(lambda connection: connection.execute(spoilt))
    assert await stored.load() == [firing("b")]
    assert "1 stored alerts cannot be read" in store.notice


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    looks=st.lists(
        st.lists(st.one_of(st.builds(finding, st.sampled_from("ab"), st.sampled_from(Severity)), st.just(unknown()))),
        max_size=8,
    )
)
async def test_a_restart_between_any_two_looks_changes_nothing(store: Store, looks: list[list[Finding]]) -> None:
    """Saved after each look and loaded before the next, the ledger goes on as one that never stopped."""
    stored, whole = StoredAlerts(store), Ledger()
    await stored.save((), dropped=[alert.finding.fingerprint for alert in await stored.load()])
    for number, verdicts in enumerate(looks):
        look = judgement(*verdicts, hold=30, keep=30)
        restarted = Ledger(await stored.load())
        changes = restarted.observe([look], at(20 * number))
        assert sorted(map(repr, whole.observe([look], at(20 * number)))) == sorted(map(repr, changes))
        await stored.save(
            [change.alert for change in changes if not change.dropped],
            [change.alert.finding.fingerprint for change in changes if change.dropped],
        )
