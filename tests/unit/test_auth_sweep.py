"""The rolling sweep against a table in memory: exact after a turn, whatever came, went, or interrupted it."""

import asyncio
import json
from bisect import bisect_right, insort
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import ProbeTimeout
from probes.auth_sweep import FIRST, LEAST, SMALL, STALE, Span, Sweep, Sweeps, Visit
from probes.auth_sweep_kept import SLICES

KEYS = st.integers(0, 50_000)


class Table:
    """Sorted keys; every seventh counts as bad. Its clock runs by what was read."""

    def __init__(self, keys: set[int], pace: float = 1e-6) -> None:
        self.keys = sorted(f"{key:08d}" for key in keys)
        self.now, self.pace, self.spans = 0.0, pace, list[Span]()

    @property
    def bad(self) -> int:
        return sum(int(key) % 7 == 0 for key in self.keys)

    async def visit(self, span: Span, before: Mapping[int, int]) -> Visit:
        """Look as the SQL does: the next keys after the bound, to the last of so many or to the other bound."""
        self.spans.append(span)
        first = bisect_right(self.keys, span.after) if span.after else 0
        last = bisect_right(self.keys, span.until) if span.until else len(self.keys)
        found = self.keys[first : min(last, first + span.rows)]
        self.now += len(found) * self.pace
        cut = last - first > span.rows
        bad = sum(int(key) % 7 == 0 for key in found)
        return Visit(upto=found[-1] if cut else span.until, rows=len(found), counts={"bad": bad})

    def swept(self) -> Sweep:
        return Sweep(lambda: self.now)


async def turn(sweep: Sweep, table: Table, seconds: float = 1000) -> None:
    """Run until a turn is over."""
    await sweep.run(table.visit, seconds)
    while sweep.turning:
        await sweep.run(table.visit, seconds)


@given(st.sets(KEYS), st.sets(KEYS), st.sets(KEYS), st.floats(0, 0.02), st.sampled_from([1e-7, 1e-5, 1e-4]))
def test_each_turn_is_exact(start: set[int], come: set[int], gone: set[int], seconds: float, pace: float) -> None:
    """Also after rows came and went, in runs of any length, on servers of any speed, and after a restart."""

    async def scenario() -> None:
        table = Table(start, pace)
        sweep = table.swept()
        await turn(sweep, table, seconds)
        assert (sweep.total("bad"), sweep.rows, sweep.whole) == (table.bad, len(table.keys), True)
        for key in come - start:
            insort(table.keys, f"{key:08d}")
        table.keys = [key for key in table.keys if int(key) not in gone]
        again = table.swept()
        again.restore(json.loads(json.dumps(sweep.document())))
        assert again.total("bad") == sweep.total("bad")
        await turn(again, table, seconds)
        assert (again.total("bad"), again.rows) == (table.bad, len(table.keys))

    asyncio.run(scenario())


async def test_slices_become_as_large_as_the_server_is_quick() -> None:
    """Ten milliseconds a slice, give or take a factor of two."""
    table = Table(set(range(100_000)), pace=1e-5)
    await turn(table.swept(), table)
    assert {span.rows for span in table.spans[3:]} <= {500, 1000, 2000}


async def test_neighbours_that_shrank_are_looked_at_together() -> None:
    """A table that was emptied is no longer read in a thousand statements."""
    table = Table(set(range(50_000)), pace=1e-5)
    sweep = table.swept()
    await turn(sweep, table)
    table.keys = table.keys[::100]
    await turn(sweep, table)
    table.spans.clear()
    await turn(sweep, table)
    assert len(table.spans) <= 3
    assert sweep.total("bad") == table.bad


async def test_a_run_ends_with_its_time_and_goes_on_from_there() -> None:
    """So that a big table costs the server its share and no more."""
    table = Table(set(range(40_000)), pace=1e-5)
    sweep = table.swept()
    await sweep.run(table.visit, 0.1)
    assert sweep.turning
    assert 0.2 <= sweep.progress(40_000) <= 0.4
    assert table.now < 0.15
    assert not sweep.whole


async def test_a_slice_in_doubt_comes_first_in_the_next_run() -> None:
    """Its suspects are handed back, and one that is gone is no longer counted."""
    table = Table(set(range(10_000)), pace=1e-5)
    sweep, met = table.swept(), list[Mapping[int, int]]()

    async def visit(span: Span, before: Mapping[int, int]) -> Visit:
        seen = await table.visit(span, before)
        if span.after is None:
            met.append(before)
            fresh = not before
            return Visit(upto=seen.upto, rows=seen.rows, counts={"bad": len(before)}, suspects={5: 1}, again=fresh)
        return Visit(upto=seen.upto, rows=seen.rows, counts={})

    await sweep.run(visit, 0.05)
    assert sweep.doubtful
    assert sweep.total("bad") == 0
    await sweep.check(visit)
    assert met == [{}, {5: 1}]
    assert (sweep.doubtful, sweep.total("bad")) == (False, 1)
    while sweep.turning:
        await sweep.run(visit, 0.05)
    assert sweep.rows == 10_000


async def test_a_timeout_halves_the_slices_and_nothing_is_lost() -> None:
    """The error is the caller's to tell."""
    table = Table(set(range(10_000)))
    sweep = table.swept()

    async def slow(span: Span, before: Mapping[int, int]) -> Visit:
        if span.rows > LEAST:
            raise ProbeTimeout("too long")
        return await table.visit(span, before)

    for _ in range(5):
        with pytest.raises(ProbeTimeout):
            await sweep.run(slow, 1)
    await sweep.run(slow, 0)
    assert table.spans[-1].rows == LEAST < FIRST


async def test_a_small_slice_says_nothing_of_large_ones() -> None:
    """What is left over at the end is quick, and slices do not grow by it; after a slow one they shrink."""
    table = Table(set(range(20 * FIRST + 10)), pace=8e-6)
    sweep = table.swept()
    for _ in range(3):
        await turn(sweep, table)
    assert {span.rows for span in table.spans} == {FIRST}
    table.pace *= 10
    await turn(sweep, table)
    assert table.spans[-1].rows == SMALL


@pytest.mark.parametrize("spoilt", [None, [], {}, {"slices": [["a", 1, {}, 1]], "turn": 1, "at": 0, "turned_at": None}])
def test_what_cannot_be_read_is_begun_anew(spoilt: object) -> None:
    """A document of another version, or of nobody."""
    sweep = Sweep()
    sweep.restore(spoilt)
    assert (sweep.whole, sweep.turning, sweep.rows) == (False, False, 0)
    sweeps = Sweeps()
    sweeps.restore(spoilt)
    sweeps.only([])
    assert sweeps.document() is None


async def test_many_sweeps_share_what_a_document_may_hold() -> None:
    """Ten big tables are kept in a tenth of the slices each, no count less."""
    sweeps, table = Sweeps(), Table(set(range(200_000)), pace=2e-5)
    for number in range(10):
        await turn(sweeps.of(str(number)), table)
    kept = json.loads(json.dumps(sweeps.document()))
    assert sum(len(each["slices"]) for each in kept.values()) <= SLICES + 20
    again = Sweeps()
    again.restore(kept)
    assert [again.of(name).total("bad") for name in kept] == [table.bad] * 10


async def test_counts_of_long_ago_are_not_told_as_new() -> None:
    """After a restart a day later the sweep begins anew."""
    table = Table(set(range(5000)))
    sweep = table.swept()
    await turn(sweep, table)
    sweep.turned_at = (sweep.turned_at or 0) - STALE
    later = table.swept()
    later.restore(sweep.document())
    assert (later.whole, later.total("bad")) == (False, 0)
