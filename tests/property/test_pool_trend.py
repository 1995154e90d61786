"""When slots run out, on generated shapes: leaks of all speeds are forecast, what ends by itself is not."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.pool_series import Series
from probes.pool_trend import Limit as Known
from probes.pool_trend import Trend, trend
from probes.trend import FEWEST, Point, rise, sen

LIMIT = 97.0
CYCLE = 15.0
HORIZON = 900.0
FEW = settings(max_examples=15, deadline=None)


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """The first forecast within the horizon: when, and what it said."""

    at: float
    said: Trend


def watched(
    shape: Callable[[float], float], until: float, *, phase: float = 0.0, begun: bool = True
) -> Iterator[Trend]:
    """Feed a shape cycle by cycle, with what sessions' own start tells (`begun`), and give each forecast."""
    series, before = Series(LIMIT), -math.inf
    for cycle in range(int((until - phase) // CYCLE) + 1):
        at = phase + cycle * CYCLE
        value = whole(shape(at))
        ages = (10, 5) if begun else ()
        between = [Point(at - age, min(value, whole(shape(at - age)))) for age in ages if at - age > before > -math.inf]
        series.take(Point(at, value), between)
        before = at
        found = series.trend()
        if found is not None and found.seconds_left <= HORIZON:
            yield found


def whole(value: float) -> float:
    return max(0.0, min(LIMIT, round(value)))


def first(shape: Callable[[float], float], until: float, *, phase: float = 0.0, begun: bool = True) -> Forecast | None:
    last = [0.0]

    def noted(at: float) -> float:
        last[0] = max(last[0], at)
        return shape(at)

    found = next(watched(noted, until, phase=phase, begun=begun), None)
    return Forecast(at=last[0], said=found) if found else None


def leak(base: float, rate: float, begins: float) -> Callable[[float], float]:
    return lambda at: base + max(0.0, at - begins) * rate


@FEW
@given(
    base=st.floats(0, 8),
    phase=st.floats(0, CYCLE, exclude_max=True),
    quiet=st.sampled_from([330.0, 1800.0, 4000.0]),
)
def test_a_leak_of_one_session_a_second_is_forecast_a_minute_before_the_end(
    base: float, phase: float, quiet: float
) -> None:
    """The promise: a hundred slots, one session a second, in whatever phase of the cycle."""
    end = quiet + (LIMIT - base)
    found = first(leak(base, 1.0, quiet), end, phase=phase)
    assert found is not None
    assert end - found.at >= 60
    assert found.said.seconds_left == pytest.approx(end - found.at, abs=30)


@pytest.mark.parametrize("base", [7.0, 7.5, 8.0])
@pytest.mark.parametrize("phase", [0.0, 0.5, 1.0, 2.5, 14.5])
def test_the_promise_holds_at_its_edge(base: float, phase: float) -> None:
    """A reading just after the leak began, and the fewest slots left: the second reading after that has to do."""
    end = 330.0 + LIMIT - base
    found = first(leak(base, 1.0, 330.0), end, phase=phase)
    assert found is not None
    assert end - found.at >= 60


def test_a_leak_that_begins_with_the_watch_is_forecast_as_well() -> None:
    """Three readings, the first at the leak's beginning: there is no earlier time to compare with."""
    found = first(leak(2, 1.0, 0.0), LIMIT)
    assert found is not None
    assert LIMIT - 2 - found.at >= 60


@FEW
@given(
    rate=st.floats(0.01, 0.2),
    base=st.floats(0, 60),
    quiet=st.sampled_from([0.0, 600.0, 4000.0]),
    begun=st.booleans(),
)
def test_slower_leaks_are_forecast_minutes_before(rate: float, base: float, quiet: float, begun: bool) -> None:  # noqa: FBT001
    """The slower the leak, the more time is left; never less than half a minute."""
    end = quiet + (LIMIT - base) / rate
    found = first(leak(base, rate, quiet), end, begun=begun)
    assert found is not None
    assert end - found.at >= min(600, 5 / rate)
    assert found.said.seconds_left == pytest.approx(end - found.at, rel=0.5, abs=30)


@FEW
@given(rate=st.floats(0.2, 1.0), base=st.floats(0, 25), quiet=st.sampled_from([400.0, 2000.0]))
def test_no_leak_from_a_low_level_is_missed(rate: float, base: float, quiet: float) -> None:
    """Between slow and fast one cannot tell a leak from a batch for long; it is said before the end all the same."""
    end = quiet + (LIMIT - base) / rate
    found = first(leak(base, rate, quiet), end)
    assert found is not None
    assert end - found.at > 10


@FEW
@given(
    period=st.floats(60, 3600),
    low=st.floats(0, 60),
    phase=st.floats(0, 1),
    triangle=st.booleans(),
    begun=st.booleans(),
)
def test_a_sawtooth_at_seventy_percent_raises_none(
    period: float,
    low: float,
    phase: float,
    triangle: bool,  # noqa: FBT001
    begun: bool,  # noqa: FBT001
) -> None:
    """For an hour, with each period; one that is quicker than 3 minutes from nought has been seen once before."""

    def shape(at: float) -> float:
        place = (at / period + phase) % 1
        share = 1 - abs(2 * place - 1) if triangle else place
        return low + (0.7 * LIMIT - low) * share if at > 0 or period > 180 else 0.7 * LIMIT

    assert first(shape, 3600, begun=begun) is None


@FEW
@given(
    base=st.floats(2, 48),
    ramp=st.floats(0, 60),
    begins=st.floats(0, 1500),
    phase=st.floats(0, CYCLE, exclude_max=True),
    begun=st.booleans(),
)
def test_a_deployment_that_doubles_for_two_minutes_raises_none(
    base: float,
    ramp: float,
    begins: float,
    phase: float,
    begun: bool,  # noqa: FBT001
) -> None:
    """At once or rolling; also where it ends near the limit: that is pool.saturation's."""

    def shape(at: float) -> float:
        since = at - begins
        return base * (1 + (min(1.0, since / max(ramp, 1)) if 0 < since < 120 else 0))

    assert first(shape, 2400, phase=phase, begun=begun) is None


@FEW
@given(
    base=st.floats(0, 60),
    begins=st.floats(0, 1500),
    noise=st.sampled_from([0.0, 1.0, 2.0]),
    seed=st.integers(0, 10_000),
)
def test_a_nightly_batch_raises_none(base: float, begins: float, noise: float, seed: int) -> None:
    """It rises for five minutes to 85 %, stays there for half an hour, and goes."""
    chance = random.Random(seed)

    def shape(at: float) -> float:
        since = at - begins
        share = min(1.0, since / 300) if 0 < since < 2100 else 0
        return base + (0.85 * LIMIT - base) * share + chance.gauss(0, noise)

    assert first(shape, 4200, begun=False) is None


@FEW
@given(mean=st.floats(1, 70), seed=st.integers(0, 10_000))
def test_noise_raises_none(mean: float, seed: int) -> None:
    """Counts of independent arrivals, for an hour."""
    chance = random.Random(seed)
    assert first(lambda _: chance.gauss(mean, math.sqrt(mean)), 3600, begun=False) is None


@FEW
@given(low=st.floats(2, 40), high=st.floats(60, 88), phase=st.floats(0, 86400), seed=st.integers(0, 10_000))
def test_the_day_raises_none(low: float, high: float, phase: float, seed: int) -> None:
    """More in the afternoon than at night, with some noise."""
    chance = random.Random(seed)

    def shape(at: float) -> float:
        return low + (high - low) * (1 + math.sin((at + phase) / 86400 * math.tau)) / 2 + chance.gauss(0, 1.5)

    assert first(shape, 7200, begun=False) is None


@FEW
@given(before=st.floats(0, 60), after=st.floats(0, 97), begins=st.floats(0, 1500), phase=st.floats(0, 15))
def test_a_step_raises_none(before: float, after: float, begins: float, phase: float) -> None:
    """A pool that opens its connections at once, and keeps them."""
    assert first(lambda at: before if at < begins else after, 3000, phase=phase) is None


def test_a_line_has_its_own_slope() -> None:
    """Theil and Sen's slope of a line is the line's; one wild point moves it hardly."""
    points = [Point(at, 2.0 * at) for at in range(20)]
    assert sen(points) == (2.0, 2.0)
    assert sen([*points[:10], Point(9.5, 900.0), *points[10:]])[0] == pytest.approx(2.0, abs=0.1)


def test_too_few_points_and_none_that_rise_say_nothing() -> None:
    """Two points are no trend, a fall is none."""
    assert rise([Point(at, 5.0 * at) for at in range(FEWEST - 1)]) is None
    assert rise([Point(at, 50 - at) for at in range(20)]) is None
    assert trend([Point(0, 90), Point(1, 95)], Known(most=97, began=0)) is None
