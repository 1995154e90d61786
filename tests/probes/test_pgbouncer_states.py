"""What an operator does to a PgBouncer, and what the monitor then says: nothing invented, nothing overlooked."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator

import psycopg
import pytest

from monitor.errors import TargetUnreachable
from monitor.model import Finding, Result, Secret, Server
from probes.pgbouncer import PROBE, TOLD
from probes.pgbouncer_stats import PROBE as STATS
from tests.database import Database
from tests.looking import eye_of
from tests.probes.test_pgbouncer import SOON, World, world


@contextlib.asynccontextmanager
async def crowd(here: World, count: int) -> AsyncIterator[list[psycopg.AsyncConnection]]:
    """That many clients, who ask nothing yet."""
    few = asyncio.Semaphore(20)

    async def come() -> psycopg.AsyncConnection:
        dsn = here.pooler.dsn("app", here.name)
        async with few:
            return await psycopg.AsyncConnection.connect(
                dsn, autocommit=True, prepare_threshold=None, application_name="crowd"
            )

    clients = await asyncio.gather(*(come() for _ in range(count)))
    try:
        yield clients
    finally:
        await asyncio.gather(*(client.close() for client in clients))


@pytest.mark.parametrize(
    ("command", "after"),
    [
        ("RELOAD", ""),
        ("RECONNECT", ""),
        ("SUSPEND", "RESUME"),
        ("PAUSE", "RESUME"),
        ("PAUSE {name}", "RESUME {name}"),
        ("DISABLE {name}", "ENABLE {name}"),
    ],
)
async def test_an_operator_at_work_is_no_finding_while_nobody_waits(
    database: Database, command: str, after: str
) -> None:
    """The console answers through it on the same connection; counts stand; after RESUME and ENABLE as before."""
    listed = f"{database.name} = host=127.0.0.1 port={database.server.port}"
    async with world(database, "transaction", listed) as here:
        await (await here.client()).close()
        assert (await here.eye.look()).result is Result.OK
        async with here.eye.server.home() as session:
            pass
        with here.pooler.console() as console:  # a suspended one lets nobody in any more, its operator neither
            await asyncio.to_thread(console.execute, command.format(name=here.name).encode())
            seen = await here.eye.look()
            assert (seen.result, seen.reason, here.eye.findings(seen, SOON)) == (Result.OK, "", [])
            if after:
                await asyncio.to_thread(console.execute, after.format(name=here.name).encode())
        await (await here.client()).close()
        seen = await here.eye.look()
        assert (seen.result, here.eye.findings(seen, SOON)) == (Result.OK, [])
        async with here.eye.server.home() as again:
            assert again is session


async def test_a_restart_between_two_questions_goes_unnoticed(database: Database) -> None:
    """The connection that ended is not asked: it is opened anew first; counters that began anew never fall."""
    async with (
        world(database, "transaction") as here,
        eye_of(Server(name="pool", dsn=Secret(here.pooler.dsn("eye")), kind="pgbouncer"), STATS) as stats,
    ):
        for _ in range(2):
            client = await here.client()
            for _ in range(3):
                await client.execute("select 1")
            await client.close()
            for eye in (stats, here.eye):
                seen = await eye.look()
                assert (seen.result, seen.reason) == (Result.OK, "")
                assert all(float(str(row["queries_pooled"])) >= 0 for row in seen.grown or () if eye is stats)
            here.pooler.end()
            await here.pooler.begin()


async def test_a_crash_is_down_until_it_runs_again(database: Database) -> None:
    """Connection refused, in words; nothing is judged meanwhile."""
    async with world(database, "transaction") as here:
        assert (await here.eye.look()).result is Result.OK
        here.pooler.end()
        with pytest.raises(TargetUnreachable, match="is PgBouncer running there"):
            await here.eye.look()
        await here.pooler.begin()
        assert (await here.eye.look()).result is Result.OK


async def test_the_console_is_open_when_no_client_is_let_in_any_more(database: Database) -> None:
    """max_client_conn does not hold for the console, also for one opened then: what is full is seen."""
    async with world(database, "transaction", max_client_conn="5") as here, crowd(here, 5):
        with pytest.raises(psycopg.OperationalError, match="max_client_conn"):
            await psycopg.AsyncConnection.connect(here.pooler.dsn("app", here.name))
        seen = await here.eye.look()
        assert (seen.result, seen.reason) == (Result.OK, "")
        (whole,) = seen.asides["whole"]
        assert whole["config_max_client_connections"] == 5


async def test_two_processes_on_one_port(database: Database) -> None:
    """so_reuseport: our connection is to one of them, the same one as long as it lives, and so are the counters."""
    async with world(database, "transaction", so_reuseport="1") as here:
        await here.pooler.begin()
        async with here.eye.server.home() as session:
            pass
        for _ in range(3):
            assert (await here.eye.look()).result is Result.OK
        async with here.eye.server.home() as again:
            assert again is session


async def test_a_console_at_a_unix_socket(database: Database) -> None:
    """The address of one of several processes that share a port."""
    async with world(database, "transaction", unix_socket_dir=tempfile.gettempdir()) as here:
        dsn = f"host={tempfile.gettempdir()} port={here.pooler.port} user=eye password=pweye dbname=pgbouncer"
        async with eye_of(Server(name="pool", dsn=Secret(dsn), kind="pgbouncer"), PROBE) as eye:
            assert (await eye.look()).result is Result.OK


async def all_waiting(here: World, count: int) -> Finding:
    """Look until so many wait."""
    while True:
        finding = await here.found()
        if finding.evidence["count"] == count:
            return finding
        await asyncio.sleep(0.5)


@pytest.mark.soak
async def test_a_thousand_clients_and_thousands_of_databases(database: Database) -> None:
    """A thousand who wait are one finding; metrics stay bounded, and a reading takes well under its interval."""
    lines = "\n".join(f"d{count} = host=127.0.0.1 port={database.server.port}" for count in range(3000))
    async with world(database, "transaction", lines, max_client_conn="3000", auth_type="trust") as here:
        holder = await here.client()
        await holder.execute("begin; select 1")
        async with crowd(here, 1000) as clients:
            asking = [asyncio.create_task(client.execute("select 1")) for client in clients]
            finding = await all_waiting(here, len(clients))
            assert finding.evidence["applications"] == ["crowd: 1000"]
            before = here.eye.server.own_seconds
            seen = await here.eye.look()
            assert here.eye.server.own_seconds - before < 5
            assert len(seen.asides["of_databases"]) == TOLD + 1
            assert {row["application"] for row in seen.asides["of_clients"]} >= {"crowd", "shop"}
            await holder.close()
            await asyncio.gather(*asking)
