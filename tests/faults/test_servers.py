"""Servers that crash, hang, restart or vanish behind the network: what the daemon says meanwhile, and its way back."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from monitor.collect.runner import Runner
from monitor.collect.server import PostgresServer
from monitor.model import Result, Secret, Server, Target
from monitor.probe import Kind, Metric, Probe, Scope
from tests.database import Database
from tests.faults.conftest import Shop
from tests.faults.harness import Daemon, daemon, headcount, one
from tests.faults.proxy import Way, proxy_to

RECOVERY = 10.0
SCRAPE = 0.1


def family(pid: int) -> list[int]:
    """A process and its children."""
    found = [pid]
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = entry.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if after_name[1] == str(pid):
            found.append(int(entry.parent.name))
    return found


@asynccontextmanager
async def stopped(*pids: int) -> AsyncIterator[None]:
    """Stop processes as SIGSTOP does, and let them go on afterwards; one may have ended by itself."""
    try:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


async def ours(shop: Shop) -> list[int]:
    rows = await shop.database.fetch(
        "select pid from pg_stat_activity where usename = $1 order by backend_start",
        shop.role,
    )
    return [row["pid"] for row in rows]


async def fingerprints(watched: Daemon) -> set[str]:
    """What fires, but for what a fault itself brings, or takes: a crash empties pg_stat_statements."""
    passing = {
        "target.unreachable",
        "probe.slow",
        "server.restarted",
        "errors.sessions_lost",
        "errors.rollback_ratio",
        "statements.secret_in_text",
    }
    return {
        each["fingerprint"]
        for each in await watched.findings()
        if each["status"] == "firing" and each["rule"] not in passing
    }


@pytest.mark.soak
async def test_it_watches(shop: Shop, tmp_path: Path) -> None:
    """Without a fault: up, every probe answered, two sessions."""
    async with headcount(shop.database.dsn) as sessions, daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
        await watched.up()
        await watched.measured()
        assert 1 <= sessions.most <= 2


async def test_a_crash_is_told_and_survived(shop: Shop, tmp_path: Path) -> None:
    """Up 0 and target.unreachable; after the restart back in ten seconds, nothing lost, nothing repeated."""
    async with daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
        await watched.measured()
        await asyncio.sleep(1)
        before = await fingerprints(watched)
        await shop.server.kill()
        try:
            await watched.down(5)
            await asyncio.sleep(3)
            assert len(await watched.firing("target.unreachable")) == 1
            assert before <= await fingerprints(watched)
        finally:
            await shop.server.start()
        await watched.up(RECOVERY)
        await watched.measured(RECOVERY)
        assert before <= await fingerprints(watched)
        assert all(each["occurrences"] == 1 for each in await watched.findings())
    assert watched.log.count('"target down"') == 1


@pytest.mark.soak
async def test_a_fast_restart_is_survived(shop: Shop, tmp_path: Path) -> None:
    """The server is away for a moment."""
    async with daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
        await watched.measured()
        await shop.server.restart()
        await watched.fires("server.restarted")
        await watched.measured(RECOVERY)


async def test_it_starts_while_the_server_is_down(shop: Shop, tmp_path: Path) -> None:
    """It runs, says down and why, and takes up its work when the server comes."""
    await shop.server.stop()
    try:
        async with daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
            await watched.down(5)
            (target,) = await watched.targets()
            assert "refused" in target["reason"]
            await shop.server.start()
            await watched.measured(RECOVERY)
    finally:
        if not await answers(shop):
            await shop.server.start()


async def answers(shop: Shop) -> bool:
    try:
        await shop.database.value("select 1")
    except (OSError, ConnectionError):
        return False
    return True


@pytest.mark.soak
async def test_a_hung_server_is_down_and_scrapes_go_on(shop: Shop, tmp_path: Path) -> None:
    """All its processes are stopped: fifty scrapes at once are answered at once; then it is back in ten seconds."""
    async with daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
        await watched.measured()
        async with stopped(*family(shop.server.pid)):
            await watched.down(15)
            assert max(await scraped(watched, 50)) <= SCRAPE + 0.2  # all of them together, on two busy cores
        await watched.measured(RECOVERY)
        assert len(await ours(shop)) <= 2


async def scraped(watched: Daemon, times: int) -> list[float]:
    """Seconds each of many scrapes took that came at the same moment."""

    async def once(http: aiohttp.ClientSession) -> float:
        began = time.monotonic()
        async with http.get(watched.url + "/metrics") as answer:
            assert answer.status == 200
            await answer.read()
        return time.monotonic() - began

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=times)) as http:
        return await asyncio.gather(*(once(http) for _ in range(times)))


@pytest.mark.soak
async def test_a_hung_postmaster_leaves_the_kept_session_at_work(shop: Shop, tmp_path: Path) -> None:
    """New sessions hang; what can still be asked is asked, and everything is back afterwards."""
    async with headcount(shop.database.dsn) as sessions, daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
        await watched.measured()
        async with stopped(shop.server.pid):
            await asyncio.sleep(8)
            assert one(await watched.samples(), "pgarchitect_up", target="shop") == 1
        await watched.measured(RECOVERY)
        assert sessions.most <= 2


@pytest.mark.soak
async def test_a_hung_backend_is_replaced_and_counted(shop: Shop, tmp_path: Path) -> None:
    """One of our two sessions hangs for 15 s: its place is taken, and there are never three."""
    async with headcount(shop.database.dsn) as sessions, daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
        await watched.measured()
        async with stopped((await ours(shop))[0]):
            await asyncio.sleep(9)
            await watched.until(6, "server is read", lambda seen: ok(seen, "server"))
            assert sessions.most <= 2
        await watched.measured(RECOVERY)
        assert sessions.most <= 2


def ok(seen: object, probe: str) -> bool:
    return one(seen, "pgarchitect_probe_success", target="shop", probe=probe) == 1  # type: ignore[arg-type]


@pytest.mark.soak
async def test_a_killed_backend_is_nothing(shop: Shop, tmp_path: Path) -> None:
    """Kill -9 of one backend makes the server begin anew; we are back in ten seconds."""
    async with daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
        await watched.measured()
        os.kill((await ours(shop))[0], signal.SIGKILL)
        await asyncio.sleep(1)
        await watched.measured(RECOVERY)


@pytest.mark.soak
async def test_sessions_that_are_ended_again_and_again(shop: Shop, tmp_path: Path) -> None:
    """Every 0.3 s: up most of the time, never three sessions, no finding made up."""
    async with headcount(shop.database.dsn) as sessions, daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
        await watched.measured()
        ups = []
        for _ in range(15):
            await shop.database.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1", shop.role
            )
            await asyncio.sleep(0.3)
            ups.append(one(await watched.samples(), "pgarchitect_up", target="shop"))
        assert sum(up == 1 for up in ups) >= 12, ups
        assert sessions.most <= 2
        await watched.measured(RECOVERY)
        assert await watched.firing("probe.broken") == []
        assert await watched.firing("target.unreachable") == []


@pytest.mark.soak
async def test_a_black_hole_is_noticed_and_left(shop: Shop, tmp_path: Path) -> None:
    """The peer acknowledges and forwards nothing: down; healed, back in ten seconds, nothing left at the server."""
    async with (
        proxy_to(shop.server.port) as proxy,
        headcount(shop.database.dsn) as sessions,
        daemon(tmp_path, {"shop": shop.through(proxy.port)}) as watched,
    ):
        await watched.measured()
        proxy.way = Way.SWALLOW
        await watched.down(20)
        assert max(await scraped(watched, 50)) <= SCRAPE + 0.2
        accepted = proxy.accepted
        await asyncio.sleep(3)
        assert proxy.accepted - accepted <= 3
        proxy.way = Way.FORWARD
        assert await watched.up(RECOVERY) <= RECOVERY
        await watched.measured(RECOVERY)
        await asyncio.sleep(0.5)
        for _ in range(50):  # one that was given up may take a moment to go
            if sessions.now > 2:
                await asyncio.sleep(0.1)
        assert sessions.now <= 2


@pytest.mark.soak
async def test_it_ends_in_time_while_black_holed(shop: Shop, tmp_path: Path) -> None:
    """SIGTERM: exit 0 in five seconds, whatever hangs."""
    async with proxy_to(shop.server.port) as proxy, daemon(tmp_path, {"shop": shop.through(proxy.port)}) as watched:
        await watched.measured()
        proxy.way = Way.SWALLOW
        await asyncio.sleep(2)
        assert await watched.stop(5) == 0


async def test_it_ends_in_time_while_it_connects(shop: Shop, tmp_path: Path) -> None:
    """SIGTERM before the first session is open."""
    async with proxy_to(shop.server.port) as proxy, daemon(tmp_path, {"shop": shop.through(proxy.port)}) as watched:
        proxy.way = Way.SWALLOW
        await proxy.visited()
        assert await watched.stop(5) == 0


@pytest.mark.soak
async def test_refused_connections_are_down_and_heal(shop: Shop, tmp_path: Path) -> None:
    """Nobody listens and the old sessions are cut: down at once, back in ten seconds."""
    async with proxy_to(shop.server.port) as proxy, daemon(tmp_path, {"shop": shop.through(proxy.port)}) as watched:
        await watched.measured()
        await proxy.refuse()
        await watched.down(5)
        (target,) = await watched.targets()
        assert "refused" in target["reason"]
        await asyncio.sleep(3)
        await proxy.listen()
        await watched.measured(RECOVERY)


async def test_what_is_no_postgres_is_down_with_a_reason(shop: Shop, tmp_path: Path) -> None:
    """Garbage, and a peer that hangs up: one clear reason, no probe broken, back when it heals."""
    async with proxy_to(shop.server.port) as proxy, daemon(tmp_path, {"shop": shop.through(proxy.port)}) as watched:
        await watched.measured()
        for way in (Way.GARBAGE, Way.HANG_UP):
            proxy.way = way
            proxy.cut()
            await watched.down(10)
            (target,) = await watched.targets()
            assert str(proxy.port) in target["reason"] or "no answer" in target["reason"]
            assert await watched.firing("probe.broken") == []
            proxy.way = Way.FORWARD
            await watched.measured(RECOVERY)


@pytest.mark.soak
async def test_a_slow_network_is_slow_and_up(shop: Shop, tmp_path: Path) -> None:
    """0.3 s for each message: it is up, and its probes are answered."""
    async with proxy_to(shop.server.port) as proxy, daemon(tmp_path, {"shop": shop.through(proxy.port)}) as watched:
        await watched.measured()
        proxy.way = Way.SLOW
        await asyncio.sleep(4)
        assert one(await watched.samples(), "pgarchitect_up", target="shop") == 1
        proxy.way = Way.FORWARD
        await watched.measured(RECOVERY)


def counting() -> Probe:
    """A probe of one counter, which a table holds: it lasts over restarts, as pg_stat_statements does."""
    metric = Metric("sold", Kind.COUNTER, "Sold so far.")
    return Probe(
        name="sales", scope=Scope.DATABASE, every=15, sql={14: "select sold from public.sales"}, metrics=(metric,)
    )


async def grown(runner: Runner, database: Database) -> list[object] | None:
    """Read the counter as the monitor does, by a session of its own; None: there is nothing to compare with."""
    server = PostgresServer(Server(name="shop", dsn=Secret(database.dsn), only=database.name), environ={})
    try:
        async with server.home() as session:
            seen = await runner.run(counting(), Target("shop", "shop"), session)
    finally:
        await server.close()
    assert seen.result is Result.OK, seen.reason
    return None if seen.grown is None else [row["sold"] for row in seen.grown]


async def test_a_failover_is_no_growth(shop: Shop, database: Database) -> None:
    """Behind the same address another server answers, which has counted more: what differs is not what grew."""
    runner = Runner()
    for place, sold in ((shop.database, 5), (database, 9000)):
        await place.execute(f"create table public.sales as select {sold}::bigint as sold")
    assert await grown(runner, shop.database) is None
    await shop.database.execute("update public.sales set sold = sold + 1")
    assert await grown(runner, shop.database) == [1]
    assert await grown(runner, database) is None
    await database.execute("update public.sales set sold = sold + 10")
    assert await grown(runner, database) == [10]


async def test_counters_go_on_over_a_restart(shop: Shop) -> None:
    """The same server, started anew, still has what it counted."""
    runner = Runner()
    await shop.database.execute("create table public.sales as select 5::bigint as sold")
    assert await grown(runner, shop.database) is None
    await shop.database.execute("update public.sales set sold = sold + 3")
    await shop.server.restart()
    assert await grown(runner, shop.database) == [3]
