"""Servers that crash, hang, restart or vanish behind the network: what the daemon says meanwhile, and its way back."""

import asyncio
from pathlib import Path

from tests.faults.conftest import Shop
from tests.faults.harness import daemon, headcount

RECOVERY = 10.0


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
        before = {each["fingerprint"] for each in await watched.findings()}
        await shop.server.kill()
        try:
            assert await watched.down(5)
            await asyncio.sleep(3)
            assert len(await watched.firing("target.unreachable")) == 1
            assert before <= {each["fingerprint"] for each in await watched.findings() if each["status"] == "firing"}
        finally:
            await shop.server.start()
        await watched.up(RECOVERY)
        await watched.measured(RECOVERY)
        assert before <= {each["fingerprint"] for each in await watched.findings() if each["status"] == "firing"}
    assert watched.log.count('"target down"') == 1
