"""Constants of a text: their classes, hashes that tell them apart, and which differences say something."""

import pytest

from monitor.sql.literals import LiteralKind, literals, spelling, statement, statements


@pytest.mark.parametrize(
    ("sql", "kinds"),
    [
        ("select 1, 2.5, .5, 1e9, 0x1f, 1_000", ["number"] * 6),
        ("select 'a', E'a\\'b', U&'a', N'a', $$a$$, $x$a$$b$x$, 'it''s'", ["text"] * 7),
        ("select '2024-01-01', date '2024-01-01', '2024-01-01T00:00:00Z'", ["date"] * 3),
        ("select '0b9e4c6e-3f0f-4c5b-9a58-5ce2f0f1c7a1'", ["uuid"]),
        ("insert into t values (null, true, FALSE)", ["null", "boolean", "boolean"]),
        ('select t1.c2, "col 3", a.b4::int8 from t5 where c is null and d is not null', []),
        ("create table t (a int not null)", []),
        ("select $1, $2::int4 /* 'x' 5 */ -- 'y' 6", []),
        ("select a - 5, b / 7 from t where a like'x' and b>=-3", ["number", "number", "text", "number"]),
        ("select 'never closed", ["text"]),
    ],
)
def test_constants_are_classed(sql: str, kinds: list[str]) -> None:
    assert [str(each.kind) for each in literals(sql) if each.kind in LiteralKind] == kinds


ROOMS = "select * from rooms where id = {} and name = '{}' and open = {} limit {} offset {}"


def test_different_constants_differ_and_equal_ones_do_not() -> None:
    assert spelling(ROOMS.format(1, "a", "true", 5, 0)).vector == spelling(ROOMS.format(1, "a", "true", 5, 0)).vector
    assert spelling(ROOMS.format(1, "a", "true", 5, 0)).vector != spelling(ROOMS.format(2, "a", "true", 5, 0)).vector
    assert spelling(ROOMS.format(1, "a", "true", 5, 0)).vector != spelling(ROOMS.format(1, "b", "true", 5, 0)).vector


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ROOMS.format(1, "a", "true", 5, 0), ROOMS.format(1, "a", "false", 50, 100)),
        ("select * from t where a in (1, 2, 3)", "select * from t where a in (1, 2)"),
        ("select * from t where a in ('x')", "select * from t where a in ('x', 'y', 'z')"),
        ("select * from t where a = any(array[1, 2])", "select * from t where a = any(array[1, 2, 3])"),
        ("select * from t where a=1 fetch first 5 rows only", "select * from t where a=1 fetch first 9 rows only"),
        ("select * from t where a = 1 /* id 1 */", "select  * from t where a = 1 -- id 2"),
        ("insert into t values (1, null)", "insert into t values (1, true)"),
    ],
)
def test_what_says_nothing_makes_no_difference(one: str, other: str) -> None:
    """Pages, the length of a list, null and truth values, comments."""
    assert spelling(one).vector == spelling(other).vector
    assert spelling(one).vector is not None


@pytest.mark.parametrize(
    ("constant", "takes"),
    [
        *((word, 20) for word in ["'new'", "'in transit'", "'in_transit'", "'order.paid'", "'a/b'", "''", "'größer'"]),
        *((digit, 8) for digit in ["5", "'5'"]),
        *((value, 0) for value in ["10", "5.5", "'a@b.example'", "'user17'", "'a bc d ef g'", "'O''Brien'"]),
        ("'0b9e4c6e-3f0f-4c5b-9a58-5ce2f0f1c7a1'", 0),
        ("'Donaudampfschifffahrtselektrizitaeten'", 0),
    ],
)
def test_what_programs_name_themselves_takes_more(constant: str, takes: int) -> None:
    """Words and digits, not numbers, names with digits, addresses, sentences."""
    (literal,) = literals(f"select id from t where a = {constant}")
    assert literal.takes == takes


def test_lists_of_other_values_differ() -> None:
    assert spelling("select 1 where a in (1, 2)").vector != spelling("select 1 where a in (3, 2)").vector
    assert (
        spelling("select 1 where a in (1, 2) and b = 3").vector != spelling("select 1 where a in (1) and b = 4").vector
    )


def test_a_statement_without_constants_has_no_vector() -> None:
    """Bound, or with pages and truth values alone."""
    assert spelling("select * from t where a = $1 limit 5").vector is None
    assert spelling("select * from t where a = $1").bound
    assert not spelling("select * from t where a = '$1'").bound


def test_the_last_constant_of_a_cut_text_is_left_out() -> None:
    """It may go on behind the cut: 12 and 123 are the same then."""
    assert spelling("select 5 where a = 12", cut=True).vector == spelling("select 5 where a = 123", cut=True).vector
    assert len(literals("select 5 where a = 'x", cut=True)) == 1
    assert len(literals("select 5 where a = 'x' and b", cut=True)) == 2


def test_a_constant_cannot_be_read_back() -> None:
    assert "canary" not in repr(spelling("select 'canary', 12345678"))
    assert "12345678" not in repr(spelling("select 'canary', 12345678"))


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("select 1", "select 1"),
        ("(select 1) union (select 2);", "(select 1) union (select 2);"),
        ("/* tag */ -- x\n  update t set a = 1", "/* tag */ -- x\n  update t set a = 1"),
        ("begin; select 1; commit", " select 1"),
        ("set local a = 'x'; insert into t values (';')", " insert into t values (';')"),
        ("select 1; select 2", None),
        ("create table t ()", None),
        ("set a = 'x'", None),
        ("call p(1)", None),
        ("execute s(1)", None),
        ("", None),
    ],
)
def test_the_one_statement_on_rows_is_found(text: str, inner: str | None) -> None:
    assert statement(text) == inner


def test_semicolons_in_constants_and_comments_end_nothing() -> None:
    text = "select ';', $$;$$, \";\" /* ; /* ; */ ; */ -- ;\n; select 2;; -- done"
    assert [each.strip() for each in statements(text)] == [text.partition("\n")[0], "select 2"]
