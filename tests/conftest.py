"""Fixtures of all tests: servers of five versions, started when first wanted, and a fresh database for each test."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import NoReturn

import pytest
import pytest_asyncio

from monitor.embedded import EmbeddedServer
from tests.database import SETTINGS, Cluster, Database
from tests.versions import MAJORS, NEWEST, binaries


class Clusters:
    """The session's servers by major version; each is started once."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._running: dict[int, Cluster] = {}

    async def of(self, major: int) -> Cluster:
        if major not in self._running:
            tree = binaries(major)
            if tree is None:
                absent(f"PostgreSQL {major} is not fetched: python -m tests.versions fetch")
            server = await self._stack.enter_async_context(EmbeddedServer.started(SETTINGS, binaries=tree))
            cluster = Cluster(major=major, server=server)
            await cluster.prepare()
            self._running[major] = cluster
        return self._running[major]


def absent(what: str) -> NoReturn:
    """Something a test needs is not on this machine: in CI a failure, elsewhere a skip with its reason."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def clusters() -> AsyncIterator[Clusters]:
    async with AsyncExitStack() as stack:
        yield Clusters(stack)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cluster(clusters: Clusters) -> Cluster:
    """The newest version's server."""
    return await clusters.of(NEWEST)


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=MAJORS, ids=lambda major: f"pg{major}")
async def any_cluster(clusters: Clusters, request: pytest.FixtureRequest) -> Cluster:
    """Each of the five versions' servers in turn."""
    return await clusters.of(request.param)


@pytest.fixture
async def database(cluster: Cluster) -> AsyncIterator[Database]:
    """A fresh database on the newest version."""
    async with cluster.fresh() as fresh:
        yield fresh


@pytest.fixture
async def any_database(any_cluster: Cluster) -> AsyncIterator[Database]:
    """A fresh database on each of the five versions in turn."""
    async with any_cluster.fresh() as fresh:
        yield fresh
