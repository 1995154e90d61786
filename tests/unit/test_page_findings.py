"""The pages of findings: those found that are searched for, what else is about the same object, forms for who may."""

from __future__ import annotations

from dataclasses import replace

from monitor.draw.page import Drawer, Leave
from monitor.draw.search import Search, found
from monitor.model import Severity, State, Target
from monitor.status import Past
from tests.unit.shelf import NOW, RULES, Pile, alert, finding, glance, server
from tests.unit.test_page import listed, words


def test_findings_are_searched_for_by_what_they_are() -> None:
    """By each filter alone; counts by severity are of what else was asked."""
    worst = alert(finding("public.worst", severity=Severity.CRITICAL))
    other = alert(finding("public.b", rule="rls.off", target=Target("crm", "sales"), title="Rows are open"))
    over = alert(finding("public.over"), State.RESOLVED)
    everything = [worst, alert(), other, over]
    for asked, subjects in (
        ({}, ["public.worst", "public.rooms (owner_id)", "public.b"]),
        ({"severity": "critical"}, ["public.worst"]),
        ({"target": "crm"}, ["public.b"]),
        ({"database": "sales"}, ["public.b"]),
        ({"rule": "rls.off"}, ["public.b"]),
        ({"q": "ROWS ARE"}, ["public.b"]),
        ({"state": "resolved"}, ["public.over"]),
        ({"area": "security"}, []),
    ):
        result = found(everything, Search(**asked), 1)
        assert [each.finding.subject for each in result.shown] == subjects, asked
    assert found(everything, Search(severity="critical"), 1).counts == {"critical": 1, "warning": 2}
    newest = replace(other, starts_at=NOW)
    assert found([worst, newest], Search(sort="newest"), 1).shown == [newest, worst]


def test_no_findings_and_none_that_match_are_two_things() -> None:
    """The first says what was looked at, the second how to see all."""
    assert "1 rule looked at 1 target." in words(listed(Pile(targets_=[server()])))
    page = words(listed(Pile(targets_=[server()], alerts_=[alert()]), q="nope"))
    assert "Nothing matches. Clear the filter" in page


def test_a_search_has_an_address_of_its_own() -> None:
    """Without what is asked by itself, and with what is hostile escaped."""
    assert Search().address == "/findings"
    assert Search(q='a&b"<', state="all").at(2) == "/findings?state=all&q=a%26b%22%3C&page=2"


def test_other_findings_about_the_same_object_are_linked() -> None:
    """Those that are not over."""
    also, over = alert(finding("public.rooms", rule="rls.off", title="Rows are open")), alert(finding("public.x"))
    pile = Pile(targets_=[server()], alerts_=[alert(), also, replace(over, state=State.RESOLVED)])
    page = words(Drawer(RULES).finding(glance(pile), alert(), Past(steps=())).decode())
    assert "Also about this" in page
    assert "Rows are open" in page
    assert "public.x" not in page


def test_who_may_change_nothing_sees_no_form_but_why() -> None:
    """And who may has both, with the token that the door wants."""
    shut = Drawer(RULES).finding(glance(), alert(), Past(steps=())).decode()
    assert "<form" not in shut
    assert "need credentials" in shut
    page = Drawer(RULES).finding(glance(), alert(), Past(steps=()), Leave(token="t0ken", done="ack")).decode()
    assert page.count('name="token" value="t0ken"') == page.count("<form") == 2
    assert "Acknowledged: nobody is told" in page
    over = Drawer(RULES).finding(glance(), alert(state=State.RESOLVED), Past(steps=()), Leave(token="t")).decode()
    assert "<form" not in over
