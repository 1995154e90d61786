"""pool.churn on real servers: sick, cured by keeping the session, near miss, at the limit, too little data."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from monitor.advisors.pool_churn import Churn
from monitor.errors import Needs
from monitor.model import Finding, NoVerdict, Severity
from monitor.report.pages import Pages
from monitor.rules.evaluate import advise
from probes.pool import PROBE as POOL
from probes.server import PROBE as SERVER
from tests.database import Database
from tests.looking import Eye, book_of, reading
from tests.probes.test_server import settled
from tests.versions import MAJORS, NEWEST

RULE = Churn(per_second=1, min_sessions=20, mean_seconds=1)


@dataclass(frozen=True)
class Watch:
    database: Database
    server: Eye
    pool: Eye

    async def book(self) -> Pages:
        return book_of(self.database.name, await self.server.look(), await self.pool.look())


@asynccontextmanager
async def watching(database: Database) -> AsyncIterator[Watch]:
    async with database.eye(SERVER) as server, database.eye(POOL) as pool:
        await server.look()
        yield Watch(database, server, pool)


async def said(book: Pages, rule: Churn = RULE) -> list[Finding | NoVerdict]:
    return [*(await advise(rule, book)).verdicts]


def here(book: Pages) -> int:
    """Sessions of the database that are connected still: those count for nothing."""
    rows = reading(book, "server").rows
    return next(int(str(row["sessions"])) for row in rows if row["database"] == book.target.database)


async def come_and_go(database: Database, times: int) -> None:
    for _ in range(times):
        session = await database.connect(application_name="function")
        await session.fetchval("select 1")
        await session.close()
    await settled()


@pytest.mark.parametrize("any_cluster", [MAJORS[0], NEWEST], indirect=True)
async def test_a_session_for_each_statement_is_found_and_a_kept_one_is_not(any_database: Database) -> None:
    """Sick: 30 sessions, one statement each. Cured as the caution says: one session for all of them."""
    async with watching(any_database) as watch:
        await come_and_go(any_database, 30)
        await any_database.connect(application_name="function")
        (finding,) = await said(await watch.book())
        assert isinstance(finding, Finding)
        assert (finding.rule, finding.severity, finding.object.kind) == ("pool.churn", Severity.INFO, "database")
        assert finding.evidence["count"] >= 30  # type: ignore[operator]
        assert finding.evidence["applications"] == ["postgres (function)"]
    async with watching(any_database) as watch:
        session = await any_database.connect(application_name="function")
        for _ in range(50):
            await session.fetchval("select 1")
        await settled()
        assert await said(await watch.book()) == []


async def test_a_deployment_that_keeps_its_sessions_is_no_churn(database: Database) -> None:
    """Near miss: as many sessions begin, and stay. The server counts their time only once they do something."""
    async with watching(database) as watch:
        for _ in range(22):
            await database.connect(application_name="api")
        await settled()
        assert await said(await watch.book()) == []


async def test_one_reading_is_too_little(database: Database) -> None:
    """Counters grow from the second on; and before the first there is nothing at all."""
    async with database.eye(SERVER) as eye:
        (verdict,) = await said(book_of(database.name, await eye.look()))
        assert isinstance(verdict, NoVerdict)
        assert verdict.needs is Needs.HISTORY
    (verdict,) = await said(book_of(database.name))
    assert isinstance(verdict, NoVerdict)
    assert verdict.needs is Needs.HISTORY


async def test_the_limits_are_reached_by_equality_and_missed_by_one(database: Database) -> None:
    """As many as asked for is enough; one fewer, or longer ones, are none; whoever it is may be unknown."""
    async with watching(database) as watch:
        await come_and_go(database, 25)
        book = book_of(database.name, await watch.server.look())
        (finding,) = await said(book)
        assert isinstance(finding, Finding)
        begun = int(finding.evidence["count"]) - here(book)  # type: ignore[arg-type]
        assert finding.evidence["applications"] == []
        assert len(await said(book, replace(RULE, min_sessions=begun))) == 1
        assert await said(book, replace(RULE, min_sessions=begun + 1)) == []
        assert await said(book, replace(RULE, mean_seconds=0)) == []
        assert await said(book, replace(RULE, per_second=1000)) == []
