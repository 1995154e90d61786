"""What a mean used to be: robust, of the same hour where there is enough, and never of the present hour."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.history.baseline import LEAST, SAME_HOURS, Sum, baseline, enough, same_hours

PRESENT = 480_000


def hour(ago: int, mean: float = 0.01, calls: float = 100, deviation: float = 0.0) -> Sum:
    """One earlier hour; ago 0 is the present one."""
    squares = calls * (mean * mean + deviation * deviation)
    return Sum(hour=PRESENT - ago, weight=calls, weighed=mean * calls, squares=squares)


def test_what_was_never_seen_before_has_no_baseline() -> None:
    """The present hour does not count, nor does one that a clock set back has left in the future."""
    assert baseline([], PRESENT) is None
    assert baseline([hour(0), hour(-1)], PRESENT) is None


def test_it_is_median_spread_and_deviation_of_the_hours() -> None:
    """One wild hour in five moves nothing."""
    means = (0.010, 0.011, 0.012, 0.013, 9.0)
    found = baseline([hour(ago + 1, mean, deviation=0.002) for ago, mean in enumerate(means)], PRESENT)
    assert found is not None
    assert found.median == pytest.approx(0.012)
    assert found.spread == pytest.approx(1.4826 * 0.001)
    assert found.within == pytest.approx(0.002)
    assert (found.hours, found.weight, found.same_hour) == (5, 500, False)


def test_hours_of_too_few_calls_are_left_out() -> None:
    """At the limit they count."""
    found = baseline([hour(1, 0.01, LEAST), hour(2, 5.0, LEAST - 1)], PRESENT)
    assert found is not None
    assert found.median == pytest.approx(0.01)
    assert (found.hours, found.weight) == (1, LEAST)


def test_who_was_only_ever_called_seldom_was_seen_all_the_same() -> None:
    """All of it together, and no hour that could be relied on."""
    found = baseline([hour(1, 0.01, 3), hour(2, 0.04, 1)], PRESENT)
    assert found is not None
    assert found.median == pytest.approx(0.0175)
    assert (found.hours, found.weight) == (0, 4)


def test_seven_days_with_this_hour_are_enough_and_six_are_not() -> None:
    """A nightly load is compared with nights."""
    nights = [hour(24 * day, 0.5) for day in range(1, SAME_HOURS + 1)]
    days = [hour(24 * day + 5, 0.01) for day in range(SAME_HOURS + 3)]
    for kept, same, median in ((nights, True, 0.5), (nights[1:], False, 0.01)):
        found = baseline([*days, *kept], PRESENT)
        assert found is not None
        assert found.median == pytest.approx(median)
        assert found.same_hour == same
        assert enough(kept, PRESENT) == same
    assert [PRESENT - each for each in same_hours(PRESENT, 2)] == [48, 24]


sums = st.builds(
    Sum,
    hour=st.integers(PRESENT - 800, PRESENT + 30),
    weight=st.integers(0, 10**9).map(float),
    weighed=st.floats(0, 1e9),
    squares=st.floats(0, 1e9),
)


@given(st.lists(sums, max_size=60))
def test_whatever_the_hours_hold_the_figures_are_finite_and_never_negative(hours: list[Sum]) -> None:
    """Also when rounding has made squares smaller than they can be."""
    found = baseline(hours, PRESENT)
    assert (found is None) == all(each.hour >= PRESENT for each in hours)
    if found is not None:
        for figure in (found.median, found.spread, found.within, found.weight):
            assert math.isfinite(figure)
            assert figure >= 0


@given(st.lists(sums, max_size=60), st.lists(sums, max_size=10))
def test_the_present_hour_changes_nothing(hours: list[Sum], later: list[Sum]) -> None:
    now = [Sum(hour=PRESENT, weight=each.weight, weighed=each.weighed, squares=each.squares) for each in later]
    assert baseline([*hours, *now], PRESENT) == baseline(hours, PRESENT)
