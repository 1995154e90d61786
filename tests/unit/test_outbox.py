"""The outbox: one entry a group waits, newer news joins it, nothing overtakes, what nobody takes is kept as dead."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from monitor.findings.letters import PASSED, SUMMARY, Changes, Entry
from monitor.findings.letters import summary as in_one
from monitor.findings.outbox import Outbox
from monitor.model import Alert
from monitor.notice import Notice
from tests.alerts import at, firing, resolved

DAY = timedelta(hours=24)


def notice(
    *alerts: Alert,
    group: str = "shop",
    receiver: str = "ops",
    news: Iterable[Alert] | None = None,
    labels: Mapping[str, str] | None = None,
    seconds: float = 0,
) -> Notice:
    """By default all its alerts are news."""
    told = frozenset(alert.finding.fingerprint for alert in (alerts if news is None else news))
    return Notice(
        receiver=receiver,
        group=group,
        labels=labels or {},
        alerts=alerts,
        news=told,
        created_at=at(seconds),
        key=f"{receiver}/{group}/{seconds}",
    )


def said(entry: Entry | None) -> list[str]:
    return [f"{alert.finding.subject} {alert.status}" for alert in entry.notice.alerts] if entry else []


def news(entry: Entry | None) -> set[str]:
    assert entry
    told = [alert for alert in entry.notice.alerts if alert.finding.fingerprint in entry.notice.news]
    assert len(told) == len(entry.notice.news)
    return {alert.finding.subject for alert in told}


def test_what_is_put_waits_until_it_is_sent() -> None:
    outbox = Outbox()
    (put,) = outbox.put([notice(firing())], at(1)).entries
    assert (put.receiver, put.group, put.created_at, put.due_at) == ("ops", "shop", at(0), at(1))
    assert (put.tries, put.state, put.why) == (0, "waiting", "")
    assert outbox.next("ops", at(1)) == put
    assert outbox.sent(put.id) == Changes(gone=(put.id,))
    assert (outbox.next("ops", at(1)), outbox.waiting("ops"), outbox.receivers) == (None, (), frozenset())


def test_a_newer_notice_takes_the_place_of_one_that_waits() -> None:
    """Under an id of its own, for the notice of an id is stored once."""
    outbox = Outbox()
    (old,) = outbox.put([notice(firing("a"), firing("b"), news=[firing("a")])], at(0)).entries
    changes = outbox.put([notice(firing("c"), seconds=5)], at(5))
    (merged,) = changes.entries
    assert changes.gone == (old.id,)
    assert merged.id > old.id
    assert outbox.waiting("ops") == (merged,)
    assert said(merged) == ["a firing:warning", "c firing:warning"]
    assert (news(merged), merged.notice.key) == ({"a", "c"}, "ops/shop/5")
    assert (merged.created_at, merged.due_at) == (at(5), at(0))


def test_what_fired_and_ended_while_it_waited_is_told_as_over() -> None:
    """And it stays in, when the group has forgotten it already."""
    outbox = Outbox()
    outbox.put([notice(firing("a"))], at(0))
    outbox.put([notice(resolved("a"), firing("b"), seconds=5)], at(5))
    (merged,) = outbox.put([notice(firing("b"), news=[], seconds=9)], at(9)).entries
    assert said(merged) == ["a resolved", "b firing:warning"]
    assert news(merged) == {"a", "b"}


def test_repeating_makes_news_no_younger() -> None:
    """The deadline counts from the newest news."""
    outbox = Outbox()
    outbox.put([notice(firing("a"))], at(0))
    (merged,) = outbox.put([notice(firing("a"), news=[], seconds=9)], at(9)).entries
    assert merged.created_at == merged.notice.created_at == at(0)


def test_several_notices_of_one_group_at_once_are_one_entry() -> None:
    outbox = Outbox()
    changes = outbox.put([notice(firing("a")), notice(firing("b"), seconds=1), notice(firing("c"), group="x")], at(2))
    assert [said(entry) for entry in changes.entries] == [
        ["a firing:warning", "b firing:warning"],
        ["c firing:warning"],
    ]
    assert outbox.waiting("ops") == changes.entries


def test_a_notice_that_waits_already_changes_nothing() -> None:
    """Put again after a crash, it has the same key."""
    outbox = Outbox()
    outbox.put([notice(firing())], at(0))
    assert outbox.put([notice(firing())], at(1)) == Changes()


def test_what_is_being_sent_is_not_changed_and_the_newer_waits_behind() -> None:
    outbox = Outbox()
    outbox.put([notice(firing("a"))], at(0))
    under_way = outbox.next("ops", at(0))
    assert under_way
    assert outbox.put([notice(resolved("a"), seconds=1)], at(1)).gone == ()
    outbox.put([notice(resolved("a"), firing("b"), seconds=2)], at(2))
    assert len(outbox.waiting("ops")) == 2
    assert outbox.next("ops", at(3)) is None
    outbox.sent(under_way.id)
    assert said(outbox.next("ops", at(3))) == ["a resolved", "b firing:warning"]


def test_a_failure_is_due_again_later_with_what_came_meanwhile() -> None:
    outbox = Outbox()
    outbox.put([notice(firing("a"))], at(0))
    under_way = outbox.next("ops", at(0))
    assert under_way
    (behind,) = outbox.put([notice(resolved("a"), seconds=1)], at(1)).entries
    changes = outbox.failed(under_way.id, at(2), 30, "ops: HTTP 503")
    (merged,) = changes.entries
    assert set(changes.gone) == {under_way.id, behind.id}
    assert (merged.tries, merged.due_at, merged.why) == (1, at(32), "ops: HTTP 503")
    assert outbox.next("ops", at(31)) is None
    assert said(outbox.next("ops", at(32))) == ["a resolved"]


def test_a_failure_alone_keeps_its_id_and_key() -> None:
    outbox = Outbox()
    (put,) = outbox.put([notice(firing())], at(0)).entries
    outbox.next("ops", at(0))
    changes = outbox.failed(put.id, at(0), 30, "no")
    assert changes == Changes(entries=(replace(put, tries=1, due_at=at(30), why="no"),))


def test_of_several_groups_the_one_longest_due_is_next() -> None:
    """So a message that always fails stops nobody else's."""
    outbox = Outbox()
    outbox.put([notice(firing(), group="a"), notice(firing(), group="b")], at(0))
    first = outbox.next("ops", at(0))
    assert first
    assert first.group == "a"
    outbox.failed(first.id, at(1), 2, "no")
    assert [entry.group for entry in (outbox.next("ops", at(9)), outbox.next("ops", at(9))) if entry] == ["b", "a"]


def test_receivers_do_not_see_each_other() -> None:
    outbox = Outbox()
    outbox.put([notice(firing()), notice(firing(), receiver="dev")], at(0))
    assert outbox.next("ops", at(0))
    assert outbox.next("dev", at(0))
    assert outbox.receivers == {"ops", "dev"}


def test_what_was_never_tried_is_due_though_the_clock_was_set_back() -> None:
    outbox = Outbox()
    outbox.put([notice(firing(), seconds=3600)], at(3600))
    assert outbox.next("ops", at(0))


def test_what_is_given_up_is_a_dead_letter() -> None:
    outbox = Outbox()
    (put,) = outbox.put([notice(firing())], at(0)).entries
    (dead,) = outbox.gave_up(put.id, "there is no such webhook").entries
    assert (dead.state, dead.why) == ("dead", "there is no such webhook")
    assert (outbox.dead(), outbox.waiting("ops")) == ((dead,), ())
    assert outbox.forget(at(0)) == Changes()
    assert outbox.forget(at(1)) == Changes(gone=(put.id,))
    assert outbox.dead() == ()


def test_dead_letters_do_not_pile_up_for_ever() -> None:
    outbox = Outbox()
    for number in range(600):
        (put,) = outbox.put([notice(firing(), seconds=number)], at(number)).entries
        outbox.gave_up(put.id, "no")
    assert [dead.created_at for dead in outbox.dead()] == [at(number) for number in range(100, 600)]


def test_what_is_over_its_deadline_is_dead_but_not_what_is_being_sent() -> None:
    outbox = Outbox()
    outbox.put([notice(firing(), group="a"), notice(firing(), group="b"), notice(firing(), group="c")], at(0))
    outbox.put([notice(firing(), receiver="dev")], at(0))
    assert outbox.overdue("ops", at(86400)) == Changes()
    under_way = outbox.next("ops", at(86401))
    assert under_way
    dead = outbox.overdue("ops", at(86401), DAY).entries
    assert [(entry.group, entry.why) for entry in dead] == [
        ("b", "not delivered in 24 h"),
        ("c", "not delivered in 24 h"),
    ]
    outbox.failed(under_way.id, at(86402), 1, "ops: HTTP 503")
    assert outbox.overdue("ops", at(86402)).entries[0].why == "not delivered in 24 h; ops: HTTP 503"
    assert outbox.receivers == {"dev"}


def test_a_summary_says_all_that_waits() -> None:
    outbox = Outbox()
    first = notice(firing("a"), firing("b"), news=[firing("a")], group="x", labels={"env": "prod", "rule": "one"})
    put = outbox.put([first, notice(resolved("c"), group="y", labels={"env": "prod", "rule": "two"}, seconds=5)], at(6))
    changes = outbox.summed("ops", at(7))
    (summary,) = changes.entries
    assert changes.gone == tuple(entry.id for entry in put.entries)
    assert (summary.group, summary.notice.group, summary.notice.labels) == (SUMMARY, SUMMARY, {"env": "prod"})
    assert said(summary) == ["a firing:warning", "b firing:warning", "c resolved"]
    assert (news(summary), summary.created_at) == ({"a", "c"}, at(0))
    assert outbox.waiting("ops") == (summary,)


def test_there_is_no_summary_of_one() -> None:
    outbox = Outbox()
    outbox.put([notice(firing()), notice(firing(), receiver="dev")], at(0))
    assert outbox.summed("ops", at(0)) == Changes()


def test_a_summary_has_the_same_key_when_it_is_made_again() -> None:
    """Of the same messages: after a crash before it was stored."""
    keys = []
    for _ in range(2):
        outbox = Outbox()
        outbox.put([notice(firing("a"), group="x"), notice(firing("b"), group="y")], at(0))
        keys.append(outbox.summed("ops", at(1)).entries[0].notice.key)
    assert keys[0] == keys[1]


def test_nothing_overtakes_a_summary() -> None:
    """It speaks for any group: what comes later waits until it is told, what came before goes first."""
    outbox = Outbox()
    outbox.put([notice(firing(), group="a")], at(0))
    earlier = outbox.next("ops", at(0))
    assert earlier
    outbox.put([notice(firing(), group="b"), notice(firing(), group="c")], at(1))
    outbox.summed("ops", at(2))
    outbox.put([notice(resolved(), group="b", seconds=3)], at(3))
    assert outbox.next("ops", at(4)) is None
    outbox.sent(earlier.id)
    summary = outbox.next("ops", at(4))
    assert summary
    assert summary.group == SUMMARY
    outbox.failed(summary.id, at(4), 30, "no")
    assert outbox.next("ops", at(5)) is None
    assert outbox.next("ops", at(34)) == outbox.waiting("ops")[0]


def test_a_refused_message_is_halved_until_the_culprit_stands_alone() -> None:
    """Each half where the whole stood, under a key that names it; a half without news need not be told."""
    outbox = Outbox()
    alerts = [firing(each) for each in "abcd"]
    (put,) = outbox.put([notice(*alerts, news=alerts[:3])], at(0)).entries
    outbox.next("ops", at(0))
    outbox.put([notice(resolved("a"), seconds=1)], at(1))
    changes = outbox.halved(put.id, at(2))
    assert changes.gone == (put.id,)
    first, second = changes.entries
    assert (said(first), said(second)) == (
        ["a firing:warning", "b firing:warning"],
        ["c firing:warning", "d firing:warning"],
    )
    assert (first.notice.key, second.notice.key, second.group) == ("ops/shop/0.0", "ops/shop/0.1", "shop")
    (last,) = outbox.halved(second.id, at(2)).entries
    assert said(last) == ["c firing:warning"]
    heard = []
    while entry := outbox.next("ops", at(3)):
        heard.append(said(entry))
        outbox.sent(entry.id)
    assert heard == [["a firing:warning", "b firing:warning"], ["c firing:warning"], ["a resolved"]]


def test_of_a_repetition_both_halves_are_told() -> None:
    """There is no news in it to choose by."""
    outbox = Outbox()
    (put,) = outbox.put([notice(firing("a"), firing("b"), news=[])], at(0)).entries
    assert [said(half) for half in outbox.halved(put.id, at(1)).entries] == [["a firing:warning"], ["b firing:warning"]]


def test_parts_stay_apart() -> None:
    """Neither a newer notice nor a summary nor a failure puts the culprit back among the innocent."""
    outbox = Outbox()
    (put,) = outbox.put([notice(firing("a"), firing("b"))], at(0)).entries
    first, second = outbox.halved(put.id, at(1)).entries
    outbox.put([notice(resolved("a"), seconds=2), notice(firing("c"), group="x", seconds=2)], at(2))
    under_way = outbox.next("ops", at(2))
    assert under_way == first
    outbox.failed(first.id, at(3), 1, "no")
    outbox.summed("ops", at(4))
    assert [said(entry) for entry in outbox.waiting("ops")] == [
        ["a firing:warning"],
        ["b firing:warning"],
        ["a resolved", "c firing:warning"],
    ]
    assert outbox.waiting("ops")[1] == second


def test_a_restored_outbox_goes_on_where_the_other_stopped() -> None:
    """In order, whatever order they are given in, and with ids after the old ones."""
    outbox = Outbox()
    outbox.put([notice(firing("a")), notice(firing(), group="x")], at(0))
    outbox.next("ops", at(0))
    outbox.put([notice(resolved("a"), seconds=1)], at(1))
    restored = Outbox(reversed(outbox.waiting("ops")))
    assert restored.waiting("ops") == outbox.waiting("ops")
    (added,) = restored.put([notice(firing(), group="y")], at(-3600)).entries
    assert added == restored.waiting("ops")[-1]


def test_what_may_have_been_sent_before_the_crash_is_sent_again_as_it_was() -> None:
    """Under its own key, so that whoever heard it knows; newer news waits behind until its fate is known."""
    outbox = Outbox()
    (put,) = outbox.put([notice(firing("a"))], at(0)).entries
    outbox.next("ops", at(0))
    restored = Outbox([put])
    restored.put([notice(resolved("a"), seconds=5)], at(5))
    assert restored.next("ops", at(6)) == put
    (merged,) = restored.failed(put.id, at(6), 1, "no").entries
    assert said(merged) == ["a resolved"]


def test_what_was_let_go_waits_as_it_is() -> None:
    """Its sending was broken off: it may have arrived, so newer news waits behind it."""
    outbox = Outbox()
    outbox.put([notice(firing("a"))], at(0))
    under_way = outbox.next("ops", at(0))
    assert under_way
    outbox.let_go(under_way.id)
    assert outbox.put([notice(resolved("a"), seconds=1)], at(1)).gone == ()
    assert outbox.next("ops", at(1)) == under_way


def test_dead_letters_are_restored_as_dead() -> None:
    outbox = Outbox()
    (put,) = outbox.put([notice(firing())], at(0)).entries
    (dead,) = outbox.gave_up(put.id, "no").entries
    restored = Outbox([dead])
    assert (restored.dead(), restored.receivers) == ((dead,), frozenset())


def test_news_of_an_entry_that_is_no_more_changes_nothing() -> None:
    """A receiver that is gone answers late."""
    outbox = Outbox()
    outbox.let_go("gone")
    late = (outbox.sent("gone"), outbox.failed("gone", at(0), 1, "no"), outbox.gave_up("gone", "no"))
    assert (*late, outbox.halved("gone", at(0))) == (Changes(),) * 4


def stuck(outbox: Outbox, subject: str) -> Entry:
    """Have what tells of it, and is due, fail until it is stuck."""
    for number in range(PASSED):
        entry = outbox.next("ops", at(number))
        assert entry is not None
        assert f"{subject} firing:warning" in said(entry)
        outbox.failed(entry.id, at(number), 0, "no")
    (held,) = [entry for entry in outbox.waiting("ops") if entry.stuck]
    return held


def test_a_summary_that_fails_lets_pass_what_has_nothing_to_do_with_it_after_a_while() -> None:
    """And takes over what is newer of its own alerts; so also after a restart."""
    outbox = Outbox()
    outbox.put([in_one([notice(firing("a"), group="a"), notice(firing("b"), group="b")])], at(0))
    (behind,) = outbox.put([notice(firing("c"), resolved("a"), group="a", seconds=9)], at(0)).entries
    first = outbox.next("ops", at(0))
    assert first is not None
    assert outbox.next("ops", at(0)) is None
    outbox.let_go(first.id)
    held = stuck(outbox, "b")
    assert behind.id not in {entry.id for entry in outbox.waiting("ops")}
    assert (said(held), news(held)) == (["a resolved", "b firing:warning"], {"a", "b"})
    again = Outbox(outbox.waiting("ops"))
    for box in (outbox, again):
        chosen = [box.next("ops", at(99)), box.next("ops", at(99)), box.next("ops", at(99))]
        assert sorted(map(said, chosen)) == [[], ["a resolved", "b firing:warning"], ["c firing:warning"]]


def test_behind_a_part_that_is_stuck_its_group_is_told_in_order() -> None:
    """What comes later passes the stuck part, but nothing of the same alert does, and nothing passes anything else."""
    outbox = Outbox()
    (whole,) = outbox.put([notice(firing("a"), firing("b"))], at(0)).entries
    outbox.halved(whole.id, at(0))
    outbox.next("ops", at(0))
    outbox.next("ops", at(0))
    outbox.sent(f"{whole.id}.1")
    outbox.let_go(f"{whole.id}.0")
    stuck(outbox, "a")
    heard = []
    for seconds, news in enumerate(([firing("c")], [resolved("c"), firing("d")], [resolved("a")], [firing("c")]), 9):
        outbox.put([notice(*news, seconds=seconds)], at(seconds))
        while (entry := outbox.next("ops", at(seconds))) is not None:
            if "a" in {alert.finding.subject for alert in entry.notice.alerts}:
                outbox.failed(entry.id, at(seconds), 0.5, "no")
            else:
                heard.append(said(entry))
                outbox.sent(entry.id)
    assert heard == [["c firing:warning"], ["c resolved", "d firing:warning"], ["c firing:warning"]]
    assert [said(entry) for entry in outbox.waiting("ops")] == [["a resolved"]]


def test_a_part_that_is_stuck_holds_up_its_alert_only() -> None:
    """Not the other part, nor what its group has to say beside it."""
    outbox = Outbox()
    (whole,) = outbox.put([notice(firing("a"), firing("b"))], at(0)).entries
    outbox.next("ops", at(0))
    outbox.halved(whole.id, at(0))
    assert said(outbox.next("ops", at(0))) == ["a firing:warning"]
    assert said(outbox.next("ops", at(0))) == ["b firing:warning"]
    outbox.sent(f"{whole.id}.1")
    outbox.let_go(f"{whole.id}.0")
    outbox.put([notice(firing("c"), resolved("a"), seconds=5)], at(5))
    held = stuck(outbox, "a")
    assert (said(held), held.part, held.created_at) == (["a resolved"], True, at(5))
    outbox.put([notice(firing("d"), seconds=6)], at(6))
    passing = [entry for entry in outbox.waiting("ops") if not entry.part]
    assert [said(entry) for entry in passing] == [["c firing:warning", "d firing:warning"]]
