"""The exporter_tables probe on real servers: a table's counters, and sizes of no table that is locked."""

import asyncio

from probes.exporter_tables import PROBE
from tests.database import Database
from tests.standby import until


async def test_a_table_is_counted_on_every_version(any_database: Database) -> None:
    """As pg_stat_user_tables does; the catalogue and other schemas of the server are left out."""
    await any_database.execute("create table rooms (i int primary key, t text)")
    await any_database.execute("insert into rooms select g, g from generate_series(1, 500) g")
    await any_database.execute("analyze rooms")
    monitor = await any_database.as_monitor()
    async with monitor.eye(PROBE) as eye:

        async def counted() -> bool:
            await any_database.value("select 1")  # on 14 who is idle tells his counters with the next statement only
            return [row["n_tup_ins"] for row in (await eye.look()).rows] == [500]

        await until(counted)
        (row,) = (await eye.look()).rows
    assert (row["datname"], row["schema"], row["name"]) == (any_database.name, "public", "rooms")
    assert (row["n_tup_upd"], row["analyze_count"], row["last_vacuum"]) == (0, 1, 0)
    assert float(str(row["last_analyze"])) > 1_700_000_000
    sizes = "select pg_table_size('rooms') as table_bytes, pg_indexes_size('rooms') as index_bytes"
    (wanted,) = await any_database.fetch(sizes)
    assert {name: row[name] for name in wanted} == wanted


async def test_a_locked_table_keeps_its_counters_and_shows_no_size(database: Database) -> None:
    """A size would wait for the lock; also behind one that is only awaited."""
    await database.execute("create table rooms (i int primary key)")
    reader, changer = await database.connect(), await database.connect()
    await reader.execute("begin; select * from rooms")
    change = asyncio.create_task(changer.execute("alter table rooms add column t text"))
    monitor = await database.as_monitor()
    async with monitor.eye(PROBE) as eye:

        async def awaited() -> bool:
            return bool(await database.value("select true from pg_locks where not granted limit 1"))

        await until(awaited)
        (row,) = (await eye.look()).rows
        assert (row["name"], row["table_bytes"], row["index_bytes"]) == ("rooms", None, None)
        await reader.execute("commit")
        await change
        (row,) = (await eye.look()).rows
        assert row["index_bytes"] == 8192
