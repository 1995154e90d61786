"""Arithmetic without a planner: it takes the index that a planner would, at a like cost, or says it cannot tell."""

import pytest

from monitor.errors import PlannerError, TargetUnreachable
from monitor.planner.arithmetic import Arithmetic
from monitor.planner.bench import ShadowSession
from monitor.planner.choice import Choice
from monitor.planner.planners import Planners
from monitor.planner.source import Limits
from tests.database import Database
from tests.planner.reading import shape_of
from tests.planner.real import candidate, queries

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHOP = """
    create table orders (id bigint primary key, customer int not null, at timestamptz not null, done bool, note text);
    insert into orders
    select g, g * 7919 % 5000, '2024-01-01'::timestamptz + g * interval '1 minute', g % 2 = 0, 'note ' || g
      from generate_series(1, 50000) g;
    create view v as select * from orders;
    vacuum analyze;
"""
TEXTS = (
    "select * from orders where customer = $1",
    "select o.note from orders o where o.customer in ($1, $2) and o.at > $3",
    "select * from orders where customer = $1 order by at desc limit $2",
    "select * from orders where id = $1",
    "update orders set note = $1 where customer = $2",
    "select * from orders where done",
    "select id from orders where at between $1 and $2 and customer = $3",
    "select count(*) from orders where note like $1",
    "select * from orders",
)


async def test_it_agrees_with_a_planner(database: Database, planners: Planners) -> None:
    """The same index or none, and a cost between a third and three times the planner's."""
    for statement in SHOP.strip().removesuffix(";").split(";\n"):
        await database.execute(statement)
    shape = await shape_of(database)
    index = candidate(shape, "orders", "customer", "at")
    formula = Arithmetic(shape, Limits())
    async with planners.opened(shape) as shadow:
        for asked in ((), (index,)):
            real, ours = [await source.cost(queries(*TEXTS), asked) for source in (shadow, formula)]
            assert (ours.refused, ours.cut) == ({}, "")
            for text in TEXTS:
                assert ours.planned[text].used == real.planned[text].used, text
                if "limit" not in text:
                    assert 1 / 3 < ours.planned[text].cost / real.planned[text].cost < 3, text
    assert formula.plans == 2 * len(TEXTS)
    assert 0.5 < formula.size_bytes(index) / 1.5e6 < 2


async def test_what_it_does_not_know_is_refused(database: Database) -> None:
    """Joins, views, groups, other kinds of indexes, and what is not there."""
    for statement in SHOP.strip().removesuffix(";").split(";\n"):
        await database.execute(statement)
    shape = await shape_of(database)
    formula = Arithmetic(shape, Limits(plans=5))
    texts = (
        "select * from orders a join orders b using (id)",
        "select * from v where id = $1",
        "select customer, count(*) from orders group by customer",
        "select * from orders where id in (select id from orders)",
        "select * from nix",
    )
    odd = [
        candidate(shape, "orders", "note", method="gin"),
        candidate(shape, "orders", "(lower(note))"),
        candidate(shape, "orders", "id", where="done"),
    ]
    answer = await formula.cost(queries(*texts))
    assert answer.refused.keys() == {*texts}
    assert (await formula.propose(odd)).keys() == {*odd}
    assert "5 plans" in (await formula.cost(queries("select * from orders"))).cut


async def test_it_is_taken_when_nothing_else_can_be_had(database: Database) -> None:
    """By itself only where the choice is ours; who asks for a shadow is told that there is none."""
    await database.execute("create table t (id int)")
    shape = await shape_of(database)

    async def nobody(dsn: str) -> ShadowSession:
        raise TargetUnreachable("no way in")

    nowhere = Planners(nobody)
    async with Choice(shadows=nowhere).opened(shape) as source:
        assert source.method == "arithmetic"
        assert "no way in" in source.remark
    with pytest.raises(PlannerError, match="no way in"):
        async with Choice(shadows=nowhere, source="shadow").opened(shape):
            pass
    await nowhere.close()
