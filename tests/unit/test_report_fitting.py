"""Markdown is no longer than a comment on GitHub may be: whole findings, the worst first; the rest is counted."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from monitor.errors import Needs
from monitor.model import Area, Finding, Severity, Target
from monitor.report.fitting import MOST, first
from monitor.report.markdown import as_markdown
from monitor.report.review import Review
from monitor.status import NotEvaluated
from tests import reviews

GITHUB = 65_536
AREAS = (Area.AUTH, Area.SCHEMA, Area.PERFORMANCE)
SHOWN = re.compile(r"^### (critical|warning|info): ", re.MULTILINE)


def crowd(*counts: tuple[Severity, int]) -> list[Finding]:
    return [
        replace(reviews.NO_INDEX, subject=f"public.{severity}_{place} (a)", severity=severity, area=AREAS[place % 3])
        for severity, count in counts
        for place in range(count)
    ]


def long(findings: list[Finding]) -> Review:
    return replace(reviews.SICK, findings=findings)


@pytest.mark.parametrize("count", [1, 80, 5000])
def test_a_report_fits_into_a_comment_and_its_head_stays_true(count: int) -> None:
    """The head counts all there are, and what stands in the parts with what is left out there is as many."""
    text = as_markdown(long(crowd((Severity.CRITICAL, count), (Severity.WARNING, 2 * count))))
    assert len(text) <= GITHUB
    assert text.startswith(f"# blocked: {count:,} critical, {2 * count:,} warning")
    left = sum(
        int(number.replace(",", ""))
        for line in text.splitlines()
        if line.startswith("Left out here: ")
        for number in re.findall(r"([\d,]+) (?:critical|warning)", line)
    )
    assert len(SHOWN.findall(text)) + left == 3 * count
    assert ("Shown here: the worst" in text) == (left > 0)


def test_nothing_that_is_left_out_is_worse_than_what_is_shown() -> None:
    """However the parts of the form come, a warning takes no place of a critical finding."""
    text = as_markdown(long(crowd((Severity.INFO, 200), (Severity.WARNING, 200), (Severity.CRITICAL, 20))))
    shown = SHOWN.findall(text)
    assert (shown.count("critical"), shown.count("info")) == (20, 0)
    assert 0 < shown.count("warning") < 200
    assert "`--format json`" in text
    assert "`index.missing_foreign_key`" in text


def test_findings_are_shown_whole_or_not_at_all() -> None:
    """Every fence that is opened is closed, and each finding that is shown says how to mend it."""
    text = as_markdown(long(crowd((Severity.WARNING, 3000))))
    assert text.count("```") % 2 == 0
    assert len(SHOWN.findall(text)) == text.count("To mend:")


def test_what_fits_is_not_cut() -> None:
    assert "Left out" not in as_markdown(reviews.SICK)
    assert "Shown here" not in as_markdown(reviews.SICK)


def test_hundreds_of_servers_and_reasons_leave_room_for_findings() -> None:
    """The servers that could not be reached are named first; how many are not named is said."""
    servers = [
        replace(looked, target=Target(f"shop-{place:03}", looked.target.database), up=place != 299)
        for place in range(300)
        for looked in reviews.SICK.targets
    ]
    gaps = [
        NotEvaluated(target=Target("shop-001"), rule="a.b", reason=f"no right {place} " * 20, needs=Needs.RIGHTS)
        for place in range(900)
    ]
    text = as_markdown(replace(long(crowd((Severity.WARNING, 900))), targets=servers, not_evaluated=gaps))
    assert len(text) <= GITHUB
    assert "- `shop-299`: **not reached**" in text
    assert re.search(r"^- and \d+ more servers; ", text, re.MULTILINE)
    assert re.search(r"^- and for \d+ more reasons; ", text, re.MULTILINE)
    assert len(SHOWN.findall(text)) > 20


def test_pieces_are_cut_between_them() -> None:
    """Where all fit, nothing is said of more."""
    pieces = [["one", "two"], ["three"], ["four"]]
    assert [*first(pieces, 100, str)] == ["one", "two", "three", "four"]
    assert [*first(pieces, 9, str)] == ["one", "two", "2"]
    assert MOST < GITHUB
