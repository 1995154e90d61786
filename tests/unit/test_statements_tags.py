"""What is read from sqlcommenter's comments, and what never is."""

import pytest

from probes.statements_tags import tags
from probes.statements_texts import understood


def test_the_known_keys_are_read_and_decoded() -> None:
    """Order is fixed; of a trace nothing but that there is one."""
    sql = (
        "select 1 /*action='show',controller='rooms',db_driver='x',route='%2Frooms%2F%3Aid',"
        "traceparent='00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01',application='web'*/"
    )
    assert tags(sql) == ("application=web", "route=/rooms/:id", "controller=rooms", "action=show", "traceparent")


@pytest.mark.parametrize(
    "value",
    ["/rooms/42", "anna%40example.com", "2026-11", "5bd66ef5095369c7", "a" * 81, "it\\'s", "a%0Ab", "%3Cb%3E%22", ""],
)
def test_what_may_be_somebodys_is_left_out(value: str) -> None:
    """Numbers in a path, addresses, hashes, quotes, line ends and what is long."""
    assert tags(f"select 1 /*route='{value}',action='show'*/") == ("action=show",)


@pytest.mark.parametrize(
    "sql",
    [
        "select '/*action=''show''*/'",
        """select "/*action='show'*/" from t""",
        "select $x$/*action='show'*/$x$",
        "select 1 -- /*action='show'*/",
        "select 1 /* action = show */",
        "select 1 /*action='show",
    ],
)
def test_only_comments_in_the_right_form_count(sql: str) -> None:
    """A string, a name, or a comment of people is no tag."""
    assert tags(sql) == ()


def test_a_text_keeps_its_tags_and_loses_its_comment() -> None:
    """With texts shown or not."""
    sql = "/*controller='rooms'*/ select id from rooms where id = 4"
    assert understood((1, 2), sql, show=True).tags == understood((1, 2), sql, show=False).tags == ("controller=rooms",)
    assert "rooms'" not in understood((1, 2), sql, show=True).redacted


def test_long_texts_are_read_in_no_time() -> None:
    """Hostile comments do not make the expression go back and forth."""
    assert tags("/*" * 30_000) == ()
    assert tags("select 1 /*" + "a='" * 20_000 + "*/") == ()
    assert tags("$a$" * 20_000 + "'" * 9999) == ()
