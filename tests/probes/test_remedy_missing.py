"""An index that was proposed is made: the statement that gained most is measured again, and the outcome is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from monitor.advising import Advising
from monitor.advisors.index.missing import Missing
from monitor.collect.runner import Runner
from monitor.collect.server import PostgresServer
from monitor.model import Alert, State
from monitor.planners import planning
from monitor.planning import Planner
from monitor.proof import Outcome
from probes.shape import PROBE as SHAPE
from tests.database import Database
from tests.looking import Eye
from tests.probes.test_remedies import Watched, opened
from tests.probes.test_sequential_scans import TABLE

MISSING = Missing(hold=0, keep=0, least_ms_per_day=0, every=60)


@dataclass
class Advised:
    """A watched database whose shape is read as well, and an advisor with a planner."""

    watched: Watched
    shape: Eye
    planner: Planner

    @property
    def alert(self) -> Alert:
        (alert,) = (each for each in self.watched.desk.ledger.alerts if each.finding.rule == MISSING.id)
        return alert

    async def look(self, seconds: float) -> None:
        """Look once, so long after the last time, and let the advisor speak."""
        watched = self.watched
        await watched.look(seconds)
        await watched.desk.take(watched.server, SHAPE, await self.shape.look())
        await Advising(watched.desk, self.planner).ask(watched.server, MISSING, [watched.database.name])


@pytest.fixture
async def advised(database: Database) -> AsyncIterator[Advised]:
    """With the finding that an index is missing, which fires."""
    async with opened(database) as watched, planning() as planner:
        postgres = PostgresServer(watched.server, environ={})
        made = Advised(watched, Eye(postgres, Runner(watched.time.clock), SHAPE, database.name), planner)
        for statement in TABLE.split(";"):
            await database.execute(statement)
        await made.look(0)
        await watched.traffic()
        await made.look(300)
        yield made
        await postgres.close()


async def test_the_index_as_printed_fixes_it(advised: Advised) -> None:
    """Held open until the window lies after the index, then closed with the seconds before and after."""
    assert advised.alert.state is State.FIRING
    for statement in advised.alert.finding.remedy.sql:
        await advised.watched.database.execute(statement)
    await advised.look(300)
    for _ in range(6):
        await advised.watched.traffic()
        await advised.look(300)
    assert (advised.alert.state, advised.alert.outcome) == (State.RESOLVED, Outcome.FIXED), advised.alert.ended_by
    assert "seconds a second that the statement runs" in advised.alert.ended_by


@pytest.mark.soak
async def test_another_index_is_no_remedy(advised: Advised) -> None:
    """Somebody made a partial one on the same column, which no statement can use: it fires as before."""
    (sql,) = advised.alert.finding.remedy.sql
    await advised.watched.database.execute(sql.replace("concurrently if not exists", "") + " where id < 0")
    for _ in range(7):
        await advised.watched.traffic()
        await advised.look(300)
    assert advised.alert.state is State.FIRING
    assert advised.alert.outcome is None
