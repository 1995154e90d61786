"""Whose eyes see columns' statistics: nobody's by pg_monitor alone, and by what is lent numbers alone."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from monitor.cli.grants import Wanted, grants_sql
from monitor.model import Result
from monitor.shape import Shape
from monitor.shaped import shape_of
from monitor.sight.lent import SHAPE, take_back
from probes.shape import PROBE
from tests.conftest import Clusters
from tests.database import Cluster, Database
from tests.versions import MAJORS

PEOPLE = """
    create type mood as enum ('glad', 'sad');
    create table people (id bigint, email text, nick varchar, born date, vip boolean, mood mood, notes text[]);
    insert into people
    select g, case when g % 3 = 0 then 'anna.often@example.com' else 'p' || g || '@example.com' end,
           'nick-of-' || (g % 7), date '1977-07-07' + (g % 5), g % 4 = 0,
           case when g % 10 = 0 then 'sad' else 'glad' end::mood, array['secret-' || (g % 3)]
      from generate_series(1, 3000) g;
    create index on people (('mr ' || email));
    create statistics together (ndistinct, mcv, dependencies) on born, vip from people;
    create table many (id int, part text) partition by list (part);
    create table many_a partition of many for values in ('a@example.com');
    insert into many select g, 'a@example.com' from generate_series(1, 500) g;
    create schema hidden;
    create table hidden.people (email text);
    insert into hidden.people select 'h' || (g % 9) || '@example.com' from generate_series(1, 500) g;
    alter table hidden.people enable row level security;
    analyze;
"""
DATA = ("example.com", "anna", "nick-of", "1977-07", "secret")
PLANTED = """
    select string_agg(concat(most_common_vals::text, histogram_bounds::text, most_common_elems::text), ' ') as told
      from pg_stats
     where schemaname in ('public', 'hidden')
"""


@pytest_asyncio.fixture(
    scope="session", loop_scope="session", params=[MAJORS[0], MAJORS[-1]], ids=lambda major: f"pg{major}"
)
async def either_cluster(clusters: Clusters, request: pytest.FixtureRequest) -> Cluster:
    """The oldest version's server and the newest's."""
    return await clusters.of(request.param)


@pytest.fixture
async def people(either_cluster: Cluster) -> AsyncIterator[Database]:
    """A database whose statistics hold e-mails."""
    async with either_cluster.fresh() as fresh:
        await fresh.execute(PEOPLE)
        yield fresh


async def read(database: Database) -> Shape:
    async with database.eye(PROBE) as eye:
        seen = await eye.look()
    assert seen.result is Result.OK, seen.reason
    return shape_of(seen)


def told(read: Shape) -> list[tuple[object, ...]]:
    """Give what is told of columns; counters go on meanwhile."""
    return [(table.full_name, table.columns, table.statistics_rows) for table in read.tables.values()]


async def test_what_is_lent_gives_no_value_but_of_booleans_and_enums(people: Database) -> None:
    """E-mails stand among the most common values and in the histogram; nothing of them comes out, whatever is asked."""
    planted = await people.value(PLANTED)
    assert [word for word in DATA if word not in planted] == []
    role = await people.as_monitor()
    everything = [row["oid"] for row in await people.fetch("select oid::bigint as oid from pg_class")]
    columns, groups = [await role.fetch(function.call, everything) for function in SHAPE]
    assert [word for word in DATA if word in str((columns, groups))] == []
    assert {tuple(row["labels"]) for row in columns if row["labels"]} >= {("f", "t"), ("glad", "sad")}
    assert [row["distinct_values"] for row in groups] == ['{"4, 5": 10}']


async def test_nothing_but_the_two_functions_is_lent_for_statistics(people: Database) -> None:
    """The role reads no table and no statistics by itself; another role may not even call the functions."""
    role, other = await people.as_monitor(), await people.as_monitor()
    for statement in grants_sql(Wanted(role=str(other.user), auth="none"), undo=True):
        await people.execute(statement)
    for statement in grants_sql(Wanted(role=str(role.user), auth="none")):
        await people.execute(statement)
    assert await role.value("select count(*) from pg_stats where schemaname = 'public'") == 0
    for refused in ("select count(*) from people", "select count(*) from pg_statistic"):
        with pytest.raises(Exception, match="permission denied"):
            await role.fetch(refused)
    for function in SHAPE:
        assert await role.fetch(function.call, [1]) == []
        with pytest.raises(Exception, match="permission denied for schema pgarchitect"):
            await other.fetch(function.call, [1])


async def test_the_shape_is_the_same_by_functions_and_for_who_reads_all(any_database: Database) -> None:
    """Of tables with row level security, of partitioned tables and of groups of columns too."""
    await any_database.execute(PEOPLE)
    by_owner, by_functions = await read(any_database), await read(await any_database.as_monitor())
    assert (by_owner.statistics, by_functions.statistics) == ("direct", "functions")
    assert told(by_owner) == told(by_functions)
    hidden, people, many = (
        by_functions.named("hidden", "people"),
        by_functions.named("public", "people"),
        by_functions.named("public", "many"),
    )
    assert hidden is not None
    assert people is not None
    assert many is not None
    assert hidden.columns[0].statistics is not None
    assert people.statistics_rows == {"4,5": 10}
    whole = many.by_name["part"].statistics
    assert whole is not None
    assert (whole.n_distinct, whole.frequencies, whole.values) == (1, (1,), ())


async def test_without_rights_there_are_none_and_it_says_so(any_database: Database) -> None:
    """Without what is lent: pages and rows as ever, no statistics; those of a table it may read are seen directly."""
    await any_database.execute(PEOPLE)
    monitor = await any_database.as_monitor()
    for statement in take_back(SHAPE):
        await any_database.execute(statement)
    shape = await read(monitor)
    people = shape.named("public", "people")
    assert people is not None
    assert (shape.statistics, people.rows, people.by_name["email"].statistics) == ("none", 3000, None)
    await any_database.execute(f"grant select (email) on people to {monitor.user}")
    shape = await read(monitor)
    people = shape.named("public", "people")
    assert people is not None
    assert shape.statistics == "direct"
    assert people.by_name["email"].statistics is not None
    assert people.by_name["nick"].statistics is None
