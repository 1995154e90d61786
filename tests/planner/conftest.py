"""Shadow planners for tests: one server for all, as the daemon has it."""

from collections.abc import AsyncIterator

import pytest_asyncio

from monitor.collect.private import private_session
from monitor.planner.planners import Planners
from monitor.planner.source import Limits


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def planners() -> AsyncIterator[Planners]:
    """Planners with time enough for a busy machine."""
    planners = Planners(private_session, limits=Limits(seconds=60))
    yield planners
    await planners.close()
