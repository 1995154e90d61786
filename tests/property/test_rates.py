"""Growth over any history of a counter, with resets, rows that come and go, and windows: nothing is invented."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.collect.rates import Rates
from monitor.collect.table import Table, as_table
from monitor.measurement import Row
from monitor.probe import Kind, Metric, Probe, Scope, Shape

KEYS = ("a", "b", "c")


def probe(*, window: float = 0, shape: Shape = Shape.ROWS, complete: bool = True) -> Probe:
    return Probe(
        name="counted",
        scope=Scope.SERVER,
        every=15,
        key=("key",),
        window=window,
        shape=shape,
        complete=complete,
        reset_column="reset_at",
        metrics=(Metric("calls", Kind.COUNTER, "Calls."), Metric("seconds", Kind.COUNTER, "Seconds.")),
    )


def reading(calls: dict[str, int], reset_at: object = 0) -> Table:
    rows: list[Row] = [
        {"key": key, "calls": count, "seconds": count / 2, "reset_at": reset_at} for key, count in calls.items()
    ]
    return as_table(probe(), rows)


def columns(calls: dict[str, int], reset_at: object = 0) -> Table:
    row = {
        "key": list(calls),
        "calls": list(calls.values()),
        "seconds": [count / 2 for count in calls.values()],
        "reset_at": reset_at,
    }
    return as_table(probe(shape=Shape.COLUMNS), [row])


def by_key(rows: Sequence[Row] | None) -> dict[object, object]:
    return {row["key"]: row["calls"] for row in rows or ()}


readings = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(KEYS), st.integers(0, 1000), max_size=3),
        st.integers(0, 1),
        st.floats(1, 100),
    ),
    min_size=1,
    max_size=12,
)


@given(readings, st.sampled_from([0.0, 50.0, 600.0]), st.sampled_from(list(Shape)))
def test_growth_is_never_negative(
    history: list[tuple[dict[str, int], int, float]], window: float, shape: Shape
) -> None:
    """Whatever counters do, nothing negative comes out, and a window holds no more than was ever grown."""
    rates = Rates(probe(window=window, shape=shape))
    at, grown_ever = 0.0, 0.0
    for calls, reset_at, seconds in history:
        at += seconds
        growth = rates.take((columns if shape is Shape.COLUMNS else reading)(calls, reset_at), at)
        grown_ever += sum(float(str(count)) for count in by_key(growth.since_last).values())
        for rows in (growth.since_last, growth.over_window):
            assert all(float(str(count)) >= 0 for count in by_key(rows).values())
        assert sum(float(str(count)) for count in by_key(growth.over_window).values()) <= grown_ever + 1e-6


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30), st.sampled_from(list(Shape)))
def test_both_shapes_say_the_same_of_a_steady_counter(steps: list[int], shape: Shape) -> None:
    """Without resets the window's growth is the sum of the steps inside it, and nothing is lost between buckets."""
    rates, total = Rates(probe(window=1e9, shape=shape)), 0
    make = columns if shape is Shape.COLUMNS else reading
    growth = rates.take(make({"a": 0}), 0.0)
    for place, step in enumerate(steps, 1):
        total += step
        growth = rates.take(make({"a": total}), float(place))
    assert by_key(growth.over_window).get("a", 0) == total
    assert growth.window_seconds == len(steps)


def test_one_reading_has_no_growth() -> None:
    """Too little data is not zero."""
    growth = Rates(probe()).take(reading({"a": 5}), 0.0)
    assert growth.since_last is None
    assert growth.over_window is None


def test_a_row_that_stood_at_zero_loses_nothing_by_a_reset() -> None:
    """PostgreSQL 14 gives a database its reset time when it first counts something in it."""
    rates = Rates(probe())
    rates.take(reading({"a": 0, "b": 3}, reset_at=None), 0.0)
    assert by_key(rates.take(reading({"a": 4, "b": 9}, reset_at=1), 15.0).since_last) == {"a": 4}


def test_a_reset_begins_anew() -> None:
    """After the reset time moved, the next reading is a first one."""
    rates = Rates(probe(shape=Shape.COLUMNS))
    rates.take(columns({"a": 5}, reset_at=1), 0.0)
    assert rates.take(columns({"a": 50}, reset_at=2), 15.0).since_last is None
    assert by_key(rates.take(columns({"a": 60}, reset_at=2), 30.0).since_last) == {"a": 10}


def test_a_row_whose_counters_disagree_is_left_out() -> None:
    """An evicted entry that came back: calls grew, but the time fell."""
    rates = Rates(probe())
    rates.take(as_table(probe(), [{"key": "a", "calls": 10, "seconds": 9.0, "reset_at": 0}]), 0.0)
    growth = rates.take(as_table(probe(), [{"key": "a", "calls": 12, "seconds": 1.0, "reset_at": 0}]), 15.0)
    assert by_key(growth.since_last) == {}


def test_a_new_row_is_growth_only_where_every_row_is_read() -> None:
    """A row that a limit hid before has counted since long ago; one of a complete reading is new."""
    for complete, expected in ((True, {"a": 1, "b": 7}), (False, {"a": 1})):
        rates = Rates(probe(complete=complete))
        rates.take(reading({"a": 1}), 0.0)
        assert by_key(rates.take(reading({"a": 2, "b": 7}), 15.0).since_last) == expected


def test_the_window_forgets() -> None:
    """What grew longer ago than the window is gone from it, to a twentieth."""
    rates = Rates(probe(window=100))
    rates.take(reading({"a": 0}), 0.0)
    growth = rates.take(reading({"a": 40}), 10.0)
    for at in range(20, 300, 10):
        growth = rates.take(reading({"a": 40}), float(at))
    assert by_key(growth.over_window) == {"a": 0}
    assert 90 <= growth.window_seconds <= 115


def test_a_row_that_is_gone_leaves_the_window() -> None:
    """What was there stays for the window, whether it grew or stood still, and one that stands still stays in it."""
    rates = Rates(probe(window=100))
    rates.take(reading({"a": 1, "b": 1, "c": 1}), 0.0)
    growth = rates.take(reading({"a": 1, "b": 1, "c": 6}), 10.0)
    assert by_key(growth.over_window) == {"a": 0, "b": 0, "c": 5}
    growth = rates.take(reading({"a": 1}), 90.0)
    assert by_key(growth.over_window) == {"a": 0, "b": 0, "c": 5}
    growth = rates.take(reading({"a": 1}), 200.0)
    assert by_key(growth.over_window) == {"a": 0}


def test_times_as_resets_are_compared_as_values() -> None:
    """A time read twice is the same time."""
    moment = datetime.now(UTC)
    rates = Rates(probe())
    rates.take(reading({"a": 1}, moment), 0.0)
    assert by_key(rates.take(reading({"a": 2}, moment + timedelta(0)), 15.0).since_last) == {"a": 1}
    assert by_key(rates.take(reading({"a": 3}, moment + timedelta(1)), 30.0).since_last) == {}
