"""Statistics of several columns together are the shadow's as well: it expects as many rows as the server."""

import pytest

from monitor.planner.groups import groups
from monitor.planner.planners import Planners
from monitor.shape import Column, Table
from tests.database import Database
from tests.planner.reading import shape_of
from tests.planner.real import planned, queries, table

pytestmark = pytest.mark.asyncio(loop_scope="session")

WORLD = """
    create table places (gone int, street int, city int, country int, "Odd, ""name" int);
    alter table places drop column gone;
    insert into places select g % 2000, g % 2000 / 10, g % 2000 / 100, g % 2000 / 50 from generate_series(1, 20000) g;
    create statistics of_places (ndistinct, dependencies, mcv) on street, city, country from places;
    create statistics odd (dependencies) on city, "Odd, ""name" from places;
    create statistics of_words on (street % 3), city from places;
    create table parts (day date, a int, b int) partition by range (day);
    create table parts_1 partition of parts for values from ('2024-01-01') to ('2024-07-01');
    create table parts_2 partition of parts for values from ('2024-07-01') to ('2025-01-01');
    insert into parts select '2024-01-01'::date + g % 360, g % 1000, g % 1000 / 10 from generate_series(1, 20000) g;
    create statistics of_parts on a, b from parts;
    create statistics of_part on a, b from parts_1;
    analyze;
"""
TEXTS = (
    "select * from places where street = $1 and city = $2",
    "select * from places where street = $1 and city = $2 and country = $3",
    'select * from places where city = $1 and "Odd, ""name" = $2',
    "select city, country, count(*) from places group by city, country",
    "select * from parts where a = $1 and b = $2",
    "select a, b from parts group by a, b",
    "select * from parts_1 where a = $1 and b = $2",
)


async def test_as_many_rows_are_expected_as_by_the_server(any_database: Database, planners: Planners) -> None:
    """Where columns go together, in plain and partitioned tables; without the statistics the estimates differ."""
    await any_database.execute(WORLD)
    shape = await shape_of(await any_database.as_monitor())
    real = {query.text: (await planned(any_database, query))["Plan Rows"] for query in queries(*TEXTS)}
    names = ("of_places", "odd", "of_words", "of_parts", "of_part")
    await any_database.execute(";".join(f"drop statistics {name}" for name in names))
    bare = {query.text: (await planned(any_database, query))["Plan Rows"] for query in queries(*TEXTS)}
    async with planners.opened(shape) as shadow:
        answer = await shadow.cost(queries(*TEXTS))
    assert answer.refused == {}
    for text in TEXTS:
        rows = answer.planned[text].plan["Plan Rows"]
        assert rows == pytest.approx(real[text], rel=0.1, abs=1), text
    assert {text: rows for text, rows in bare.items() if real[text] == rows} == {}


async def test_dependencies_are_read_as_numbers_of_columns(any_database: Database) -> None:
    """Without those of expressions; a column that was dropped keeps its number."""
    await any_database.execute(WORLD)
    places = table(await shape_of(await any_database.as_monitor()), "places")
    assert places.dependencies["2=>3"] == 1.0
    assert "-" not in "".join(places.dependencies)
    assert [each.columns for each in groups(places)] == [(2, 3, 4), (3, 5)]


async def test_what_is_not_whole_is_left_out() -> None:
    """PostgreSQL wants every set of an object's columns; columns that are not known, and too many, are none of ours."""
    columns = tuple(Column(number=at, name=f"c{at}", type="int") for at in range(1, 12))
    nine = ",".join(map(str, range(1, 10)))
    cases: dict[str, list[tuple[int, ...]]] = {"1,2": [(1, 2)], "1,2,3": [], "1,99": [], nine: []}
    for key, kept in cases.items():
        of = Table(oid=1, schema="public", name="t", columns=columns, statistics_rows={key: 5.0})
        assert [each.columns for each in groups(of)] == kept
