"""Which indexes could go: what covers what, what must stay, and that no index goes with what takes its place."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitor.advisors.index.coverage import covers, supports
from monitor.advisors.index.drops import Fate
from monitor.shape import ForeignKey, Index, Watched
from tests.unit.indexes import DAY, LIMITS, NOW, decisions, fates, index, key, shape, table

USED = 5000


@pytest.mark.parametrize(
    ("cover", "other"),
    [
        (index("x", "a"), index("y", "a")),
        (index("x", "a", "b"), index("y", "a")),
        (index("x", "a", "b", "c"), index("y", "a", "b")),
        (index("x", key("a", descending=True)), index("y", "a")),
        (index("x", key("a", descending=True), "b"), index("y", "a")),
        (index("x", key("a", descending=True), "b"), index("y", "a", key("b", descending=True))),
        (index("x", "a", unique=True), index("y", "a")),
        (index("x", "a", unique=True), index("y", "a", unique=True)),
        (index("x", "a", include=("b", "c")), index("y", "a", include=("c",))),
        (index("x", "a", "b"), index("y", "a", include=("b",))),
        (index("x", "a", "b", where="(c > 1)"), index("y", "a", where="(c > 1)")),
        (index("x", key("lower(d)"), "b"), index("y", key("lower(d)"))),
        (index("x", "a", method="hash"), index("y", "a", method="hash")),
        (index("x", "a", method="gin"), index("y", "a", method="gin")),
        (index("x", "a", include=("Weird, name",)), index("y", "a", include=("Weird, name",))),
    ],
)
def test_what_covers_another(cover: Index, other: Index) -> None:
    """The same keys in front, in the same order or all of it reversed, and all columns the other holds."""
    assert covers(cover, other, table(cover, other))


@pytest.mark.parametrize(
    ("cover", "other"),
    [
        (index("x", "a"), index("y", "a", "b")),
        (index("x", "b", "a"), index("y", "a")),
        (index("x", key("a", opclass="text_pattern_ops")), index("y", "a")),
        (index("x", key("a", collation='"C"')), index("y", "a")),
        (index("x", key("a", nulls_first=True)), index("y", "a")),
        (index("x", key("a", descending=True), "b"), index("y", "a", "b")),
        (index("x", "a", where="(c > 1)"), index("y", "a")),
        (index("x", "a"), index("y", "a", where="(c > 1)")),
        (index("x", "a", where="(c > 1)"), index("y", "a", where="(c > 2)")),
        (index("x", "a", method="hash"), index("y", "a")),
        (index("x", "a"), index("y", "a", method="hash")),
        (index("x", "a", "b", method="gin"), index("y", "a", method="gin")),
        (index("x", "a"), index("y", "a", include=("b",))),
        (index("x", "a"), index("y", "a", unique=True)),
        (index("x", "a", "b", unique=True), index("y", "a", unique=True)),
        (index("x", "a", unique=True, nulls_not_distinct=True), index("y", "a", unique=True)),
        (index("x", "a", unique=True, constraint="k", deferrable=True), index("y", "a", unique=True)),
        (index("x", "a", valid=False), index("y", "a")),
        (index("x", "a", building=True), index("y", "a")),
        (index("x", key("lower(d)")), index("y", key("upper(d)"))),
    ],
)
def test_what_does_not_cover_another(cover: Index, other: Index) -> None:
    """A difference in anything that a query, or uniqueness, could notice."""
    assert not covers(cover, other, table(cover, other))


def test_a_gin_index_with_other_storage_is_no_duplicate() -> None:
    """Its parameters are part of what it is; of a btree the fillfactor is not."""
    gin, slow = index("x", "a", method="gin"), index("y", "a", method="gin")
    slow = replace(slow, definition=slow.definition + " WITH (fastupdate=off)")
    assert not covers(gin, slow, table(gin, slow))
    full, loose = index("x", "a"), index("y", "a")
    loose = replace(loose, definition=loose.definition + " WITH (fillfactor='50')")
    assert covers(full, loose, table(full, loose))


def test_a_foreign_key_is_served_in_any_order() -> None:
    """The leading columns count, not their order."""
    assert supports(index("x", "b", "a", "c"), [2, 3])
    assert not supports(index("x", "a", "c", "b"), [2, 3])


@pytest.mark.parametrize(
    "better",
    [{"constraint": "k", "unique": True}, {"unique": True}, {"replica_identity": True}, {"clustered": True}],
)
def test_of_two_alike_the_one_that_is_needed_stays(better: dict[str, Any]) -> None:
    """Whatever their age."""
    assert fates(index("old", "a", scans=USED), index("new", "a", scans=USED, **better)) == {"old": Fate.DUPLICATE}


def test_of_two_alike_the_older_stays() -> None:
    """Unless it is what REINDEX CONCURRENTLY left."""
    assert fates(index("z", "a", scans=USED), index("a", "a", scans=USED)) == {"a": Fate.DUPLICATE}
    assert fates(index("t_a_idx_ccnew1", "a"), index("t_a_idx", "a")) == {"t_a_idx_ccnew1": Fate.DUPLICATE}


@pytest.mark.parametrize(
    "tie",
    [
        {"constraint": "k", "unique": True},
        {"primary": True, "unique": True},
        {"replica_identity": True, "unique": True},
        {"clustered": True},
        {"owner": "postgis"},
        {"definition": ""},
    ],
)
def test_what_is_tied_never_goes(tie: dict[str, Any]) -> None:
    """Neither as a duplicate, nor as a prefix, nor unused."""
    assert "tied" not in fates(index("tied", "a", **tie), index("wide", "a", "b", scans=USED))
    assert "tied" not in fates(index("tied", "a", **tie))


@pytest.mark.parametrize("owned", [{"managed": True}, {"owner": "postgis"}])
def test_tables_of_others_are_left_alone(owned: dict[str, Any]) -> None:
    """Nobody who reads the finding could mend them."""
    assert fates(index("x", "a"), index("y", "a"), **owned) == {}


def test_a_prefix_and_its_cover_never_go_together() -> None:
    """The trap of §3.14: the planner used the small one only, so that the large one has no scans."""
    small, large = index("small", "a", scans=USED), index("large", "a", "b")
    assert fates(small, large) == {"small": Fate.PREFIX}
    assert fates(replace(small, scans=0), large) == {"small": Fate.PREFIX}
    assert fates(large) == {"large": Fate.UNUSED}


def test_a_chain_ends_at_one_that_stays() -> None:
    """Each names a cover that is not to go itself, the nearest there is."""
    chain = [index("x", "a"), index("y", "a", "b"), index("z", "a", "b", "c"), index("twin", "a", "b", "c")]
    decided = decisions(shape(table(*chain)))
    assert {name: each.cover.name for name, each in decided.items() if each.cover} == {"x": "z", "y": "z", "twin": "z"}
    assert decided["z"].fate is Fate.KEPT


def test_a_much_wider_cover_serves_a_busy_prefix_badly() -> None:
    """At both limits it is told, beyond them not."""
    small = index("small", "a", pages=1000, scans=30 * 1000)
    large = index("large", "a", "b", pages=4001, scans=1)
    assert fates(small, large) == {}
    assert fates(small, replace(large, pages=4000)) == {"small": Fate.PREFIX}
    assert fates(replace(small, scans=30 * 1000 - 1), large) == {"small": Fate.PREFIX}
    assert fates(small, large, limits=replace(LIMITS, wide_bytes=4002 * 8192)) == {"small": Fate.PREFIX}


def test_a_unique_index_stays_for_who_refers_to_it() -> None:
    """A foreign key relies on one index of its parent; where it is not known on which, both stay."""
    first, second = index("first", "a", unique=True), index("second", "a", unique=True)
    parent = table(first, second, oid=1)
    on = ForeignKey(name="k", table=9, columns=(1,), parent=1, parent_columns=(2,))
    assert all(each.fate is Fate.KEPT for each in decisions(shape(parent, keys=[on])).values())
    known = decisions(shape(parent, keys=[replace(on, index=second.oid)]))
    assert {name: each.fate for name, each in known.items()} == {"first": Fate.DUPLICATE, "second": Fate.KEPT}


def test_what_serves_a_foreign_key_is_never_unused() -> None:
    """Its checks may not have come yet."""
    own = ForeignKey(name="k", table=1, columns=(2, 3), parent=9, parent_columns=(1, 2))
    decided = decisions(shape(table(index("served", "b", "a", "c"), index("idle", "c", "d")), keys=[own]))
    assert (decided["served"].fate, decided["idle"].fate) == (Fate.KEPT, Fate.UNUSED)
    assert "foreign key k" in decided["served"].why


def test_what_a_proposed_index_is_read_with_stays_or_its_cover_does() -> None:
    """It has no scans only because the plan that wants it needs the proposed one as well."""
    small, large, lone = index("small", "a"), index("large", "a", "b"), index("lone", "c")
    decided = decisions(shape(table(small, large, lone)), relied=[small.oid, lone.oid])
    assert {name: each.fate for name, each in decided.items()} == {
        "small": Fate.PREFIX,
        "large": Fate.KEPT,
        "lone": Fate.KEPT,
    }
    assert decided["lone"].why == "a proposed index is read together with it"
    root, part = index("root", "a", pages=0), index("part", "a")
    tree = [table(root, kind="p"), table(replace(part, parent=root.oid), oid=2, parent=1)]
    assert decisions(shape(*tree), relied=[part.oid])["root"].fate is Fate.KEPT


def test_unused_begins_exactly_at_its_age_and_size() -> None:
    """One second, or one page, less and nothing is said."""
    lone = table(index("x", "a", pages=1024))
    limits = replace(LIMITS, min_bytes=1024 * 8192.0)
    assert decisions(shape(lone, counted=14 * DAY), limits)["x"].fate is Fate.UNUSED
    assert decisions(shape(lone, counted=14 * DAY - 1), limits)["x"].fate is Fate.YOUNG
    assert decisions(shape(lone, counted=None), limits)["x"].fate is Fate.YOUNG
    assert decisions(shape(lone), replace(limits, min_bytes=1024 * 8192.0 + 1))["x"].fate is Fate.KEPT
    assert fates(index("x", "a", unique=True)) == {}


def test_an_index_that_was_of_use_once_has_to_rest_longer() -> None:
    """By the server's own word (16 on), or as long as we watched it."""
    once = index("x", "a", scans=3, last_scan=NOW - timedelta(days=92))
    assert fates(once) == {"x": Fate.UNUSED}
    assert fates(replace(once, last_scan=NOW - timedelta(days=91))) == {}
    assert fates(replace(once, last_scan=None)) == {}
    seen = replace(shape(table(once)), watched={once.oid: Watched(seconds=40 * DAY, since_changed=True)})
    assert decisions(seen)["x"].fate is Fate.KEPT


def test_an_index_that_came_while_we_watched_has_to_be_old_enough() -> None:
    """Old counters say nothing about it; nor do they where another index went, whose work it may have taken over."""
    young = index("x", "a")
    seen = shape(table(young))
    for how in ({"since_appeared": True}, {"since_changed": True}):
        assert decisions(replace(seen, watched={young.oid: Watched(seconds=DAY, **how)}))["x"].fate is Fate.YOUNG
        assert decisions(replace(seen, watched={young.oid: Watched(seconds=14 * DAY, **how)}))["x"].use.watched
    assert not decisions(seen)["x"].use.watched


def test_a_partitioned_index_is_judged_with_its_parts() -> None:
    """One part's scans are the whole's; no part is told by itself."""
    root = index("root", "a", pages=0)
    parts = [index(f"part{n}", "a", parent=root.oid, scans=n) for n in range(2)]
    tree = [table(root, kind="p"), *(table(part, oid=2 + n, parent=1) for n, part in enumerate(parts))]
    assert decisions(shape(*tree))["root"].fate is Fate.KEPT
    idle = [tree[0], *(replace(each, indexes=(replace(each.indexes[0], scans=0),)) for each in tree[1:])]
    decided = decisions(shape(*idle))
    assert {each.fate for each in decided.values()} == {Fate.UNUSED}
    assert decided["root"].size_bytes == 200 * 8192
    young = {parts[1].oid: Watched(seconds=DAY, since_appeared=True)}
    assert decisions(replace(shape(*idle), watched=young))["root"].fate is Fate.UNUSED


def test_a_partitions_own_index_goes_for_the_part_of_the_whole_ones() -> None:
    """And the whole one is not called unused while it may have to take over."""
    root = index("root", "a")
    part, own = index("part", "a", parent=root.oid), index("own", "a", scans=USED)
    decided = decisions(shape(table(own, part, oid=2, parent=1), table(root, kind="p")))
    assert {name: each.fate for name, each in decided.items() if each.fate is not Fate.KEPT} == {"own": Fate.DUPLICATE}
    assert decided["own"].cover == part


def test_parts_of_an_index_that_goes_cover_nothing() -> None:
    """A partition's own index is told with a cover that stays."""
    large, small = index("large", "a", "b"), index("small", "a")
    parts = [index("large1", "a", "b", parent=large.oid), index("small1", "a", parent=small.oid)]
    own = index("own", "a")
    decided = decisions(shape(table(large, small, kind="p"), table(own, *parts, oid=2, parent=1)))
    assert decided["small"].fate is Fate.PREFIX
    assert decided["own"].cover == parts[0]
    assert decided["large"].fate is Fate.KEPT
