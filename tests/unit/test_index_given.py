"""Values to plan with where a plan for any value is blind, and statements that had better be written otherwise."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from monitor.advisors.index.candidates import propose
from monitor.advisors.index.given import variants
from monitor.advisors.index.rewrite import rewrites
from monitor.planning import Query
from monitor.shape import Index, IndexKey
from tests.database import Cluster
from tests.planned import Ground, plan, shop, short

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ground(cluster: Cluster) -> AsyncIterator[Ground]:
    """The shop, with plain indexes that statements may hide."""
    async with shop(cluster) as made:
        yield made


def asked(text: str, rows: float = 1.0) -> Query:
    return Query(name="q", text=text, calls=10, seconds=1, rows=10 * rows)


async def given(ground: Ground, text: str, rows: float = 1.0) -> list[tuple[str, bool]]:
    """Give the first value of each variant, and whether it is sure."""
    query = asked(text, rows)
    found = variants(query, await plan(ground.database, text), ground.shape)
    return [(each.query.given[0][1], each.sure) for each in found]


VALUES = {
    "a pattern that may be anything": (
        "select * from shop.users where email like $1",
        1,
        [("'kqxwvzj%'", False), ("'%kqxwvzj%'", False)],
    ),
    "a prefix by the text": ("select * from shop.users where email like $1 || '%'", 1, [("'kqxwvzj'", True)]),
    "a beginning with something behind": (
        "select * from shop.users where email like $1 || $2",
        1,
        [("'kqxwvzj'", False)],
    ),
    "a wildcard before": ("select * from shop.users where email like '%' || $1", 1, []),
    "what begins with": ("select * from shop.users where email ^@ $1", 1, [("'kqxwvzj'", True)]),
    "of an expression": ("select * from shop.users where lower(email) like $1 || '%'", 1, [("'kqxwvzj'", True)]),
    "a short column": ("select * from shop.users where city like $1 || '%'", 1, [("'kqx'", True)]),
    "a rare state": ("select * from shop.orders where state = $1", 400, [("'open'::shop.state", True)]),
    "a rare state, roughly": ("select * from shop.orders where state = $1", 200, [("'open'::shop.state", True)]),
    "a common state": ("select * from shop.orders where state = $1", 19_000, []),
    "fewer rows than any state has": ("select * from shop.orders where state = $1", 40, []),
    "a rare truth": ("select * from shop.orders where done = $1", 200, [("'f'::boolean", True)]),
    "a state and something that keeps few": (
        "select * from shop.orders where state = $1 and shop_id = $2",
        10,
        [("'open'::shop.state", True)],
    ),
    "a number of rows that a LIMIT set": ("select * from shop.orders where state = $1 limit 400", 400, []),
    "a count": ("select count(*) from shop.orders where state = $1", 400, []),
    "a text, whose values are data": ("select * from shop.users where name = $1", 2, []),
    "a small table": ("select * from shop.small where name like $1", 1, []),
}


@pytest.mark.parametrize(("text", "rows", "wanted"), VALUES.values(), ids=VALUES)
async def test_values_are_given(ground: Ground, text: str, rows: float, wanted: list[tuple[str, bool]]) -> None:
    """Stand-ins for prefixes, values of enums and booleans that explain the rows; nobody's data."""
    assert await given(ground, text, rows) == wanted


async def test_a_rare_state_leads_to_a_partial_index(ground: Ground) -> None:
    """The plan with the value names it, and the value is the type's own."""
    text = "select * from shop.orders where state = $1 and shop_id = $2"
    (variant,) = variants(asked(text, 10), await plan(ground.database, text), ground.shape)
    planned = await plan(ground.database, text.replace("$1", variant.query.given[0][1]).replace("$2", "$1"))
    found = {short(each) for group in propose(variant.query, planned, ground.shape) for each in group}
    assert "orders (shop_id) where state = 'open'::shop.state" in found


REWRITTEN = {
    "a number as a text": ("select * from shop.users where id::text = $1", ("cast", "id")),
    "a date as a text": ("select * from shop.users where born::text like $1 || '%'", ("cast", "born")),
    "a number compared with another kind": (
        "select * from shop.lines where product_id = $1::numeric",
        ("cast", "product_id"),
    ),
    "a part of a date": (
        "select * from shop.users where extract(year from born) = $1",
        ("function of a time", "born"),
    ),
    "a part of a date that is asked for": ("select * from shop.users where date_trunc($1, born) = $2", None),
    "a join that gives few": (
        "select u.id, o.id from shop.orders o join shop.users u on u.id::text = o.note where o.id = $1",
        ("cast", "id"),
    ),
    "a sum": ("select * from shop.lines where product_id + 1 = $1", ("arithmetic", "product_id")),
    "coalesce": ("select * from shop.users where coalesce(born, $1) = $2", ("coalesce", "born")),
    "a document's key that no text tells": ("select id from shop.users where doc ->> $1 = $2", ("key not told", "doc")),
    "a key below a key": ("select id from shop.users where doc -> $1 ->> $2 in ($3, $4)", ("key not told", "doc")),
    "NOT IN": (
        "select * from shop.lines where product_id not in (select user_id from shop.orders where amount > position)",
        ("not in", ""),
    ),
}


@pytest.mark.parametrize(("text", "wanted"), REWRITTEN.values(), ids=REWRITTEN)
async def test_what_hides_an_index_is_told(ground: Ground, text: str, wanted: tuple[str, str] | None) -> None:
    """There is an index, and the statement cannot use it as it is written."""
    found = [
        (each.kind.value, each.column)
        for each in rewrites(asked(text), await plan(ground.database, text), ground.shape)
    ]
    assert found == ([wanted] if wanted else [("function of a time", "born")])


FINE = {
    "the column itself": "select * from shop.users where born = $1",
    "a cast of the value": "select * from shop.users where id = $1::text::bigint",
    "a varchar as a text, which is the same": "select * from shop.users where name = $1::text",
    "no index on it": "select * from shop.orders where shop_id::text = $1",
    "an index on the expression": "select * from shop.users where lower(mail) = $1",
    "a function that nobody knows": "select * from shop.users where shop.odd(born::text) = $1",
    "an expression that had better have an index": "select * from shop.users where lower(email) = $1",
    "a small table": "select * from shop.small where id::text = $1",
    "most of the rows": "select * from shop.users where id::numeric > 0",
    "the index is used by something else": "select * from shop.users where id = $1 and born::text = $2",
    "a join of everything": "select * from shop.orders o join shop.users u on u.id::text = o.note",
    "NOT EXISTS": "select * from shop.lines l where not exists (select from shop.orders o where o.id = l.order_id)",
    "NOT IN of a few": "select * from shop.lines where product_id not in (select id from shop.small)",
    "a pattern where trigrams can be had": "select * from shop.users where email like '%abc'",
    "a key that the text tells": "select id from shop.users where doc ->> 'tag' = $1",
    "a range below a key": "select id from shop.users where doc ->> $1 > $2",
    "pages of an index": "select * from shop.users order by id limit $1 offset $2",
}


@pytest.mark.parametrize("text", FINE.values(), ids=FINE)
async def test_nothing_is_told_of_what_is_fine(ground: Ground, text: str) -> None:
    """A false alarm is worse than none."""
    planned = await plan(ground.database, text)
    assert [
        *rewrites(
            asked(text, rows=20_000 if "numeric" in text or "o.note" in text else 1), planned, ground.shape, blocks=30
        )
    ] == []


async def test_a_pattern_that_no_index_serves_is_told(ground: Ground) -> None:
    """Without trigrams it can only be written otherwise."""
    text = "select * from shop.users where email like '%abc'"
    bare = replace(ground.shape, extensions={}, available=frozenset())
    (found,) = rewrites(asked(text), await plan(ground.database, text), bare)
    assert (found.kind.value, found.column, found.hidden) == ("leading wildcard", "email", "")


async def test_a_key_is_not_asked_after_where_an_index_may_have_it(ground: Ground) -> None:
    """An index on some key of the document may be on just that one; most of the table needs none."""
    text = "select id from shop.users where doc ->> $1 = $2"
    planned = await plan(ground.database, text)
    assert [*rewrites(asked(text, rows=5000), planned, ground.shape)] == []
    users = ground.shape.named("shop", "users")
    assert users is not None
    key = IndexKey(expression="((doc ->> 'tag'::text))")
    some = Index(oid=77, schema="shop", name="users_tag", method="btree", keys=(key,), pages=50)
    keyed = replace(users, indexes=(*users.indexes, some))
    shape = replace(ground.shape, tables={**ground.shape.tables, users.oid: keyed})
    assert [*rewrites(asked(text), planned, shape)] == []


async def test_a_deep_offset_is_told_by_the_blocks_it_reads(ground: Ground) -> None:
    """Ten rows come back for 500 blocks; for 499 it may be anything."""
    text = "select * from shop.users order by id limit $1 offset $2"
    planned = await plan(ground.database, text)
    (found,) = rewrites(asked(text, 10), planned, ground.shape, blocks=500)
    assert found.kind.value == "deep offset"
    assert [*rewrites(asked(text, 10), planned, ground.shape, blocks=499)] == []
    without = text.replace(" offset $2", "")
    assert [*rewrites(asked(without, 10), await plan(ground.database, without), ground.shape, blocks=500)] == []
