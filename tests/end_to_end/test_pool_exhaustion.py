"""A real leak, watched by `monitor run`: it is said before the last slot is taken, and the time left is published."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from monitor.embedded import EmbeddedServer
from tests.conftest import absent
from tests.faults.harness import Daemon, daemon
from tests.patience import PATIENCE
from tests.versions import NEWEST, binaries

FORECAST, LEFT = "pool.exhaustion_forecast", "pgarchitect_pool_time_to_exhaustion_seconds"
SLOTS = 97


@asynccontextmanager
async def leak(server: EmbeddedServer) -> AsyncIterator[list[asyncpg.Connection]]:
    """Open a session a second and never give one back; those it has are in the list."""
    kept: list[asyncpg.Connection] = []

    async def leaking() -> None:
        while len(kept) < SLOTS - 5:
            name = {"application_name": "checkout"}
            kept.append(await asyncpg.connect(server.dsn(), timeout=10, server_settings=name))
            await asyncio.sleep(1)

    task = asyncio.create_task(leaking())
    try:
        yield kept
    finally:
        task.cancel()
        await asyncio.wait([task])
        for session in kept:
            session.terminate()


async def forecast(watched: Daemon, kept: list[asyncpg.Connection]) -> tuple[dict[str, object], float]:
    """Wait for the finding; give it, and the seconds left that /metrics says meanwhile."""
    end = time.monotonic() + SLOTS * PATIENCE
    while time.monotonic() < end:
        found = await watched.firing(FORECAST)
        left = [value for (name, _), value in (await watched.samples()).items() if name == LEFT]
        if found and left and min(left) < math.inf:
            return found[0], min(left)
        await asyncio.sleep(0.5)
    raise AssertionError(f"no forecast with {len(kept)} sessions: {watched.tail()}")


@pytest.mark.soak
async def test_a_leak_is_said_before_the_last_slot_is_taken(tmp_path: Path) -> None:
    """By name of the application, while slots are free, with the seconds that are left as a metric."""
    tree = binaries(NEWEST)
    if tree is None:
        absent(f"PostgreSQL {NEWEST} is not fetched: python -m tests.versions fetch")
    async with (
        EmbeddedServer.started({"max_connections": "100"}, binaries=tree) as server,
        daemon(tmp_path, {"shop": server.dsn()}, {"defaults": {"interval": "5s"}}) as watched,
    ):
        await watched.up()
        async with leak(server) as kept:
            finding, left = await forecast(watched, kept)
            assert len(kept) < SLOTS - 10
    assert finding["subject"] == "max_connections"
    assert "checkout" in str(finding["summary"])
    assert 0 < left <= 900
