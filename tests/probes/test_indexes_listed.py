"""The list of indexes on real servers: sizes, scans, since when, what each is needed for, which are in vain."""

import asyncio
from collections.abc import Mapping

import asyncpg
import pytest

from monitor.measurement import Row
from monitor.model import Result
from probes.indexes import PROBE
from probes.indexes_standing import PLACE, Scans, followed
from tests.database import Database
from tests.looking import Eye

SHAPES = """
    create table owner (id int primary key, code text unique);
    create table "Ro.oms" (id int primary key, owner_id int references owner, name text, at timestamptz not null);
    create index rooms_owner on "Ro.oms" (owner_id);
    create index rooms_name on "Ro.oms" (lower(name)) where name <> '';
    create index "rooms name 2" on "Ro.oms" (lower(name)) where name <> '';
    create index rooms_name_all on "Ro.oms" (lower(name));
    create unique index rooms_at on "Ro.oms" (at);
    create index rooms_at_2 on "Ro.oms" (at);
    create index rooms_at_down on "Ro.oms" (at desc);
    create unique index rooms_id_too on "Ro.oms" (id);
    create table parts (n int) partition by range (n);
    create table parts_1 partition of parts for values from (0) to (10);
    create index parts_n on parts (n);
    insert into "Ro.oms" select n, null, 'x' || n, now() + n * interval '1 s' from generate_series(1, 2000) n;
    analyze;
"""


async def rows(eye: Eye) -> Mapping[str, Row]:
    seen = await eye.look()
    assert seen.result is Result.OK, seen.reason
    return {str(row["name"]): row for name, row in seen.listed() if name == PLACE}


async def test_every_index_is_listed_with_what_it_is_for(any_database: Database) -> None:
    """Of partitioned tables only those that hold something."""
    await any_database.execute(SHAPES)
    async with (await any_database.as_monitor()).eye(PROBE) as eye:
        found = await rows(eye)
    needs = {name: row["need"] for name, row in found.items()}
    assert needs == {
        "owner_pkey": "constraint",
        "owner_code_key": "constraint",
        "Ro.oms_pkey": "constraint",
        "rooms_owner": "foreign key",
        "rooms_name": "",
        "rooms name 2": "",
        "rooms_name_all": "",
        "rooms_at": "unique",
        "rooms_at_2": "",
        "rooms_at_down": "",
        "rooms_id_too": "unique",
        "parts_1_n_idx": "partition",
    }
    assert found["rooms_at"]["size_bytes"] == await any_database.value("select pg_relation_size('rooms_at')")
    assert {(row["works"], row["building"]) for row in found.values()} == {(True, False)}


async def test_scans_are_counted_since_the_statistics_began(any_database: Database) -> None:
    """And a reset tells from when on; the last scan is known from 16 on."""
    await any_database.execute(SHAPES)
    began = await any_database.value("select extract(epoch from now())::float8")
    await any_database.execute("select pg_stat_reset()")
    async with asyncio.timeout(60), (await any_database.as_monitor()).eye(PROBE) as eye:
        while True:
            await any_database.execute('set enable_seqscan = off; select * from "Ro.oms" where owner_id = 7')
            found = await rows(eye)
            if found["rooms_owner"]["uses"]:
                break
            await asyncio.sleep(0.3)
    last = found["rooms_owner"]["last_scan"]
    assert found["rooms_name"]["uses"] == 0
    assert isinstance(since := found["rooms_name"]["since"], float)
    assert since >= began - 1
    major = await any_database.value("select current_setting('server_version_num')::int / 10000")
    assert (last is not None) is (major >= 16)
    assert found["rooms_name"]["last_scan"] is None


async def test_an_invalid_index_is_told_and_one_that_is_being_built_is_not(database: Database) -> None:
    """A build that failed leaves one behind; while another one is under way it is said to be so."""
    await database.execute("create table doubled as select 1 as n from generate_series(1, 2)")
    other = await database.connect()
    with pytest.raises(asyncpg.UniqueViolationError):
        await other.execute("create unique index concurrently doubled_n on doubled (n)")
    async with (await database.as_monitor()).eye(PROBE) as eye:
        found = await rows(eye)
    assert (found["doubled_n"]["works"], found["doubled_n"]["building"]) == (False, False)


def test_growth_is_told_of_those_that_were_there_before() -> None:
    """Not of a new one, nor after a reset; and only the largest are followed."""
    kept = Scans()
    first = {"relid": [1, 2], "uses": [10, 20]}
    assert kept.grown(first) == [None, None]
    assert kept.grown({"relid": [1, 2, 3], "uses": [15, 4, 9]}) == [5, None, None]
    row = {"schema": ["s", "s"], "name": ["small", "large"], "size_bytes": [1, 2]}
    assert [*followed(row, [7, 8], 1)] == [{"schema": "s", "index": "large", "size_bytes": 2, "scans": 8}]
