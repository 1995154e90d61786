"""The shadow plans with the watched server's settings, in parallel where the server would."""

import pytest

from monitor.advisors.index.steps import children
from monitor.planner.parallel import undivided
from monitor.planner.planners import Planners
from monitor.planning import Query
from tests.database import Database
from tests.planner.reading import shape_of
from tests.planner.real import candidate, outline, planned, queries

pytestmark = pytest.mark.asyncio(loop_scope="session")

WORLD = """
    create table big (id int, kind int, word text);
    insert into big select g, g % 50, repeat('w', 900) || g from generate_series(1, 25000) g;
    create index big_kind on big (kind);
    create table small (id int primary key, big_id int);
    insert into small select g, g * 7 from generate_series(1, 3000) g;
    create function safe(n int) returns int language plpgsql stable parallel safe as $$ begin return n; end $$;
    create function unsafe(n int) returns int language plpgsql stable as $$ begin return n; end $$;
    create table parts (id int, word text) partition by range (id);
    create table parts_1 partition of parts for values from (0) to (10000);
    create table parts_2 partition of parts for values from (10000) to (30000);
    insert into parts select g, repeat('p', 900) from generate_series(1, 25000) g;
    alter table small set (parallel_workers = 2);
"""
TEXTS = (
    "select * from big where word = $1",
    "select kind, count(*) from big where id > $1 group by kind",
    "select * from big join small on small.big_id = big.id where big.word > $1",
    "select count(*) from parts where word = $1",
    "select * from big where safe(id) = $1",
    "select * from big where unsafe(id) = $1",
    "select * from big where kind = $1 order by id limit 10",
    "update big set kind = 1 where word = $1",
)


async def test_parallel_plans_are_those_of_the_server(any_database: Database, planners: Planners) -> None:
    """Where its settings allow them, and its functions; rows of a scan are those of all workers together."""
    await any_database.execute(WORLD)
    await any_database.execute(f"alter database {any_database.name} set parallel_setup_cost = 10")
    await any_database.execute("vacuum analyze")
    shape = await shape_of(any_database)
    real = {query.text: await planned(any_database, query) for query in queries(*TEXTS)}
    async with planners.opened(shape) as shadow:
        answer = await shadow.cost(queries(*TEXTS))
    assert answer.refused == {}
    for text in TEXTS:
        assert outline(answer.planned[text].plan) == outline(real[text]), text
        assert answer.planned[text].cost == pytest.approx(real[text]["Total Cost"], rel=0.2), text
    parallel = ["Gather" in str(answer.planned[text].plan) for text in TEXTS]
    assert parallel == [True, True, True, True, True, False, parallel[6], False]
    gather = answer.planned[TEXTS[1]].plan
    while gather.get("Relation Name") != "big":
        (gather,) = children(gather)
    assert gather["Plan Rows"] == pytest.approx(25000 / 3, rel=0.05)


OURS = {
    "max_parallel_workers_per_gather": "0",
    "random_page_cost": "1.1",
    "seq_page_cost": "0.7",
    "cpu_tuple_cost": "0.03",
    "cpu_index_tuple_cost": "0.01",
    "cpu_operator_cost": "0.005",
    "effective_cache_size": "64MB",
    "enable_hashjoin": "off",
    "enable_bitmapscan": "off",
    "work_mem": "64kB",
    "hash_mem_multiplier": "1",
    "join_collapse_limit": "3",
    "default_statistics_target": "50",
}


async def test_costs_are_counted_by_the_servers_own_settings(database: Database, planners: Planners) -> None:
    """Whatever is set for the database, as for the whole server; read by the monitor's own role."""
    await database.execute(WORLD)
    await database.execute("vacuum analyze")
    for name, value in OURS.items():
        await database.execute(f"alter database {database.name} set {name} = '{value}'")
    shape = await shape_of(await database.as_monitor())
    assert OURS.keys() <= shape.settings.keys()
    real = {query.text: await planned(database, query) for query in queries(*TEXTS)}
    async with planners.opened(shape) as shadow:
        answer = await shadow.cost(queries(*TEXTS))
    for text in TEXTS:
        assert outline(answer.planned[text].plan) == outline(real[text]), text
        assert answer.planned[text].cost == pytest.approx(real[text]["Total Cost"], rel=0.1), text


async def test_a_candidate_is_weighed_against_a_parallel_plan(database: Database, planners: Planners) -> None:
    """An index that many workers make needless is not used; one for few rows is."""
    await database.execute(WORLD)
    await database.execute("vacuum analyze")
    shape = await shape_of(database)
    index = candidate(shape, "big", "id")
    few, many = "select * from big where id = $1", "select * from big where id > $1"
    async with planners.opened(shape) as shadow:
        answer = await shadow.cost([Query(name=text, text=text) for text in (few, many)], [index])
    await database.execute(index.definition("built"))
    await database.execute("analyze big")
    for query in queries(few, many):
        real = await planned(database, query)
        assert bool(answer.planned[query.name].used) == ("built" in str(real))


async def test_rows_of_other_nodes_stay() -> None:
    """Of a scan that is not shared by workers, and above the gathering."""
    plan = {
        "Node Type": "Gather", "Workers Planned": 2, "Plan Rows": 240, "Plans": [
            {"Node Type": "Hash Join", "Plan Rows": 100, "Plans": [
                {"Node Type": "Seq Scan", "Relation Name": "a", "Parallel Aware": True, "Plan Rows": 100},
                {"Node Type": "Seq Scan", "Relation Name": "b", "Parallel Aware": False, "Plan Rows": 7},
            ]},
        ],
    }  # fmt: skip
    told = str(undivided(plan))
    assert "'Relation Name': 'a', 'Parallel Aware': True, 'Plan Rows': 240.0" in told
    assert "'Plan Rows': 7}" in told
    assert undivided({"Node Type": "Result"}) == {"Node Type": "Result"}
