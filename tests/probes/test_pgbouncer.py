"""The probe of PgBouncer's console, on a real one: what it reads, and pool.waiting with each of its causes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
import pytest

from monitor.embedded import free_port
from monitor.errors import ProbeError
from monitor.measurement import Measurement
from monitor.model import Finding, Result, Secret, Server, Target
from monitor.probe import Memory
from monitor.rules.evaluate import evaluate
from probes.pgbouncer import PROBE, TOLD, detail
from probes.pgbouncer_waiting import Waiting
from tests.database import Database
from tests.looking import Eye, eye_of
from tests.poolers import Pooler, pooler

USERS = {"app": "pwapp", "eye": "pweye", "boss": "pwboss"}
ADMISSION = {"stats_users": "eye", "admin_users": "boss"}
DEADLINE = 20.0
SOON = Waiting(max_wait=0.05)


@dataclass(frozen=True, kw_only=True)
class World:
    """A pooler before a database, clients of it, and the monitor's eye on its console."""

    pooler: Pooler
    eye: Eye
    name: str
    clients: list[asyncio.Task[None]]

    async def client(self, database: str | None = None, application: str = "shop") -> asyncpg.Connection:
        return await asyncpg.connect(
            self.pooler.dsn("app", database or self.name),
            statement_cache_size=0,
            timeout=DEADLINE,
            server_settings={"application_name": application},
        )

    def queue(self, database: str | None = None, application: str = "shop") -> None:
        """Let one more client come and ask; it may wait for ever."""

        async def ask() -> None:
            client = await self.client(database, application)
            await client.execute("select 1")
            await client.close()

        self.clients.append(asyncio.create_task(ask()))

    async def busy(self) -> None:
        """Look until a client has a server connection."""
        async with asyncio.timeout(DEADLINE):
            while True:
                if any(row.get("sv_active") for row in (await self.eye.look()).rows):
                    return
                await asyncio.sleep(0.05)

    async def found(self, rule: Waiting = SOON) -> Finding:
        """Look until the rule finds something."""
        async with asyncio.timeout(DEADLINE):
            while True:
                found = self.eye.findings(await self.eye.look(), rule)
                if found:
                    break
                await asyncio.sleep(0.05)
        assert len(found) == 1
        return found[0]


@asynccontextmanager
async def world(database: Database, mode: str, databases: str = "", **settings: str) -> AsyncIterator[World]:
    await database.execute(f"create role app login password '{USERS['app']}'")
    async with (
        pooler(database.server.port, mode, USERS, databases, **ADMISSION, **settings) as started,
        eye_of(Server(name="pool", dsn=Secret(started.dsn("eye")), kind="pgbouncer"), PROBE) as eye,
    ):
        made = World(pooler=started, eye=eye, name=database.name, clients=[])
        try:
            yield made
        finally:
            for client in made.clients:
                client.cancel()
            await asyncio.gather(*made.clients, return_exceptions=True)
            await database.execute("drop role app")


async def test_pools_databases_lists_and_clients_are_read(database: Database) -> None:
    """As a statistics user; numbers stand where PgBouncer's own columns have them, and no address is kept."""
    async with world(database, "transaction", default_pool_size="7") as here:
        client = await here.client()
        await client.execute("begin; select 1")
        seen = await here.eye.look()
        await client.close()
    assert (seen.result, seen.reason) == (Result.OK, "")
    (pool,) = [row for row in seen.exposed or () if row["database"] == here.name]
    assert pool["user"] == "app"
    assert (pool["pools_client_active_connections"], pool["pools_server_active_connections"]) == (1, 1)
    (limits,) = [row for row in seen.asides["of_databases"] if row["database"] == here.name]
    assert (limits["databases_pool_size"], limits["databases_current_connections"]) == (7, 1)
    assert {"application": "shop", "state": "active", "clients": 1} in seen.asides["of_clients"]
    (whole,) = seen.asides["whole"]
    assert whole["used_clients"] == 2
    assert whole["config_max_client_connections"] == 100
    assert str(whole["version"])[:2] == "1."
    assert "127.0.0.1" not in str(seen)


@pytest.mark.parametrize("mode", ["session", "transaction", "statement"])
async def test_a_full_pool_is_found_and_the_remedy_mends_it(database: Database, mode: str) -> None:
    """Clients queue for the one connection: pool.waiting, with the line of pgbouncer.ini; done so, nobody waits."""
    async with world(database, mode) as here:
        holder = asyncio.create_task(held(here, mode))
        await here.busy()
        here.queue(application="checkout")
        finding = await here.found()
        assert (finding.rule, finding.evidence["cause"], finding.evidence["count"]) == ("pool.waiting", "full", 1)
        assert finding.object.name == f"{here.name}/app"
        assert finding.evidence["applications"] == ["checkout: 1"]
        assert f"give {here.name} pool_size=2 (now 1)" in finding.remedy.caution
        assert finding.remedy.sql == ()
        text = here.pooler.config.read_text().replace("default_pool_size = 1", "default_pool_size = 2")
        here.pooler.config.write_text(text)
        here.pooler.command("RELOAD")
        await asyncio.wait_for(here.clients[0], DEADLINE)
        assert here.eye.findings(await here.eye.look(), SOON) == []
        holder.cancel()
        await asyncio.gather(holder, return_exceptions=True)


async def held(here: World, mode: str) -> None:
    """Hold the pool's connection as long as the mode allows."""
    client = await here.client()
    try:
        await client.execute("select pg_sleep(60)" if mode == "statement" else "begin; select 1")
        await asyncio.sleep(60)
    finally:
        client.terminate()


async def test_a_paused_database_is_said_as_the_cause(database: Database) -> None:
    """Clients wait because somebody said PAUSE: the remedy is RESUME, and no larger pool; done so, nobody waits."""
    listed = f"{database.name} = host=127.0.0.1 port={database.server.port}"
    async with world(database, "transaction", listed) as here:
        await (await here.client()).close()
        await asyncio.to_thread(here.pooler.command, f"PAUSE {here.name}")
        here.queue()
        finding = await here.found()
        assert finding.evidence["cause"] == "paused"
        assert f"RESUME {here.name};" in finding.remedy.caution
        assert "pool_size" not in finding.remedy.caution
        await asyncio.to_thread(here.pooler.command, f"RESUME {here.name}")
        await asyncio.wait_for(here.clients[0], DEADLINE)
        assert here.eye.findings(await here.eye.look(), SOON) == []


async def test_a_command_that_a_version_does_not_know_costs_nothing(database: Database) -> None:
    """The console refuses it, the connection lives on, and the reading is whole; also the second one."""
    async with world(database, "transaction") as here:
        async with here.eye.server.home() as session:
            with pytest.raises(ProbeError, match="refuses SHOW NONSENSE"):
                await session.fetch("SHOW NONSENSE")
        for _ in range(2):
            assert (await here.eye.look()).result is Result.OK
        async with here.eye.server.home() as again:
            assert again is session


async def test_a_disabled_database_without_waiting_clients_is_no_finding(database: Database) -> None:
    """It is shown as a metric; nobody waits for it, for it takes nobody."""
    listed = f"{database.name} = host=127.0.0.1 port={database.server.port}"
    async with world(database, "transaction", listed) as here:
        await (await here.client()).close()
        await asyncio.to_thread(here.pooler.command, f"DISABLE {here.name}")
        with pytest.raises(asyncpg.PostgresError):
            await here.client()
        seen = await here.eye.look()
        assert here.eye.findings(seen, SOON) == []
        (limits,) = [row for row in seen.asides["of_databases"] if row["database"] == here.name]
        assert limits["databases_disabled"] == 1


async def test_a_server_that_is_down_behind_it_is_said_as_the_cause(database: Database) -> None:
    """Clients wait to be logged in, which PgBouncer counts as no wait at all: we count from when we saw it."""
    async with world(database, "transaction", f"sick = host=127.0.0.1 port={free_port()}") as here:
        here.queue("sick")
        finding = await here.found()
        assert finding.evidence["cause"] == "down"
        assert finding.object.name == "sick/app"


async def test_a_short_wait_is_none(database: Database) -> None:
    """Below max_wait, and exactly at it."""
    async with world(database, "transaction") as here:
        holder = await here.client()
        await holder.execute("begin; select 1")
        here.queue()
        await here.found()
        seen = await here.eye.look()
        wait = max(float(str(row["waited_seconds"])) for row in seen.rows if row["kind"] == "pool")
        assert here.eye.findings(seen, Waiting(max_wait=wait)) == []
        await holder.close()


def pool(**more: object) -> dict[str, object]:
    """One pool as `observe` gives it."""
    return {
        "kind": "pool", "database": "shop", "user": "app", "pool_mode": "transaction", "cl_active": 1.0,
        "cl_waiting": 3.0, "maxwait": 2.0, "waited_seconds": 2.0, "servers": 5.0, "sv_active": 5.0, "sv_idle": 0.0,
        "sv_used": 0.0, "sv_tested": 0.0, "sv_login": 0.0, "pool_size": 5.0, "reserve_pool": 0.0,
        "max_connections": 0.0, "current_connections": 5.0, "paused": 0.0, "disabled": 0.0, **more,
    }  # fmt: skip


def reading(*rows: dict[str, object]) -> Measurement:
    return Measurement(target=Target("pool"), probe="pgbouncer", taken_at=datetime.now(UTC), rows=rows)


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({}, "full"),
        ({"servers": 4.0, "sv_login": 1.0}, "full"),
        ({"servers": 4.0}, "unknown"),
        ({"servers": 4.0, "max_connections": 5.0}, "database full"),
        ({"servers": 0.0, "max_connections": 5.0}, "database full"),
        ({"servers": 0.0, "sv_login": 1.0}, "down"),
        ({"paused": 1.0}, "paused"),
        ({"disabled": 1.0, "servers": 0.0}, "disabled"),
        ({"servers": 0.0, "pool_size": None, "paused": None, "disabled": None}, "unlisted"),
        ({"pool_size": None, "max_connections": None, "paused": None, "disabled": None}, "unknown"),
    ],
)
def test_the_cause_is_told(more: dict[str, object], cause: str) -> None:
    """What keeps the clients waiting, also where a version does not say all of it."""
    (judged,) = evaluate([Waiting()], reading(pool(**more)))
    assert [finding.evidence["cause"] for finding in judged.findings] == [cause]
    assert judged.no_verdicts == ()


def client(user: str, application: str) -> dict[str, object]:
    named = {"kind": "client", "database": "shop", "user": user, "application": application}
    return {**named, "state": "waiting", "clients": 2}


def test_who_waits_is_told_by_pool() -> None:
    """Two users of one database have a pool each; one user that all clients are mapped to has one for all."""
    clients = [client("app", "checkout"), client("batch", "nightly")]
    (judged,) = evaluate([Waiting()], reading(pool(), pool(user="batch"), pool(user="mapped"), *clients))
    waiting = {finding.object.name: finding.evidence["applications"] for finding in judged.findings}
    assert waiting["shop/app"] == ["checkout: 2"]
    assert waiting["shop/batch"] == ["nightly: 2"]
    assert waiting["shop/mapped"] == ["checkout: 2", "nightly: 2"]


async def test_many_pools_are_bounded_by_the_busiest() -> None:
    """The busiest have names, the rest is one row; waits are not added up but the longest counts."""
    rows = [pool(database=f"d{count}", cl_waiting=float(count), maxwait=float(count)) for count in range(TOLD + 50)]
    seen = await detail(None, Memory(), reading(*rows))  # type: ignore[arg-type]  # it asks nothing
    exposed = {str(row["database"]): row for row in seen.exposed or ()}
    assert len(exposed) == TOLD + 1
    assert exposed["other"]["pools_client_waiting_connections"] == sum(range(50))
    assert exposed["other"]["pools_client_maxwait_seconds"] == 49
    assert exposed["other"]["user"] == "other"
