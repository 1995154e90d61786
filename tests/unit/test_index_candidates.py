"""Candidates from plans of a real server: what should be tried for a statement, and what should not."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from monitor.advisors.index.candidates import propose
from monitor.advisors.index.served import served_everywhere
from monitor.planning import Query
from monitor.shape import Writes
from tests.database import Cluster
from tests.planned import Ground, plan, shape_read, shop, short

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ground(cluster: Cluster) -> AsyncIterator[Ground]:
    """A shop that has next to no index."""
    async with shop(cluster) as made:
        yield made


WANTED = {
    "one column": ("select * from shop.orders where user_id = $1", "orders (user_id)"),
    "the more selective column first": (
        "select * from shop.orders where shop_id = $1 and user_id = $2",
        "orders (user_id, shop_id)",
    ),
    "the more selective column alone": (
        "select * from shop.orders where shop_id = $1 and user_id = $2",
        "orders (user_id)",
    ),
    "a range behind what is equal": (
        "select * from shop.orders where shop_id = $1 and created_at > $2",
        "orders (shop_id, created_at)",
    ),
    "a range alone": ("select * from shop.orders where created_at >= $1 and created_at < $2", "orders (created_at)"),
    "a list behind what is equal": (
        "select * from shop.orders where user_id = $1 and amount = any ($2)",
        "orders (user_id, amount)",
    ),
    "a list alone": ("select * from shop.orders where user_id in ($1, $2, $3)", "orders (user_id)"),
    "the order under a limit": (
        "select * from shop.orders where shop_id = $1 order by created_at desc limit 10",
        "orders (shop_id, created_at)",
    ),
    "the order alone under a limit": (
        "select * from shop.orders order by amount desc limit 10",
        "orders (amount)",
    ),
    "directions that differ": (
        "select * from shop.orders where shop_id = $1 order by created_at desc, id limit 10",
        "orders (shop_id, created_at, id desc)",
    ),
    "nulls out of place": (
        "select * from shop.orders order by amount desc nulls last limit 10",
        "orders (amount nulls first)",
    ),
    "the least of all": ("select min(amount) from shop.orders", "orders (amount)"),
    "the greatest of some": (
        "select max(created_at) from shop.orders where user_id = $1",
        "orders (user_id, created_at)",
    ),
    "a join's key": (
        "select u.name, o.amount from shop.users u join shop.orders o on o.user_id = u.id where u.id = $1",
        "orders (user_id)",
    ),
    "a join's key and what is equal beside": (
        "select * from shop.users u join shop.orders o on o.user_id = u.id where u.id = $1 and o.shop_id = $2",
        "orders (user_id, shop_id)",
    ),
    "the other side of a join": (
        "select * from shop.users u join shop.orders o on o.user_id = u.id where u.email = $1",
        "users (email)",
    ),
    "a left join": (
        "select * from shop.users u left join shop.orders o on o.user_id = u.id where u.id = $1",
        "orders (user_id)",
    ),
    "exists": (
        "select * from shop.users u where u.id < $1 and exists (select from shop.orders o where o.user_id = u.id)",
        "orders (user_id)",
    ),
    "a correlated subquery": (
        "select id, (select max(amount) from shop.orders o where o.user_id = u.id) from shop.users u where id < $1",
        "orders (user_id, amount)",
    ),
    "a lateral join": (
        """select * from shop.users u, lateral (select * from shop.orders o where o.user_id = u.id
            order by created_at desc limit 1) x where u.id = $1""",
        "orders (user_id, created_at)",
    ),
    "a CTE": (
        "with x as materialized (select * from shop.orders where user_id = $1) select count(*) from x",
        "orders (user_id)",
    ),
    "a self join": (
        "select * from shop.orders a join shop.orders b on b.ref = a.ref where a.id = $1",
        "orders (ref)",
    ),
    "an update": ("update shop.orders set amount = $1 where user_id = $2", "orders (user_id)"),
    "a delete": ("delete from shop.orders where user_id = $1", "orders (user_id)"),
    "an insert of what is selected": (
        "insert into shop.small select id, note from shop.orders where user_id = $1",
        "orders (user_id)",
    ),
    "views over views": ("select * from shop.open_orders_of where email = $1", "users (email)"),
    "a varchar, which is cast to text": ("select * from shop.users where name = $1", "users (name)"),
    "a domain": ("select * from shop.users where mail = $1", "users (mail)"),
    "a primary key that is hidden finds no row": (
        "select * from shop.orders where id::text = $1 and user_id = $2",
        "orders (user_id)",
    ),
    "an expression": ("select * from shop.users where lower(email) = $1", "users (lower(email))"),
    "an expression of a varchar": ("select * from shop.users where upper(name) = $1", "users (upper((name)::text))"),
    "a function of their own": (
        "select * from shop.users where shop.normal(email) = $1",
        "users (lower(btrim(email)))",
    ),
    "a document's field": ("select * from shop.users where doc ->> 'tag' = $1", "users ((doc ->> 'tag'::text))"),
    "a day of a timestamp": (
        "select * from shop.users where date_trunc('day', created_at) = $1",
        "users (date_trunc('day'::text, created_at))",
    ),
    "an order by an expression": (
        "select * from shop.users order by lower(email) limit 5",
        "users (lower(email))",
    ),
    "rarely null": (
        "select * from shop.users where deleted_at is not null",
        "users (deleted_at) where deleted_at is not null",
    ),
    "rarely true": ("select * from shop.users where vip", "users (id) where vip"),
    "rarely false, in order": (
        "select * from shop.orders where not done order by created_at limit 20",
        "orders (created_at) where not done",
    ),
    "rarely of a state, said by a view": (
        "select * from shop.open_orders where user_id = $1",
        "orders (user_id) where state = 'open'::shop.state",
    ),
    "mostly null and compared": (
        "select * from shop.users where deleted_at > $1",
        "users (deleted_at) where deleted_at is not null",
    ),
    "a prefix": ("select * from shop.users where email like 'abc%'", "users (email text_pattern_ops)"),
    "a prefix of a varchar": ("select * from shop.users where name like 'abc%'", "users (name varchar_pattern_ops)"),
    "a prefix where the collation is C": ("select * from shop.users where city like 'abc%'", "users (city)"),
    "a prefix behind what is equal": (
        "select * from shop.users where city = $1 and email like 'abc%'",
        "users (city, email text_pattern_ops)",
    ),
    "a pattern": ("select * from shop.users where email like '%abc%'", "users using gin (email gin_trgm_ops)"),
    "a pattern of any case": ("select * from shop.users where email ilike $1", "users using gin (email gin_trgm_ops)"),
    "a document that contains": ("select * from shop.users where doc @> $1", "users using gin (doc jsonb_path_ops)"),
    "a document that has a key": ("select * from shop.users where doc ? $1", "users using gin (doc)"),
    "an array that contains": ("select * from shop.orders where tags @> $1", "orders using gin (tags)"),
    "an array that overlaps": ("select * from shop.orders where tags && $1", "orders using gin (tags)"),
    "ranges that overlap": ("select * from shop.orders where span && $1", "orders using gist (span)"),
    "words": ("select * from shop.orders where words @@ to_tsquery('simple', $1)", "orders using gin (words)"),
    "words of a text": (
        "select * from shop.orders where to_tsvector('simple', note) @@ to_tsquery('simple', $1)",
        "orders using gin (to_tsvector('simple'::regconfig, note))",
    ),
    "a partitioned table": ("select * from shop.events where user_id = $1", "events (user_id)"),
    "a partitioned table in a join": (
        "select * from shop.users u join shop.events e on e.user_id = u.id where u.id = $1 and e.kind = $2",
        "events (user_id)",
    ),
    "one partition of all": ("select * from shop.events where kind = $1 and at < '2024-01-05'", "events (kind, at)"),
    "the order of a partitioned table": (
        "select * from shop.events where user_id = $1 order by at desc limit 3",
        "events (user_id, at)",
    ),
    "names that need quotes": (
        """select * from "Odd.Sch""ema"."Or.der""s ü" where "ü.""é" = $1 and "select" = $2""",
        """"Or.der""s ü" ("ü.""é", "select")""",
    ),
    "keyset pages": (
        "select * from shop.orders where (amount, id) > ($1, $2) order by amount, id limit 10",
        "orders (amount, id)",
    ),
    "a generated column": ("select * from shop.orders where total = $1", "orders (total)"),
    "few columns that are enough": (
        "select sum(amount) from shop.orders where shop_id = $1",
        "orders (shop_id) include (amount)",
    ),
    "not the leading column of the primary key": (
        "select * from shop.lines where position = $1 and quantity = $2",
        "lines (quantity, position)",
    ),
}


@pytest.mark.parametrize(("text", "wanted"), WANTED.values(), ids=WANTED)
async def test_it_is_proposed(ground: Ground, text: str, wanted: str) -> None:
    """What would help this statement is among the few that are tried."""
    found = await ground.indexes(text)
    assert wanted in found
    assert len(found) <= 12


NOTHING = {
    "all rows are read": "select * from shop.orders",
    "most rows are read": "select * from shop.orders where amount >= 0",
    "all rows are counted": "select shop_id, count(*) from shop.orders group by shop_id",
    "a half of the rows, said by their frequency": "select * from shop.orders where done",
    "a small table": "select * from shop.small where id = $1",
    "the primary key": "select * from shop.orders where id = $1 and amount > $2",
    "the primary key of several": "select * from shop.orders where id in ($1, $2, $3)",
    "the whole of a primary key": "select * from shop.lines where position = $1 and order_id = $2",
    "the first of a primary key": "select * from shop.lines where order_id = $1",
    "an index there is": "select * from shop.lines where product_id = $1",
    "a range on an index there is": "select * from shop.users where born between $1 and $2",
    "an order of an index there is, backward": "select * from shop.users order by born desc limit 5",
    "an expression's index there is": "select * from shop.users where lower(mail) = $1",
    "json, which nothing compares": "select * from shop.users where plain ->> 'a' is not null",
    "a point": "select * from shop.orders where at_place <@ box '((0,0),(1,1))'",
    "what is not equal": "select * from shop.orders where user_id <> $1",
    "a function that is not immutable": "select * from shop.orders where shop.odd(note) = $1",
    "a day in a session's time zone": "select * from shop.orders where date_trunc('day', created_at) = $1",
    "a date as text": "select * from shop.users where born::text = $1",
    "two columns of one table": "select * from shop.orders where user_id = shop_id",
    "a random sample": "select * from shop.orders where random() < 0.1",
    "a parameter inside of the expression": "select * from shop.users where doc ->> $1 = $2",
    "a hidden subquery": "select * from shop.orders where user_id not in (select id from shop.small)",
    "no table": "select $1::int",
    "never true": "select * from shop.orders where user_id = $1 and false",
    "a catalogue": "select * from pg_class where relpages > $1",
    "a function in from": "select * from generate_series(1, $1) g where g = 3",
    "values": "select * from (values (1), (2)) v (a) where a = $1",
    "an insert of values": "insert into shop.small values ($1, $2)",
    "the first page of anything": "select * from shop.orders limit 10",
}


@pytest.mark.parametrize("text", NOTHING.values(), ids=NOTHING)
async def test_nothing_is_proposed(ground: Ground, text: str) -> None:
    """What cannot help, or is there already, is not tried."""
    assert await ground.groups(text, rows=20000) == []


async def test_the_rows_that_came_back_tell_a_rare_value_from_a_common_one(ground: Ground) -> None:
    """Any state is expected to keep half of the rows; few came back: it is worth a try."""
    text = "select * from shop.orders where state = $1"
    assert await ground.indexes(text, rows=15_000) == []
    assert await ground.indexes(text, rows=40) == ["orders (state)"]


TOGETHER = {
    "arms of an OR": (
        "select * from shop.orders where user_id = $1 or ref = $2",
        {"orders (user_id)", "orders (ref)"},
    ),
    "arms that compare more": (
        "select * from shop.orders where (user_id = $1 and amount > $2) or ref = $3",
        {"orders (user_id, amount)", "orders (ref)"},
    ),
    "arms of another kind": (
        "select * from shop.orders where tags @> $1 or ref = $2",
        {"orders using gin (tags)", "orders (ref)"},
    ),
    "both sides of a join": (
        "select * from shop.orders o join shop.lines l on quantity = shop_id where amount = $1 and position = $2",
        {"orders (shop_id)", "lines (quantity)"},
    ),
}


@pytest.mark.parametrize(("text", "wanted"), TOGETHER.values(), ids=TOGETHER)
async def test_what_needs_each_other_is_tried_together(ground: Ground, text: str, wanted: set[str]) -> None:
    """One arm's index alone would leave the table to be read whole."""
    assert wanted in await ground.together(text)


async def test_an_arm_that_cannot_be_looked_up_spoils_the_group(ground: Ground) -> None:
    """The table is read whole for it anyway."""
    assert await ground.together("select * from shop.orders where user_id = $1 or random() < $2") == []


async def test_an_arm_that_is_served_needs_the_others_only(ground: Ground) -> None:
    """The primary key answers for one arm."""
    found = await ground.indexes("select * from shop.orders where id = $1 or ref = $2")
    assert found == ["orders (ref)"]


async def test_no_table_that_is_not_theirs_gets_an_index(ground: Ground) -> None:
    """Managed and extensions' tables, and foreign ones."""
    text = "select * from shop.orders where user_id = $1"
    planned, orders = await plan(ground.database, text), ground.shape.named("shop", "orders")
    assert orders is not None
    for other in (replace(orders, managed=True), replace(orders, owner="postgis"), replace(orders, kind="f")):
        shape = replace(ground.shape, tables={**ground.shape.tables, orders.oid: other})
        assert [*propose(Query(name="q", text=text), planned, shape)] == []


async def test_without_trigrams_no_pattern_is_indexed(ground: Ground) -> None:
    """The operator class has to come from somewhere."""
    text = "select * from shop.users where email ilike $1"
    planned, bare = await plan(ground.database, text), replace(ground.shape, extensions={}, available=frozenset())
    assert [*propose(Query(name="q", text=text), planned, bare)] == []


async def test_brin_is_proposed_for_what_only_grows(ground: Ground) -> None:
    """A big table in the order of its times, hardly ever changed; not one that is changed often."""
    text = "select * from shop.orders where created_at > $1 and created_at < $2"
    planned, orders = await plan(ground.database, text), ground.shape.named("shop", "orders")
    assert orders is not None

    def proposed(writes: Writes) -> list[str]:
        big = replace(orders, pages=20_000, writes=writes)
        shape = replace(ground.shape, tables={**ground.shape.tables, orders.oid: big})
        return [short(each) for group in propose(Query(name="q", text=text), planned, shape) for each in group]

    assert "orders using brin (created_at)" in proposed(Writes(inserted=1000, updated=50))
    assert "orders using brin (created_at)" not in proposed(Writes(inserted=1000, updated=51))


async def test_every_candidate_is_one_that_the_server_takes(cluster: Cluster) -> None:
    """All that was ever proposed here is built for real, and serves then; none names a column that is not there."""
    async with shop(cluster) as ground:
        await _every_candidate_is_taken(ground)


async def _every_candidate_is_taken(ground: Ground) -> None:
    await ground.database.execute("create extension pg_trgm")
    found = {each for text, _ in WANTED.values() for group in await ground.groups(text) for each in group}
    for candidate in found:
        table = ground.shape.tables[candidate.table]
        assert {key.column for key in candidate.keys} <= {0, *(column.number for column in table.columns)}
        assert {*candidate.include} <= table.by_name.keys()
    await ground.build(found)
    after = await shape_read(ground.database)
    for candidate in found:
        assert served_everywhere(candidate, after.tables[candidate.table], after), short(candidate)
