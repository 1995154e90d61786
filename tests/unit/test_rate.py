"""The bucket: so many at once, then one at a time, never more than it holds."""

from monitor.notify.rate import Bucket


def test_a_full_bucket_gives_as_many_as_it_holds_and_no_more() -> None:
    bucket = Bucket(capacity=3, refill_seconds=30)
    assert [bucket.take(5.0) for _ in range(4)] == [True, True, True, False]
    assert (bucket.left(5.0), bucket.wait(5.0)) == (0, 30)


def test_a_token_comes_back_each_time_the_seconds_are_over() -> None:
    bucket = Bucket(capacity=2, refill_seconds=30)
    bucket.take(0.0)
    bucket.take(0.0)
    assert (bucket.left(29.0), round(bucket.wait(29.0), 6)) == (0, 1)
    assert (bucket.left(30.0), bucket.wait(30.0)) == (1, 0)
    assert bucket.left(1e6) == 2


def test_whoever_waits_as_long_as_told_gets_a_token() -> None:
    """Also where the steps are no round numbers and the clock counts far."""
    bucket, now = Bucket(capacity=1, refill_seconds=0.7), 987_654_321.123
    for _ in range(1000):
        assert bucket.take(now)
        now += bucket.wait(now)


def test_a_clock_that_steps_back_neither_gives_nor_takes() -> None:
    bucket = Bucket(capacity=2, refill_seconds=10)
    bucket.take(100.0)
    assert bucket.left(50.0) == 1
    assert bucket.left(109.0) == 1
    assert bucket.left(110.0) == 2


def test_without_seconds_there_is_no_limit_but_what_leaves_at_one_moment() -> None:
    bucket = Bucket(capacity=0, refill_seconds=0)
    assert [bucket.take(at) for at in (1.0, 1.0, 1.1)] == [True, False, True]
