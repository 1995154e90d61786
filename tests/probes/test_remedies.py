"""Remedies that are really run: the index appears, the number is read again, and the ledger says what came of it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.advisors.sequential_scans import SequentialScans
from monitor.collect.runner import Clock, Runner
from monitor.collect.server import PostgresServer
from monitor.daemon.advising import Advising
from monitor.daemon.desk import Desk
from monitor.daemon.pending import Pending
from monitor.expose.metrics import Exposition
from monitor.findings.ledger import Ledger
from monitor.model import Alert, Secret, Server, State
from monitor.proof import Outcome
from monitor.standing import ServerStanding
from probes.indexes import PROBE as INDEXES
from probes.statements import PROBE
from tests.database import Database
from tests.looking import Eye
from tests.probes.test_indexes import FILL, PAIR
from tests.probes.test_sequential_scans import FEW, TABLE
from tests.probes.test_server import settled

STATEMENTS = replace(PROBE, rules=())
SCANS = SequentialScans(min_bytes=1, min_rows=10_000, hold=0, keep=0)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Daylight:
    """A clock that is set on by hand."""

    seconds: float = 0.0

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, monotonic=lambda: self.seconds)

    @property
    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)


@dataclass
class Watched:
    """A database under both probes, the desk that hears of them, and the time."""

    database: Database
    server: Server
    tables: Eye
    statements: Eye
    time: Daylight
    desk: Desk
    pending: Pending

    @property
    def alert(self) -> Alert:
        (alert,) = self.desk.ledger.alerts
        return alert

    async def look(self, seconds: float, *, scans: bool = False) -> None:
        """Look once, so long after the last time, as the daemon does."""
        self.time.seconds += seconds
        await settled()
        await self.desk.take(self.server, STATEMENTS, await self.statements.look())
        await self.desk.take(self.server, INDEXES, await self.tables.look())
        if scans:
            await Advising(self.desk).ask(self.server, SCANS, [self.database.name])

    def steps(self) -> Sequence[str]:
        """The history as it is written."""
        return [step.state for step in self.pending.take().transitions]

    async def traffic(self, times: int = 30) -> None:
        session = await self.database.connect()
        for number in range(times):
            await session.fetch(FEW, str(number))
        await session.close()


@pytest.fixture
async def watched(database: Database) -> AsyncIterator[Watched]:
    async with opened(database) as one:
        yield one


@asynccontextmanager
async def opened(database: Database, alerts: Sequence[Alert] = (), seconds: float = 0.0) -> AsyncIterator[Watched]:
    """Watch as the monitor's own role, without rules on statements: they have nothing to do with it."""
    monitor, time, pending = await database.as_monitor(), Daylight(seconds), Pending()
    server = Server(name="test", dsn=Secret(monitor.dsn), only=database.name)
    postgres, runner = PostgresServer(server, environ={}), Runner(time.clock)
    desk = Desk(Ledger(alerts), Exposition(), time.clock, pending)
    desk.shelf.servers[server.name] = ServerStanding(server, spent=lambda: 0.0)
    tables, statements = (Eye(postgres, runner, probe, database.name) for probe in (INDEXES, STATEMENTS))
    try:
        yield Watched(database, server, tables, statements, time, desk, pending)
    finally:
        await postgres.close()


async def scanned(watched: Watched) -> None:
    """Bring the finding about sequential scans to fire."""
    for statement in TABLE.split(";"):
        await watched.database.execute(statement)
    await watched.look(0, scans=True)
    await watched.traffic()
    await watched.look(300, scans=True)
    assert (watched.alert.state, watched.alert.finding.rule) == (State.FIRING, "tables.sequential_scans")


async def test_the_printed_index_of_a_foreign_key_fixes_it(any_database: Database) -> None:
    """Sick, then the printed SQL is run: fixed, with the index by its name; on each version."""
    async with opened(any_database) as watched:
        await any_database.execute(PAIR + FILL + "analyze")
        await watched.look(0)
        assert watched.alert.state is State.FIRING
        await any_database.apply(watched.alert.finding.remedy)
        await watched.look(300)
        assert watched.alert.outcome is Outcome.FIXED
        assert watched.alert.ended_by.startswith(
            "fixed: index public.child_parent_id_idx exists since 2026-03-01 12:05"
        )


async def test_an_invalid_index_or_another_one_is_no_remedy_of_a_foreign_key(watched: Watched) -> None:
    """What a broken-off `create index concurrently` leaves; one on another column; the key itself dropped."""
    await watched.database.execute(PAIR + FILL + "analyze")
    await watched.look(0)
    await watched.database.execute(
        "create index made on child (parent_id); create index other on child (id, parent_id)"
    )
    await watched.database.execute("update pg_index set indisvalid = false where indexrelid = 'made'::regclass")
    await watched.look(300)
    assert (watched.alert.state, watched.alert.cure) == (State.FIRING, None)
    await watched.database.execute("alter table child drop constraint child_parent_id_fkey")
    await watched.look(300)
    assert (watched.alert.state, watched.alert.outcome) == (State.RESOLVED, None)


async def test_an_index_that_the_statements_use_fixes_their_scans(watched: Watched) -> None:
    """Held open until the window lies after the index, then closed with both numbers."""
    await scanned(watched)
    await watched.database.execute("create index on big (name)")
    await watched.look(300, scans=True)
    for _ in range(6):
        assert watched.alert.state is State.FIRING
        await watched.traffic()
        await watched.look(300, scans=True)
    assert watched.alert.outcome is Outcome.FIXED, watched.alert.ended_by
    assert "fixed: index public.big_name_idx exists since 2026-03-01 12:10 UTC" in watched.alert.ended_by
    assert watched.alert.ended_by.endswith("6,000 before, 0 now")
    assert watched.steps() == ["firing", "remedied", "resolved"]


@pytest.mark.soak
async def test_an_index_that_nobody_can_use_had_no_effect(watched: Watched) -> None:
    """The scans go on as before: said with the SQL that undoes it, and not told again at once."""
    await scanned(watched)
    await watched.database.execute("create index on big (quarter)")
    await watched.look(0, scans=True)
    for _ in range(6):
        await watched.traffic()
        await watched.look(300, scans=True)
    assert watched.alert.outcome is Outcome.NO_EFFECT, watched.alert
    assert watched.alert.ended_by.endswith("undo it: drop index concurrently if exists public.big_quarter_idx")
    await watched.traffic()
    await watched.look(300, scans=True)
    assert watched.alert.state is State.RESOLVED


@pytest.mark.soak
async def test_traffic_that_stopped_is_not_fixed(watched: Watched) -> None:
    """Nobody reads the table any more: the index has proved nothing."""
    await scanned(watched)
    await watched.database.execute("create index on big (name)")
    for _ in range(8):
        await watched.look(1200, scans=True)
    assert (watched.alert.state, watched.alert.outcome) == (State.RESOLVED, None)
    assert "was used 0 times since: the traffic may just have stopped" in watched.alert.ended_by


async def test_a_restart_between_index_and_number_changes_nothing(watched: Watched) -> None:
    """The ledger goes on from its alerts; the counters begin a new window."""
    await scanned(watched)
    await watched.database.execute("create index on big (name)")
    await watched.look(300, scans=True)
    async with opened(watched.database, watched.desk.ledger.alerts, watched.time.seconds) as after:
        for _ in range(3):
            await after.traffic(40)
            await after.look(300, scans=True)
        assert after.alert.outcome is Outcome.FIXED, after.alert


async def test_counters_that_were_reset_are_not_compared(watched: Watched) -> None:
    """`pg_stat_reset` in between: its growth is unknown, and so is the outcome, until a whole window is new."""
    await scanned(watched)
    await watched.database.execute("create index on big (name)")
    await watched.look(300, scans=True)
    await watched.traffic()
    await watched.database.execute("select pg_stat_reset()")
    await watched.look(300, scans=True)
    assert (watched.alert.state, watched.alert.outcome) == (State.FIRING, None)
