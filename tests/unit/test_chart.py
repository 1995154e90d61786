"""Charts of hours: a bar for each that is known, a gap for each that is not, and the same in words."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from monitor.draw.chart import HEIGHT, STEP, hourly_means
from monitor.status import Bucket
from tests.unit.shelf import NOW


def hour(ago: int, mean_seconds: float, calls: float = 10) -> Bucket:
    return Bucket(
        begins=NOW - timedelta(hours=ago), figures={"calls": calls, "exec_seconds": mean_seconds * calls, "rows": 1.0}
    )


def test_each_known_hour_has_its_place_the_newest_at_the_right() -> None:
    """The highest reaches the top; what is not known is a gap."""
    chart = hourly_means([hour(3, 0.1), hour(0, 0.2)], NOW, 4)
    assert chart is not None
    assert chart.path == f"M0 {HEIGHT}v-18h6v18zM{3 * STEP} {HEIGHT}v-36h6v36z"
    assert (chart.width, chart.peak) == (4 * STEP, "200 ms")


def test_the_words_have_the_figures() -> None:
    chart = hourly_means([hour(5, 0.34), hour(1, 0.002), hour(0, 0.01)], NOW + timedelta(minutes=59), 24)
    assert chart is not None
    assert chart.words == (
        "Mean of a call, hour by hour over 24 hours: longest 340 ms from 10:00 UTC, shortest 2 ms from 14:00 UTC, "
        "10 ms in the hour that runs; nothing was seen in 21 hours."
    )


def test_an_hour_that_has_brought_nothing_yet_is_said() -> None:
    chart = hourly_means([hour(each, 0.01) for each in range(1, 24)], NOW, 24)
    assert chart is not None
    assert chart.words.endswith("nothing in the hour that runs; nothing was seen in 1 hour.")


@pytest.mark.parametrize(
    "odd",
    [
        hour(1, 0.1, calls=0),
        hour(1, math.nan),
        hour(1, math.inf),
        hour(1, -1.0),
        hour(24, 0.1),
        hour(-1, 0.1),
        Bucket(begins=NOW, figures={}),
    ],
    ids=["no call", "nan", "infinite", "negative", "too old", "to come", "no figures"],
)
def test_what_cannot_be_drawn_is_a_gap(odd: Bucket) -> None:
    """And nothing but gaps is no chart."""
    assert hourly_means([odd], NOW, 24) is None
    assert hourly_means([odd, hour(2, 0.1)], NOW, 24) == hourly_means([hour(2, 0.1)], NOW, 24)


def test_the_least_mean_is_no_gap() -> None:
    """A bar of one unit; also where all are nought."""
    least, none = hourly_means([hour(1, 1e-9), hour(0, 5.0)], NOW, 2), hourly_means([hour(0, 0.0)], NOW, 1)
    assert least is not None
    assert none is not None
    assert least.path.startswith(f"M0 {HEIGHT}v-1h6v1z")
    assert none.path == f"M0 {HEIGHT}v-1h6v1z"


@pytest.mark.parametrize(
    ("ago", "mark"), [(0.0, 23 * STEP), (2.5, round(20.5 * STEP)), (23.0, 0), (23.5, None), (-1.5, None)]
)
def test_when_it_became_slower_is_marked(ago: float, mark: int | None) -> None:
    """Within its hour; what lies outside the chart is only said."""
    slower = NOW - timedelta(hours=ago)
    chart = hourly_means([hour(1, 0.1)], NOW, 24, slower)
    assert chart is not None
    assert chart.mark == mark
    assert chart.words.endswith(f" Slower since {slower:%H:%M} UTC.")
