"""The exporter_statements probe on real servers: totals by query id, the ones with the most time."""

from probes.exporter_statements import PROBE
from tests.database import Database


async def test_statements_are_summed_by_query_id_on_every_version(any_database: Database) -> None:
    """All calls so far, whoever looks; no text comes with them."""
    await any_database.execute("create extension if not exists pg_stat_statements")
    await any_database.execute("create table rooms (i int)")
    await any_database.execute("select pg_stat_statements_reset()")  # only the hundred busiest are read
    session = await any_database.connect()
    for _ in range(3):
        await session.fetch("select i + 1000 from rooms")
    monitor = await any_database.as_monitor()
    queryid = await any_database.value(
        "select queryid::text from pg_stat_statements where query like 'select i +%' and dbid = "
        "(select oid from pg_database where datname = current_database())"
    )
    async with monitor.eye(PROBE) as eye:
        rows = (await eye.look()).rows
    assert len(rows) <= 100
    (row,) = [each for each in rows if each["queryid"] == queryid and each["database"] == any_database.name]
    assert (row["calls"], row["rows"]) == (3, 0)
    assert float(str(row["exec_seconds"])) > 0
    assert "query" not in row
