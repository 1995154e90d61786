"""Charts over time: axes, gaps, limits, words; and what hostile numbers do to them: nothing."""

from __future__ import annotations

import math
import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.draw.axis import levels, moments
from monitor.draw.plot import BOTTOM, LEFT, RIGHT, TOP, WRITE, Plot, Series, Sketch, plot, spark
from monitor.history.trend import Point
from tests.unit.shelf import NOW

DAY = timedelta(hours=24)


def minute(ago: float, value: float) -> Point:
    return Point(at=NOW - timedelta(minutes=ago), mean=value, most=value, seconds=60)


def drawn(points: list[Point], unit: str = "", limit: float | None = None, span: timedelta = DAY) -> Plot | None:
    series = [Series(name="used", points=points)]
    return plot(Sketch(title="Slots", series=series, since=NOW - span, until=NOW, unit=unit, limit=limit))


def places(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](\d+) ([\d.]+)", path)]


def test_the_newest_is_at_the_right_and_the_highest_below_the_top() -> None:
    seen = drawn([minute(60, 0), minute(59, 97), minute(0, 50)], span=timedelta(hours=1))
    assert seen is not None
    assert places(seen.strokes[0].path)[0] == (LEFT, BOTTOM)
    assert places(seen.strokes[0].path)[-1][0] == RIGHT
    assert [label for _, label in seen.up] == ["0", "25", "50", "75", "100"]
    assert all(TOP <= y <= BOTTOM for _, y in places(seen.strokes[0].path))


def test_where_nothing_is_known_there_is_a_gap() -> None:
    seen = drawn([minute(each, 5) for each in (60, 59, 58, 30, 29)], span=timedelta(hours=1))
    assert seen is not None
    assert seen.strokes[0].path.count("M") == 2


def test_one_reading_is_a_dot_and_none_is_no_chart() -> None:
    seen = drawn([minute(1, 5)])
    assert seen is not None
    assert seen.strokes[0].path.endswith("h.1")
    assert drawn([]) is None


def test_the_words_have_the_figures_and_what_is_not_known() -> None:
    seen = drawn([minute(50, 10), minute(49, 30), minute(0, 20)], limit=40)
    assert seen is not None
    assert "used: 20 at last, highest 30 (Nov 22 14:11 UTC), lowest 10" in seen.words
    assert "limit 40" in seen.words
    assert "nothing is known before Nov 22 14:10 UTC" in seen.words


def test_a_limit_far_above_does_not_press_the_line_to_the_ground() -> None:
    """It is told in words instead."""
    seen = drawn([minute(1, 5)], limit=1000)
    assert seen is not None
    assert (seen.limit, seen.limit_words) == (None, "limit 1,000")


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, 1e308])
def test_what_is_no_measurement_is_not_drawn(odd: float) -> None:
    assert drawn([minute(1, odd)]) is None
    assert drawn([minute(2, odd), minute(1, 5)]) == drawn([minute(1, 5)])


numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(
    st.lists(st.tuples(st.floats(-100, 2000), numbers), max_size=30),
    st.sampled_from([*WRITE]),
    st.none() | numbers,
    st.booleans(),
)
def test_any_numbers_make_a_sound_chart(
    pairs: list[tuple[float, float]],
    unit: str,
    limit: float | None,
    stepped: bool,  # noqa: FBT001 - drawn
) -> None:
    """Inside its frame, with at most seven ticks each way, and nothing that is no number in it."""
    series = [Series(name="x", points=[minute(ago, value) for ago, value in pairs])]
    sketch = Sketch(title="t", series=series, since=NOW - DAY, until=NOW, unit=unit, limit=limit, stepped=stepped)
    seen = plot(sketch)
    if seen is None:
        return
    for stroke in seen.strokes:
        assert re.fullmatch(r"[MLh\d .]+", stroke.path)
        assert all(LEFT <= x <= RIGHT and TOP <= y <= BOTTOM for x, y in places(stroke.path))
    assert len(seen.up) <= 7
    assert all(len(label) <= 12 for _, label in seen.up)
    assert seen.limit is None or TOP <= seen.limit <= BOTTOM


@given(st.floats(1e-12, 1e18), st.sampled_from([*WRITE]))
def test_the_axis_reaches_the_highest_and_not_far_beyond(highest: float, unit: str) -> None:
    ticks = levels(highest, unit)
    assert ticks[0] == 0
    assert ticks[-1] >= highest * (1 - 1e-6)
    assert len(ticks) <= 7
    assert len(set(ticks)) == len(ticks)


@pytest.mark.parametrize("hours", [0.25, 3, 24, 168, 720])
def test_there_are_some_moments_on_the_axis(hours: float) -> None:
    found = moments(NOW - timedelta(hours=hours), NOW)
    assert 2 <= len(found) <= 7
    assert all(NOW - timedelta(hours=hours) <= at <= NOW for at, _ in found)


def test_five_lines_of_a_reading_each_minute_are_small() -> None:
    series = [
        Series(name=f"{place}", points=[minute(each, (each * 37) % (101 + place)) for each in range(1440)])
        for place in range(5)
    ]
    seen = plot(Sketch(title="t", series=series, since=NOW - DAY, until=NOW))
    assert seen is not None
    assert sum(len(stroke.path) for stroke in seen.strokes) <= 5 * 5_000


def test_a_spark_needs_two_readings() -> None:
    assert spark([minute(1, 5)], NOW, 3600) == ""
    assert spark([minute(30, 0), minute(0, 10)], NOW, 3600) == "M60 23L120 1"
