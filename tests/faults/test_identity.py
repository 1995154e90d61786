"""Which server answers behind one address: the same after a restart or a crash, a promoted standby, a restored copy."""

import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

import pytest

from monitor.collect.runner import Runner
from monitor.collect.server import PostgresServer
from monitor.embedded import EmbeddedServer
from monitor.expose.metrics import Exposition
from monitor.findings.ledger import Ledger
from monitor.measurement import Measurement
from monitor.model import Result, Secret, Server, State, Target
from monitor.probe import Facts
from monitor.rules.evaluate import evaluate
from probes.statements import PROBE, Slow
from tests.database import SETTINGS, Cluster, Database
from tests.faults.conftest import Shop
from tests.poolers import pooler
from tests.versions import NEWEST, binaries

RULE = Slow(simple_ms=5, complex_ms=5, min_calls=3, settled=0, hold=0, keep=0)
TARGET = Target("shop")


class Desk:
    """What the daemon remembers of one target, whoever answers behind its address."""

    def __init__(self) -> None:
        self.runner, self.exposition, self.ledger = Runner(), Exposition(), Ledger()
        self._now = datetime.now(UTC)

    async def look(self, database: Database, dsn: str = "") -> Measurement:
        """Take one reading, publish it and judge it."""
        server = PostgresServer(Server(name="shop", dsn=Secret(dsn or database.dsn), only=database.name), environ={})
        try:
            async with server.home() as session:
                seen = await self.runner.run(PROBE, TARGET, session)
        finally:
            await server.close()
        assert seen.result is Result.OK, seen.reason
        self.exposition.absorb(PROBE, seen)
        self._now += timedelta(seconds=15)
        self.ledger.observe(evaluate([RULE], seen), self._now)
        return seen

    @property
    def calls(self) -> dict[str, float]:
        """The exported counters, by series."""
        lines = self.exposition.page(openmetrics=False).decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if line.startswith("pgarchitect_statements_calls_total{"))
        return {series: float(value) for series, _, value in pairs}

    @property
    def firing(self) -> set[str]:
        """The statements that are slow."""
        alerts = self.ledger.alerts
        return {each.finding.subject for each in alerts if each.state is State.FIRING}


async def nap(database: Database, times: int) -> None:
    """Call one slow statement."""
    session = await database.connect()
    for _ in range(times):
        await session.fetch("select pg_sleep($1), count(*) from pg_class", 0.02)
    await session.close()


async def watched(shop: Shop) -> Desk:
    """A desk that knows one slow statement, which fires, by two readings."""
    desk = Desk()
    await shop.database.execute("select pg_stat_statements_reset()")
    await nap(shop.database, 1)
    await desk.look(shop.monitor)
    await nap(shop.database, 4)
    await desk.look(shop.monitor)
    assert len(desk.firing) == 1
    return desk


async def passes_unnoticed(desk: Desk, other: Database, traffic: Database) -> None:
    """Another server answers: nothing of its past counts, no series falls, nothing fires or ends; then it goes on."""
    before, fired = desk.calls, desk.firing
    seen = await desk.look(other)
    assert seen.grown is None
    assert seen.window_growth is None
    assert desk.firing == fired
    assert desk.calls.items() <= before.items()  # a series may be away for one reading
    await nap(traffic, 3)
    await desk.look(other)
    assert desk.firing == fired
    grown = {series: value - before[series] for series, value in desk.calls.items() if series in before}
    assert min(grown.values()) >= 0
    assert max(grown.values()) == 3


@asynccontextmanager
async def copy_of(shop: Shop, *, standby: bool) -> AsyncIterator[EmbeddedServer]:
    """A server that starts on a copy of the shop's files, as they were when that was stopped for a moment."""
    async with EmbeddedServer.started(SETTINGS, binaries=binaries(NEWEST)) as copy:
        await copy.stop()
        shutil.rmtree(copy.directory / "data")
        await shop.server.stop()
        subprocess.run(["cp", "-a", shop.server.directory / "data", copy.directory / "data"], check=True)
        await shop.server.start()
        if standby:
            signal = copy.directory / "data" / "standby.signal"
            subprocess.run(["cp", "-a", copy.directory / "data" / "PG_VERSION", signal], check=True)
        await copy.start()
        yield copy


def on(server: EmbeddedServer, like: Database, owner: EmbeddedServer) -> Database:
    """The same database of a copy, as the same role."""
    login = urlsplit(like.dsn if like.user else owner.dsn())
    return Database(server, like.name, unquote(login.username or ""), unquote(login.password or ""))


async def test_a_promoted_standby_begins_anew(shop: Shop) -> None:
    """Same files, same identifier, started after we last looked: the timeline tells, though it counted more."""
    desk = await watched(shop)
    async with copy_of(shop, standby=True) as standby:
        await desk.look(shop.monitor)
        await standby.restart()
        there, owner = on(standby, shop.monitor, shop.server), on(standby, shop.database, shop.server)
        await nap(owner, 9)
        assert await owner.value("select pg_promote()")
        await passes_unnoticed(desk, there, owner)
        await owner.close()
        await there.close()


async def test_who_is_promoted_while_watched_goes_on(shop: Shop) -> None:
    """A standby that is a target of its own counts on when it becomes the primary: it is the same process."""
    async with copy_of(shop, standby=True) as standby:
        there, owner = on(standby, shop.monitor, shop.server), on(standby, shop.database, shop.server)
        desk = Desk()
        await nap(owner, 1)
        await desk.look(there)
        await nap(owner, 2)
        assert await owner.value("select pg_promote()")
        seen = await desk.look(there)
        assert seen.grown
        await owner.close()
        await there.close()


async def test_another_cluster_behind_the_address_begins_anew(shop: Shop, cluster: Cluster) -> None:
    """A restored dump, or a name that leads elsewhere, even when that was started after we last looked."""
    desk = await watched(shop)
    await cluster.server.restart()
    async with cluster.fresh() as database:
        await nap(database, 9)
        there = await database.as_monitor()
        before, fired = desk.calls, desk.firing
        assert (await desk.look(there)).grown is None
        assert desk.calls.items() <= before.items()
        assert desk.firing == fired


async def test_statistics_go_on_over_a_restart(shop: Shop) -> None:
    """pg_stat_statements.save: what was called before and after the restart is growth, in the window as well."""
    desk = await watched(shop)
    before = max(desk.calls.values())
    await nap(shop.database, 2)
    await shop.server.restart()
    await nap(shop.database, 1)
    await desk.look(shop.monitor)
    assert max(desk.calls.values()) == before + 3
    assert len(desk.firing) == 1


async def test_a_crash_begins_anew(shop: Shop) -> None:
    """The statistics are gone with the crash: no series falls, nothing ends."""
    desk = await watched(shop)
    await shop.server.kill()
    await shop.server.start()
    await passes_unnoticed(desk, shop.monitor, shop.database)


async def facts_of(database: Database) -> Facts:
    server = PostgresServer(Server(name="shop", dsn=Secret(database.dsn)), environ={})
    try:
        async with server.home() as session:
            return session.facts
    finally:
        await server.close()


async def test_every_version_tells_the_least_of_roles_who_it_is(any_database: Database) -> None:
    """pg_control_system() and the timeline are for all, and read with what a session begins with."""
    facts = await facts_of(await any_database.as_monitor())
    assert facts.system_identifier == await any_database.value("select system_identifier from pg_control_system()")
    assert facts.timeline == 1


@pytest.mark.parametrize("function", ["pg_control_system()", "pg_walfile_name(pg_lsn)"])
async def test_a_server_that_does_not_tell_is_watched_as_well(shop: Shop, function: str) -> None:
    """A service may have taken the function away: then the start tells."""
    await shop.database.execute(f"revoke execute on function pg_catalog.{function} from public")
    try:
        facts = await facts_of(shop.monitor)
    finally:
        await shop.database.execute(f"grant execute on function pg_catalog.{function} to public")
    assert (facts.system_identifier, facts.timeline) == (None, None)
    assert facts.started_at > 0


async def test_behind_a_pooler_it_is_asked_again_and_again(shop: Shop) -> None:
    """Another server may answer the same session; one that tells no longer goes on being watched."""
    _, _, password = urlsplit(shop.monitor.dsn).netloc.partition("@")[0].partition(":")
    async with pooler(shop.server.port, "transaction", {shop.role: password}) as before:
        server = PostgresServer(Server(name="shop", dsn=Secret(shop.through(before.port))), environ={})
        async with server.home() as session:
            first = session.facts
            await session.look_again()
            assert (session.facts, first.timeline) == (first, 1)
            await shop.database.execute("revoke execute on function pg_catalog.pg_control_system() from public")
            try:
                await session.look_again()
            finally:
                await shop.database.execute("grant execute on function pg_catalog.pg_control_system() to public")
            assert (session.facts.system_identifier, session.facts.timeline) == (None, None)
            assert session.facts.started_at == first.started_at
        await server.close()
