"""Conditions of plans read term by term."""

import pytest

from monitor.sql.conditions import MOST, Either, Match, Side, Term, conditions, extremes, ordered, references
from monitor.sql.trees import canonical, denies_list, has_offset

READ = {
    "(t.a = $1)": [(Match.EQUAL, "a", "$1")],
    "((t.a)::text = $1)": [(Match.EQUAL, "(a)::text", "$1")],
    "($1 = t.a)": [(Match.EQUAL, "a", "$1")],
    "(t.a = ANY ($1))": [(Match.IN, "a", "$1")],
    "(t.a <> ALL ($1))": [(Match.OTHER, "a", "ALL ($1)")],
    "((t.a >= $1) AND (t.a < $2))": [(Match.RANGE, "a", "$1"), (Match.RANGE, "a", "$2")],
    "(NOT t.done)": [(Match.FALSE, "done", "")],
    "t.done": [(Match.TRUE, "done", "")],
    "(t.done IS NOT TRUE)": [(Match.OTHER, "done", "")],
    "(t.a IS NOT NULL)": [(Match.NOT_NULL, "a", "")],
    "(lower((t.e)::text) ~~ 'abc%'::text)": [(Match.PREFIX, "lower((e)::text)", "'abc%'::text")],
    "(t.e ~~ '%abc'::text)": [(Match.INFIX, "e", "'%abc'::text")],
    "(t.e ~~ $1)": [(Match.LIKE, "e", "$1")],
    "(t.q OPERATOR(public.%) $1)": [(Match.SIMILAR, "q", "$1")],
    "('{a}'::text[] <@ t.tags)": [(Match.CONTAINS, "tags", "'{a}'::text[]")],
    '(t."Sp ace.é ""x""" = $1)': [(Match.EQUAL, '"Sp ace.é ""x"""', "$1")],
    '("ä.b""c".ü = $1)': [(Match.EQUAL, "ü", "$1")],
    "((t.ä ~~ $1) AND (t.ö = (t.z + 1)))": [(Match.LIKE, "ä", "$1"), (Match.EQUAL, "ö", "t.z + 1")],
    "(t.a = ' AND (x OR y)'::text)": [(Match.EQUAL, "a", "' AND (x OR y)'::text")],
    r"(t.a = E'\\'' OR 1'::text)": [(Match.EQUAL, "a", r"E'\\'' OR 1'::text")],
    "CASE WHEN (t.a AND t.b) THEN true ELSE false END": [
        (Match.OTHER, "CASE WHEN (a AND b) THEN true ELSE false END", "")
    ],
    "(t.a = (InitPlan 1).col1)": [(Match.EQUAL, "a", "$0")],
    "(t.a = $0)": [(Match.EQUAL, "a", "$0")],
    "(NOT (ANY (t.a = (hashed SubPlan 1).col1)))": [(Match.OTHER, "", "")],
    "EXISTS(SubPlan 2)": [(Match.OTHER, "", "")],
    "(alternatives: SubPlan 1 or hashed SubPlan 2)": [(Match.OTHER, "$0", "")],
    "(t.a = 'SubPlan (SubPlan 1)'::text)": [(Match.EQUAL, "a", "'SubPlan (SubPlan 1)'::text")],
    "((t.name)::text = 'x'::text COLLATE \"C\")": [(Match.EQUAL, "(name)::text", "'x'::text")],
    "this is no condition at all": [(Match.OTHER, "", "")],
    "": [(Match.OTHER, "", "")],
}


@pytest.mark.parametrize("text", READ)
def test_each_term_is_read(text: str) -> None:
    """How it matches, and what stands on both sides, without the relation's name on the left."""
    read = [(term.match, term.left.text, _right(term)) for term in conditions(text) if isinstance(term, Term)]
    wanted = [(match, left, right.replace("t.", "")) for match, left, right in READ[text]]
    assert read == wanted


def _right(term: Term) -> str:
    return term.right.text.replace("t.", "")


def test_a_join_is_read_from_both_sides() -> None:
    """Each side may be looked up by the other."""
    (term,) = conditions("(a.x = b.y)")
    assert isinstance(term, Term)
    sides = [(each.left.columns, each.right.columns) for each in term.sides]
    assert sides == [((("a", "x"),), (("b", "y"),)), ((("b", "y"),), (("a", "x"),))]


def test_arms_of_an_or_are_kept_apart() -> None:
    """Their terms are those that must hold together."""
    (found,) = conditions("(((t.a = 1) AND (t.b = 2)) OR (t.c = $1))")
    assert isinstance(found, Either)
    assert [[term.left.column for term in arm if isinstance(term, Term)] for arm in found.arms] == [["a", "b"], ["c"]]


def test_what_is_nested_deeply_is_no_trouble() -> None:
    """ORs in ANDs in ORs, four hundred deep; of ten thousand terms beside each other the first are enough."""
    text = "(t.a = 1)"
    for level in range(400):
        text = f"({text} {'AND' if level % 2 else 'OR'} (t.b = {level}))"
    assert len(conditions(text)) == 2
    assert len(conditions("(" + " AND ".join(f"(t.a = {number})" for number in range(10_000)) + ")")) == MOST


def test_a_row_is_compared_by_its_first_column() -> None:
    """Pages by key: `(a, b) > ($1, $2)`."""
    (term,) = conditions("(ROW(t.a, t.b) > ROW($1, $2))")
    assert isinstance(term, Term)
    assert (term.match, term.left.column, [name for _, name in term.left.columns]) == (Match.RANGE, "a", ["a", "b"])


SORTS = {
    "t.a": ("a", False, False),
    "t.a DESC": ("a", True, True),
    "t.a DESC NULLS LAST": ("a", True, False),
    "t.a NULLS FIRST": ("a", False, True),
    "(lower(t.b)) DESC": ("lower(b)", True, True),
    't."desc"': ('"desc"', False, False),
    't."x DESC"': ('"x DESC"', False, False),
}


@pytest.mark.parametrize("text", SORTS)
def test_a_sort_key_is_read(text: str) -> None:
    """Its direction and its NULLs are as the plan has them."""
    found = ordered(text)
    assert found is not None
    assert (found.key.text, found.descending, found.nulls_first) == SORTS[text]


def test_a_collation_is_told_apart() -> None:
    """It is part of what an index must have."""
    found = ordered('t.n COLLATE "en_US.utf8" DESC')
    assert found is not None
    assert (found.key.text, found.key.collation, found.descending) == ("n", '"en_US.utf8"', True)


def test_what_orders_by_an_operator_of_its_own_is_not_known() -> None:
    """Nor is what cannot be read."""
    assert ordered("t.x USING ~<~") is None
    assert ordered("t.x, t.y") is None
    assert ordered("((") is None


def test_outputs_are_read() -> None:
    """Which columns are named, whole rows, and what the least and the greatest are of."""
    assert references("sum((a.x * b.y))") == (("a", "x"), ("b", "y"))
    assert references("t.*") == (("t", "*"),)
    assert references("PARTIAL count(*)") == ()
    least = extremes("min(t.a)")
    assert least == Side(text="a", columns=(("t", "a"),), column="a", tree=least.tree if least else {})
    assert extremes("min(t.a) + max(t.b)") is None
    assert extremes("count(t.a)") is None
    assert extremes("max((t.a + 1))") is None


def test_the_same_is_the_same_however_it_is_written() -> None:
    """Spaces, parentheses, schemas of functions and types."""
    assert canonical("lower((email)::text)") == canonical("( pg_catalog.lower(email::text) )")
    assert canonical("(state = 'open'::shop.state)") == canonical("state = 'open'::state")
    assert canonical("(NOT done)") == canonical("not done")
    assert canonical("lower(email)") != canonical("upper(email)")
    assert canonical("lower(a)") != canonical("lower(b)")
    assert canonical("a ((") == canonical("a  ((")


def test_statements_are_asked_for_what_a_plan_hides() -> None:
    """NOT IN (SELECT …), not NOT EXISTS; an OFFSET of the statement itself, not of a part."""
    assert denies_list("select from a where x not in (select y from b)")
    assert not denies_list("select from a where not exists (select from b) and x in (select 1)")
    assert not denies_list("select (")
    assert has_offset("select 1 from a limit $1 offset $2")
    assert not has_offset("select 1 from (select 1 offset 5) x")
