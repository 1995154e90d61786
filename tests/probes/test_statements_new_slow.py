"""statements.new_slow on a real server: a new statement without an index, known ones, limits, too little known."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from monitor.advisors.statements_new_slow import NewSlow
from monitor.errors import Needs
from monitor.model import Confidence, Finding, NoVerdict, Result, Severity
from probes.statements import StatementsOptions
from tests.database import Database
from tests.probes.past import Past, past, said

RULE = NewSlow(simple_ms=2, min_calls=10)
KNOWN = "select id from big where id = $1"
NEW = "select id from big where name = $1"


@pytest.fixture
async def watched(database: Database, tmp_path: Path) -> AsyncIterator[Past]:
    """A day of a quick lookup by a key, on a table of 60,000 rows."""
    await database.execute(
        "create table big as select g as id, md5(g::text) as name from generate_series(1, 60000) g;"
        "create index on big (id); analyze big"
    )
    async with past(database, tmp_path) as begun:
        await begun.live(KNOWN, 7)
        async with begun.again() as later:
            await later.call(KNOWN, 7, calls=1)
            yield later


async def test_a_new_slow_statement_is_found_and_an_index_mends_it(watched: Past) -> None:
    """Sick: what a release brought reads the whole table. Cured as the caution says."""
    await watched.call(NEW, "x", calls=12)
    await watched.look()
    (finding,) = await watched.judge(RULE)
    assert isinstance(finding, Finding)
    assert (finding.rule, finding.confidence) == ("statements.new_slow", Confidence.MEDIUM)
    assert finding.severity is Severity.WARNING
    assert (finding.object.kind, finding.object.name) == ("statement", finding.subject)
    assert (finding.evidence["statement"], finding.evidence["tables"]) == (NEW, ["big"])
    assert (finding.evidence["calls"], finding.evidence["history_hours"]) == (12, 27)
    assert "index" in finding.remedy.caution
    await watched.database.execute("create index on big (name)")
    async with watched.again() as later:
        await later.call(KNOWN, 7, calls=1)
        await later.call(NEW, "x", calls=12)
        await later.look()
        assert await later.judge(RULE) == ()


async def test_a_statement_that_is_known_is_not_new_however_slow(watched: Past) -> None:
    """Near miss: earlier hours have it; a few hours ago it was new, so what was said of it stands."""
    await watched.database.execute("drop index big_id_idx")
    await watched.call(KNOWN, 7, calls=12)
    await watched.look()
    (unsaid,) = await watched.judge(RULE)
    assert isinstance(unsaid, NoVerdict)
    assert (unsaid.needs, unsaid.subject is None) == (Needs.HISTORY, False)
    assert await watched.judge(replace(RULE, new_hours=9)) == ()


async def test_a_new_statement_that_is_quick_is_no_finding(watched: Past) -> None:
    """Near miss: new, and all is well."""
    await watched.call("select name from big where id = $1", 7, calls=60)
    await watched.look()
    assert await watched.judge(RULE) == ()


async def test_limits_are_kept_exactly(watched: Past) -> None:
    """Time and calls, or calls that took long together; ten times the limit is critical."""
    await watched.call(NEW, "x", calls=12)
    await watched.look()
    book = await watched.book()
    (finding,) = await said(RULE, book)
    assert isinstance(finding, Finding)
    mean, spent = cast("float", finding.evidence["mean_ms"]), cast("float", finding.evidence["total_seconds"])
    for rule in (
        replace(RULE, simple_ms=mean - 0.01, min_calls=12),
        replace(RULE, min_calls=13, min_seconds=spent - 0.001),
    ):
        assert len(await said(rule, book)) == 1
    for rule in (
        replace(RULE, simple_ms=mean + 0.01),
        replace(RULE, min_calls=13, min_seconds=spent + 0.001),
        replace(RULE, min_calls=13, few_calls=13, min_seconds=0),
    ):
        assert await said(rule, book) == ()
    (finding,) = await said(replace(RULE, simple_ms=mean / 11), book)
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.CRITICAL


async def test_where_most_statements_are_unknown_none_is_singled_out(watched: Past) -> None:
    """Too little known: a new release, or a history of another time."""
    await watched.call(NEW, "x", calls=12)
    await watched.call("select name from big where id = $1", 7, calls=12)
    await watched.look()
    (unsaid,) = await watched.judge(RULE)
    assert isinstance(unsaid, NoVerdict)
    assert (unsaid.needs, unsaid.subject) == (Needs.HISTORY, None)


async def test_what_may_have_been_there_unseen_is_not_called_new(watched: Past) -> None:
    """With one statement looked at by itself, the second may just have come up to where it is seen."""
    await watched.call(KNOWN, 7, calls=3000)
    await watched.call(NEW, "x", calls=12)
    seen = await watched.look()
    assert len(await watched.judge(RULE)) == 1
    rows = [row for key, row in seen.details.items() if isinstance(key, tuple) and key[0] == "statement"]
    busier = {**rows[0], "exec_seconds": 1e6, "database": "other"}
    watched.seen = replace(
        seen,
        details={**seen.details, **{("statement", name, "other"): busier for name in "ab"}},
        options=StatementsOptions(top=2),
    )
    assert await watched.judge(RULE) == ()


async def test_too_little_data_gives_no_verdict(watched: Past) -> None:
    """No history, one that is too short, one reading, none, or one without an answer."""
    seen = await watched.look()
    book = await watched.book()
    for thin, needs in (
        (replace(book, kept=None), Needs.HISTORY),
        (replace(book, seen=None), Needs.HISTORY),
        (replace(book, seen=replace(seen, window_growth=None)), Needs.HISTORY),
        (replace(book, seen=replace(seen, result=Result.SKIPPED, needs=Needs.EXTENSION)), Needs.EXTENSION),
    ):
        (unsaid,) = await said(RULE, thin)
        assert isinstance(unsaid, NoVerdict)
        assert (unsaid.needs, unsaid.subject) == (needs, None)
    (unsaid,) = await said(replace(RULE, min_history=28 * 3600.0), book)
    assert isinstance(unsaid, NoVerdict)
    assert unsaid.needs is Needs.HISTORY
