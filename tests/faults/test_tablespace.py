"""A tablespace whose files are gone: what lies in it is unknown, everything else is read, nothing is invented."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from monitor.catalog import load_catalog
from monitor.model import Result
from monitor.probe import Scope
from probes.sizes import PROBE as SIZES
from probes.tables import PROBE as TABLES
from tests.database import Cluster, Database
from tests.standby import primary_of

LOST = """
    create table public.kept as select g as id from generate_series(1, 1000) g;
    create table public.gone (id int) tablespace lost;
    insert into public.gone select g from generate_series(1, 1000) g;
    analyze;
    checkpoint
"""


@pytest.mark.parametrize("major", [15, 18])
async def test_what_lay_in_a_lost_tablespace_is_unknown_and_nothing_else(major: int) -> None:
    """Sizes name the tablespace with the reason; of the tables there the numbers that files give are missing."""
    async with primary_of(major) as cluster, readied(cluster) as database:
        await lose(database)
        for probe in load_catalog().asked.values():
            if probe.scope in {Scope.SERVER, Scope.DATABASE}:
                async with database.eye(probe) as eye:
                    seen = await eye.look()
                assert seen.result is not Result.BROKEN, (probe.name, seen.reason)
        async with database.eye(SIZES) as eye:
            sizes = {str(row["name"]): row for row in (await eye.look()).rows}
        assert sizes["lost"]["bytes"] is None
        assert "no files" in str(sizes["lost"]["reason"])
        assert sizes["pg_default"]["bytes"]
        async with database.eye(TABLES) as eye:
            seen = await eye.look()
        tables = {str(row["table"]) for row in seen.exposed or () if row.get("schema") == "public"}
        assert (seen.result, {"kept", "gone"} <= tables) == (Result.OK, True)


@asynccontextmanager
async def readied(cluster: Cluster) -> AsyncIterator[Database]:
    await cluster.prepare()
    async with cluster.fresh() as database:
        yield database


async def lose(database: Database) -> None:
    """Make a tablespace with a table in it, and take its files away."""
    await database.execute("set allow_in_place_tablespaces = on")
    await database.execute("create tablespace lost location ''")
    await database.execute(LOST)
    data = Path(str(await database.value("show data_directory")))
    oid = await database.value("select oid from pg_tablespace where spcname = 'lost'")
    shutil.rmtree(data / "pg_tblspc" / str(oid))
