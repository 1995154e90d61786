"""Which statements are looked at closely: steadily chosen, never more than the top; and nothing lost in between."""

import asyncio
import struct
from array import array
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.probe import Facts, Row
from probes.members import Members
from probes.statements_reading import COUNTERS, FLOATS, FULL_EVERY, KEY, Known
from probes.statements_texts import PRESSING, Texts

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def keys(*names: int) -> list[tuple[object, ...]]:
    return [(name,) for name in names]


def test_a_member_that_falls_behind_stays_for_a_while() -> None:
    """No coming and going: it leaves after `hold` seconds, and then makes room."""
    members = Members()
    members.choose(keys(1, 2), NOON, top=4, hold=60)
    kept = members.choose(keys(3), NOON + timedelta(seconds=60), top=4, hold=60)
    assert kept == {*keys(1, 2, 3)}
    assert members.choose(keys(3), NOON + timedelta(seconds=61), top=4, hold=60) == {*keys(3)}


def test_only_the_busiest_half_pushes_others_out() -> None:
    """When all places are held, the weak wait and the strong come in at once."""
    members = Members()
    members.choose(keys(1, 2, 3, 4), NOON, top=4, hold=60)
    later = NOON + timedelta(seconds=15)
    assert members.choose(keys(1, 2, 3, 9), later, top=4, hold=60) == {*keys(1, 2, 3, 4)}
    assert members.choose(keys(9, 1, 2, 3), later, top=4, hold=60) == {*keys(1, 2, 3, 9)}


@given(st.lists(st.lists(st.integers(0, 9), unique=True, max_size=8), max_size=20), st.integers(1, 5))
def test_there_are_never_more_members_than_places(rankings: list[list[int]], top: int) -> None:
    members = Members()
    for turn, ranking in enumerate(rankings):
        now = NOON + timedelta(seconds=15 * turn)
        chosen = members.choose(keys(*ranking), now, top=top, hold=60)
        assert len(chosen) <= top
        assert {*keys(*ranking[: (top + 1) // 2])} <= chosen


def sent(name: str, values: Sequence[int]) -> bytes | None:
    """Give a column as the server sends it; of no rows at all, NULL."""
    return struct.pack(f">{len(values)}{'d' if name in FLOATS else 'q'}", *values) or None


def answered(known: Known, entries: dict[int, int]) -> None:
    """Answer as the server does: with the entries whose mark is not in the bitmap."""
    bits, mask = known.marks
    marks = {queryid: hash((queryid, calls)) & 0x7FFFFFFFFFFFFFFF for queryid, calls in entries.items()}

    def has(bit: int) -> bool:
        return bool(bits[bit >> 3] >> (bit & 7) & 1)

    new = [queryid for queryid, mark in marks.items() if not (has(mark & mask) and has((mark >> 24) & mask))]
    row: dict[str, object] = {name: sent(name, [entries[queryid] for queryid in new]) for name in COUNTERS}
    row |= {name: sent(name, [1] * len(new)) for name in (*KEY, "since")}
    row |= {"queryid": sent("queryid", new), "mark": sent("mark", [marks[queryid] for queryid in new])}
    row["stats_reset"] = NOON
    known.refresh()
    known.take(row)


@given(st.lists(st.dictionaries(st.integers(1, 20), st.integers(1, 10**6), max_size=12), min_size=1, max_size=8))
def test_a_full_reading_shows_exactly_what_is_there(readings: list[dict[int, int]]) -> None:
    """Whatever came, went or changed before: after `forget`, the columns hold the newest figures and nothing else."""
    known = Known()
    for entries in readings:
        answered(known, entries)
    known.forget()
    answered(known, readings[-1])
    (row,) = known.reading()
    queryids, calls = row["queryid"], row["calls"]
    assert isinstance(queryids, array)
    assert isinstance(calls, array)
    assert dict(zip(queryids, calls, strict=True)) == readings[-1]


def test_everything_is_read_anew_now_and_then() -> None:
    """What vanished from the server is forgotten after `FULL_EVERY` readings at the latest."""
    known = Known()
    for _ in range(FULL_EVERY):
        answered(known, {1: 1, 2: 1})
    for _ in range(2):
        answered(known, {1: 1})
    assert [*known.columns["queryid"]] == [1]


def test_lists_handed_out_stay_as_they_are() -> None:
    """Growth is found by comparing two readings: the older must not change under it."""
    known = Known()
    answered(known, {1: 1, 2: 1})
    before = dict(known.columns)
    answered(known, {1: 2, 2: 1, 3: 1})
    assert [*before["calls"]] == [1, 1]
    assert [*known.columns["calls"]] == [2, 1, 1]


class Asked:
    """A session that counts what it is asked and has no text to give."""

    facts: Facts

    def __init__(self, seconds: float = 0.0) -> None:
        self.times = 0
        self._seconds = seconds

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
        self.times += 1
        await asyncio.sleep(self._seconds)
        return []


async def asked_over_an_hour(session: Asked, texts: Texts, seconds: float) -> int:
    """Let each reading of an hour bring a new statement that took so many seconds; count what the server is asked."""
    for turn in range(240):
        await texts.learn(session, {(1, turn): seconds}, NOON + timedelta(seconds=15 * turn), show=True)
    return session.times


async def test_texts_are_read_at_most_once_a_minute_in_the_long_run() -> None:
    """Busy new statements all the time: some early reads, then one a minute; none without a new one."""
    session, texts = Asked(), Texts()
    asked = await asked_over_an_hour(session, texts, PRESSING)
    assert 55 <= asked <= 60 + 5
    await texts.learn(session, {(1, 239): PRESSING}, NOON + timedelta(seconds=3700), show=True)
    assert session.times == asked


async def test_texts_of_small_statements_are_read_as_seldom_as_they_are_dear() -> None:
    """A hundredth of a second is worth 50 s of rest; what costs nothing is asked at the pace of the busy ones."""
    assert await asked_over_an_hour(Asked(0.03), Texts(), PRESSING / 2) <= 25
    assert await asked_over_an_hour(Asked(), Texts(), PRESSING / 2) >= 50


async def test_a_busy_statement_need_not_wait_until_a_dear_reading_has_rested() -> None:
    session, texts = Asked(0.03), Texts()
    await texts.learn(session, {(1, 1): 0.0}, NOON, show=True)
    await texts.learn(session, {(1, 2): PRESSING / 2}, NOON + timedelta(seconds=61), show=True)
    assert session.times == 1
    await texts.learn(session, {(1, 2): PRESSING}, NOON + timedelta(seconds=61), show=True)
    assert session.times == 2
