"""The page of auth says by which way it sees each table, in words, and why where it does not."""

from __future__ import annotations

import pytest

from monitor.draw.auth import BY, House
from monitor.history.trend import Line
from monitor.model import Target
from tests.browser.charted import line

SHOP = Target("shop", "shop")


def sight(table: str, way: str = "", reason: str = "", of: str = "link") -> Line:
    told: dict[str, float | str] = {"seen": 0.0 if reason else 1.0, "way": way, "reason": reason}
    return line("auth_links.sight", SHOP, {"of": of, "table": table}, told)


def house(*lines: Line) -> House:
    return House(server="shop", database="shop", lines=lines, findings=())


@pytest.mark.parametrize("way", [*BY])
def test_each_way_has_words(way: str) -> None:
    """Short ones for the list and a sentence for the page."""
    seen = house(sight("auth.users", way, of="users"))
    assert seen.sight == BY[way][0]
    assert seen.sights == [(True, f"auth.users is seen {BY[way][1]}.")]


def test_tables_seen_alike_share_a_sentence_and_the_users_come_first() -> None:
    lines = (sight("public.a", "policy"), sight("auth.users", "functions", of="users"), sight("public.b", "policy"))
    assert [words.partition(" seen ")[0] for _, words in house(*lines).sights] == [
        "auth.users is",
        "public.a, public.b are",
    ]


def test_what_is_not_seen_says_why() -> None:
    """Also on the list."""
    seen = house(sight("auth.users", reason="role monitor sees no row", of="users"))
    assert seen.sight == "not at all"
    assert seen.sights == [(False, "auth.users is not seen: role monitor sees no row.")]


def test_before_anybody_looked_nothing_is_said() -> None:
    assert (house().sight, house().sights) == ("", [])
