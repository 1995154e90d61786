"""Ids of rows that a finding carries: the store keeps them, and no message, log line or list of others has any."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from monitor.lean import Lean
from monitor.model import Alert, as_document
from monitor.notice import Notice
from monitor.notify.document import document
from monitor.store.documents import alert_document, finding_from_text, finding_text, notice_text
from tests.alerts import firing
from tests.notices import notice

KEYS = st.lists(st.uuids().map(str), min_size=1, max_size=20).map(tuple)


def planted(keys: tuple[str, ...]) -> Alert:
    alert = firing()
    return replace(alert, finding=replace(alert.finding, keys=keys))


@given(KEYS)
def test_only_the_stored_finding_has_them(keys: tuple[str, ...]) -> None:
    """What is sent is made of a notice, and that has none; two readings that differ in keys are one finding."""
    alert = planted(keys)
    told: Notice = replace(notice(firing()), alerts=(alert,))
    forms = (
        repr(alert), repr(told), notice_text(told), alert_document(alert), as_document(alert.finding),
        document(alert, told, None), repr(Lean()(alert).finding.keys), alert.all_labels,
    )  # fmt: skip
    assert [form for form in map(str, forms) if any(key in form for key in keys)] == []
    assert told.alerts[0].finding.keys == ()
    assert finding_from_text(finding_text(alert.finding)).keys == keys
    assert alert == firing()
    assert alert.finding.fingerprint == firing().finding.fingerprint
