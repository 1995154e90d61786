"""The shape of a database, read from real servers as the monitor's own role."""

from monitor.model import Result
from monitor.shape import IndexKey, Shape
from monitor.shaped import shape_of
from probes.shape import PROBE
from tests.database import Database


async def read(database: Database) -> Shape:
    """Take one reading."""
    async with database.eye(PROBE) as eye:
        seen = await eye.look()
    assert seen.result is Result.OK, seen.reason
    return shape_of(seen)


SHOP = """
    create type state as enum ('open', 'done');
    create domain money_amount as numeric(12, 2);
    create table customers (id bigint primary key, email text collate "C" not null, name varchar(50), vip boolean);
    create table orders (
        id bigint generated always as identity primary key,
        customer_id bigint not null references customers,
        state state not null,
        amount money_amount,
        doubled numeric generated always as (amount * 2) stored,
        tags jsonb);
    create index orders_open on orders (customer_id, amount desc nulls last) include (tags) where state = 'open';
    create index customers_lower on customers (lower(email));
    create index customers_pattern on customers (name varchar_pattern_ops, email collate "POSIX");
    create index orders_tags on orders using gin (tags jsonb_path_ops);
    insert into customers select g, 'p' || g || '@example.com', 'n', g % 4 = 0 from generate_series(1, 1000) g;
    insert into orders (customer_id, state, amount)
    select 1 + g % 1000, case when g % 10 = 0 then 'open' else 'done' end::state, g from generate_series(1, 5000) g;
"""


async def test_it_reads_a_schema_on_every_version(any_database: Database) -> None:
    """Types, collations, keys, predicates, and numbers of the statistics."""
    await any_database.execute(SHOP)
    await any_database.execute("vacuum analyze")
    shape = await read(any_database)
    orders, customers = shape.named("public", "orders"), shape.named("public", "customers")
    assert orders is not None
    assert customers is not None
    columns = orders.by_name
    assert (orders.rows, orders.kind, orders.pages > 0) == (5000, "r", True)
    assert [each.type for each in orders.columns] == [
        "bigint", "bigint", "public.state", "public.money_amount", "numeric", "jsonb",
    ]  # fmt: skip
    assert (columns["id"].not_null, columns["amount"].not_null, columns["doubled"].generated) == (True, False, True)
    assert customers.by_name["email"].collation == '"C"'
    assert customers.by_name["email"].by_bytes
    state, tags = columns["state"].statistics, columns["tags"].statistics
    assert state is not None
    assert tags is not None
    assert (state.values, [round(each, 1) for each in state.frequencies]) == (("done", "open"), [0.9, 0.1])
    assert tags.null_frac == 1


async def test_keys_of_indexes_say_what_is_not_the_default(any_database: Database) -> None:
    """Order, opclass, collation, predicate, included columns and expressions."""
    await any_database.execute(SHOP)
    shape = await read(any_database)
    named = {index.name: index for table in shape.tables.values() for index in table.indexes}
    first, second = named["orders_open"].keys
    assert (first.expression, first.column, first.descending, first.nulls_first) == ("customer_id", 2, False, False)
    assert (second.expression, second.descending, second.nulls_first) == ("amount", True, False)
    assert (named["orders_open"].include, named["orders_open"].where) == (
        ("tags",),
        "(state = 'open'::public.state)",
    )
    assert named["customers_lower"].keys == (IndexKey(expression="(lower(email))"),)
    assert named["customers_pattern"].keys == (
        IndexKey(expression="name", column=3, opclass="varchar_pattern_ops"),
        IndexKey(expression="email", column=2, collation='"POSIX"'),
    )
    assert (named["orders_tags"].method, named["orders_tags"].keys[0].opclass) == ("gin", "jsonb_path_ops")
    assert (named["orders_pkey"].primary, named["orders_pkey"].constraint) == (True, "orders_pkey")
