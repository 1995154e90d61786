"""The history of statements: added up by hour, written and read back; through restarts, failures and odd clocks."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.history.earlier import hour_of
from monitor.history.past import Kept, Key
from monitor.history.record import MOST, WAITING, WRITE_SECONDS, Record
from monitor.history.recorder import MENDING_SECONDS, PAUSE_SECONDS
from monitor.measurement import Measurement
from monitor.model import Target
from monitor.store.engine import Store
from tests.unit.recording import NOON, PROBE, A, B, Desk

HOUR = 3600.0


@pytest.fixture
def desk(either: Store) -> Desk:
    return Desk(either)


async def test_growth_is_added_up_in_its_hour(desk: Desk) -> None:
    """Two roles' rows of one statement too; who did nothing, and all the rest together, leave no row."""
    desk.read({A: 2, B: 0, ("shop", "other"): 99})
    desk.sleep(15)
    desk.read({A: 3})
    await desk.round()
    assert await desk.kept() == {hour_of(NOON): {A: 5}}
    assert await desk.stored.read("shop", "statements", hour_of(NOON)) == {A: pytest.approx((5, 0.05, 0.0005))}


async def test_a_database_that_is_not_wanted_is_not_kept(desk: Desk) -> None:
    desk.read({A: 1, ("scratch", "aaaa"): 5})
    await desk.round()
    assert await desk.kept() == {hour_of(NOON): {A: 1}}


async def test_an_hour_is_written_when_it_ends_and_every_five_minutes(desk: Desk) -> None:
    """Not with every reading."""
    desk.read({A: 1})
    await desk.round()
    desk.sleep(PAUSE_SECONDS + 5)
    desk.read({A: 1})
    assert not desk.recorder.due()
    desk.sleep(WRITE_SECONDS)
    assert desk.recorder.due()
    await desk.round()
    assert not desk.recorder.due()
    desk.sleep(HOUR)
    desk.read({B: 1})
    assert desk.recorder.due()
    await desk.round()
    assert await desk.kept() == {hour_of(NOON): {A: 2}, hour_of(NOON) + 1: {B: 1}}


async def test_a_restart_goes_on_from_what_was_written(desk: Desk) -> None:
    desk.read({A: 5, B: 1})
    await desk.round()
    desk.restart()
    desk.sleep(60)
    desk.read({A: 2})
    await desk.round()
    await desk.round()
    assert await desk.kept() == {hour_of(NOON): {A: 7, B: 1}}


@pytest.mark.parametrize("spared", [0, 1], ids=["reading", "writing"])
@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it was committed"])
async def test_a_write_that_fails_is_made_up_for_once(desk: Desk, *, after: bool, spared: int) -> None:
    """Also when it was committed and only the answer was lost; in between, what comes is added."""
    desk.read({A: 5, B: 1})
    desk.failing.before, desk.failing.after, desk.failing.spared = not after, after, spared
    await desk.round()
    desk.failing.before = desk.failing.after = False
    assert not desk.recorder.due()
    desk.sleep(MENDING_SECONDS)
    desk.read({A: 2})
    await desk.recorder.write(desk.stored)
    await desk.recorder.write(desk.stored)
    assert await desk.kept() == {hour_of(NOON): {A: 7, B: 1}}


async def test_a_clock_that_is_set_back_an_hour_counts_nothing_twice(desk: Desk) -> None:
    """Nor does one that is set forward again."""
    for back in (0, HOUR, 0, HOUR):
        desk.now = NOON - timedelta(seconds=back)
        desk.sleep(20)
        desk.read({A: 1, B: 2})
        await desk.round()
    assert await desk.kept() == {hour_of(NOON): {A: 2, B: 4}, hour_of(NOON) - 1: {A: 2, B: 4}}


async def test_what_comes_while_an_hour_is_written_is_in_the_next_write(desk: Desk) -> None:
    """Readings in the middle of each transaction, over the end of the hour."""
    desk.now = NOON + timedelta(seconds=HOUR - 30)

    def meanwhile() -> None:
        desk.sleep(5)
        desk.read({A: 1, B: 1})

    desk.read({A: 1})
    desk.failing.meanwhile = meanwhile
    await desk.round()
    desk.failing.meanwhile = lambda: None
    desk.sleep(PAUSE_SECONDS)
    await desk.recorder.write(desk.stored)
    assert len(desk.called) == 2
    assert await desk.kept() == desk.called


async def test_an_hour_that_a_clock_comes_back_to_while_it_is_written_loses_nothing(desk: Desk) -> None:
    """The reading in it came when its sums were under way already."""
    desk.read({A: 1})
    desk.sleep(HOUR)
    desk.read({A: 1})

    def meanwhile() -> None:
        for step in (-HOUR, HOUR):
            desk.now += timedelta(seconds=step)
            desk.read({A: 1})

    desk.failing.meanwhile = meanwhile
    await desk.round()
    desk.failing.meanwhile = lambda: None
    await desk.recorder.write(desk.stored)
    assert await desk.kept() == desk.called


async def test_two_readings_in_one_second_are_both_counted(desk: Desk) -> None:
    desk.read({A: 1})
    desk.read({A: 1})
    await desk.round()
    assert await desk.kept() == {hour_of(NOON): {A: 2}}


async def test_of_a_store_that_stays_away_only_the_newest_hours_wait(desk: Desk) -> None:
    """Bounded memory; what is kept is right."""
    desk.failing.before = True
    for _ in range(WAITING + 3):
        desk.read({A: 1})
        await desk.round()
        desk.sleep(HOUR)
    desk.failing.before = False
    await desk.recorder.write(desk.stored)
    assert await desk.kept() == {hour: each for hour, each in desk.called.items() if hour >= hour_of(NOON) + 3}


async def test_no_more_than_so_many_keys_are_followed(desk: Desk) -> None:
    """One that has done nothing for long makes room; one that is busy does not."""
    desk.read({("shop", str(each)): 1 for each in range(MOST)})
    desk.read({A: 7})
    await desk.round()
    assert len((await desk.kept())[hour_of(NOON)]) == MOST
    desk.sleep(599)
    desk.read({("shop", "0"): 1, B: 1})
    assert B not in await shown(desk)
    desk.sleep(HOUR)
    desk.read({B: 1})
    assert B in await shown(desk)


async def shown(desk: Desk) -> set[Key]:
    desk.sleep(MENDING_SECONDS)
    await desk.round()
    return set(desk.history.keys())


async def test_a_server_that_is_gone_is_written_and_let_go(desk: Desk) -> None:
    desk.read({A: 3})
    desk.recorder.end_server("shop")
    await desk.round()
    assert desk.recorder.histories == {}
    assert await desk.kept() == {hour_of(NOON): {A: 3}}


async def test_a_new_store_gets_what_is_in_memory(desk: Desk) -> None:
    """As when a damaged file was put aside."""
    desk.read({A: 3})
    await desk.round()
    await desk.stored.forget(hour_of(NOON) + 1)
    desk.recorder.write_all()
    await desk.recorder.write(desk.stored)
    assert await desk.kept() == {hour_of(NOON): {A: 3}}


async def test_a_column_that_came_later_begins_at_zero(desk: Desk) -> None:
    """Hours of before have no figure for it; those without what the mean is made of say nothing of it."""
    await desk.stored.write("shop", "statements", hour_of(NOON), {A: (4, 0.4)})
    await desk.stored.write("shop", "statements", hour_of(NOON) - 1, {A: (50, 5)})
    desk.read({A: 1}, mean=0.1)
    await desk.round()
    read = await desk.stored.read("shop", "statements", hour_of(NOON))
    assert read == {A: pytest.approx((5, 0.5, 0.01))}
    assert desk.history.baseline(A) is None


async def test_a_key_may_be_one_column(either: Store) -> None:
    kept = Kept(key=("query",), columns=("calls", "seconds"), weight="calls", weighed="seconds", squares="seconds")
    desk = Desk(either)
    record = Record(desk.server, PROBE, kept, desk.clock)
    record.take([{"query": "aaaa", "calls": 2, "seconds": 1}], 15, NOON)
    await record.write(desk.stored, hour_of(NOON))
    assert await desk.stored.read("shop", "statements", hour_of(NOON)) == {("aaaa",): (2, 1)}


async def test_old_hours_go_as_the_retention_says(desk: Desk) -> None:
    desk.recorder.retention = 2 * HOUR
    for _ in range(5):
        desk.read({A: 1})
        await desk.round()
        desk.sleep(HOUR)
    assert [*(await desk.kept())] == [hour_of(NOON) + each for each in (2, 3, 4)]


# -- what advisors may ask ------------------------------------------------------------------------------------------


async def test_nobody_is_shown_whose_past_was_not_looked_up(desk: Desk) -> None:
    """Else every statement would be new after a restart."""
    desk.read({A: 100})
    assert list(desk.history.keys()) == []
    assert desk.history.recent(A, 1) is None
    assert desk.history.begins is None
    await desk.round()
    assert list(desk.history.keys()) == [A]
    assert desk.history.baseline(A) is None
    assert desk.history.begins == NOON


async def test_while_the_store_cannot_be_read_nobody_is_shown(desk: Desk) -> None:
    desk.failing.before = True
    desk.read({A: 100})
    await desk.round()
    assert list(desk.history.keys()) == []


async def test_the_baseline_is_that_of_earlier_hours(desk: Desk) -> None:
    """The present hour does not count, however slow it is; once it is over, it does."""
    for _ in range(3):
        desk.read({A: 50}, mean=0.01)
        await desk.round()
        desk.sleep(HOUR)
    desk.read({A: 500}, mean=9.0)
    await desk.round()
    found = desk.history.baseline(A)
    assert found is not None
    assert (found.hours, found.weight, found.same_hour) == (3, 150, False)
    assert found.median == pytest.approx(0.01)
    assert found.within == pytest.approx(0, abs=1e-4)
    desk.sleep(HOUR)
    desk.read({A: 1})
    await desk.round()
    found = desk.history.baseline(A)
    assert found is not None
    assert found.hours == 4
    assert desk.history.baseline(B) is None


async def test_after_a_week_the_same_time_of_day_counts(desk: Desk) -> None:
    """Slow at noon, every day: that is how it is."""
    for day in range(8, 0, -1):
        for hour, mean in ((0, 0.5), (3, 0.01)):
            number = hour_of(NOON) - 24 * day + hour
            await desk.stored.write("shop", "statements", number, {A: (100, 100 * mean, 100 * mean**2)})
    desk.read({A: 100}, mean=0.5)
    await desk.round()
    found = desk.history.baseline(A)
    assert found is not None
    assert (found.same_hour, found.hours) == (True, 8)
    assert found.median == pytest.approx(0.5)


async def test_a_stretch_ends_with_the_newest_reading_and_grows_old(desk: Desk) -> None:
    """As long ago as the probe's window it still counts; and it is the sum of its readings."""
    for _ in range(4):
        desk.sleep(15)
        desk.read({A: 20})
    await desk.round()
    found = desk.history.recent(A, 30)
    assert found is not None
    assert found.values == pytest.approx({"calls": 40, "seconds": 0.4, "squares": 0.004})
    assert (found.seconds, found.ends_at) == (30, desk.now)
    assert desk.history.recent(A, 81) is None
    desk.sleep(PROBE.window)
    assert desk.history.recent(A, 30) is not None
    desk.sleep(1)
    assert desk.history.recent(A, 30) is None
    assert list(desk.history.keys()) == []


async def test_a_reading_without_growth_is_none(desk: Desk) -> None:
    """The first one, one after a reset, and one that failed."""
    desk.read({A: 3})
    rows: list[Mapping[str, object]] = [{"database": "shop", "query": "aaaa", "calls": 9, "seconds": 9, "squares": 9}]
    seen = replace(await blank(desk), exposed=rows)
    desk.recorder.take(desk.server, PROBE, seen)
    desk.recorder.take(desk.server, PROBE, replace(seen, exposed=None, grown=[]))
    desk.recorder.take(desk.server, replace(PROBE, name="without", history=None), replace(seen, grown=rows))
    await desk.round()
    assert await desk.kept() == {hour_of(NOON): {A: 3}}


async def blank(desk: Desk) -> Measurement:
    return Measurement(target=Target("shop"), probe="statements", taken_at=desk.now)
