"""`monitor advise` as a user meets it: an index that is missing is proved, made as printed, and asked for no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.database import Database
from tests.end_to_end.command import monitor
from tests.versions import MAJORS, NEWEST

BETWEEN = [pytest.param(each, marks=pytest.mark.soak) for each in MAJORS[1:-1]]
WORLD = """
    create table customers (id int primary key, name text);
    create table orders (id int primary key, customer_id int, note text, placed_at timestamptz);
    create table notes (id int primary key, about int);
    insert into customers select g, 'name ' || g from generate_series(1, 3000) g;
    insert into orders select g, g % 3000, repeat('x', 60), now() - make_interval(mins => g)
                         from generate_series(1, 60000) g;
    insert into notes select g, g from generate_series(1, 200) g;
    analyze
"""
OF_A_CUSTOMER = "select note from orders where customer_id = $1 order by placed_at desc limit 5"


async def traffic(database: Database, *, writes: int = 0) -> None:
    """What an application does all day: it asks for a customer's orders, for notes, and writes."""
    session = await database.connect()
    for number in range(60):
        await session.fetch(OF_A_CUSTOMER, number)
        await session.fetch("select id from notes where about = $1", number)
    for number in range(writes):
        await session.execute("update orders set customer_id = $1 where id = $2", number % 50, number + 1)
    await session.close()


async def advised(database: Database, *words: str) -> tuple[int, dict[str, Any]]:
    """Give the exit status and what is said."""
    done = await monitor("advise", "--dsn", "env:SHOP", "--format", "json", *words, env={"SHOP": database.dsn})
    assert done.err == ""
    return done.status, json.loads(done.out)


def missing(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [finding for finding in report["findings"] if finding["rule"] == "index.missing"]


@pytest.mark.parametrize(
    "any_cluster",
    [MAJORS[0], *(pytest.param(each, marks=pytest.mark.soak) for each in MAJORS[1:-1]), NEWEST],
    indirect=True,
)
async def test_a_missing_index_is_proved_made_and_asked_for_no_more(any_database: Database) -> None:
    """The order under LIMIT is in it; small tables get none; the printed SQL runs, and undoes itself."""
    await any_database.execute(WORLD)
    await any_database.execute("select pg_stat_statements_reset()")
    await traffic(any_database)
    status, report = await advised(any_database, "--fail-on", "warning")
    (finding,) = missing(report)
    evidence = finding["evidence"]
    assert (status, finding["subject"]) == (1, "public.orders (customer_id, placed_at)")
    assert finding["object"]["columns"] == ["customer_id", "placed_at"]
    assert (evidence["method"], finding["confidence"]) == ("shadow", "medium")
    assert evidence["cost_after"] < 0.1 * evidence["cost_before"]
    for statement in finding["remedy"]["sql"]:
        await any_database.execute(statement)
    plan = await any_database.fetch(f"explain {OF_A_CUSTOMER.replace('$1', '7')}")
    assert "orders_customer_id_placed_at_idx" in str(plan)
    assert missing((await advised(any_database))[1]) == []
    for statement in finding["remedy"]["rollback"]:
        await any_database.execute(statement)
    assert len(missing((await advised(any_database))[1])) == 1


async def test_a_budget_that_is_too_small_leaves_nothing(database: Database) -> None:
    await database.execute(WORLD)
    await database.execute("select pg_stat_statements_reset()")
    await traffic(database)
    assert missing((await advised(database, "--budget", "16KiB"))[1]) == []


async def test_without_a_workload_nothing_is_advised(database: Database) -> None:
    """An empty database is well: no finding, and nothing that could not be looked at but for lack of history."""
    await database.execute("select pg_stat_statements_reset()")
    status, report = await advised(database)
    assert (status, missing(report)) == (0, [])
    assert [entry for entry in report["not_evaluated"] if entry["needs"] != "history"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("advise",), "no server is named"),
        (("advise", "--dsn", "postgresql://127.0.0.1:1/shop", "--budget", "much"), "--budget much: should be a size"),
    ],
)
async def test_what_cannot_be_is_said_in_one_line(words: tuple[str, ...], said: str) -> None:
    done = await monitor(*words)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert len(done.err.splitlines()) == 1


KEYED = """
    insert into customers values (0, 'nobody');
    alter table orders add constraint of_customer foreign key (customer_id) references customers;
    create table lines (id int primary key, order_id int references orders, sort int);
    insert into lines select g, g, g from generate_series(1, 60000) g;
    analyze
"""


@pytest.mark.parametrize("plans", [10, 300])
async def test_a_foreign_key_waits_for_a_search_that_was_cut_short(
    database: Database, tmp_path: Path, plans: int
) -> None:
    """Its index would be needless beside the wider one that a whole search proposes; other keys are told."""
    await database.execute(WORLD)
    await database.execute(KEYED)
    await database.execute("select pg_stat_statements_reset()")
    await traffic(database)
    session = await database.connect()
    for told in (
        "lower",
        "upper",
        "length",
        "md5",
        "reverse",
        "initcap",
        "btrim",
        "ltrim",
        "rtrim",
        "ascii",
        "quote_ident",
    ):
        for number in range(4):
            await session.fetch(f"select {told}(name) from customers where id = $1", number)
    await session.close()
    config = tmp_path / "monitor.yaml"
    config.write_text(
        f"targets: [{{name: shop, dsn: !env SHOP, databases: {{include: [{database.name}]}}}}]\n"
        f"planner: {{plans: {plans}}}\n",
        encoding="utf-8",
    )
    words = ("snapshot", "--config", str(config), "--window", "0", "--format", "json", "--rule", "index.missing*")
    done = await monitor(*words, env={"SHOP": database.dsn})
    report = json.loads(done.out)
    cut = plans == 10
    keys = [each["subject"] for each in report["findings"] if each["rule"] == "index.missing_foreign_key"]
    waiting = [each for each in report["not_evaluated"] if each["rule"] == "index.missing_foreign_key"]
    assert keys == ["public.lines (order_id)"]
    assert [each["subject"] for each in missing(report)] == ([] if cut else ["public.orders (customer_id, placed_at)"])
    assert [(each["subject"], each["needs"]) for each in waiting] == (
        [("public.orders (customer_id)", "time")] if cut else []
    )
