"""Since when counts of scans stand still: what is known of an index that was there, came, was used, or took over."""

import json
from collections.abc import Mapping
from dataclasses import replace

from monitor.shape import Index, Shape, Watched
from probes.shape_watched import LONG_SECONDS, Stillness
from tests.unit.indexes import DAY, index, shape, table

HALF_HOUR = 1800.0


def looked(still: Stillness, at: float, *own: Index, counted: float | None = None) -> Mapping[str, Watched]:
    """One look at a database of one table; by the index's name."""
    watched = still.looked(shape(table(*own), counted=counted), at)
    return {each.name: watched[each.oid] for each in own}


def test_what_was_there_at_first_may_be_older() -> None:
    """Only how long we saw it is known; what comes later is no older than that."""
    still, old, new = Stillness(), index("old", "a"), index("new", "b")
    assert looked(still, 0, old)["old"] == Watched(seconds=0)
    seen = looked(still, HALF_HOUR, old, new)
    assert seen == {"old": Watched(seconds=HALF_HOUR), "new": Watched(seconds=0, since_appeared=True)}


def test_a_scan_or_a_reset_begins_anew() -> None:
    """Any change of the count does, up or down."""
    still, own = Stillness(), index("own", "a", scans=5)
    looked(still, 0, own)
    for at, scans in ((1.0, 6), (2.0, 0)):
        assert looked(still, at, replace(own, scans=scans))["own"] == Watched(seconds=0, since_changed=True)
    assert looked(still, 9.0, replace(own, scans=0))["own"] == Watched(seconds=7, since_changed=True)


def test_an_index_that_goes_may_leave_its_work_to_the_others() -> None:
    """Those of its table begin anew; an invalid one had no work, nor has another table's."""
    still, own, other, broken = Stillness(), index("own", "a"), index("other", "b"), index("bad", "c", valid=False)
    looked(still, 0, own, other, broken)
    assert looked(still, DAY, own, other, counted=9 * DAY)["own"].seconds == DAY
    assert looked(still, DAY + 1, own)["own"] == Watched(seconds=0, since_changed=True)


def test_reindexing_makes_no_index_younger() -> None:
    """REINDEX CONCURRENTLY makes a new one under the same name, and takes the counts along."""
    still, own = Stillness(), index("own", "a", scans=3)
    looked(still, 0, own)
    assert looked(still, DAY, replace(own, oid=99), counted=9 * DAY)["own"].seconds == DAY


def test_after_a_long_pause_a_count_of_none_proves_little() -> None:
    """The counters may have been lost meanwhile, unless they are known to be older; a count that stands cannot lie."""
    for counted, seconds in ((None, 0), (LONG_SECONDS, 0), (LONG_SECONDS + 1, LONG_SECONDS + 1)):
        still, idle, once = Stillness(), index("idle", "a"), index("once", "b", scans=2)
        looked(still, 0, idle, once)
        seen = looked(still, LONG_SECONDS + 1, idle, once, counted=counted)
        assert (seen["idle"].seconds, seen["once"].seconds) == (seconds, LONG_SECONDS + 1)
    still, brief = Stillness(), index("brief", "a")
    looked(still, 0, brief)
    assert looked(still, LONG_SECONDS, brief)["brief"].seconds == LONG_SECONDS


def test_a_table_that_was_left_out_once_is_not_forgotten() -> None:
    """It was locked; a table that is gone is forgotten."""
    still, own = Stillness(), index("own", "a")
    looked(still, 0, own)
    empty = Shape(version_num=180000, left_out={"public.t": "locked"})
    still.looked(empty, HALF_HOUR)
    assert looked(still, 2 * HALF_HOUR, own)["own"].seconds == 2 * HALF_HOUR
    still.looked(replace(empty, left_out={}), 3 * HALF_HOUR)
    assert looked(still, 4 * HALF_HOUR, own)["own"].since_appeared


def test_while_nothing_is_counted_no_time_passes() -> None:
    """It begins anew once track_counts is on again."""
    still, own = Stillness(), index("own", "a", scans=2)
    looked(still, 0, own)
    off = replace(shape(table(own)), counting=False)
    assert still.looked(off, HALF_HOUR)[own.oid].seconds == 0
    assert looked(still, 2 * HALF_HOUR, own)["own"].seconds == HALF_HOUR


def test_it_outlives_a_restart() -> None:
    """By its document; what is not in it counts as new."""
    still, own, new = Stillness(), index("own", "a"), index("new", "b")
    assert still.document() is None
    looked(still, 0, own)
    later = Stillness()
    later.restore(json.loads(json.dumps(still.document())))
    seen = looked(later, HALF_HOUR, own, new)
    assert seen["own"] == Watched(seconds=HALF_HOUR)
    assert seen["new"].since_appeared


def test_its_document_is_bounded() -> None:
    """However many there are: those of the first tables fit into what the store takes."""
    many = [table(*(index(f"{'x' * 50}{n}", "a") for n in range(3)), oid=oid) for oid in range(4_000)]
    still = Stillness()
    still.looked(shape(*many), 1.8e9)
    assert len(json.dumps(still.document())) < 1024 * 1024
