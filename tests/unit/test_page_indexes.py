"""The list of indexes on the page: what is in vain, and what only seems to be; paged, sorted, escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.draw.asked import SHOWN, Asked
from monitor.draw.indexes import HEAD, Index, Listing, Mark, listing
from monitor.status import Glance, TargetStatus
from monitor.trend import Line
from tests.unit.figures import Figures
from tests.unit.shelf import NOW, Pile, glance, server

Row = Mapping[str, object]


def row(name: object = "rooms_at", **changed: object) -> Row:
    plain: dict[str, object] = {
        "target": "shop", "database": "shop", "schema": "public", "table": "rooms", "name": name, "size_bytes": 8192,
        "uses": 0, "works": True, "building": False, "need": "", "twin": None,
        "since": (NOW - timedelta(days=30)).timestamp(), "last_scan": None,
    }  # fmt: skip
    return {**plain, **changed}


def seen(rows: Mapping[str, Sequence[Row]], asked: Asked | None = None, *targets: TargetStatus) -> Listing:
    found = listing(fleet(*targets), Figures(), asked or Asked(path="/tables"), lambda name: rows.get(name, ()))
    assert found is not None
    return found


def fleet(*targets: TargetStatus) -> Glance:
    return glance(Pile(targets_=targets or (server(),)))


def marked(rows: Mapping[str, Sequence[Row]], *targets: TargetStatus) -> list[tuple[Mark, str]]:
    (index,) = seen(rows, Asked(path="/tables", target="shop"), *targets).sheet.rows
    return [*index.marks]


def one(**changed: object) -> list[tuple[Mark, str]]:
    return marked({"shop": [row(**changed)]})


def test_an_index_without_a_scan_for_weeks_is_unused() -> None:
    """And it says over which time."""
    assert one() == [(Mark.UNUSED, "no scan in 30 d, or since it was made")]
    assert one(uses=1) == [(Mark.USED, "")]


@pytest.mark.parametrize(("since", "mark"), [(13.9, Mark.UNKNOWN), (14, Mark.UNUSED)])
def test_young_statistics_say_nothing(since: float, mark: Mark) -> None:
    """The limit is that of index.unused; where nobody knows since when, nothing is said either."""
    assert one(since=(NOW - timedelta(days=since)).timestamp())[0][0] is mark
    assert one(since=None)[0][0] is Mark.UNKNOWN


@pytest.mark.parametrize("need", ["constraint", "replica identity", "unique", "foreign key", "partition"])
def test_what_is_needed_is_not_called_unused(need: str) -> None:
    """Whatever else it is for is said."""
    ((mark, why),) = one(need=need)
    assert mark is Mark.NEEDED
    assert why.startswith("no scan, but it ")


def test_one_of_two_that_are_alike_is_a_duplicate() -> None:
    """Beside whether it is used; a part of a partitioned index cannot go by itself."""
    assert one(twin="rooms_at_2", uses=7) == [(Mark.DUPLICATE, "the same as rooms_at_2"), (Mark.USED, "")]
    assert one(twin="rooms_at_2", need="partition")[0][0] is Mark.NEEDED


def test_what_does_not_work_is_invalid_unless_it_is_being_built() -> None:
    assert one(works=False, uses=9, twin="x")[0][0] is Mark.INVALID
    assert one(works=False, building=True)[0][0] is Mark.BUILDING


def cluster() -> tuple[TargetStatus, TargetStatus]:
    return server("shop"), replace(server("copy"), replica_of="shop")


def test_the_use_on_a_standby_counts() -> None:
    """Statistics are each server's own: for what is not known there nobody is accused."""
    used, idle = [row(uses=5)], [row()]
    assert marked({"shop": idle, "copy": used}, *cluster()) == [(Mark.USED, "on copy, not here")]
    assert marked({"shop": idle, "copy": idle}, *cluster())[0] == (
        Mark.UNUSED, "no scan in 30 d, or since it was made; nor on copy",
    )  # fmt: skip
    ((mark, why),) = marked({"shop": idle}, *cluster())
    assert (mark, why) == (Mark.UNKNOWN, "no scan here; of its use on copy nothing is known")


def test_the_standbys_statistics_must_be_old_enough_too() -> None:
    young = [row(since=(NOW - timedelta(days=1)).timestamp())]
    ((mark, why),) = marked({"shop": [row()], "copy": young}, *cluster())
    assert (mark, why) == (Mark.UNKNOWN, "no scan here; of its use on copy nothing is known")


def names(found: Listing) -> list[str]:
    return [str(each.row["name"]) for each in found.sheet.rows]


ROWS = [row("a", size_bytes=1, uses=5), row("b", size_bytes=3), row("c", size_bytes=2, uses=9)]


@pytest.mark.parametrize(("sort", "order"), [("", "bca"), ("scans", "cab"), ("fewest scans", "bac")])
def test_the_largest_come_first_unless_asked_otherwise(sort: str, order: str) -> None:
    assert names(seen({"shop": ROWS}, Asked(path="/tables/indexes", sort=sort))) == [*order]


def test_they_come_in_pages() -> None:
    many = {"shop": [row(f"i{place:03}", size_bytes=1000 - place) for place in range(2 * SHOWN + 1)]}
    last = seen(many, Asked(path="/tables/indexes", page=3))
    assert (names(last), last.sheet.pages, last.sheet.total) == ([f"i{2 * SHOWN}"], 3, 2 * SHOWN + 1)
    assert len(seen(many).head().sheet.rows) == HEAD


def test_they_are_searched_by_name_table_and_database() -> None:
    rows = {"shop": [row("a"), row("b", table="users"), row("c", database="billing")]}
    for asked, found in (
        (Asked(path="", text="USERS"), ["b"]),
        (Asked(path="", text="public.a"), ["a"]),
        (Asked(path="", database="billing"), ["c"]),
        (Asked(path="", schema="public", table="users"), ["b"]),
    ):
        assert names(seen(rows, asked)) == found


def test_of_several_servers_one_is_to_be_chosen() -> None:
    both = fleet(server("shop"), server("billing"))
    assert listing(both, Figures(), Asked(path="/tables"), lambda _: [row()]) is None


def test_what_is_followed_has_its_rate() -> None:
    key = {"schema": "public", "index": "rooms_at"}
    line = Line(trend="indexes.indexes", server="shop", database="shop", key=key, values={"scans": 2.5}, taken_at=NOW)
    found = listing(fleet(), Figures([line]), Asked(path="/tables"), lambda _: [row(), row("other")])
    assert found is not None
    rates: dict[object, float | None] = {each.row["name"]: each.rate for each in found.sheet.rows}
    assert rates == {"rooms_at": 2.5, "other": None}


def test_an_index_knows_its_moments() -> None:
    index = Index(row=row(last_scan=NOW.timestamp()), now=NOW, elsewhere={})
    assert (index.last, index.age) == (NOW, timedelta(days=30))
