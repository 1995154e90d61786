"""The pages of pools, tables and auth of a daemon on a real server, with hours of before a restart; hostile names."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from monitor.history.earlier import hour_of
from monitor.history.past import Key
from monitor.store.engine import Store
from monitor.store.hours import StoredHours
from tests.database import Database
from tests.faults.harness import Daemon, daemon

QUICK = {"probes": {"pool": {"every": "1s"}, "tables": {"every": "1s"}, "sizes": {"every": "1s"}}}
HOSTILE = '<b>"o\'hare" 🐘'
TABLE = f'"{HOSTILE.replace(chr(34), chr(34) * 2)}"'


async def shows(watched: Daemon, path: str, text: str, seconds: float = 15.0) -> str:
    """Wait until a page says something; give the page."""
    async with asyncio.timeout(seconds * 3):
        while True:
            page = await watched.get(path)
            if text in page:
                return page
            await asyncio.sleep(0.3)


async def plant(folder: Path) -> None:
    """Give the server's slots an earlier hour."""
    store = await Store.open(f"sqlite:///{folder / 'state.db'}")
    figures: dict[Key, list[float]] = {("", "server", "", ""): [4.0, 5.0, 41.0, 4.0, 50.0, 50.0]}
    await StoredHours(store).write("shop", "pool.slots", hour_of(datetime.now(UTC)) - 5, figures)
    await store.close()


async def test_pools_tables_and_auth_are_shown_over_time(database: Database, tmp_path: Path) -> None:
    """Charts reach over a restart, names are escaped, what is not known is said, what is not asked for is refused."""
    await database.execute(f"create table public.{TABLE} as select generate_series(1, 1000) as n")
    await database.execute(f"create index hare_n on public.{TABLE} (n); create index hare_n_2 on public.{TABLE} (n)")
    dsns = {"shop": (await database.as_monitor()).dsn}
    async with daemon(tmp_path, dsns, QUICK) as watched:
        await watched.up()
        await shows(watched, "/pools", "Connection slots")
    await plant(tmp_path)
    async with daemon(tmp_path, dsns, QUICK) as watched:
        await watched.up()
        pools = await shows(watched, "/pools", "highest 41")
        assert 'class="line s1"' in pools
        assert "limit " in pools
        tables = await shows(watched, "/tables?text=hare", "🐘")
        assert "<b>&#34;o" not in tables
        assert "&lt;b&gt;&#34;o&#39;hare&#34; 🐘" in tables
        assert "hare_n_2" in await shows(watched, "/tables?target=shop", "The largest of ")
        indexes = await shows(watched, "/tables/indexes?text=hare", 'class="badge duplicate"', 30)
        assert ("2 indexes" in indexes, indexes.count('class="badge duplicate"')) == (True, 1)
        assert "<b>&#34;o" not in indexes
        assert "sort: one of size" in await watched.get("/tables/indexes?sort=colour")
        assert "No database with users of Supabase Auth" in await watched.get("/auth")
        assert "No such target" in await watched.get("/pools?target=nobody")
        assert "hours: one of" in await watched.get("/tables?hours=99")
        for page in (pools, tables, indexes):
            assert len(page.encode()) < 300_000
