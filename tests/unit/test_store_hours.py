"""Hours in the store: written twice as good as once, given back exactly, forgotten when old, and small."""

import asyncio
import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select, text

from monitor.history.past import Key
from monitor.store.engine import Store
from monitor.store.hours import StoredHours
from monitor.store.tables import hours, series

NOON = 490_000
A, B = ("shop", "aaaa"), ("shop", "bbbb")
LIMIT = 60e6 / 360_000
"""Bytes a row may take, so that 30 days of 500 fingerprints are 60 MB."""


async def test_an_hour_is_replaced_and_others_stay(either: Store) -> None:
    stored = StoredHours(either)
    await stored.write("shop", "statements", NOON, {A: (1, 0.5), B: (2, 1)})
    await stored.write("shop", "statements", NOON, {A: (3, 1.5)})
    await stored.write("shop", "statements", NOON, {A: (3, 1.5)})
    await stored.write("shop", "statements", NOON + 1, {A: (4, 2)})
    assert await stored.read("shop", "statements", NOON) == {A: (3, 1.5), B: (2, 1)}
    assert await stored.of("shop", "statements", [A, ("never", "seen")], range(NOON, NOON + 9)) == {
        A: [(NOON, (3, 1.5)), (NOON + 1, (4, 2))]
    }
    assert await stored.of("shop", "statements", [A], [NOON + 1, NOON + 2]) == {A: [(NOON + 1, (4, 2))]}


async def test_servers_and_probes_do_not_mix(either: Store) -> None:
    """The same key on two servers and of two probes."""
    stored = StoredHours(either)
    for number, (server, probe) in enumerate([("a", "p"), ("b", "p"), ("a", "q")]):
        await stored.write(server, probe, NOON + number, {A: (number,)})
    assert await stored.read("a", "p", NOON) == {A: (0,)}
    assert await stored.read("b", "p", NOON) == {}
    assert [await stored.begins(*place) for place in (("a", "p"), ("b", "p"), ("a", "q"))] == [NOON, NOON + 1, NOON + 2]
    assert await stored.begins("c", "p") is None


async def test_what_is_too_old_goes_and_so_do_series_that_have_nothing_else(either: Store) -> None:
    """At the limit an hour stays."""
    stored = StoredHours(either)
    for hour in range(NOON, NOON + 4):
        await stored.write("shop", "p", hour, {A: (1,)})
    await stored.write("shop", "p", NOON + 1, {B: (1,)})
    assert await stored.forget(NOON + 2) == 3
    assert await stored.keys("shop", "p") == [A]
    assert await stored.of("shop", "p", [A, B], range(NOON, NOON + 9)) == {A: [(NOON + 2, (1,)), (NOON + 3, (1,))]}
    await stored.write("shop", "p", NOON + 5, {B: (7,)})
    assert await stored.of("shop", "p", [B], range(NOON, NOON + 9)) == {B: [(NOON + 5, (7,))]}


async def test_an_hour_of_a_clock_that_was_set_back_is_kept_too(either: Store) -> None:
    """It is the series' first hour then; and no later one is forgotten before its time."""
    stored = StoredHours(either)
    for hour in (NOON, NOON - 5, NOON):
        await stored.write("shop", "p", hour, {A: (1,)})
    assert await stored.begins("shop", "p") == NOON - 5
    await stored.forget(NOON)
    assert await stored.keys("shop", "p") == [A]


async def test_a_row_that_cannot_be_read_hides_no_other(either: Store) -> None:
    stored = StoredHours(either)
    await stored.write("shop", "p", NOON, {A: (1,), B: (2,)})
    await either.run(lambda one: one.execute(text("update hours set figures = 'nonsense' where figures = '1'")))
    assert await stored.read("shop", "p", NOON) == {B: (2,)}
    await either.run(lambda one: one.execute(text("update series set key = '{'")))
    assert await stored.read("shop", "p", NOON) == {}
    assert await stored.keys("shop", "p") == []


figures = st.tuples(st.integers(0, 999_999_999).map(float), st.floats(0, 1e18), st.floats(0, 1))
keys = st.tuples(st.text(max_size=20), st.text(max_size=20))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(), st.dictionaries(keys, figures, max_size=5))
async def test_names_of_any_kind_come_back(store: Store, server: str, written: dict[Key, tuple[float, ...]]) -> None:
    """NUL, half a surrogate pair, quotes; counts exactly, and other numbers to nine digits."""
    stored = StoredHours(store)
    await stored.write(server, "p", NOON, written)
    read = await stored.read(server, "p", NOON)
    assert read.keys() == written.keys()
    for key, values in written.items():
        assert read[key] == pytest.approx(values, rel=1e-8, abs=0)
        assert read[key][0] == values[0]
    await stored.forget(NOON + 1)


def row(random_: random.Random) -> str:
    """A busy statement's hour as it is written."""
    calls = random_.randint(1, 2_000_000)
    values = (
        calls,
        calls * random_.random() / 50,
        random_.random() * 1e3,
        *(random_.randint(0, 10**9) for _ in range(5)),
    )
    return " ".join(format(value, ".9g") for value in values)


async def fill(store: Store, keys: int, days: int) -> int:
    """Enter rows hour by hour as the recorder does; give how many."""
    random_ = random.Random(7)
    names = [("shop_production", f"{number:016x}") for number in range(keys)]
    stored = StoredHours(store)
    await stored.write("shop", "statements", NOON, dict.fromkeys(names, (1.0,) * 8))
    numbers = await store.run(lambda one: [each.id for each in one.execute(text("select id from series"))])
    for hour in range(NOON + 1, NOON + 24 * days):
        rows = [{"hour": hour, "series": number, "figures": row(random_)} for number in numbers]
        await store.run(lambda one, rows=rows: one.execute(insert(hours), rows))  # type: ignore[misc]
    return keys * 24 * days


async def size(store: Store, path: Path) -> int:
    await store.close()
    return path.stat().st_size


async def test_a_month_of_five_hundred_statements_is_small(store: Store, tmp_path: Path) -> None:
    """Measured with fewer rows; each in its share of the 60 MB."""
    rows = await fill(store, 100, 4)
    assert await size(store, tmp_path / "state.db") <= LIMIT * rows


@pytest.mark.soak
async def test_a_whole_month_of_five_hundred_statements_is_small_and_quick_to_ask(store: Store, tmp_path: Path) -> None:
    """60 MB; to look at forty statements' whole past takes less than a second, to forget an hour less than a tenth."""
    rows = await fill(store, 500, 30)
    stored, keys = StoredHours(store), [("shop_production", f"{number:016x}") for number in range(40)]
    began = time.perf_counter()
    found = await stored.of("shop", "statements", keys, range(NOON, NOON + 720))
    asked = time.perf_counter() - began
    assert {len(each) for each in found.values()} == {720}
    began = time.perf_counter()
    assert await stored.forget(NOON + 1) == 500
    forgot = time.perf_counter() - began
    written = await size(store, tmp_path / "state.db")
    print(f"\n{written / 1e6:.1f} MB, {written / rows:.0f} bytes a row, asked {asked:.2f} s, forgot {forgot:.3f} s")  # noqa: T201 - a soak says its figures
    assert written <= 60e6
    assert asked < 2
    assert forgot < 0.5


async def test_a_bite_that_is_written_lets_others_have_their_turn(either: Store) -> None:
    """The event loop goes on while two hundred keys are written."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await StoredHours(either).write("shop", "p", NOON, {("d", str(each)): (1.0,) * 8 for each in range(200)})
    task.cancel()
    assert turns > 5
    assert await either.run(lambda one: one.scalar(select(func.count()).select_from(series))) == 200
