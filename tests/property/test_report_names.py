"""Whatever things are called: each form of the report shows the very name, and nothing in it becomes markup."""

import json
from dataclasses import replace
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from monitor.draw.words import visible
from monitor.errors import Needs
from monitor.model import Area, Object, Remedy, Severity, Target
from monitor.report.html import as_html
from monitor.report.markdown import as_markdown
from monitor.report.review import LookedAt, Review
from monitor.report.sarif import as_sarif
from monitor.report.text import as_text
from monitor.report.wording import SUBJECT_SHOWN, cut
from tests import reviews
from tests.documents import Document, read
from tests.unit.test_report_sarif import VALID

SPITEFUL = (
    "<script>alert(1)</script>", "'\"><img src=x>", "</style></pre></details>", "{{ 7 * 7 }}{% raw %}", "&amp;&#60;",
    "[x](javascript:alert(1))", "![x](http://a.b/c)", "@team #12 https://a.b", "a|b`c``", "{0}{name}", "😀👩‍👩‍👧",
    "עברית العربية", "\u202egnp.exe", "\x1b[2J", "a\nb\r\n# c", "<!-- -->", "]]>", "--", "日本語" * 20, "n" * 1000,
)  # fmt: skip
NAMES = st.one_of(
    st.text(min_size=1, max_size=60),
    st.sampled_from(SPITEFUL),
    st.lists(st.sampled_from(SPITEFUL), min_size=2, max_size=3).map("".join),
)
FEW = settings(max_examples=40, deadline=None)


def called(name: str) -> Review:
    """Give a review in which everything that has a name has this one."""
    target = Target(name, name)
    finding = replace(
        reviews.finding("index.unused", Area.PERFORMANCE, Severity.WARNING, name),
        target=target,
        object=Object("index", name, name, name, (name,)),
        title=name,
        summary=name,
        impact=name,
        evidence={name: name, "columns": [name]},
        remedy=Remedy(sql=(f'drop index "{name}"',), rollback=(name,), caution=name),
    )
    blind = replace(reviews.unknown("tables.bloat", Needs.RIGHTS, name), target=target, subject=name)
    up = LookedAt(
        target=target, up=True, server_version=name, labels={name: name}, probes=[reviews.status(target, name)]
    )
    down = LookedAt(target=Target(f"{name}2"), up=False, reason=name)
    rows = [{"target": name, "database": name, "statement": name, "share": 0.5, "text": name}]
    return replace(
        reviews.review(up, down, findings=[finding], not_evaluated=[blind], asked=reviews.ASKED),
        statements=rows,
        pools=rows,
        tables=rows,
    )


@cache
def plain() -> Document:
    return read(as_html(called("a\nb")))


@FEW
@given(NAMES)
def test_html_shows_the_name_and_nothing_of_it_is_an_element(name: str) -> None:
    """The same elements with the same attributes as with a harmless name, and the subject to the letter."""
    document = read(as_html(called(name)))
    assert document.tags.keys() <= plain().tags.keys()
    assert {key for key, _ in document.attributes} == {key for key, _ in plain().attributes}
    assert all(address.startswith("#") for address in document.values("href"))
    assert str(visible(name)) in document.text


@FEW
@given(NAMES)
def test_markdown_makes_no_element_of_a_name(name: str) -> None:
    """No HTML, no link, no picture, no heading but ours; each code span or cell holds the name, or its beginning."""
    text = as_markdown(called(name))
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    document = read(page)
    assert not {"a", "img", "script", "style", "b", "details", "iframe"} & document.tags.keys()
    assert document.tags["h1"] == 1
    assert document.tags["h2"] == 7
    assert cut(name, SUBJECT_SHOWN).split()[:1] == [] or cut(name, SUBJECT_SHOWN).split()[0] in document.text


@FEW
@given(NAMES)
def test_sarif_stays_valid_and_keeps_the_name(name: str) -> None:
    """By its schema; names in properties are the very names."""
    log = json.loads(as_sarif(called(name)))
    assert [str(error) for error in VALID.iter_errors(log)] == []
    (result,) = log["runs"][0]["results"]
    assert (result["properties"]["subject"], result["properties"]["target"]) == (name, name)


@FEW
@given(NAMES)
def test_no_line_of_the_text_is_bent(name: str) -> None:
    """No control or invisible character reaches a terminal."""
    shown = as_text(called(name), 80)
    assert all(char.isprintable() or char in "\n\t" for char in shown)
