"""When a size is reached, on generated shapes: steady growth is forecast, what ends by itself is not."""

import random
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.measurement import GIB
from probes.sizes_forecast import AHEAD, Limits, SizeForecast, SizeLimit, lasting

HOUR, DAY = 3600.0, 86400.0
LIMIT = 200 * GIB
FEW = settings(max_examples=6, deadline=None)
HISTORY = SizeForecast().min_history


def forecasts(shape: Callable[[float], float], days: float) -> list[tuple[float, float]]:
    """Feed a shape hour by hour; give when the rule would tell, asked every second hour, and what it would say."""
    known, said = Limits(), []
    for hour in range(int(days * 24) + 1):
        at = hour * HOUR
        (row,) = known.take(at, [{"name": "shop", "bytes": shape(at)}], (SizeLimit(limit_bytes=LIMIT),))
        points = row["points"]
        assert isinstance(points, list)
        found = lasting(points) if at >= HISTORY and hour % 2 == 0 else None
        left = (LIMIT - found.level) / found.slope if found else 0.0
        if found and left <= min(7 * DAY, AHEAD * found.seconds):
            said.append((at, left))
    return said


@FEW
@given(base=st.floats(10, 100), rate=st.floats(4, 20), seed=st.integers(0, 1000), noise=st.floats(0, 0.2))
def test_steady_growth_is_forecast_days_before_and_right(base: float, rate: float, seed: int, noise: float) -> None:
    """GiB a day, with some noise: told while at least a day is left, and right within a tenth or an hour."""
    chance = random.Random(seed)
    end = (200 - base) / rate
    said = forecasts(lambda at: (base + at / DAY * rate + chance.gauss(0, noise)) * GIB, min(end, 12))
    if end <= 10:
        assert said
        assert end * DAY - said[0][0] >= min(DAY, (end - 1.2) * DAY * 0.6)
        assert all(abs(at + left - end * DAY) <= max(HOUR * 6, 0.15 * left) for at, left in said)


@FEW
@given(height=st.floats(1, 90), length=st.floats(1, 11), phase=st.floats(0, 24))
def test_a_nightly_batch_that_is_cleaned_up_raises_nothing(height: float, length: float, phase: float) -> None:
    """It grows for hours each night, and is dropped at the end; also when it fills nearly all there is."""

    def shape(at: float) -> float:
        hour = (at / HOUR + phase) % 24
        return (100 + (height * hour / length if hour < length else 0)) * GIB

    assert forecasts(shape, 6) == []


@FEW
@given(height=st.floats(5, 95), begins=st.floats(0.0, 60), length=st.floats(0.2, 11))
def test_a_single_load_raises_nothing(height: float, begins: float, length: float) -> None:
    """A database is filled once, in minutes or in hours, and stays as it is."""

    def shape(at: float) -> float:
        done = (at / HOUR - begins) / length
        return (100 + height * min(1.0, max(0.0, done))) * GIB

    assert forecasts(shape, 8) == []


@FEW
@given(noise=st.floats(0.0, 10), seed=st.integers(0, 1000))
def test_noise_alone_raises_nothing(noise: float, seed: int) -> None:
    """A size that goes up and down around the same level."""
    chance = random.Random(seed)
    assert forecasts(lambda _: (150 + chance.gauss(0, noise)) * GIB, 7) == []


@FEW
@given(step=st.floats(3, 12), base=st.floats(50, 100))
def test_a_batch_that_stays_each_night_is_growth(step: float, base: float) -> None:
    """Steps of a day that are never taken back are told before the limit, though nothing grows by day."""
    nights = (200 - base) / step
    said = forecasts(lambda at: (base + step * (at // DAY)) * GIB, min(nights, 16))
    if 5 <= nights <= 16:
        assert said
