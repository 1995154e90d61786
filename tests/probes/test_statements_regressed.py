"""statements.regressed on a real server: an index that went and came back, near misses, limits, too little known."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from monitor.advisors.statements_regressed import Regressed
from monitor.errors import Needs
from monitor.model import Confidence, Finding, NoVerdict, Result, Severity
from tests.database import Database
from tests.probes.past import Past, past, said

RULE = Regressed(min_cores=0.0)
FEW = "select id from big where name = $1"
NAP = "select nap() as slept, $1::int"


async def lay_out(database: Database) -> None:
    """A table with an index, and a function that sleeps three milliseconds."""
    await database.execute(
        "create table big as select g as id, md5(g::text) as name from generate_series(1, 60000) g;"
        "create index big_name on big (name); analyze big"
    )
    await sleeps(database, 0.003)


async def sleeps(database: Database, seconds: float) -> None:
    await database.execute(
        f"create or replace function nap() returns bool language plpgsql as $$"
        f"begin perform pg_sleep({seconds}); return true; end $$"
    )


@pytest.fixture
async def watched(database: Database, tmp_path: Path) -> AsyncIterator[Past]:
    await lay_out(database)
    async with past(database, tmp_path) as begun:
        yield begun


async def test_an_index_that_went_is_found_and_putting_it_back_mends_it(any_database: Database, tmp_path: Path) -> None:
    """Sick: the lookup reads the whole table. Cured as the caution says: the index is there again."""
    await lay_out(any_database)
    async with past(any_database, tmp_path) as watched:
        await watched.live(FEW, "x")
        await watched.database.execute("drop index big_name")
        for _ in range(2):  # on a busy machine the one reading alone may be too uneven
            await watched.call(FEW, "x", calls=60)
            await watched.look()
        (finding,) = await watched.judge(RULE)
        assert isinstance(finding, Finding)
        assert (finding.rule, finding.severity, finding.confidence) == (
            "statements.regressed",
            Severity.WARNING,
            Confidence.HIGH,
        )
        assert (finding.target.database, finding.object.kind) == (any_database.name, "statement")
        assert (finding.evidence["calls"] in {60, 120}, finding.evidence["before_hours"] in {8, 9}) == (True, True)
        assert (finding.evidence["statement"], finding.evidence["tables"]) == (FEW, ["big"])
        assert cast("float", finding.evidence["mean_ms"]) > 2 * cast("float", finding.evidence["before_ms"])
        assert finding.remedy.sql == ()
        assert "an index of big that was dropped" in finding.remedy.caution
        await watched.database.execute("create index big_name on big (name)")
        await watched.call(FEW, "x", calls=60)
        await watched.look()
        assert await watched.judge(RULE) == ()


async def test_a_statement_that_takes_half_as_long_again_is_no_finding(watched: Past) -> None:
    """Near miss: slower, for certain, but not twice."""
    await sleeps(watched.database, 0.01)
    await watched.live(NAP, 1)
    await sleeps(watched.database, 0.015)
    for _ in range(2):
        await watched.call(NAP, 1, calls=60)
        await watched.look()
    assert await watched.judge(RULE) == ()
    assert len(await watched.judge(replace(RULE, factor=1.2))) == 1


async def test_limits_are_kept_exactly(watched: Past) -> None:
    """Calls, rise, cost: at the limit it speaks, beyond it does not."""
    await watched.live(NAP, 1)
    await sleeps(watched.database, 0.02)
    await watched.call(NAP, 1, calls=50)
    await watched.look()
    book = await watched.book()
    (finding,) = await said(RULE, book)
    assert isinstance(finding, Finding)
    assert finding.evidence["calls"] == 50
    before, now = (cast("float", finding.evidence[name]) for name in ("before_ms", "mean_ms"))
    assert len(await said(replace(RULE, factor=now / before - 0.01, min_excess_ms=now - before - 0.01), book)) == 1
    for stricter in (
        replace(RULE, factor=now / before + 0.01),
        replace(RULE, min_excess_ms=now - before + 0.01),
        replace(RULE, min_calls=159),
        replace(RULE, min_hours=10),
    ):
        assert await said(stricter, book) == ()


async def test_what_is_called_too_seldom_or_too_new_is_not_judged(watched: Past) -> None:
    """Too little data: on either side of the change, about one statement, and nothing is said of it."""
    await watched.live(NAP, 1)
    await sleeps(watched.database, 0.02)
    await watched.call(NAP, 1, calls=30)
    await watched.call(FEW, "x", calls=60)
    await watched.look()
    assert await watched.judge(RULE) == ()


async def test_without_enough_history_it_says_so_once(watched: Past) -> None:
    """Too little data: about all of them, and one reason is given for all."""
    await watched.live(NAP, 1, hours=6)
    seen = await watched.look()
    book = await watched.book()
    for thin, needs in (
        (book, Needs.HISTORY),
        (replace(book, kept=None), Needs.HISTORY),
        (replace(book, seen=None), Needs.HISTORY),
        (replace(book, seen=replace(seen, result=Result.SKIPPED, needs=Needs.EXTENSION)), Needs.EXTENSION),
    ):
        (unsaid,) = await said(RULE, thin)
        assert isinstance(unsaid, NoVerdict)
        assert (unsaid.needs, unsaid.subject) == (needs, None)


async def test_a_slowdown_that_lasts_through_a_reset_is_still_one(watched: Past) -> None:
    """pg_stat_statements_reset() takes away neither the past nor the finding."""
    await watched.live(NAP, 1)
    await sleeps(watched.database, 0.02)
    await watched.database.execute("select pg_stat_statements_reset()")
    await watched.look()
    assert await watched.judge(RULE) == ()
    await watched.call(NAP, 1, calls=60)
    await watched.look()
    assert len(await watched.judge(RULE)) == 1
