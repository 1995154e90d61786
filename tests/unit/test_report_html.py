"""The report as one file: nothing is loaded, everything is told, and thousands of findings stay a file one can open."""

import base64
import re
from dataclasses import replace
from hashlib import sha256

import pytest

from monitor.draw.paper import ticked
from monitor.model import Area, Remedy, Severity
from monitor.report.html import as_html
from monitor.report.review import Review
from tests import reviews
from tests.documents import read

NAMED = pytest.mark.parametrize("name", reviews.EVERY)
LOADING = {"script", "link", "img", "iframe", "object", "embed", "base", "form", "audio", "video", "source"}


@NAMED
def test_nothing_is_loaded(name: str) -> None:
    """No element that loads, no address but places in the file itself, and a policy that forbids the rest."""
    text = as_html(reviews.EVERY[name])
    document = read(text)
    assert not LOADING & document.tags.keys()
    assert all(address.startswith("#") for address in document.values("href"))
    assert document.values("src") == document.values("style") == []
    assert "url(" not in text
    assert "@import" not in text


def test_the_policy_lets_in_our_style_alone() -> None:
    """By its hash."""
    text = as_html(reviews.SICK)
    style = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(sha256("".join(style).encode()).digest()).decode()
    assert len(style) == 1
    assert f"default-src &#39;none&#39;; style-src &#39;sha256-{digest}&#39;" in text


@NAMED
def test_every_place_that_is_pointed_to_is_there_once(name: str) -> None:
    document = read(as_html(reviews.EVERY[name]))
    places = document.values("id")
    assert len(set(places)) == len(places)
    assert {address.removeprefix("#") for address in document.values("href")} <= set(places)


def test_a_finding_is_told_whole() -> None:
    """Title, subject, what, why, figures, SQL as it runs, how to undo it, and what the ledger knows."""
    text = read(as_html(reviews.STANDING)).text
    finding = reviews.NO_INDEX
    for told in (finding.title, finding.subject, finding.summary, finding.impact, "312 ms", "5.0 GiB"):
        assert told in text
    for statement in (*finding.remedy.sql, *finding.remedy.rollback):
        assert f"{statement};" in text
    assert "acknowledged by ann: with the owners" in text


def test_the_rules_that_found_something_are_explained() -> None:
    """The file may be read where there is no monitor to ask."""
    document = read(as_html(reviews.SICK))
    assert "r-index.missing_foreign_key" in document.values("id")
    assert "r-tables.bloat" not in document.values("id")


def test_an_approval_is_short_and_says_what_was_checked() -> None:
    """No empty chapters; the parts with their claims, the checklist, the targets."""
    document = read(as_html(reviews.HEALTHY))
    assert document.headings == ["What was checked", "Checklist", "Targets and probes"]
    assert "1 rule looked (settings.pending_restart): nothing was found." in document.text
    assert "Nothing was evaluated: no rule of this part was asked." in document.text


def test_the_worst_stand_open() -> None:
    """The first ten; the others at a click."""
    document = read(as_html(reviews.LONG))
    assert document.opened == 10
    assert read(as_html(reviews.SICK)).opened == 3


@pytest.mark.parametrize("count", [10, 5_000, 9_000])
def test_any_number_of_findings_is_a_file_of_at_most_five_megabytes(count: int) -> None:
    """The worst whole, then names, then a count; and each severity says how many there are."""
    text = as_html(crowd(count))
    document = read(text)
    assert len(text.encode()) <= 5_000_000
    shown = [place for place in document.values("id") if place.startswith("f-")]
    more = sum(int(found.replace(",", "")) for found in re.findall(r"… and ([\d,]+) more finding", document.text))
    assert len(shown) + more == count
    assert f"Findings ({count:,})" in document.text


def test_names_as_long_as_they_come_do_not_burst_it() -> None:
    """A thousand characters that each need escaping."""
    findings = [
        replace(each, subject=f"{number}" + "<&\"'>" * 200, summary="<" * 4_000)
        for number, each in enumerate(crowd(5_000).findings)
    ]
    assert len(as_html(replace(crowd(1), findings=findings)).encode()) <= 5_000_000


def crowd(count: int) -> Review:
    severities = [Severity.CRITICAL, Severity.WARNING, Severity.INFO]
    findings = [
        reviews.finding(
            "index.unused",
            Area.PERFORMANCE,
            severities[3 * number // count],
            f"public.some_table_of_a_shop_{number}_idx",
            evidence={"size_bytes": number, "scans": 0, "table": "public.some_table_of_a_shop"},
            remedy=Remedy(sql=(f"drop index concurrently public.some_table_of_a_shop_{number}_idx",)),
        )
        for number in range(count)
    ]
    return reviews.review(reviews.WHOLE, findings=findings)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("run `monitor run` now", "run <code>monitor run</code> now"),
        ("a ` alone", "a  alone"),
        ("`<b>`", "<code>&lt;b&gt;</code>"),
    ],
)
def test_backticks_of_our_own_prose_are_code(text: str, shown: str) -> None:
    assert str(ticked(text)) == shown


def test_hidden_characters_are_written_out() -> None:
    """Nothing turns the direction of writing, nothing is invisible."""
    text = as_html(reviews.NASTY)
    assert all(char.isprintable() or char in "\n\t" for char in text)
