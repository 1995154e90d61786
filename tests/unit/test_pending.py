"""What the store does not have yet: the newest state of each thing, and nothing lost when it cannot be written."""

from dataclasses import replace

from monitor.daemon.pending import Pending, restored, stored
from monitor.findings.outbox import Outbox
from monitor.store.records import ToldRow, Transition
from tests.alerts import NOON, at, firing, resolved
from tests.notices import notice


def mark(status: str = "firing:warning") -> ToldRow:
    return ToldRow(receiver="ops", group="g", fingerprint="f", status=status, at=NOON)


def test_of_one_thing_the_newest_state_is_written() -> None:
    pending = Pending()
    pending.alert(firing("a"))
    pending.alert(resolved("a"))
    pending.marked({mark().key: mark()}, [])
    pending.marked({mark().key: mark("resolved")}, [])
    write = pending.take()
    assert list(write.alerts) == [resolved("a")]
    assert list(write.told) == [mark("resolved")]
    assert not pending


def test_what_is_dropped_is_not_written_and_what_comes_back_is() -> None:
    pending = Pending()
    pending.alert(firing("a"))
    pending.dropped([firing("a").finding.fingerprint])
    pending.marked({mark().key: mark()}, [])
    pending.marked({}, [mark().key])
    write = pending.take()
    assert (list(write.alerts), list(write.told)) == ([], [])
    assert (list(write.dropped), list(write.untold)) == ([firing("a").finding.fingerprint], [mark().key])
    pending.dropped([firing("a").finding.fingerprint])
    pending.alert(firing("a"))
    assert (list((again := pending.take()).alerts), list(again.dropped)) == ([firing("a")], [])


def test_what_could_not_be_written_waits_below_what_came_meanwhile() -> None:
    pending = Pending()
    step = Transition(fingerprint="f", at=NOON, state="firing", severity="warning")
    pending.alert(firing("a"))
    pending.alert(firing("b"))
    pending.step(step)
    pending.marked({mark().key: mark()}, [])
    failed = pending.take()
    pending.alert(resolved("a"))
    pending.step(replace(step, at=at(1), state="resolved"))
    pending.put_back(failed)
    write = pending.take()
    assert {alert.finding.subject: alert.status for alert in write.alerts} == {"a": "resolved", "b": "firing:warning"}
    assert [each.state for each in write.transitions] == ["firing", "resolved"]
    assert list(write.told) == [mark()]


def test_an_entry_of_the_outbox_comes_back_as_it_was_stored() -> None:
    outbox = Outbox()
    (entry,) = outbox.put([notice(firing("a"))], NOON).entries
    assert restored(stored(entry)) == entry


def test_a_letter_that_arrived_is_not_written_any_more() -> None:
    pending, outbox = Pending(), Outbox()
    (entry,) = outbox.put([notice(firing("a"))], NOON).entries
    pending.letters([entry], [])
    pending.letters([], [entry.id])
    write = pending.take()
    assert (list(write.outbox), list(write.sent)) == ([], [entry.id])
