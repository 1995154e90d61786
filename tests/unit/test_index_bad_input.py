"""Index advice meets plans, tables and names that it was not made for: nothing breaks, nothing wrong is proposed."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from monitor.advisors.index.candidates import propose
from monitor.advisors.index.given import variants
from monitor.advisors.index.rewrite import rewrites
from monitor.advisors.index.scans import scans
from monitor.planning import Node, Planned, Query
from monitor.shape import Column, IndexKey, Shape, Table
from tests.database import Cluster, Database
from tests.planned import Ground, plan, shape_read, shop, short

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ground(cluster: Cluster) -> AsyncIterator[Ground]:
    async with shop(cluster) as made:
        yield made


def asked(text: str = "select 1") -> Query:
    return Query(name="q", text=text, calls=1, rows=1)


def looked(node: Node, shape: Shape, text: str = "select 1") -> list[str]:
    """Let everything look at a plan; give what is proposed."""
    planned = Planned(cost=100.0, plan=node)
    assert [*variants(asked(text), planned, shape)] == []
    assert [*rewrites(asked(text), planned, shape, blocks=1e9)] == []
    return [short(each) for group in propose(asked(text), planned, shape) for each in group]


ODD_PLANS: dict[str, Node] = {
    "nothing": {},
    "a Result": {"Node Type": "Result", "Total Cost": 0.01, "One-Time Filter": "false"},
    "an Append without children": {"Node Type": "Append", "Total Cost": 9538.0, "Subplans Removed": 3, "Plans": []},
    "children that are none": {"Node Type": "Append", "Plans": "none"},
    "figures that are texts": {"Node Type": "Seq Scan", "Schema": "shop", "Relation Name": "orders", "Plan Rows": "5"},
    "a table that is gone": {
        "Node Type": "Seq Scan", "Schema": "shop", "Relation Name": "gone", "Alias": "gone", "Total Cost": 900.0,
        "Plan Rows": 5, "Filter": "(gone.a = $1)",
    },
    "a column that is gone": {
        "Node Type": "Seq Scan", "Schema": "shop", "Relation Name": "orders", "Alias": "orders", "Total Cost": 900.0,
        "Plan Rows": 5, "Filter": "(orders.gone = $1)", "Output": ["orders.gone"],
    },
    "a condition that cannot be read": {
        "Node Type": "Seq Scan", "Schema": "shop", "Relation Name": "orders", "Alias": "orders", "Total Cost": 900.0,
        "Plan Rows": 5, "Filter": "(((", "Output": [None, 5, "((("],
    },
    "a system column": {
        "Node Type": "Tid Scan", "Schema": "shop", "Relation Name": "orders", "Alias": "orders", "Total Cost": 900.0,
        "Plan Rows": 5, "TID Cond": "(orders.ctid = $1)", "Filter": "(orders.xmin = $2)",
    },
}  # fmt: skip


@pytest.mark.parametrize("node", ODD_PLANS.values(), ids=ODD_PLANS)
async def test_odd_plans_lead_to_nothing(ground: Ground, node: Node) -> None:
    """What was not understood is left alone."""
    assert looked(node, ground.shape) == []
    assert looked(node, Shape(version_num=180000)) == []


async def test_a_plan_for_no_value_is_no_reason_to_break(ground: Ground) -> None:
    """A partitioned table that is planned for NULLs has no scans left."""
    await ground.database.execute("prepare x as select * from shop.events where at > $1 and user_id = $2")
    await ground.database.execute("set plan_cache_mode = force_generic_plan")
    (top,) = json.loads(await ground.database.value("explain (verbose, format json) execute x (null, null)"))
    assert looked(top["Plan"], ground.shape) == []


async def test_a_table_of_1600_columns(database: Database) -> None:
    """The last column is as good as the first."""
    columns = [f'"c{number:04}"' for number in range(1599)]
    await database.execute(f"create table wide (id int, {' int, '.join(columns)} int)")
    await database.execute("insert into wide (id, c1598) select g, g from generate_series(1, 4000) g")
    await database.execute("vacuum analyze wide (id, c1598)")
    ground = Ground(database=database, shape=await shape_read(database))
    assert "wide (c1598)" in await ground.indexes("select id from wide where c1598 = $1")
    every = " and ".join(f"{column} = ${number}" for number, column in enumerate(columns[:300], 1))
    found = await ground.indexes(f"select * from wide where {every}")
    assert found
    await ground.build([each for group in await ground.groups(f"select * from wide where {every}") for each in group])


NAMES = """
    create table "select" ("from" int, "ünïcode.ö" text, " " int, "a""b" text, "9" int, "%s %(x)s $1" int);
    insert into "select" select g, 'x' || g, g, 'y' || g, g, g from generate_series(1, 20000) g;
    create table "{long}" ("{long}" int, other text);
    insert into "{long}" select g, repeat('y', 50) from generate_series(1, 20000) g;
"""
ODD_NAMES = {
    'select * from "select" where "from" = $1': '"select" ("from")',
    'select * from "select" s where s."ünïcode.ö" = $1': '"select" ("ünïcode.ö")',
    'select * from "select" "x.y" where "x.y"." " = $1': '"select" (" ")',
    'select * from "select" "q""r" where "q""r"."a""b" = $1 and "q""r"."9" > 5': '"select" ("a""b", "9")',
    'select * from "select" where "%s %(x)s $1" = $1': '"select" ("%s %(x)s $1")',
    'select * from "select" where lower("ünïcode.ö") = $1': '"select" (lower("ünïcode.ö"))',
    'select * from "select" order by "9" desc, " " limit 3': '"select" ("9", " " desc)',
    'select * from "{long}" where "{long}" = $1': '"{long}" ("{long}")',
}


async def test_odd_names_are_quoted(database: Database) -> None:
    """Spaces, dots, quotes, words of SQL, 63 bytes, more bytes than letters."""
    long = "é" * 31 + "x"
    await database.execute(NAMES.replace("{long}", long))
    await database.execute("vacuum analyze")
    ground = Ground(database=database, shape=await shape_read(database))
    for text, wanted in ODD_NAMES.items():
        found = await ground.groups(text.replace("{long}", long))
        assert wanted.replace("{long}", long) in [short(each) for group in found for each in group]
        await ground.build([each for group in found for each in group])
        await database.execute("drop index built_0")
        for number in range(1, 20):
            await database.execute(f"drop index if exists built_{number}")


async def test_what_row_security_asks_is_asked_for(ground: Ground) -> None:
    """Its condition stands in the plan of those it holds for."""
    await ground.database.execute(
        "create role cashier; grant usage on schema shop to cashier; grant select on shop.orders to cashier;"
        "alter table shop.orders enable row level security;"
        "create policy own on shop.orders using (ref = current_setting('my.ref', true)::uuid);"
        "set role cashier"
    )
    try:
        planned = await plan(ground.database, "select * from shop.orders where note <> $1")
    finally:
        await ground.database.execute(
            "reset role; alter table shop.orders disable row level security; drop policy own on shop.orders;"
            "drop owned by cashier; drop role cashier"
        )
    found = [short(each) for group in propose(asked(), planned, ground.shape) for each in group]
    assert found[:1] == ["orders (ref)"]


async def test_statistics_that_were_never_gathered(ground: Ground) -> None:
    """Keys are proposed all the same; nothing that rests on numbers."""
    orders = ground.shape.named("shop", "orders")
    assert orders is not None
    bare = replace(orders, columns=tuple(replace(each, statistics=None) for each in orders.columns))
    shape = replace(ground.shape, tables={**ground.shape.tables, orders.oid: bare})
    planned = await plan(ground.database, "select * from shop.orders where user_id = $1 and not done and state = $2")
    found = [short(each) for group in propose(asked(), planned, shape) for each in group]
    assert "orders (user_id, state)" in found
    assert not [each for each in found if "where" in each]
    uncounted = replace(ground.shape, tables={orders.oid: replace(orders, rows=-1.0, pages=0)})
    assert [*propose(asked(), planned, uncounted)] == []


async def test_texts_too_wide_for_a_key(ground: Ground) -> None:
    """A B-tree refuses rows of some 2,700 bytes."""
    orders = ground.shape.named("shop", "orders")
    assert orders is not None
    planned = await plan(ground.database, "select * from shop.orders where note = $1")

    def proposed(width: int) -> list[str]:
        note = orders.by_name["note"]
        assert note.statistics is not None
        wide = replace(note, statistics=replace(note.statistics, avg_width=width))
        table = replace(orders, columns=tuple(wide if each.name == "note" else each for each in orders.columns))
        shape = replace(ground.shape, tables={**ground.shape.tables, orders.oid: table})
        return [short(each) for group in propose(asked(), planned, shape) for each in group]

    assert proposed(2000) == ["orders (note)"]
    assert proposed(2001) == []


async def test_an_index_that_is_broken_or_being_built_serves_nothing_and_is_not_proposed_twice(ground: Ground) -> None:
    """An invalid one is no help; one that is being built will be soon."""
    orders = ground.shape.named("shop", "orders")
    assert orders is not None
    planned = await plan(ground.database, "select * from shop.orders where user_id = $1")
    (own,) = orders.indexes
    key = IndexKey(expression="user_id", column=orders.by_name["user_id"].number)
    broken = replace(own, keys=(key,), valid=False, unique=False, primary=False)

    def proposed(*, building: bool) -> list[str]:
        table = replace(orders, indexes=(own, replace(broken, building=building)))
        shape = replace(ground.shape, tables={**ground.shape.tables, orders.oid: table})
        return [short(each) for group in propose(asked(), planned, shape) for each in group]

    assert proposed(building=False) == ["orders (user_id)"]
    assert proposed(building=True) == []


async def test_domains_over_domains_and_types_nobody_knows(ground: Ground) -> None:
    """A type that is not known gets no index of ours."""
    orders = ground.shape.named("shop", "orders")
    assert orders is not None
    planned = await plan(ground.database, "select * from shop.orders where ref = $1")

    def proposed(type_: str) -> list[str]:
        columns = tuple(replace(each, type=type_) if each.name == "ref" else each for each in orders.columns)
        shape = replace(ground.shape, tables={**ground.shape.tables, orders.oid: replace(orders, columns=columns)})
        return [short(each) for group in propose(asked(), planned, shape) for each in group]

    assert proposed("uuid") == proposed("shop.address") == ["orders (ref)"]
    for unknown in ("public.geometry", "json", "xml", "point", "shop.nobody", "", '"odd.type"'):
        assert proposed(unknown) == []


async def test_10000_tables_are_no_trouble() -> None:
    """A plan's table is found among many, and a table's partitions too."""
    column = Column(number=1, name="a", type="integer")
    tables = {
        oid: Table(
            oid=oid, schema="s", name=f"t{oid}", rows=50_000, pages=500, columns=(column,), parent=oid % 100 * 100
        )
        for oid in range(1, 10_001)
    }
    shape = Shape(version_num=180000, tables={**tables, 5000: replace(tables[5000], kind="p", parent=0)})
    node: Node = {
        "Node Type": "Seq Scan", "Schema": "s", "Relation Name": "t5000", "Alias": "t5000", "Total Cost": 900.0,
        "Plan Rows": 5, "Filter": "(t5000.a = $1)",
    }  # fmt: skip
    for _ in range(1000):
        assert len([*scans(Planned(cost=900.0, plan=node), shape)]) == 1
