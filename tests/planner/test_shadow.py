"""The shadow planner against real servers: the same plans before a candidate, and the same after it was built."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from monitor.collect.private import private_session
from monitor.planner.planners import Planners
from monitor.planner.source import Limits
from monitor.planning import Candidate, Query
from monitor.shape import Index, Shape
from tests.database import Cluster, Database
from tests.planner.reading import shape_of
from tests.planner.real import candidate, outline, planned, queries, table

SHOP = """
    create type state as enum ('open', 'paid', 'gone');
    create table customers (id bigint primary key, email text not null, city text);
    create table orders (
        id bigint primary key,
        customer_id bigint not null references customers,
        state state not null,
        paid boolean not null,
        at timestamptz not null,
        total numeric(12, 2),
        tags jsonb,
        numbers int[]);
    create index orders_at on orders (at);
    create table events (id bigint, day date not null, kind int, device int) partition by range (day);
    create table events_1 partition of events for values from ('2024-01-01') to ('2024-07-01');
    create table events_2 partition of events for values from ('2024-07-01') to ('2025-01-01');
    create index events_day on events (day);
    create view open_orders as select * from orders where state = 'open';
    insert into customers select g, 'p' || g || '@example.com', 'city ' || g % 100 from generate_series(1, 20000) g;
    insert into orders
    select g, 1 + g * 7919 % 20000, case when g % 200 = 0 then 'open' when g % 3 = 0 then 'gone' else 'paid' end::state,
           g % 2 = 0, '2024-01-01'::timestamptz + g * interval '1 minute', g % 1000, jsonb_build_object('k', g % 5000),
           array[g % 7000, g % 11]
      from generate_series(1, 60000) g;
    insert into events select g, '2024-01-01'::date + g % 360, g % 10, g * 31 % 3000 from generate_series(1, 40000) g;
"""
pytestmark = pytest.mark.asyncio(loop_scope="session")
TEXTS = (
    "select * from orders where id = $1",
    "select * from orders where customer_id = $1",
    "select * from orders where customer_id = $1 and state = $2",
    "select * from orders where at > $1 order by at limit $2",
    "select * from orders where customer_id = $1 order by at desc limit 10",
    "select count(*) from open_orders where customer_id = $1",
    "select c.email, o.total from customers c join orders o on o.customer_id = c.id where c.email = $1",
    "select * from customers where lower(email) = lower($1)",
    "update orders set total = $1 where customer_id = $2",
    "delete from orders where customer_id in ($1, $2, $3)",
    "select state, count(*) from orders group by state",
    "select * from orders where at > now() - cast($1 as interval) and paid",
)


async def test_it_plans_as_the_watched_server_does(any_database: Database, planners: Planners) -> None:
    """Before candidates, and after each was built: the same plan, at between half and double the cost."""
    await any_database.execute(SHOP)
    await any_database.execute("vacuum analyze")
    shape = await shape_of(any_database)
    candidates = [
        candidate(shape, "orders", "customer_id"),
        candidate(shape, "orders", "customer_id", "at"),
        candidate(shape, "customers", "(lower(email))"),
    ]
    before = [await planned(any_database, query) for query in queries(*TEXTS)]
    for each in candidates:
        await any_database.execute(each.definition(f"built_{len(each.keys)}_{each.name}"))
    await any_database.execute("analyze")
    after = [await planned(any_database, query) for query in queries(*TEXTS)]
    async with planners.opened(shape) as shadow:
        assert await shadow.propose(candidates) == {}
        for real, asked in ((before, ()), (after, candidates)):
            answer = await shadow.cost(queries(*TEXTS), asked)
            assert (answer.refused, answer.cut) == ({}, "")
            for text, plan in zip(TEXTS, real, strict=True):
                ours = answer.planned[text]
                assert outline(ours.plan) == outline(plan), text
                assert 0.5 <= ours.cost / plan["Total Cost"] <= 2, text
                assert bool(ours.used) == ("built_" in str(plan)), text


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A database for all tests of this file, and its shape: who changes something puts it back."""

    database: Database
    shape: Shape


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(cluster: Cluster) -> AsyncIterator[Shop]:
    async with cluster.fresh() as database:
        await database.execute(SHOP)
        await database.execute("vacuum analyze")
        yield Shop(database=database, shape=await shape_of(database))


async def test_partitions_candidates_are_known_by_their_parents(shop: Shop, planners: Planners) -> None:
    """A plan that reads a partition's index uses the candidate; sizes are those of both."""
    device = candidate(shop.shape, "events", "device")
    (query,) = queries("select * from events where device = $1")
    async with planners.opened(shop.shape) as shadow:
        without = (await shadow.cost([query])).planned[query.name]
        with_it = (await shadow.cost([query], [device])).planned[query.name]
    assert without.used == frozenset()
    assert with_it.used == {device}
    assert with_it.cost < without.cost / 5
    await shop.database.execute(device.definition("built"))
    real = await shop.database.value("select sum(relpages) from pg_class where relname ~ '^events_._device_idx'")
    await shop.database.execute("drop index built")
    assert 0.5 < shadow.size_bytes(device) / (real * 8192) < 1.5


async def test_what_is_gone_is_not_used(shop: Shop, planners: Planners) -> None:
    """An index, or all parts of a partitioned one, are out of sight, and back in the next question."""
    shape = shop.shape

    def index(name: str, of: str) -> Index:
        return next(each for each in table(shape, of).indexes if each.name == name)

    both = queries("select * from orders where id = $1", "select * from events where day = $1")
    gone = [index("orders_pkey", "orders").oid, index("events_day", "events").oid]
    async with planners.opened(shape) as shadow:
        before = (await shadow.cost(both)).planned
        hidden = (await shadow.cost(both, without=gone)).planned
        again = (await shadow.cost(both)).planned
    for query in both:
        assert "Index Name" in str(before[query.name].plan)
        assert "Index Name" not in str(hidden[query.name].plan)
        assert again[query.name] == before[query.name]


async def test_one_candidate_is_seen_without_the_others(shop: Shop, planners: Planners) -> None:
    """Only those that are asked for are visible, in any order of asking; an answer is remembered."""
    narrow, wide = [candidate(shop.shape, "orders", *names) for names in (["customer_id"], ["customer_id", "state"])]
    (query,) = queries("select * from orders where customer_id = $1 and state = $2")
    async with planners.opened(shop.shape) as shadow:
        for asked, used in (([], set()), ([narrow], {narrow}), ([wide, narrow], {wide}), ([narrow], {narrow})):
            assert (await shadow.cost([query], asked)).planned[query.name].used == used
        assert shadow.plans == 3


@pytest.mark.parametrize(
    ("text", "given", "column", "more"),
    [
        ("select * from customers where email like $1", {1: "'p19%'"}, "email", {"opclass": "text_pattern_ops"}),
        ("select * from orders where tags @> $1", {}, "tags", {"method": "gin", "opclass": "jsonb_path_ops"}),
        ("select * from orders where numbers && $1", {}, "numbers", {"method": "gin"}),
        ("select * from orders where state = $1", {1: "'open'"}, "at", {"where": "state = 'open'"}),
        ("select * from orders where at between $1 and $2", {}, "at", {"method": "brin"}),
    ],
)
async def test_other_methods_are_used_as_on_the_watched_server(  # noqa: PLR0917 - two fixtures, and a case of four
    shop: Shop, planners: Planners, text: str, given: dict[int, str], column: str, more: dict[str, str]
) -> None:
    """Prefixes, documents, arrays, rare values, ranges: where the real server reads the index, so does the shadow."""
    at = next(index.oid for index in table(shop.shape, "orders").indexes if index.name == "orders_at")
    index = candidate(shop.shape, "customers" if "customers" in text else "orders", column, **more)
    (query,) = queries(text, given=given)
    async with planners.opened(shop.shape) as shadow:
        before, after = [(await shadow.cost([query], asked, [at])).planned[query.name] for asked in ((), (index,))]
        size = shadow.size_bytes(index)
    real, real_size = await built(shop.database, index, query)
    assert "built" in str(real)
    assert not before.used
    assert after.used == {index}
    assert after.cost < before.cost
    assert 0.2 < size / real_size < 5


async def built(database: Database, index: Candidate, query: Query) -> tuple[Mapping[str, Any], int]:
    """Give a query's plan with the index in place of the one on orders.at, and its size; then all is as before."""
    await database.execute("drop index orders_at")
    try:
        await database.execute(index.definition("built"))
        await database.execute("analyze")
        return await planned(database, query), await database.value("select pg_relation_size('built')")
    finally:
        await database.execute("drop index if exists built; create index orders_at on orders (at); analyze")


async def test_a_prefix_needs_its_opclass_where_texts_are_not_ordered_by_bytes(
    database: Database, planners: Planners
) -> None:
    """An ordinary index serves a prefix in C only; in other collations it would be a false promise."""
    name = f"{database.name}_words"
    await database.execute(f"create database {name} template template0 locale 'C.UTF-8'")
    words = Database(database.server, name)
    try:
        await words.execute("create table t (id int, email text)")
        await words.execute("insert into t select g, 'p' || g || '@example.com' from generate_series(1, 50000) g")
        await words.execute("vacuum analyze")
        shape = await shape_of(words)
        plain, pattern = candidate(shape, "t", "email"), candidate(shape, "t", "email", opclass="text_pattern_ops")
        (query,) = queries("select id from t where email like $1", given={1: "'p4999%'"})
        async with planners.opened(shape) as shadow:
            used = [(await shadow.cost([query], [each])).planned[query.name].used for each in (plain, pattern)]
    finally:
        await words.close()
        await database.execute(f"drop database {name} with (force)")
    assert used == [frozenset(), {pattern}]


async def test_a_table_of_many_segments_is_as_big_after_a_proposal(database: Database, planners: Planners) -> None:
    """Its file is emptied while the index is made; what it costs to read is the same before and after."""
    await database.execute("create table big (id bigint, a int)")
    await database.execute("insert into big select g, g % 1000 from generate_series(1, 1000) g")
    await database.execute("analyze")
    await database.execute("update pg_class set relpages = 400000, reltuples = 6e7 where relname = 'big'")
    shape = await shape_of(database)
    (query,) = queries("select * from big where id = $1")
    async with planners.opened(shape) as shadow:
        before = await shadow.cost([query])
        assert await shadow.propose([candidate(shape, "big", "a"), candidate(shape, "big", "id")]) == {}
        (again,) = queries("select * from big where id = $1 and a is not null")
        after = await shadow.cost([again])
        with_it = await shadow.cost([query], [candidate(shape, "big", "id")])
    assert before.planned[query.name].cost > 400_000
    assert after.planned[again.name].cost == pytest.approx(before.planned[query.name].cost, rel=0.05)
    assert with_it.planned[query.name].cost < 1000
    assert shadow.size_bytes(candidate(shape, "big", "a")) > 3e8


async def test_limits_cut_an_answer_and_say_so(shop: Shop) -> None:
    """What was planned is given; the rest is neither planned nor refused."""
    few = Planners(private_session, limits=Limits(plans=2, seconds=60))
    asked = queries(*TEXTS[:4])
    try:
        async with few.opened(shop.shape) as shadow:
            answer = await shadow.cost(asked)
            assert [*answer.planned] == [query.name for query in asked[:2]]
            assert answer.refused == {}
            assert "2 plans" in answer.cut
            remembered = await shadow.cost(asked[:2])
            assert (len(remembered.planned), remembered.cut) == (2, "")
    finally:
        await few.close()
