"""A receiver's own template: what it may say, how it fails, and that the built-in words take its place."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.draw.messages import CHARACTERS, Message
from monitor.model import Ack, Remedy, Severity
from monitor.notify.template import VARIABLES, BadTemplate, Template, failed
from tests.alerts import firing, resolved
from tests.notices import notice

OPS = notice(firing("a"), firing("b", Severity.CRITICAL), resolved("c"), standing=[firing("d")])
SECRET = "hush-7f3a"  # stands in the alerts' values, and must not come out of a failure


def said(source: str) -> str:
    return Template.of(source).write(OPS, "https://watch.example")


def failure(source: str) -> str:
    """How a template that was read fails, and that the built-in words come below."""
    named = replace(firing(SECRET), finding=replace(firing(SECRET).finding, title=SECRET, summary=SECRET))
    text = Template.of(source, "ops.j2").text(notice(named), None, lambda: "built in")
    first, _, rest = text.partition("\n\n")
    assert rest == "built in"
    assert SECRET not in first
    assert first.startswith("[the template failed, so these are the built-in words: ops.j2")
    return first.removesuffix("]").partition("words: ")[2]


# -- what it sees -------------------------------------------------------------------------------------------------


def test_a_template_sees_the_notice() -> None:
    source = (
        "{{ receiver }} {{ labels | count }} {{ tally }} {{ repetition }} {{ key }} {{ created_at }} {{ external_url }}"
    )
    assert said(source) == "ops 0 3 firing, 1 resolved False ops-60 2026-03-01T12:01:00+00:00 https://watch.example"


def test_alerts_come_news_first_and_the_worst_first() -> None:
    source = "{% for alert in alerts %}{{ alert.subject }}{{ alert.news | int }} {% endfor %}"
    assert said(source) == "b1 a1 c1 d0"
    assert said("{{ firing | map(attribute='subject') | join(',') }}/{{ resolved | length }}") == "b,a,d/1"


def test_an_alert_is_a_plain_document() -> None:
    source = "{% set one = alerts[0] %}{{ one.place }} {{ one.severity }} {{ one.status }} {{ one.title }}: "
    source += "{{ one.summary }}"
    assert said(source) == "shop/shop critical firing Connection slots nearly full: 85 of 100 slots are used"
    assert said("{{ alerts[0].evidence.used }} {{ alerts[0].labels.alertname }} {{ alerts[0].acked }}") == (
        "85 pool.saturation None"
    )


def test_who_has_taken_note_is_seen() -> None:
    ack = Ack(author="ann", comment="on it", at=datetime(2026, 3, 1, tzinfo=UTC), severity=Severity.WARNING)
    told = notice(replace(firing(), acked=ack))
    assert Template.of("{{ alerts[0].acked.author }}").write(told, None) == "ann"


def test_sql_is_ready_to_paste_and_times_are_words() -> None:
    told = replace(
        firing(), finding=replace(firing().finding, remedy=Remedy(sql=("select 1", "select 2 -- two", "x;")))
    )
    source = "{{ alerts[0].remedy.sql | sql }}\n{{ alerts[0].seconds | duration }}"
    assert Template.of(source).write(notice(told), None) == "select 1;\nselect 2 -- two\n;\nx;\n60 s"


def test_what_drives_terminals_does_not_pass() -> None:
    told = notice(replace(firing(), finding=replace(firing().finding, title="a\x1b[2Jb")))
    assert Template.of("{{ alerts[0].title }}").write(told, None) == "a[2Jb"


def test_macros_sets_and_namespaces_work() -> None:
    source = """
        {% macro head(alert) %}{{ alert.rule ~ '!' }}{% endmacro %}
        {% set ns = namespace(n=0) %}
        {% for alert in alerts %}{% set ns.n = ns.n + 1 %}{% endfor %}
        {{ head(alerts[0]) }} {{ ns.n }} {{ "%.0f" | string | length }} {{ ("a" ~ 1) | replace("a", "b") | upper }}
        {{ "x\ny" | indent(2) }}
    """
    assert said(source).split() == ["pool.saturation!", "4", "4", "B1", "x", "y"]


def test_of_ten_thousand_alerts_five_hundred_are_seen_and_all_counted() -> None:
    """What a flood needs is within the bounds."""
    told = notice(*(firing(f"t{number}") for number in range(10_000)))
    source = "{{ count }} {{ alerts | length }} {{ left_out }} {{ tally }}\n"
    source += "{% for alert in firing %}{{ alert.subject }}: {{ alert.summary }}\n{% endfor %}"
    first, *lines = Template.of(source).write(told, None).splitlines()
    assert first == "10000 500 9500 10000 firing"
    assert len(lines) == 500


# -- what is wrong with a file ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("a\n{% for x in alerts %}", "ops.j2:2: "),
        ("{{ alerts | nothing }}", "ops.j2:1: No filter named 'nothing'"),
        ("\n\n{{ alert.title }}", "ops.j2:3: there is no 'alert' (has: alerts, count, created_at"),
        ("{% include 'other.j2' %}", "ops.j2:1: it is one file"),
        ("{% extends 'other.j2' %}", "ops.j2:1: it is one file"),
        ("x" * (CHARACTERS + 1), "ops.j2: longer than 100,000 characters"),
        ("{{ " + "(" * 5000 + ")" * 5000 + " }}", "ops.j2"),
    ],
)
def test_a_mistake_is_told_when_the_file_is_read(tmp_path: Path, source: str, says: str) -> None:
    """With file and line, in time: not when the first alert comes."""
    path = tmp_path / "ops.j2"
    path.write_text(source)
    with pytest.raises(BadTemplate) as caught:
        Template.load(path)
    assert says in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadTemplate, match=r"none\.j2: cannot be read \(No such file or directory\)"):
        Template.load(tmp_path / "none.j2")
    (tmp_path / "latin.j2").write_bytes(b"\xff")
    with pytest.raises(BadTemplate, match=r"latin\.j2: is not UTF-8"):
        Template.load(tmp_path / "latin.j2")


def test_a_good_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "ops.j2").write_text("{{ tally }} \N{WARNING SIGN}\n", encoding="utf-8")
    assert Template.load(tmp_path / "ops.j2").write(OPS, None) == "3 firing, 1 resolved \N{WARNING SIGN}"


def test_each_variable_is_there() -> None:
    for name in VARIABLES:
        assert said("x{{ " + name + " }}")


# -- how it fails -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("\n{{ alerts[0].nothing }}", "ops.j2:2: it uses a name that is not there"),
        ("{{ alerts[0][alerts[0].title] }}", "ops.j2:1: it uses a name that is not there"),
        ("{{ 1 / 0 }}", "ops.j2:1: it raises ZeroDivisionError"),
        ("{{ alerts[0].title | int('x') + 1 }}", "ops.j2:1: it raises TypeError"),
        ("{{ ''.__class__.__mro__ }}", "ops.j2:1: it does what a template may not"),
        ("{{ alerts.append(1) }}", "ops.j2:1: it does what a template may not"),
        ("{{ '%999999999d' % 1 }}", "ops.j2:1: it does what a template may not"),
        ("{{ '{:>999999999}'.format(1) }}", "ops.j2:1: it does what a template may not"),
        ("{{ 'x'.ljust(999999999) }}", "ops.j2:1: it does what a template may not"),
        ("", "ops.j2: it says nothing"),
        ("  {% if repetition %}again{% endif %}\n", "ops.j2: it says nothing"),
    ],
)
def test_a_failing_template_gives_way_and_says_where(source: str, says: str) -> None:
    assert failure(source) == says


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro f(n) %}{{ f(n - 1) }}{{ f(n - 1) }}{% endmacro %}{{ f(900) }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for a in range(10 ** 12) %}{% endfor %}",
        "{% for a in range(99999) %}{{ alerts[0].title }}{% endfor %}",
        "{% set x %}{% for a in range(99999) %}{{ 'x' * 10000 }}{% endfor %}{% endset %}",
        "{{ 'x' * 1000000000 }}",
        "{{ 1000000000 * [1] }}",
        "{{ 9 ** 9 ** 9 * 1 }}",
        "{{ 2 ** 999999 }}",
        "{% set ns = namespace(s='xx') %}{% for a in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(s='xx') %}{% for a in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s='xx') %}{% for a in range(60) %}{% set ns.s = ns.s * 2 %}{% endfor %}",
        "{% set ns = namespace(s='xx') %}{% for a in range(60) %}{% set ns.s = [ns.s, ns.s] | join %}{% endfor %}",
        "{% set ns = namespace(s='xx') %}{% for a in range(60) %}{% set ns.s = ns.s|replace('x', 'xx') %}{% endfor %}",
        "{% macro f(s, n) %}{{ f(s ~ s, n - 1) if n else s }}{% endmacro %}{{ f('x', 60) }}",
        "{{ ('a\nb' * 20000) | indent(99999999) }}",
        "{{ range(99999) | map('string') | join('x' * 90000) }}",
    ],
)
def test_a_template_that_would_not_end_is_stopped(source: str) -> None:
    """In time and in memory."""
    begin = datetime.now(UTC)
    reason = failure(source)
    assert any(words in reason for words in ("does not end", "grows too long", "grow too large")), reason
    assert (datetime.now(UTC) - begin).total_seconds() < 3


def test_a_slow_template_is_stopped_by_the_clock() -> None:
    """However few its steps are."""
    ticks = iter(range(1000))
    message = Message("ops.j2", "{% for a in range(9) %}{% endfor %}x", (), clock=lambda: float(next(ticks)))
    with pytest.raises(BadTemplate, match=r"ops\.j2:1: it does not end"):
        message.write({})


def test_after_a_failure_it_works_again() -> None:
    """Each message has its own budget."""
    template = Template.of("{% for a in range(labels.n | int) %}.{% endfor %}")
    few, many = replace(OPS, labels={"n": "9"}), replace(OPS, labels={"n": "99999"})
    assert template.write(few, None) == "." * 9
    for _ in range(3):
        assert template.write(many, None)
    assert template.write(few, None) == "." * 9


def test_a_failure_is_one_line() -> None:
    assert failed(BadTemplate("a\nb")).count("\n") == 0
