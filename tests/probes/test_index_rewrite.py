"""Statements that keep an index from being used: from real statements, by way of a shadow's plans, to the finding."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
import pytest_asyncio

from monitor.advisors.index.rewriting import IndexRewrite
from monitor.model import Confidence, Finding, NoVerdict, Severity
from monitor.planners import planning
from monitor.planning import Planner
from monitor.rules.evaluate import advise
from probes.shape import PROBE as SHAPE
from probes.statements import PROBE as STATEMENTS
from tests.database import Cluster, Database
from tests.looking import book_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

RULE = IndexRewrite(mean_ms=0, least_ms_per_day=0)
READINGS = """
    create table "Meter ""r"" x" (id bigint primary key, "measured At" timestamp not null, code varchar(20));
    insert into "Meter ""r"" x" select g, timestamp '2024-01-01' + g * interval '1 hour', 'c' || g
      from generate_series(1, 20000) g;
    create index "at.idx" on "Meter ""r"" x" ("measured At");
    create index on "Meter ""r"" x" (code);
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def planner() -> AsyncIterator[Planner]:
    async with planning() as ready:
        yield ready


@pytest_asyncio.fixture(loop_scope="session")
async def meters(cluster: Cluster) -> AsyncIterator[Database]:
    async with cluster.fresh() as fresh:
        await fresh.execute(READINGS)
        await fresh.execute("vacuum analyze")
        yield fresh


async def said(
    meters: Database, planner: Planner | None, *statements: str, rule: IndexRewrite = RULE
) -> Sequence[Finding | NoVerdict]:
    """Run statements, look, and let the rule judge."""
    await meters.execute("select pg_stat_statements_reset()")
    for statement in statements:
        for _ in range(3):
            await meters.fetch(statement)
    seen = []
    for probe in (SHAPE, STATEMENTS):
        async with meters.eye(probe, snapshot=True, lifetime=True) as eye:
            seen.append(await eye.look())
    book = replace(book_of(meters.name, *seen), planner=planner)
    return [*(await advise(rule, book)).verdicts]


ALL = 'select * from "Meter ""r"" x" where '


async def test_what_hides_an_index_is_told_and_gone_when_it_is_mended(meters: Database, planner: Planner) -> None:
    """Two statements hide one index; written as the finding says they do not."""
    hidden = (
        ALL + """date_trunc('day', "measured At") = '2024-03-01'""",
        ALL + """ "measured At"::date = '2024-03-01' and code <> 'x'""",
    )
    (found,) = await said(meters, planner, *hidden)
    assert isinstance(found, Finding)
    assert (found.rule, found.severity, found.confidence) == ("index.rewrite", Severity.INFO, Confidence.MEDIUM)
    assert found.subject == 'public."Meter ""r"" x" ("measured At")'
    assert (found.object.name, found.object.columns) == ('Meter "r" x', ("measured At",))
    assert (found.evidence["count"], found.evidence["index"]) == (2, 'public."at.idx"')
    assert "range" in found.remedy.caution
    assert "2024" not in repr(found)
    mended = ALL + """ "measured At" >= '2024-03-01' and "measured At" < '2024-03-02'"""
    assert await said(meters, planner, mended) == []


async def test_a_cast_is_told_with_the_columns_type(meters: Database, planner: Planner) -> None:
    """What the values have to be cast to stands in the finding; a varchar as a text is none."""
    (found,) = await said(meters, planner, ALL + "id::text = '5'")
    assert isinstance(found, Finding)
    assert found.summary.endswith('id is cast to text, so public."Meter ""r"" x_pkey" cannot be used')
    assert "its type (bigint)" in found.remedy.caution
    assert await said(meters, planner, ALL + "id = 5", ALL + "code = 'c7'::text") == []


async def test_what_takes_no_time_is_not_told(meters: Database, planner: Planner) -> None:
    """Exactly at the limit it is; above it not."""
    statement = ALL + "id::text = '5'"
    (found,) = await said(meters, planner, statement)
    assert isinstance(found, Finding)
    assert await said(meters, planner, statement, rule=replace(RULE, mean_ms=10_000)) == []
    assert await said(meters, planner, statement, rule=replace(RULE, least_ms_per_day=1e9)) == []


async def test_without_a_planner_nothing_is_known(meters: Database, planner: Planner) -> None:
    """No verdict, rather than an all-clear; without statements there is nothing to rewrite."""
    (said_so,) = await said(meters, None, ALL + "id::text = '5'")
    assert isinstance(said_so, NoVerdict)
    assert said_so.reason == "no planner can be asked here"
    unread = await advise(RULE, replace(book_of(meters.name), planner=planner))
    assert [type(each) for each in unread.verdicts] == [NoVerdict]
