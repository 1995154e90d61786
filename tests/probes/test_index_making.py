"""The SQL of a chosen index is run on a server: all levels of a partitioned table get it, once, and lose it again."""

from collections.abc import Sequence

import pytest

from monitor.advisors.index.making import name_of, remedy
from monitor.index_sql import MOST_PARTS
from monitor.model import Remedy
from monitor.planning import Candidate
from monitor.shape import IndexKey, Shape
from tests.database import Database
from tests.planned import shape_read

TREE = """
    create table "Lo.g" (id bigint, who text, at date) partition by range (at);
    create table one partition of "Lo.g" for values from ('2024-01-01') to ('2025-01-01');
    create table two partition of "Lo.g" for values from ('2025-01-01') to ('2026-01-01') partition by list (who);
    create table two_a partition of two for values in ('a');
    create table two_rest partition of two default;
    create index mine on one (who, at desc);
    create index wider on two_a (who, at desc, id);
"""
INDEXES = "select indexdef from pg_indexes where schemaname = 'public' order by 1"
INVALID = "select count(*) from pg_index where not indisvalid"


def wanted(shape: Shape, table: str) -> Candidate:
    (own,) = (each for each in shape.tables.values() if each.name == table)
    keys = [own.by_name["who"], own.by_name["at"]]
    who, at = (IndexKey(expression=each.name, column=each.number) for each in keys)
    down = IndexKey(expression=at.expression, column=at.column, descending=True, nulls_first=True)
    return Candidate(table=own.oid, schema=own.schema, name=own.name, keys=(who, down))


async def texts(database: Database) -> Sequence[str]:
    return [str(row["indexdef"]) for row in await database.fetch(INDEXES)]


async def test_each_level_gets_it_and_what_a_partition_has_is_attached(any_database: Database) -> None:
    """The same index is not made twice; the rollback leaves what was there before. Twice in a row does no harm."""
    await any_database.execute(TREE)
    before, shape = await texts(any_database), await shape_read(any_database)
    candidate = wanted(shape, "Lo.g")
    made = remedy(candidate, shape)
    assert sum("create index" in each for each in made.sql) == 4
    assert any(each.endswith("attach partition public.mine") for each in made.sql)
    assert all("if not exists" in each for each in made.sql if "create" in each)
    for _ in range(2):
        await any_database.apply(Remedy(sql=made.sql))
        assert await any_database.value(INVALID) == 0
    assert await any_database.value("select to_regclass($1) is not null", name_of(candidate, shape))
    await any_database.apply(Remedy(sql=made.rollback))
    assert await texts(any_database) == before


async def test_beside_foreign_partitions_each_of_the_others_gets_its_own(database: Database) -> None:
    """That of the whole would stay invalid for ever."""
    await database.execute(TREE)
    await database.execute("create extension postgres_fdw; create server far foreign data wrapper postgres_fdw")
    await database.execute('create foreign table old partition of "Lo.g" default server far')
    shape = await shape_read(database)
    made = remedy(wanted(shape, "Lo.g"), shape)
    assert len(made.sql) == 2
    await database.apply(Remedy(sql=made.sql))
    assert await database.value(INVALID) == 0
    assert await database.value("select count(*) from pg_indexes where indexdef ~ 'who, at DESC\\)'") == 3


@pytest.mark.parametrize(("count", "printed"), [(MOST_PARTS, True), (MOST_PARTS + 1, False)])
async def test_with_too_many_partitions_a_person_is_told_how(database: Database, count: int, printed: bool) -> None:  # noqa: FBT001
    """At the limit all is printed."""
    await database.execute("create table many (id bigint, who text, at date) partition by list (id)")
    for number in range(count):
        await database.execute(f"create table many_{number} partition of many for values in ({number})")
    shape = await shape_read(database)
    made = remedy(wanted(shape, "many"), shape)
    assert bool(made.sql) is printed
    assert printed or "create index if not exists many_who_at_idx on only public.many" in made.caution
