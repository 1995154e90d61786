"""An index that was proposed is made: the statement that gained most is measured again, and the outcome is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from monitor.advisors.index.missing import Missing
from monitor.advisors.index.no_effect import NoEffect
from monitor.collect.runner import Runner
from monitor.collect.server import PostgresServer
from monitor.daemon.advising import Advising
from monitor.findings.cure import REST_SECONDS
from monitor.model import Alert, State
from monitor.planners import planning
from monitor.planning import Planner
from monitor.proof import Outcome
from monitor.rule import Advisor
from probes.shape import PROBE as SHAPE
from tests.database import Database
from tests.looking import Eye
from tests.probes.test_remedies import Watched, opened
from tests.probes.test_sequential_scans import FEW, TABLE

MISSING = Missing(hold=0, keep=0, least_ms_per_day=0, every=60)
NO_EFFECT = NoEffect(keep=0, every=60)
SLEEPY = "select id, pg_sleep((select seconds from pause)) from big where name = $1"
"""The planner thinks that the scan is what it takes long for."""


@dataclass
class Advised:
    """A watched database whose shape is read as well, and advisors with a planner."""

    watched: Watched
    shape: Eye
    planner: Planner
    sql: str

    @property
    def alert(self) -> Alert:
        (alert,) = (each for each in self.watched.desk.ledger.alerts if each.finding.rule == MISSING.id)
        return alert

    def found(self, rule: Advisor) -> list[Alert]:
        """Give what a rule finds at present."""
        alerts = self.watched.desk.ledger.alerts
        return [each for each in alerts if each.finding.rule == rule.id and each.state is not State.RESOLVED]

    async def live(self, looks: int = 7) -> None:
        """Let the traffic go on for so many times five minutes, or until the outcome is told."""
        fired = self.alert.state is State.FIRING
        for _ in range(looks):
            await self.traffic()
            await self.look(300)
            if fired and self.alert.state is State.RESOLVED:
                break

    async def traffic(self) -> None:
        session = await self.watched.database.connect()
        for _ in range(6):
            await session.fetch(self.sql, HERE)
        await session.close()

    async def look(self, seconds: float, missing: Advisor = MISSING) -> None:
        """Look once, so long after the last time, and let the advisors speak."""
        watched = self.watched
        await watched.look(seconds)
        await watched.desk.take(watched.server, SHAPE, await self.shape.look())
        for advisor in (missing, NO_EFFECT):
            await Advising(watched.desk, lambda _: self.planner).ask(watched.server, advisor, [watched.database.name])


HERE = "c4ca4238a0b923820dcc509a6f75849b"
"""The name of the first row."""


@asynccontextmanager
async def advice(database: Database, sql: str = FEW) -> AsyncIterator[Advised]:
    """Bring the finding that an index is missing to fire."""
    async with opened(database) as watched, planning() as planner:
        postgres = PostgresServer(watched.server, environ={})
        made = Advised(watched, Eye(postgres, Runner(watched.time.clock), SHAPE, database.name), planner, sql)
        for statement in TABLE.split(";"):
            await database.execute(statement)
        await database.execute("create table pause as select 0.15::float8 as seconds")
        await made.look(0)
        await made.traffic()
        await made.look(300)
        assert made.alert.state is State.FIRING
        yield made
        await postgres.close()


@pytest.fixture
async def advised(database: Database) -> AsyncIterator[Advised]:
    """With the finding that an index is missing, which fires."""
    async with advice(database) as made:
        yield made


async def build(advised: Advised) -> None:
    """Build the index as it was printed."""
    for statement in advised.alert.finding.remedy.sql:
        await advised.watched.database.execute(statement)
    await advised.look(300)


async def test_the_index_as_printed_fixes_it(advised: Advised) -> None:
    """Held open until the window lies after the index, then closed with the seconds before and after."""
    await build(advised)
    await advised.live()
    assert (advised.alert.state, advised.alert.outcome) == (State.RESOLVED, Outcome.FIXED), advised.alert.ended_by
    assert "seconds that a call of the statement takes" in advised.alert.ended_by
    assert advised.found(NO_EFFECT) == []


async def test_an_index_without_effect_is_proposed_for_drop(database: Database) -> None:
    """Closed as no effect, then told as one to drop, with what it did; once it is gone it is not proposed anew."""
    async with advice(database, SLEEPY) as advised:
        await build(advised)
        await advised.live()
        assert (advised.alert.state, advised.alert.outcome) == (State.RESOLVED, Outcome.NO_EFFECT), advised.alert
        assert "undo it: drop index concurrently if exists public.big_name_idx" in advised.alert.ended_by
        (alert,) = advised.found(NO_EFFECT)
        assert (alert.finding.subject, alert.finding.evidence["outcome"]) == ("public.big_name_idx", "no effect")
        assert alert.finding.evidence["statement"] == advised.alert.finding.proof.labels["statement"]  # type: ignore[union-attr]  # it has one
        await database.apply(replace(alert.finding.remedy, sign=None))
        advised.watched.time.seconds += REST_SECONDS
        await advised.live(2)
        assert (advised.found(NO_EFFECT), advised.found(MISSING)) == ([], [])
        await advised.traffic()
        await advised.look(300, replace(MISSING, again_after=0))
        assert len(advised.found(MISSING)) == 1


@pytest.mark.soak
async def test_a_statement_that_is_slower_since_is_told_as_worse(database: Database) -> None:
    """With the index to drop, whatever made it slower."""
    async with advice(database, SLEEPY) as advised:
        await build(advised)
        await database.execute("update pause set seconds = 0.45")
        await advised.live()
        assert (advised.alert.state, advised.alert.outcome) == (State.RESOLVED, Outcome.WORSE), advised.alert
        (alert,) = advised.found(NO_EFFECT)
        assert "is slower since" in alert.finding.summary


@pytest.mark.soak
async def test_another_index_is_no_remedy(advised: Advised) -> None:
    """Somebody made a partial one on the same column, which no statement can use: it fires as before."""
    (sql,) = advised.alert.finding.remedy.sql
    await advised.watched.database.execute(sql.replace("concurrently if not exists", "") + " where id < 0")
    await advised.live()
    assert advised.alert.state is State.FIRING
    assert advised.alert.outcome is None
