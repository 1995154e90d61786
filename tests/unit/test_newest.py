"""The newest growth of one key: short stretches of enough weight, nothing invented, and only a few numbers kept."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.history.newest import ENOUGH, MOST, Chunk, Newest


def readings(weights: list[float]) -> list[Chunk]:
    return [(15.0 * at, 15.0 * (at + 1), (weight, weight / 2)) for at, weight in enumerate(weights)]


def of(weights: list[float]) -> Newest:
    newest = Newest(0)
    for reading in readings(weights):
        newest.add(*reading)
    return newest


def test_the_newest_reading_is_enough_when_it_alone_has_the_weight() -> None:
    found = of([100, 100, 50]).at_least(50)
    assert found == (30.0, 45.0, (50, 25))


def test_a_stretch_goes_back_until_it_has_enough() -> None:
    """At the limit; one more is not there."""
    newest = of([10, 10, 10])
    assert newest.at_least(20) == (15.0, 45.0, (20, 10))
    assert newest.at_least(30) == (0.0, 45.0, (30, 15))
    assert newest.at_least(31) is None


def test_what_ends_at_the_same_moment_is_one_reading() -> None:
    """Two roles' rows of one statement."""
    newest = of([10, 10])
    newest.add(15.0, 30.0, (5, 1))
    assert newest.at_least(1) == (15.0, 30.0, (15, 6))


def test_who_asks_for_more_than_is_kept_is_served_from_then_on() -> None:
    newest = of([ENOUGH] * 3)
    assert newest.at_least(10 * ENOUGH) is None
    for at in range(3, 20):
        newest.add(15.0 * at, 15.0 * (at + 1), (ENOUGH, 1))
    assert newest.at_least(10 * ENOUGH) is not None


weights = st.lists(st.integers(1, 500).map(float), min_size=1, max_size=300)


@given(weights)
def test_it_stays_small_and_adds_up(given_: list[float]) -> None:
    """A stretch is what the readings in it came to: neither more nor less."""
    newest, rows = of(given_), readings(given_)
    assert len(newest._chunks) <= MOST
    for at_least in (1, 20, 50, 200):
        found = newest.at_least(at_least)
        if found is None:
            continue
        began, ended, (weight, weighed) = found
        inside = [row for row in rows if row[0] >= began]
        assert ended == rows[-1][1] == newest.ended
        assert weight == sum(row[2][0] for row in inside) >= at_least
        assert weighed == weight / 2


@given(weights)
def test_a_stretch_is_no_quarter_longer_than_it_need_be(given_: list[float]) -> None:
    """Beyond the one reading that is not divided."""
    newest = of(given_)
    for at_least in (20, 50, 100):
        found = newest.at_least(at_least)
        assert (found is None) <= (sum(given_) < at_least or len(given_) > MOST)
        if found is not None:
            assert found[2][0] <= 1.25 * (at_least + max(given_))


def test_seldom_calls_are_remembered_long_enough() -> None:
    """One call a reading: fifty of them, and not many more."""
    found = of([1.0] * 2000).at_least(50)
    assert found is not None
    assert 50 <= found[2][0] <= 64
