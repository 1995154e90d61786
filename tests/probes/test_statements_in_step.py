"""N+1 where an interval is bad and where a lookup returns several rows; and, by dice, what chance makes of it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from random import Random

import pytest

from monitor.measurement import Measurement, Row
from monitor.model import Confidence, Finding, Result, Target
from probes.statements import PROBE
from probes.statements_steps import KEPT, Doer, NPlusOne, Step, Walk
from tests.database import Database
from tests.looking import eye

LIST: Doer = ("shop", "web", "list")
CHILD: Doer = ("shop", "web", "child")
SECONDS = 15.0
CALM = (260, 330, 300, 410, 350, 290, 380, 310, 270, 360, 340, 320)


def statement(name: str, **said: object) -> dict[str, object]:
    return {
        "statement": name,
        "database": "shop",
        "kind": "simple",
        "tables": ((None, name),),
        "filtered": True,
        "selects": True,
        "aggregates": False,
        "matches": True,
        "roles": ("web",),
        "tags": (),
        "twins": (),
        "nested": False,
        "text": "",
        "calls": 4000.0,
        "exec_seconds": 4.0,
        "exec_squares": 0.01,
        "rows": 4000.0,
        "shared_blks_hit": 9.0,
        "shared_blks_read": 0.0,
        "temp_blks_written": 0.0,
        "wal_bytes": 0.0,
        **said,
    }


def judged(steps: Iterable[Step], rule: NPlusOne | None = None, **child: object) -> list[Finding]:
    walked = tuple(steps)
    walk = Walk(walked, SECONDS * len(walked))
    rows: dict[object, Row] = {
        ("statement", row["statement"], "shop"): row for row in (statement("list"), statement("child", **child))
    }
    seen = Measurement(
        target=Target("test"),
        probe="statements",
        taken_at=datetime(2026, 5, 4, tzinfo=UTC),
        rows=(),
        result=Result.OK,
        window_growth=(),
        window_seconds=180.0,
        details={"whole": {"exec_seconds": 9.0, "entries": 9, "entries_limit": 5000, "off": ""}, "steps": walk, **rows},
    )
    return [said for said in (rule or NPlusOne()).check(seen) if isinstance(said, Finding)]


def interval(calls: float, returned: float, *, child_rows: float = 1.0) -> Step:
    """One interval: a list of ten rows a call, and lookups of so many rows each."""
    return {LIST: (returned / 10, returned), CHILD: (calls, calls * child_rows)}


def in_step(*, bad: dict[int, Step] | None = None, count: int = KEPT, child_rows: float = 1.0) -> list[Step]:
    good = [interval(calls, calls, child_rows=child_rows) for calls in CALM[:count]]
    return [(bad or {}).get(at, step) for at, step in enumerate(good)]


@pytest.mark.parametrize("at", range(KEPT))
@pytest.mark.parametrize("bad", [interval(300, 0), interval(0, 300), interval(90, 400)], ids=["gone", "late", "less"])
def test_one_bad_interval_among_many_does_not_silence_it(at: int, bad: Step) -> None:
    """An entry that was evicted, a reading that came late: the others are in step."""
    (finding,) = judged(in_step(bad={at: bad}))
    assert finding.evidence["in_step_by"] == "rows"


def test_two_bad_intervals_or_one_among_few_do() -> None:
    """Near miss: then it is not in step."""
    bad = interval(90, 400)
    assert judged(in_step(bad={3: bad, 7: bad})) == []
    assert judged(in_step(bad={2: bad}, count=7)) == []
    assert len(judged(in_step(count=4))) == 1


def test_a_lookup_of_several_rows_is_found_with_less_confidence() -> None:
    """The ten answers of each room: one call for each row of the list, whatever it returns, if it asks by a value."""
    (finding,) = judged(in_step(child_rows=10))
    assert (finding.subject, finding.confidence) == ("child", Confidence.MEDIUM)
    assert "4000" not in finding.summary
    assert judged(in_step(child_rows=10), matches=False) == []
    assert judged(in_step(child_rows=10), filtered=False) == []


def test_several_rows_need_several_intervals() -> None:
    """Near miss: a snapshot's single interval shows a lookup of one row only."""
    assert judged(in_step(count=1, child_rows=10)) == []


def chance(dice: Random, likeness: float, spread: float) -> Sequence[Step]:
    """Twelve intervals of two statements that know nothing of each other but follow the same day."""
    day = [dice.uniform(0.8, 1.25) for _ in range(KEPT)]
    steps = []
    for busy in day:
        calls = 300 * busy * likeness * dice.lognormvariate(0, spread)
        steps.append(
            interval(round(dice.gauss(calls, calls**0.5)), 10 * round(dice.gauss(30 * busy, (30 * busy) ** 0.5)))
        )
    return steps


@pytest.mark.parametrize("spread", [0.0, 0.1, 0.3])
def test_what_is_called_as_often_by_chance_is_seldom_accused(spread: float) -> None:
    """The volumes of a list's rows and of a stranger's calls differ by up to a half: one in five hundred at most."""
    dice = Random(f"chance {spread}")
    accused = sum(bool(judged(chance(dice, dice.uniform(0.67, 1.5), spread))) for _ in range(2000))
    assert accused <= 4


@pytest.mark.parametrize(("page", "at_once"), [(6, 1), (10, 1), (10, 3), (25, 1)])
def test_pages_that_a_reading_finds_half_done_do_not_hide_it(page: int, at_once: int) -> None:
    """One in twenty of the lookups is somebody else's, and each reading comes amid so many pages."""
    dice = Random(f"real {page} {at_once}")
    assert sum(len(judged(lookups(dice, page, at_once))) for _ in range(200)) >= 190


def lookups(dice: Random, page: int, at_once: int) -> Sequence[Step]:
    """Twelve intervals of some 300 lookups, each for a row of a page."""
    steps, left = list[Step](), 0.0
    for _ in range(KEPT):
        busy = 300 * dice.uniform(0.8, 1.25)
        pages = max(1, round(dice.gauss(busy / page, (busy / page) ** 0.5)))
        begun, others = sum(dice.uniform(0, page) for _ in range(at_once)), max(0.0, dice.gauss(15, 4))
        calls = pages * page + left - begun + others
        steps.append({LIST: (pages, pages * page), CHILD: (calls, calls)})
        left = begun
    return steps


async def test_a_reset_does_not_begin_anew(database: Database) -> None:
    """Two intervals before it and two after it are four."""
    await database.execute(
        "create table answers (id int primary key, room int, body text); create index on answers (room); "
        "insert into answers select g, g / 10, 'x' from generate_series(0, 999) g; analyze answers"
    )
    session = await database.connect()
    monitor = await database.as_monitor()
    async with eye(monitor.dsn, monitor.name, PROBE) as opened:
        seen = await opened.look()
        for turn, times in enumerate((4, 6, 9, 5)):
            if turn == 2:
                await database.execute("select pg_stat_statements_reset()")
                await opened.look()
            for room in range(times):
                for row in await session.fetch("select id from answers where room = $1", room):
                    await session.fetch("select body from answers where id = $1", row["id"])
            seen = await opened.look()
        (finding,) = opened.findings(seen, NPlusOne(min_window=0))
        assert finding.evidence["intervals"] == 4
