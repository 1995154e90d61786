"""A server of its own for faults that hit all of it, and an application's database on it for each test."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from monitor.embedded import EmbeddedServer
from tests.conftest import absent
from tests.database import SETTINGS, Cluster, Database
from tests.versions import NEWEST, binaries


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A watched database: as its owner sees it, and as the monitor's own role does."""

    cluster: Cluster
    database: Database
    monitor: Database

    @property
    def server(self) -> EmbeddedServer:
        return self.cluster.server

    @property
    def role(self) -> str:
        return str(self.monitor.user)

    def through(self, port: int) -> str:
        """The monitor's DSN by way of another port."""
        return self.monitor.dsn.replace(f":{self.server.port}/", f":{port}/")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def victim() -> AsyncIterator[Cluster]:
    tree = binaries(NEWEST)
    if tree is None:
        absent(f"PostgreSQL {NEWEST} is not fetched: python -m tests.versions fetch")
    async with EmbeddedServer.started(SETTINGS, binaries=tree) as server:
        cluster = Cluster(major=NEWEST, server=server)
        await cluster.prepare()
        yield cluster


@pytest.fixture
async def shop(victim: Cluster) -> AsyncIterator[Shop]:
    role, password = f"monitor_{secrets.token_hex(4)}", f"c4n4ry{secrets.token_hex(8)}"
    await victim.run("postgres", f"create role {role} login password '{password}'", f"grant pg_monitor to {role}")
    async with victim.fresh() as database:
        monitor = Database(victim.server, database.name, role, password)
        yield Shop(cluster=victim, database=database, monitor=monitor)
        await monitor.close()
    await victim.run("postgres", f"drop role {role}")
