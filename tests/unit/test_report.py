"""Reports: the same review as text, Markdown and JSON; honest, copyable, and safe whatever things are called."""

import html
import io
import json
import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

import monitor
from monitor.errors import Needs
from monitor.model import Area, Remedy, Result, Severity
from monitor.report.json import as_json
from monitor.report.markdown import as_markdown, code, escape
from monitor.report.review import Review, Verdict
from monitor.report.text import as_text, print_text
from monitor.report.wording import figure, ordinal, script
from tests import reviews
from tests.golden import same_as_golden

ANSI = re.compile(r"\x1b\[[0-9;]*m")
NAMED = pytest.mark.parametrize("name", reviews.EVERY)


def without_version(text: str) -> str:
    return text.replace(monitor.__version__, "VERSION")


@NAMED
@pytest.mark.parametrize("width", [80, 200])
def test_text_is_as_it_was_found_good(name: str, width: int) -> None:
    """The plain text at two widths is the kept one."""
    same_as_golden(f"{name}.{width}.txt", without_version(as_text(reviews.EVERY[name], width)))


@NAMED
def test_markdown_and_json_are_as_they_were_found_good(name: str) -> None:
    """Both other forms are the kept ones."""
    same_as_golden(f"{name}.md", without_version(as_markdown(reviews.EVERY[name])))
    same_as_golden(f"{name}.json", without_version(as_json(reviews.EVERY[name])) + "\n")


@NAMED
def test_colour_changes_nothing_but_colour(name: str) -> None:
    """Without its ANSI sequences the coloured text is the plain one."""
    coloured = as_text(reviews.EVERY[name], 80, colour=True)
    assert ANSI.search(coloured)
    assert ANSI.sub("", coloured) == as_text(reviews.EVERY[name], 80)


def test_no_color_is_obeyed() -> None:
    """A terminal under NO_COLOR gets no colour (SGR 30-37, 90-97), bold at most."""
    file = io.StringIO()
    environment = {"NO_COLOR": "1"}
    console = Console(file=file, width=80, force_terminal=True, color_system="standard", _environ=environment)
    print_text(reviews.SICK, console)
    assert re.search(r"\x1b\[[0-9;]*\b[39][0-7]\b", file.getvalue()) is None


@NAMED
def test_the_first_line_is_the_verdict(name: str) -> None:
    """One line, whatever the width, begins every report."""
    first = as_text(reviews.EVERY[name], 40).splitlines()[0]
    assert first.startswith(f"{reviews.EVERY[name].verdict}: ")


@pytest.mark.parametrize("name", ["sick", "hostile"])
def test_sql_can_be_copied(name: str) -> None:
    """At any width each statement stands there unbroken, ended, and with its tabs."""
    shown = as_text(reviews.EVERY[name], 40)
    for finding in reviews.EVERY[name].findings:
        for statement in script((*finding.remedy.sql, *finding.remedy.rollback)):
            assert statement in shown or "\x1b" in statement


def test_sql_that_cannot_be_shown_does_not_run() -> None:
    """A statement with an escape sequence in a name is a comment that says where to find it."""
    shown = as_text(reviews.NASTY, 80)
    assert "-- holds characters that cannot be shown; take this SQL from --format json" in shown
    assert "\n-- drop index " in shown


def test_a_comment_does_not_swallow_the_semicolon() -> None:
    """Statements end with one semicolon, on a line of its own after a comment."""
    assert script(["select 1", "select 2;", "select 3 -- why"]) == ["select 1;", "select 2;", "select 3 -- why\n;"]


@NAMED
def test_nothing_dangerous_is_printed(name: str) -> None:
    """No control, bidirectional or invisible character reaches terminal or page, and JSON is ASCII."""
    for shown in (as_text(reviews.EVERY[name], 80), as_markdown(reviews.EVERY[name])):
        assert all(char.isprintable() or char in "\n\t" for char in shown)
    assert as_json(reviews.EVERY[name]).isascii()


def test_markup_in_names_is_text() -> None:
    """Neither rich nor Markdown nor HTML takes a name for an instruction."""
    assert "[red]x[/red]" in as_text(reviews.NASTY, 80)
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(as_markdown(reviews.NASTY))
    assert "<b>" not in page
    assert "<em>" not in page
    assert page.count("<h1>") == 1
    assert page.count("<h3>") == len(reviews.NASTY.findings) + 1
    assert html.escape('drop index "```a\tb";', quote=True) in page


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a_b*c*", r"a\_b\*c\*"),
        ("# title", r"\# title"),
        ("- item", r"\- item"),
        ("1. one", r"1\. one"),
        ("10.5 s", "10.5 s"),
        ("<script>&", "&lt;script&gt;&amp;"),
        ("@team a|b", r"@&#8203;team a\|b"),
        ("see #12", "see #&#8203;12"),
        ("https://a.b WWW.c.d", "https&#58;//a.b WWW&#46;c.d"),
        ("two\nlines", r"two\\nlines"),
    ],
)
def test_markdown_means_only_itself(text: str, shown: str) -> None:
    """What Markdown would obey is escaped."""
    assert escape(text) == shown


@pytest.mark.parametrize(("text", "shown"), [("a`b", "``a`b``"), ("``", "``` `` ```"), ("", "` `"), ("x", "`x`")])
def test_a_code_span_cannot_be_left(text: str, shown: str) -> None:
    """The ticks around are more than any inside."""
    assert code(text) == shown


def test_a_fence_is_longer_than_any_run_of_backticks() -> None:
    """SQL with three backticks is fenced with four."""
    assert "````sql\n" in as_markdown(reviews.NASTY)


def test_every_finding_is_named_in_a_long_report() -> None:
    """Five hundred findings are five hundred findings; Markdown, which is for a comment, has its own bound."""
    text, document = as_text(reviews.LONG), json.loads(as_json(reviews.LONG))
    assert text.count("INFO  public.t") == len(document["findings"]) == 500


def test_an_approval_is_short_and_says_what_was_checked() -> None:
    """Verdict, databases, probes and rules, and how much did not apply: in less than twenty lines."""
    shown = as_text(reviews.HEALTHY, 80)
    assert len(shown.splitlines()) < 20
    assert shown.startswith("approved: 5 probes answered and nothing was found\n")
    assert "auth_links, indexes, pool, server, statements" in shown
    said = " ".join(shown.split())
    assert "Security validation: 1 rule looked (settings.pending_restart): nothing was found." in said
    assert "Schema changes: Nothing was evaluated: no rule of this part was asked." in said
    assert "14 rules do not apply" in shown


def test_an_unreachable_target_is_named_with_its_reason() -> None:
    """It stands in the first line, and its reason below."""
    shown = as_text(reviews.UNREACHABLE, 80)
    assert "db2:5432 not reached" in shown.splitlines()[0]
    assert "connection refused" in shown


@pytest.mark.parametrize("needs", list(Needs))
def test_what_was_not_evaluated_is_always_said(needs: Needs) -> None:
    """Even where it does not spoil the approval, the first line counts it and the end names rule and reason."""
    review = reviews.review(reviews.WHOLE, not_evaluated=[reviews.unknown("index.unused", needs, "too early")])
    expected = "1 rule waits for history" if needs is Needs.HISTORY else "1 rule not evaluated"
    for shown in (as_text(review), as_markdown(review)):
        assert expected in shown.splitlines()[0]
        assert "too early" in shown
        assert "index.unused in shop/shop" in shown.replace("\\", "")


@pytest.mark.parametrize(("count", "line"), [(1, "1 finding is ignored"), (3, "3 findings are ignored")])
def test_what_is_ignored_is_counted_in_one_line(count: int, line: str) -> None:
    """And what was looked at is not called free of findings."""
    review = replace(reviews.HEALTHY, ignored=count)
    for shown in (as_text(review), as_markdown(review)):
        assert f"{line} by the configuration" in shown.splitlines()
        assert "answered and nothing was found that is not ignored" in shown.splitlines()[0]
        assert "ignored" not in as_text(reviews.HEALTHY) + as_markdown(reviews.HEALTHY)


def test_what_the_ledger_knows_stands_with_its_finding() -> None:
    """Since when, for which time, who took note, who silenced it; nothing with the one it does not know."""
    text = " ".join(as_text(reviews.STANDING, 200).split())
    assert "stands since 2026-02-20 10:03 UTC, 3rd time; acknowledged by ann: with the owners" in text
    assert "stands since 2026-03-01 09:11 UTC; silenced by bob until 2026-03-01 12:11 UTC: moving house" in text
    assert text.count("stands since") == as_markdown(reviews.STANDING).count("Stands since") == 2


@pytest.mark.parametrize(
    ("count", "shown"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (113, "113th")]
)
def test_ordinals_are_written_as_they_are_spoken(count: int, shown: str) -> None:
    assert ordinal(count) == shown


def test_the_worst_area_comes_first() -> None:
    """Areas are ordered by their worst finding, findings by severity."""
    shown = as_text(reviews.SICK)
    order = [shown.index(word) for word in ("CRITICAL", "performance: ", "WARNING", "INFO")]
    assert order == sorted(order)


def test_lifetime_totals_are_called_so() -> None:
    """A window of 0 is named."""
    assert "lifetime totals" in as_text(replace(reviews.SICK, window_seconds=0))


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("table_bytes", 5 << 30, ("table", "5.0 GiB")),
        ("mean_ms", 312.4, ("mean", "312 ms")),
        ("oldest_seconds", 8112.5, ("oldest", "2.25 h")),
        ("used_ratio", 0.975, ("used ratio", "97.5 %")),
        ("calls", 120_000, ("calls", "120,000")),
        ("pid", 41210, ("pid", "41210")),
        ("warning_after", 300.0, ("warning after", "5 min")),
        ("pids", [41210, 7], ("pids", "41210, 7")),
        ("bytes_per_minute", 256 << 20, ("bytes per minute", "256.0 MiB")),
        ("cost_after", 676.8, ("cost after", "677")),
        ("saved_ms_per_day", 298800.0, ("saved per day", "4.98 min")),
        ("start_time_seconds", 1_772_359_872, ("start time", "2026-03-01 10:11:12 UTC")),
        ("bytes", 2048, ("bytes", "2.0 KiB")),
        ("complete", True, ("complete", "yes")),
        ("since", None, ("since", "unknown")),
        ("full_seconds", float("inf"), ("full", "unlimited")),
        ("means_ms", [1.0, 2500.0], ("means", "1 ms, 2.5 s")),
        ("columns", [], ("columns", "none")),
        ("names", list("abcdefgh"), ("names", "a, b, c, d, e, f and 2 more")),
    ],
)
def test_figures_are_written_in_their_units(key: str, value: object, shown: tuple[str, str]) -> None:
    """The end of a figure's name says its unit; lists are cut."""
    assert figure(key, value) == shown


@pytest.mark.parametrize(
    ("review", "verdict"),
    [
        (reviews.SICK, Verdict.BLOCKED),
        (reviews.NASTY, Verdict.CHANGES_REQUESTED),
        (reviews.NOT_EVALUATED, Verdict.NOT_EVALUATED),
        (reviews.UNREACHABLE, Verdict.NOT_EVALUATED),
        (reviews.HEALTHY, Verdict.APPROVED),
        (reviews.LONG, Verdict.APPROVED),
    ],
)
def test_the_verdict_follows_the_contract(review: Review, verdict: Verdict) -> None:
    """The worst severity decides, then what could not be seen."""
    assert review.verdict is verdict


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_a_table_fits_and_cuts_no_number(width: int) -> None:
    """A narrow page leaves columns out and shortens texts, but a figure that is shown is shown whole."""
    lines = as_text(reviews.SICK, width).splitlines()
    row = next(line for line in lines if line.startswith("7f3a9c01d2e4b580"))
    assert all(len(line.rstrip()) <= width for line in lines[lines.index(row) - 3 : lines.index(row) + 5])
    assert all(part in row for part in ("120,000", "31.2 ms", "62.4 min", "42 %", "select *")[: width // 16])


def test_rollback_and_confidence_are_shown() -> None:
    """How to undo stands below how to mend; a finding not quite sure of itself says so."""
    finding = reviews.finding(
        "index.unused", Area.PERFORMANCE, Severity.WARNING, remedy=Remedy(("select 1",), ("select 2",))
    )
    shown = as_text(reviews.review(reviews.WHOLE, findings=[finding]))
    assert shown.index("select 1;") < shown.index("to undo") < shown.index("select 2;")
    assert "confidence  medium" in shown


def test_a_probe_that_has_nothing_to_look_at_is_no_trouble() -> None:
    """A database without GoTrue is not half looked at; several probes that lack one thing are told together."""
    nothing = [reviews.status(reviews.SHOP, f"auth_{each}", Result.SKIPPED, "no auth.users") for each in ("a", "b")]
    lacking = [
        reviews.status(reviews.SHOP, each, Result.SKIPPED, "not installed", Needs.EXTENSION)
        for each in ("statements", "plans")
    ]
    well = reviews.review(reviews.looked(reviews.SHOP, *nothing, reviews.status(reviews.SHOP, "tables")))
    assert "- [x] `shop` was reached, and every probe answered" in as_markdown(well)
    assert "no auth.users" not in as_text(well)
    short = as_text(reviews.review(reviews.looked(reviews.SHOP, *nothing, *lacking)))
    assert "statements, plans skipped in shop/shop: not installed" in short
