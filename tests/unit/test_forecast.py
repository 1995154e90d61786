"""Where a chart says a limit will be met: dashed from the newest figure on, in words, and nothing where nothing is."""

from __future__ import annotations

import math
import re
from datetime import timedelta

import pytest

from monitor.draw.forecast import Forecast, forecast
from monitor.draw.plot import BOTTOM, RIGHT, TOP, Plot, Series, Sketch, plot
from monitor.history.trend import Point
from tests.unit.shelf import NOW

HOUR = timedelta(hours=1)
RISING = [Point(at=NOW - timedelta(minutes=ago), mean=60 - ago, most=60 - ago, seconds=60) for ago in range(50, -1, -1)]


def drawn(left: timedelta | None, limit: float = 100) -> Plot:
    foretold = None if left is None else Forecast(at=NOW + left, limit=limit)
    sketch = Sketch(
        title="Slots",
        series=[Series(name="used", points=RISING)],
        since=NOW - HOUR,
        until=NOW,
        limit=limit,
        forecast=foretold,
    )
    made = plot(sketch)
    assert made is not None
    return made


def ends(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](\d+) ([\d.]+)", path)]


def test_it_leads_from_the_newest_figure_to_the_limit() -> None:
    """The axis goes on as far as that; the words say when."""
    seen = drawn(timedelta(minutes=12))
    first, last = ends(seen.forecast)
    assert first == ends(seen.strokes[0].path)[-1]
    assert list(last) == [RIGHT, seen.limit]
    assert first[0] < RIGHT
    assert seen.forecast_words == "full at 15:12 UTC, in 12 min, if it goes on like this"
    assert seen.forecast_words in seen.words


def test_one_that_is_far_is_cut_and_told() -> None:
    """What was stays readable: a quarter of the chart at most is what will be."""
    seen = drawn(timedelta(hours=10))
    first, last = ends(seen.forecast)
    assert last[0] == RIGHT
    assert seen.limit is not None
    assert seen.limit < last[1] < first[1]
    assert (RIGHT - first[0]) / (RIGHT - seen.left) == pytest.approx(0.25, abs=0.01)
    assert "full at Nov 23 01:00 UTC, in 10 h" in seen.forecast_words


def test_a_limit_it_leads_to_is_in_the_picture() -> None:
    """Also one that is too far above to be drawn otherwise."""
    assert drawn(None, 1000).limit is None
    assert drawn(timedelta(minutes=12), 1000).limit == pytest.approx(TOP, abs=1)


def test_without_a_trend_there_is_no_line_and_no_word() -> None:
    seen = drawn(None)
    assert (seen.forecast, seen.forecast_words) == ("", "")
    assert ends(seen.strokes[0].path)[-1][0] == RIGHT


def test_the_moment_that_is_past_is_said_to_be() -> None:
    seen = drawn(timedelta(seconds=-30))
    assert seen.forecast_words == "full by now, if it went on like this"
    assert all(TOP <= y <= BOTTOM for _, y in ends(seen.forecast))


@pytest.mark.parametrize("left", [None, math.inf, math.nan, -1.0, 1e12])
def test_noise_is_no_trend(left: float | None) -> None:
    assert forecast(left, 100, NOW, NOW) is None


@pytest.mark.parametrize("limit", [None, 0.0])
def test_where_there_is_no_limit_none_is_met(limit: float | None) -> None:
    assert forecast(60, limit, NOW, NOW) is None


def test_what_was_foretold_long_ago_is_not_repeated() -> None:
    """Of a server that does not answer any more nobody knows how it went on."""
    assert forecast(900, 100, NOW - timedelta(minutes=2), NOW) == Forecast(at=NOW + timedelta(minutes=13), limit=100)
    assert forecast(900, 100, NOW - timedelta(minutes=4), NOW) is None
