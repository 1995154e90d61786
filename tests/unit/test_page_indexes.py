"""The list of indexes on the page: what is in vain, and what only seems to be; paged, sorted, escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.draw.asked import SHOWN, Asked
from monitor.draw.indexes import HEAD, Index, Listing, Mark, listing
from monitor.history.trend import Line
from monitor.model import Alert, Area, Finding, Object, Severity, State, Target
from monitor.status import Glance, TargetStatus
from tests.unit.figures import Figures
from tests.unit.shelf import NOW, Pile, glance, server

Row = Mapping[str, object]


def row(name: object = "rooms_at", **changed: object) -> Row:
    plain: dict[str, object] = {
        "target": "shop", "database": "shop", "schema": "public", "table": "rooms", "name": name, "size_bytes": 8192,
        "uses": 0, "works": True, "building": False, "need": "",
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


def test_an_index_without_a_scan_is_told_as_that_and_no_more() -> None:
    """The page judges nothing: how long is too long is the rule's affair."""
    assert one() == [(Mark.IDLE, "in 30 d")]
    assert one(since=None) == [(Mark.IDLE, "since they are counted")]
    assert one(uses=1) == [(Mark.USED, "")]


def said(rule: str, *, server: str = "shop", name: str = "rooms_at", state: State = State.FIRING) -> Alert:
    found = Finding(
        target=Target(server, "shop"), rule=rule, area=Area.PERFORMANCE, severity=Severity.INFO, title="",
        subject=f"public.{name}", object=Object("index", schema="public", name=name), summary="so it is", impact="",
        evidence={},
    )  # fmt: skip
    return Alert(finding=found, source=found.target, state=state, starts_at=NOW, last_seen=NOW)


def judged(*alerts: Alert, targets: Sequence[TargetStatus] = (), **changed: object) -> list[tuple[Mark, str]]:
    shelf = glance(Pile(targets_=targets or (server(),), alerts_=alerts))
    asked = Asked(path="/tables", target="shop")
    found = listing(shelf, Figures(), asked, lambda _: [row(**changed)])
    assert found is not None
    return [*found.sheet.rows[0].marks]


@pytest.mark.parametrize("state", [State.FIRING, State.PENDING])
def test_what_rules_found_is_shown_in_their_words(state: State) -> None:
    """As soon as they say so; whether an index is used stands beside all but that it is not."""
    assert judged(said("index.unused", state=state), uses=3) == [(Mark.UNUSED, "so it is")]
    for rule, mark in (
        ("index.duplicate", Mark.DUPLICATE),
        ("index.redundant_prefix", Mark.COVERED),
        ("index.no_effect", Mark.VAIN),
    ):
        assert judged(said(rule, state=state), uses=3) == [(mark, "so it is"), (Mark.USED, "")]


def test_what_is_over_or_about_another_index_is_not_shown() -> None:
    """Nor what a rule says of another server, unless it is its primary."""
    for other in (
        said("index.unused", state=State.RESOLVED),
        said("index.unused", name="other"),
        said("index.unused", server="copy"),
        said("index.rewrite"),
    ):
        assert judged(other) == [(Mark.IDLE, "in 30 d")]
    primary = (server("main"), replace(server("shop"), replica_of="main"))
    assert judged(said("index.unused", server="main"), targets=primary) == [(Mark.UNUSED, "so it is")]


@pytest.mark.parametrize("need", ["constraint", "replica identity", "unique", "foreign key", "partition"])
def test_what_is_needed_is_not_called_unused(need: str) -> None:
    """Whatever else it is for is said."""
    ((mark, why),) = one(need=need)
    assert mark is Mark.NEEDED
    assert why.startswith("no scan, but it ")


def test_what_does_not_work_is_invalid_unless_it_is_being_built() -> None:
    assert one(works=False, uses=9)[0][0] is Mark.INVALID
    assert one(works=False, building=True)[0][0] is Mark.BUILDING


def cluster() -> tuple[TargetStatus, TargetStatus]:
    return server("shop"), replace(server("copy"), replica_of="shop")


def test_the_use_on_a_standby_counts() -> None:
    """Statistics are each server's own: for what is not known there nobody is accused."""
    used, idle = [row(uses=5)], [row()]
    assert marked({"shop": idle, "copy": used}, *cluster()) == [(Mark.USED, "on copy, not here")]
    assert marked({"shop": idle, "copy": idle}, *cluster()) == [(Mark.IDLE, "in 30 d; nor on copy")]
    ((mark, why),) = marked({"shop": idle}, *cluster())
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
