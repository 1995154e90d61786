"""Matchers: what they mean, how they are written, and that what is written wrong is refused with a word why."""

import re
import subprocess
import sys
import time
import warnings

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.findings.matchers import Matcher, Op, all_match, parse_matcher

LABELS = {"severity": "critical", "rule": "index.unused", "database": ""}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('severity="critical"', True),
        ('severity="warning"', False),
        ('severity!="warning"', True),
        ('severity!="critical"', False),
        ('rule=~"index.*"', True),
        ('rule=~"index|pool"', False),
        ('rule=~"pool|index.+"', True),
        ('rule=~"unused"', False),
        ('rule!~"index.*"', False),
        ('rule!~"unused"', True),
    ],
)
def test_operators_mean_what_they_mean_in_alertmanager(text: str, meant: bool) -> None:  # noqa: FBT001
    """Equal, not equal, and regular expressions that must cover the whole value."""
    assert parse_matcher(text).matches(LABELS) is meant


@pytest.mark.parametrize("label", ["database", "nowhere"])
def test_a_missing_label_is_the_empty_text(label: str) -> None:
    meant = [f'{label}=""', f'{label}!="x"', f'{label}=~".*"', f'{label}=~""', f'{label}!~".+"']
    assert [text for text in meant if not parse_matcher(text).matches(LABELS)] == []
    assert not parse_matcher(f'{label}=~".+"').matches(LABELS)


def test_a_regular_expression_does_not_stop_before_a_last_line_end() -> None:
    assert not parse_matcher('a=~"b$"').matches({"a": "b\n"})


def test_every_matcher_must_match() -> None:
    both = [parse_matcher('severity="critical"'), parse_matcher('rule=~"index.*"')]
    assert all_match(both, LABELS)
    assert not all_match([*both, parse_matcher('database="shop"')], LABELS)
    assert all_match([], LABELS)


@pytest.mark.parametrize(
    ("text", "matcher"),
    [
        ("severity=critical", Matcher("severity", Op.EQUAL, "critical")),
        ('  severity \t!= \n "critical"  ', Matcher("severity", Op.NOT_EQUAL, "critical")),
        ("subject=public.rooms (owner_id)", Matcher("subject", Op.EQUAL, "public.rooms (owner_id)")),
        (r'a="say \"x\" \\ y\nz"', Matcher("a", Op.EQUAL, 'say "x" \\ y\nz')),
        (r'rule=~"index\..*"', Matcher("rule", Op.LIKE, r"index\..*")),
        (r"rule!~index\..*", Matcher("rule", Op.UNLIKE, r"index\..*")),
        ('größe="Ж=~{}, ⚠"', Matcher("größe", Op.EQUAL, "Ж=~{}, ⚠")),
        (r'"a \"label\""="b"', Matcher('a "label"', Op.EQUAL, "b")),
        ('a=""', Matcher("a", Op.EQUAL, "")),
        ("a=", Matcher("a", Op.EQUAL, "")),
        ("a=b\\", Matcher("a", Op.EQUAL, "b\\")),
        (r"a=b\"c", Matcher("a", Op.EQUAL, 'b"c')),
    ],
)
def test_a_matcher_is_read_as_alertmanager_reads_it(text: str, matcher: Matcher) -> None:
    """Quoted or not, with blanks around, escapes, and any letters."""
    assert parse_matcher(text) == matcher


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a matcher"),
        ("severity", "not a matcher"),
        ('="critical"', "not a matcher"),
        ('""="critical"', "needs a label"),
        ('{severity="critical"}', "not a matcher"),
        ('a b="c"', "not a matcher"),
        ('severity=="critical"', "a quote inside"),
        ("severity==critical", "into double quotes"),
        ('severity="critical', "not closed"),
        ('severity="critical\\"', "not closed"),
        ('severity="a"b"', "a quote inside"),
        ('a="b", c="d"', "a quote inside"),
        ("a=b,c=d", "into double quotes"),
        ('rule=~"("', "no regular expression"),
        ('rule!~"*"', "no regular expression"),
        ('rule=~"a(?=b)"', "no regular expression"),
        ('rule=~"(a)\\1"', "no regular expression"),
        ('rule=~"a{1001}"', "no regular expression"),
        ('a="\ud800"', "UTF-8"),
        ("x" * 10_000, "not a matcher"),
    ],
)
def test_a_wrong_matcher_is_refused_with_a_word_why(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)) as refused:
        parse_matcher(text)
    assert len(str(refused.value)) < 250


def test_a_matcher_can_be_compared_and_hashed() -> None:
    """So that silences with the same matchers are equal."""
    assert {parse_matcher('a=~"b"'), Matcher("a", Op.LIKE, "b")} == {Matcher("a", Op.LIKE, "b")}
    assert Matcher("a", Op.LIKE, "b") != Matcher("a", Op.EQUAL, "b")


@given(st.text(min_size=1), st.sampled_from(Op), st.text())
@example("a", Op.EQUAL, '\\n"\n\\')
@example("a ", Op.LIKE, " b ")
def test_what_is_written_is_read_as_the_same(label: str, op: Op, value: str) -> None:
    matcher = Matcher(label, op, re.escape(value) if op in {Op.LIKE, Op.UNLIKE} else value)
    again = parse_matcher(str(matcher))
    assert again == matcher
    assert again.matches({label: value}) is (op in {Op.EQUAL, Op.LIKE})


@given(st.text() | st.text(alphabet=' a=!~"\\,{}[(*+?'))
def test_any_text_is_a_matcher_or_refused(text: str) -> None:
    """Nothing but ValueError, and no warning, whatever somebody types."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            matcher = parse_matcher(text)
        except ValueError:
            return
    assert parse_matcher(str(matcher)) == matcher


@pytest.mark.parametrize("expression", ["(a+)+b", "(a|a)*b", "(a|aa)+$b", "(.*a){25}b", "([a-z]+)*[0-9]"])
def test_no_expression_stalls(expression: str) -> None:
    """Python's own would try all ways to part the text: more than there are atoms."""
    matcher, began = parse_matcher(f'subject=~"{expression}"'), time.perf_counter()
    assert not matcher.matches({"subject": "a" * 50_000})
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("expression", "value", "meant"),
    [
        ("a|ab", "ab", True),
        ("[[:alpha:]]+", "abc", True),
        ("a.c", "a\nc", False),
        ("(?s)a.c", "a\nc", True),
        ("a.c", "aéc", True),
        (r"\\d+", "٣", False),
        (r"\\pL+", "é", True),
        ("(?i)prod", "PROD", True),
        ("", "", True),
        ("a.c", "a\udc80c", True),
    ],
)
def test_expressions_mean_what_they_mean_to_alertmanager(expression: str, value: str, meant: bool) -> None:  # noqa: FBT001
    """RE2's, anchored at both ends; a dot is no line end; digits are those of ASCII."""
    assert parse_matcher(f'subject=~"{expression}"').matches({"subject": value}) is meant


def test_the_library_is_loaded_only_for_an_expression() -> None:
    """It costs 3 MiB."""
    code = (
        "import sys; from monitor.findings.matchers import parse_matcher as p; p('a=b'); "
        "assert 're2' not in sys.modules; p('a=~b'); assert 're2' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
