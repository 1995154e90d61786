"""The pace at which ids are used: within a tenth on generated burns, and on a real one; begins anew where it has to."""

import asyncio
import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.measurement import Measurement
from monitor.probe import Row
from probes.trend import Point
from probes.vacuum import PROBE
from probes.vacuum_burn import DAY, ENOUGH_SECONDS, FEWEST, MOST, WRAP, Burn, Pace, seconds_left
from tests.database import Database


def paced(per_second: float, readings: int, *, noise: float = 0.0, seed: int = 0, every: float = 60.0) -> Pace:
    """A burn whose every minute differs from the mean by up to `noise` of it."""
    random, pace, used = Random(seed), Pace(), 1000.0
    for reading in range(readings):
        pace.take(Point(reading * every, round(used)))
        used += per_second * every * (1 + random.uniform(-noise, noise))
    return pace


@given(
    per_second=st.floats(min_value=0.5, max_value=50_000),
    readings=st.integers(min_value=60, max_value=3000),
    noise=st.floats(min_value=0, max_value=0.3),
    seed=st.integers(min_value=0, max_value=1000),
)
def test_a_generated_burn_is_told_within_a_tenth(per_second: float, readings: int, noise: float, seed: int) -> None:
    """From an hour on, though each minute uses up to a third more or less than the mean."""
    pace = paced(per_second, readings, noise=noise, seed=seed)
    assert pace.per_second == pytest.approx(per_second, rel=0.1)
    assert len(pace._points) <= MOST
    assert pace.seconds <= DAY * (1 + 3 / MOST)


@given(per_second=st.floats(min_value=1, max_value=10_000), burst=st.floats(min_value=1, max_value=1e9))
def test_one_burst_is_not_the_pace(per_second: float, burst: float) -> None:
    """A batch of one minute moves the median of all pairs by little."""
    pace = Pace()
    for reading in range(200):
        pace.take(Point(reading * 60.0, per_second * 60 * reading + (burst if reading >= 190 else 0)))
    assert pace.per_second == pytest.approx(per_second, rel=0.1)


def test_few_points_are_no_pace() -> None:
    """Too little data: by number, and by time."""
    assert paced(5, FEWEST - 1, every=600).per_second is None
    assert paced(5, 100, every=ENOUGH_SECONDS / 101).per_second is None
    assert paced(5, FEWEST, every=ENOUGH_SECONDS / (FEWEST - 1)).per_second == 5


@pytest.mark.parametrize("then", [Point(7200, 10), Point(60, 10**6)])
def test_what_fell_begins_anew(then: Point) -> None:
    """A counter that fell is another server's; a clock that was set back gives no pace either."""
    pace = paced(5, 30)
    pace.take(then)
    assert (pace.per_second, pace.seconds) == (None, 0)


def test_multixact_ids_go_round() -> None:
    """At 2^32 they begin anew, and the pace does not notice; another cluster does."""
    burn = Burn()
    for reading in range(20):
        burn.take(reading * 60.0, 7, 100.0 + reading, (WRAP - 600 + 60 * reading) % WRAP)
    assert burn.mxids.per_second == 1
    burn.take(1200.0, 8, 100.0, 5.0)
    assert burn.mxids.per_second is None


def test_what_is_left_is_said_only_where_it_is_known() -> None:
    """No pace: nobody knows; nothing used: for ever; beyond the limit: nothing."""
    assert seconds_left(50, 100, None) is None
    assert seconds_left(50, 100, 0.0) == math.inf
    assert seconds_left(50, 100, 10.0) == 5
    assert seconds_left(150, 100, 10.0) == 0


def used(seen: Measurement) -> Point:
    row: Row = next(row for row in seen.rows if row["kind"] == "server")
    return Point(seen.taken_at.timestamp(), float(str(row["xids"])))


async def test_a_real_burn_is_told_within_a_tenth(database: Database) -> None:
    """Ids really used, 500 at each reading; the seconds between readings are stretched to minutes."""
    pace, session = Pace(), await database.connect(synchronous_commit="off")
    loop = "do $$ begin for i in 1..500 loop perform pg_current_xact_id(); commit; end loop; end $$"
    async with database.eye(PROBE) as eye:
        for minute in range(12):
            pace.take(Point(minute * 60.0, used(await eye.look()).value))
            await session.execute(loop)
            await asyncio.sleep(0)
    assert pace.per_second == pytest.approx(500 / 60, rel=0.1)
