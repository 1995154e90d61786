"""Whatever happens to a recorder between two readings, no call is counted twice, and none is lost that was written."""

import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.history.earlier import hour_of
from monitor.history.past import Key
from monitor.store.engine import Store
from tests.unit.recording import NOON, A, B, Desk

NUMBERS = count()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(f"sqlite:///{tmp_path / 'state.db'}", patience=0.2)
    yield opened
    await opened.close()
    shutil.rmtree(tmp_path)


readings = st.tuples(st.just("read"), st.dictionaries(st.sampled_from([A, B]), st.integers(0, 50), max_size=2))
sleeps = st.tuples(st.just("sleep"), st.sampled_from([0, 1, 15, 400, 3599, 3600, 7200]))
clocks = st.tuples(st.just("clock"), st.sampled_from([-7200, -3600, -1, 3600]))
rounds = st.tuples(st.sampled_from(["round", "restart", "crash"]), st.none())
failures = st.tuples(st.sampled_from(["fail", "lost"]), st.integers(0, 5))
events = st.lists(readings | readings | sleeps | clocks | rounds | failures, max_size=30)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events)
async def test_no_call_is_counted_twice_and_none_is_lost(store: Store, happened: list[tuple[str, object]]) -> None:
    """Sleep, clocks set back and forth, failing writes, answers that are lost, restarts: the sums are the readings'.

    After a crash what was not written is gone; never is there more than was read.
    """
    desk = Desk(store, name=f"server {next(NUMBERS)}")
    crashed = False
    for what, value in happened:
        crashed = crashed or what == "crash"
        await happen(desk, what, value)
    await desk.recorder.write(desk.stored)
    kept = await desk.kept()
    if not crashed:
        assert kept == {hour: each for hour, each in desk.called.items() if each}
    for hour, calls in kept.items():
        assert all(number <= desk.called[hour][key] for key, number in calls.items())


async def happen(desk: Desk, what: str, value: object) -> None:
    desk.sleep(0.001)
    match what, value:
        case "read", dict():
            desk.read({key: float(number) for key, number in value.items()})
        case "sleep", int():
            desk.sleep(value)
        case "clock", int():
            desk.now += timedelta(seconds=value)
        case "round", _:
            await desk.round()
        case (("fail" | "lost"), int(spared)):
            desk.failing.before, desk.failing.after, desk.failing.spared = what == "fail", what == "lost", spared
            await desk.round()
            desk.failing.before = desk.failing.after = False
        case "restart", _:
            await desk.recorder.write(desk.stored)
            desk.restart()
        case _:
            desk.restart()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from([A, B]), st.integers(0, 99), max_size=2), min_size=1, max_size=60))
async def test_a_stretch_is_made_of_readings(store: Store, given_: list[dict[Key, int]]) -> None:
    """It has the weight that was asked for, and is no more than there was."""
    desk = Desk(store, name=f"server {next(NUMBERS)}")
    for reading in given_:
        desk.sleep(5)
        desk.read({key: float(number) for key, number in reading.items()}, seconds=5)
    await desk.round()
    for key in [*desk.history.keys()]:
        whole = sum(reading.get(key, 0) for reading in given_)
        for at_least in (1, 50, 100):
            found = desk.history.recent(key, at_least)
            assert found is None or at_least <= found.values["calls"] <= whole
            assert found is not None or whole < at_least or whole > 100
        assert hour_of(NOON) in desk.called
