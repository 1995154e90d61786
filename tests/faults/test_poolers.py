"""Through PgBouncer: transaction pooling works and leaks nothing, statement pooling is one clear line."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from monitor.collect.opening import GUARDS
from tests.faults.conftest import Shop
from tests.faults.harness import daemon, one
from tests.poolers import pooler as pooler_before

SETTINGS = (
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "default_transaction_read_only",
    "default_transaction_isolation",
    "search_path",
    "jit",
    "client_encoding",
    "standard_conforming_strings",
)


@asynccontextmanager
async def pooler(shop: Shop, mode: str, **settings: str) -> AsyncIterator[int]:
    """A PgBouncer of our own before the shop's server; gives its port."""
    password = shop.monitor.dsn.partition("://")[2].partition(":")[2].partition("@")[0]
    async with pooler_before(shop.server.port, mode, {shop.role: password}, **settings) as started:
        yield started.port


async def settings_of(session: asyncpg.Connection) -> dict[str, str]:
    rows = await session.fetch("select name, setting from pg_settings where name = any ($1::text[])", list(SETTINGS))
    return {row["name"]: row["setting"] for row in rows}


@pytest.mark.parametrize(
    "ignored",
    ["", pytest.param(", ".join(GUARDS), marks=pytest.mark.soak)],
    ids=["refuses settings", "ignores settings"],
)
async def test_transaction_pooling_works_and_leaks_nothing(shop: Shop, tmp_path: Path, ignored: str) -> None:
    """An application on the same server session never meets a setting of ours; every probe is answered."""
    more = {"ignore_startup_parameters": ignored} if ignored else {}
    async with pooler(shop, "transaction", **more) as port:
        application = await asyncpg.connect(shop.through(port), statement_cache_size=0, timeout=10)
        before = await settings_of(application)
        async with daemon(tmp_path, {"shop": shop.through(port)}) as watched:
            await watched.measured(15)
            for _ in range(40):
                assert await settings_of(application) == before
                await asyncio.sleep(0.05)
            await watched.measured(5)
            assert await watched.firing("probe.broken") == []
        assert await settings_of(application) == before
        await application.close()


@pytest.mark.soak
async def test_a_busy_pool_of_several_sessions(shop: Shop, tmp_path: Path) -> None:
    """Several server sessions in turn, an application that keeps them changing: no statement of ours is lost."""
    async with pooler(shop, "transaction", default_pool_size="4") as port:
        stop = asyncio.Event()

        async def busy() -> None:
            session = await asyncpg.connect(shop.through(port), statement_cache_size=0, timeout=10)
            while not stop.is_set():
                async with session.transaction():
                    await session.execute("select pg_sleep(0.01)")
            await session.close()

        crowd = [asyncio.create_task(busy()) for _ in range(3)]
        async with daemon(tmp_path, {"shop": shop.through(port)}) as watched:
            await watched.measured(15)
            await asyncio.sleep(4)
            await watched.measured(2)
            assert await watched.firing("probe.broken") == []
            assert one(await watched.samples(), "pgarchitect_up", target="shop") == 1
        stop.set()
        await asyncio.gather(*crowd)


async def test_statement_pooling_is_one_clear_line(shop: Shop, tmp_path: Path) -> None:
    """Not supported: down, and the reason says what to set."""
    async with pooler(shop, "statement") as port, daemon(tmp_path, {"shop": shop.through(port)}) as watched:
        await watched.down(10)
        (target,) = await watched.targets()
        assert "pool_mode = transaction" in target["reason"]


@pytest.mark.soak
async def test_the_server_behind_the_pooler_is_away(shop: Shop, tmp_path: Path) -> None:
    """Down with the pooler's reason in our words; back in ten seconds."""
    async with (
        pooler(shop, "transaction", server_login_retry="1") as port,
        daemon(tmp_path, {"shop": shop.through(port)}) as watched,
    ):
        await watched.measured(15)
        await shop.server.stop()
        try:
            await watched.down(15)
            (target,) = await watched.targets()
            assert "c4n4ry" not in target["reason"]
        finally:
            await shop.server.start()
        await watched.measured(15)
