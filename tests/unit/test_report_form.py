"""The architect's form: each part claims what was looked at and no more; the checklist ticks only what was well."""

from dataclasses import replace

import pytest

from monitor.errors import Needs
from monitor.model import Area, Severity
from monitor.report import approval, form
from monitor.report.form import Mark, checklist, parts
from monitor.report.markdown import as_markdown
from monitor.report.review import Review, Verdict
from tests import reviews

HEADINGS = [
    "Looked at",
    "Schema changes",
    "Security validation",
    "Performance impact",
    "GoTrue integration",
    "Testing validation checklist",
    "Review approval",
]


def claims(review: Review) -> dict[str, str]:
    return {part.title: part.claim for part in parts(review)}


def marks(review: Review) -> dict[str, Mark]:
    return {item.family: item.mark for item in checklist(review)}


@pytest.mark.parametrize("name", reviews.EVERY)
def test_every_report_has_the_form(name: str) -> None:
    """The architect's headings, all of them, in order, whatever was found."""
    lines = as_markdown(reviews.EVERY[name]).splitlines()
    assert [line.removeprefix("## ") for line in lines if line.startswith("## ")] == HEADINGS


def test_every_area_belongs_to_one_part() -> None:
    """No finding can fall between the parts."""
    assert sorted(area for areas in form.PARTS.values() for area in areas) == sorted(Area)
    assert set(approval.OWNERS) == set(Area)
    assert set(approval.MEANING) == set(Verdict)
    assert set(approval.UNBLINDED) == set(Needs) - {Needs.HISTORY}


def test_a_part_with_nothing_evaluated_says_so() -> None:
    """Not asked, could not say, not reached and nothing there are four different sentences, none an all-clear."""
    assert claims(reviews.HEALTHY)["Schema changes"] == form.NOT_ASKED
    assert claims(reviews.NOT_EVALUATED)["GoTrue integration"] == (
        "Nothing was evaluated: 2 rules of this part could not say."
    )
    unheard = reviews.review(reviews.DOWN, asked=reviews.checked("tables.bloat", answered=0))
    assert claims(unheard)["Performance impact"] == "Nothing was evaluated: not every target was reached."
    nothing = reviews.review(reviews.WHOLE, asked=reviews.checked("replication.slot", answered=0, idle=1))
    assert claims(nothing)["Performance impact"] == "Nothing was evaluated: what its 1 rule judges is not there."


def test_few_rules_are_named_so_that_they_do_not_look_like_many() -> None:
    """Up to three; and what limits the claim stands behind it."""
    assert claims(reviews.HEALTHY)["Security validation"] == (
        "1 rule looked (settings.pending_restart): nothing was found."
    )
    assert claims(reviews.UNREACHABLE)["Performance impact"] == (
        "5 rules looked: nothing was found; 1 rule does not apply; not every target was reached."
    )
    ignored = reviews.review(reviews.WHOLE, asked=reviews.checked("tables.bloat", ignored=2))
    assert "2 findings are ignored by the configuration" in claims(ignored)["Performance impact"]


def test_without_a_count_nothing_is_claimed() -> None:
    """A review that nobody counted for is no proof that rules looked."""
    assert "was not counted" in claims(replace(reviews.HEALTHY, checked=()))["Security validation"]
    assert "- [ ] rules: **not evaluated**" in as_markdown(replace(reviews.HEALTHY, checked=()))


def test_the_checklist_ticks_only_what_was_looked_at_and_well() -> None:
    """A failure and an unknown stay open; a remark fails nothing; what is not there is no task."""
    assert marks(reviews.SICK) == {
        "auth_links": Mark.FAILED,
        "index": Mark.FAILED,
        "replication": Mark.IDLE,
        "server": Mark.UNKNOWN,
        "settings": Mark.PASSED,
        "statements": Mark.PASSED,
        "tables": Mark.PASSED,
        "wal": Mark.PASSED,
    }
    assert marks(reviews.NOT_EVALUATED)["auth_links"] is Mark.UNKNOWN
    assert marks(reviews.UNREACHABLE)["pool"] is Mark.UNKNOWN


@pytest.mark.parametrize("needs", [each for each in Needs if each is not Needs.HISTORY])
def test_one_object_that_was_not_judged_keeps_the_item_open(needs: Needs) -> None:
    """Though the rule spoke of all others."""
    blind = reviews.unknown("tables.bloat", needs, "no right", subject="public.rooms")
    review = reviews.review(reviews.WHOLE, asked=reviews.checked("tables.bloat"), not_evaluated=[blind])
    (item,) = checklist(review)
    assert (item.mark, item.passed, item.unknown) == (Mark.UNKNOWN, 0, ["tables.bloat"])
    assert "- [ ] `tables` (Performance impact): **not evaluated**: `tables.bloat`" in as_markdown(review)


def test_an_ignored_finding_is_not_counted_as_passed() -> None:
    """It is named as ignored."""
    review = reviews.review(reviews.WHOLE, asked=reviews.checked("tables.bloat", ignored=1))
    (item,) = checklist(review)
    assert (item.passed, item.ignored) == (0, ["tables.bloat"])


def test_a_server_that_answered_in_part_is_not_ticked() -> None:
    """A probe that was denied is told above; the box stays open."""
    text = as_markdown(reviews.NOT_EVALUATED)
    assert "- [ ] `shop` was reached, but **not evaluated** in part: see above" in text
    assert "- [x] `shop` was reached, and every probe answered" in as_markdown(reviews.HEALTHY)


def test_the_approval_says_who_has_to_do_what() -> None:
    """The most pressing first; rules with how often; an approval asks nothing of anybody."""
    deeds = [(deed.who, deed.what, tuple(deed.rules)) for deed in approval.deeds(reviews.SICK)]
    assert deeds == [
        ("who answers for sign-in (GoTrue)", "mend 1 critical", ("auth_links.orphaned_profile",)),
        ("the developers of the application", "mend 1 warning", ("index.missing_foreign_key",)),
    ]
    assert "- [ ] **blocked**: What is critical has to be mended first." in as_markdown(reviews.SICK)
    assert approval.deeds(reviews.HEALTHY) == []
    assert as_markdown(reviews.HEALTHY).rstrip().endswith("- [x] **approved**: Nothing has to happen.")


def test_what_was_not_seen_is_somebodys_to_open() -> None:
    """A target that is down, missing rights, a missing extension; more than four rules are counted."""
    assert [deed.what for deed in approval.deeds(reviews.UNREACHABLE)] == ["see that 1 target can be reached"]
    assert [deed.who for deed in approval.deeds(reviews.NOT_EVALUATED)] == [
        "an administrator of the database",
        "an administrator of the database",
        "who runs the monitor",
    ]
    many = [reviews.unknown(f"tables.t{number}", Needs.RIGHTS, "no right") for number in range(9)]
    (deed,) = approval.deeds(reviews.review(reviews.WHOLE, not_evaluated=many))
    assert (len(deed.rules), deed.more) == (4, 5)


def test_each_finding_stands_in_its_part_once() -> None:
    """Worst first, and none is lost."""
    shown = [finding for part in parts(reviews.SICK) for finding in part.findings]
    assert sorted(each.rule for each in shown) == sorted(each.rule for each in reviews.SICK.findings)
    performance = [each.severity for each in shown if each.area is Area.PERFORMANCE]
    assert performance == [Severity.WARNING, Severity.INFO]
