"""Candidates of random statements: each is on columns that are there, and the server builds it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as some

from monitor.advisors.index.candidates import propose
from monitor.advisors.index.given import variants
from monitor.advisors.index.rewrite import rewrites
from monitor.planning import Candidate, Query
from tests.database import Cluster, Database
from tests.planned import SHOP, Ground, plan, shop

pytestmark = pytest.mark.asyncio(loop_scope="session")

NUMBERS = ("o.id", "user_id", "shop_id", "amount", "total")
TEXTS = (
    "note",
    "big",
    "lower(note)",
    "shop.normal(note)",
    "left(note, 3)",
    "note || big",
    "note || amount",
    "tags[1]",
    'note collate "C"',
)
OTHERS = (
    "state = $1",
    "done",
    "not done",
    "done is not true",
    "state in ('open', 'paid')",
    "tags @> array[$1::text]",
    "$1 = any (tags)",
    "tags && $1",
    "span && $1",
    "span @> now()",
    "words @@ to_tsquery('simple', $1)",
    "to_tsvector('simple', note) @@ to_tsquery($1)",
    "ref = $1",
    "big is null",
    "big is not null",
    "o.created_at > now() - interval '1 day'",
    "date_trunc('day', o.created_at at time zone 'UTC') = $1",
    "o.created_at::date = $1",
    "(user_id, o.id) > ($1, $2)",
    "at_place <@ box '((0,0),(1,1))'",
    "exists (select from shop.lines l where l.order_id = o.id)",
    "user_id in (select id from shop.users where email = $1)",
    "user_id not in (select id from shop.users)",
    "coalesce(amount, 0) > 5",
    "amount + 1 = $1",
    "-amount < $1",
    "case when done then user_id else shop_id end = $1",
    "(select count(*) from shop.lines l where l.order_id = o.id) > $1",
    "random() < 0.5",
    "o is not null",
)
JOINS = ("join shop.users u on u.id = o.user_id", "left join shop.lines n on n.order_id = o.id")
numbers = some.builds("{} {} $1".format, some.sampled_from(NUMBERS), some.sampled_from(["=", "<", ">=", "<>"]))
lists = some.builds("{} = any ($1)".format, some.sampled_from(NUMBERS))
texts = some.builds(
    "{} {} $1".format, some.sampled_from(TEXTS), some.sampled_from(["=", "like", "ilike", "~", "^@", "<", "not like"])
)
prefixes = some.builds("{} like 'abc%'".format, some.sampled_from(TEXTS))
terms = some.one_of(numbers, lists, texts, prefixes, some.sampled_from(OTHERS))
wheres = some.recursive(
    terms,
    lambda inner: (
        some.builds(
            lambda parts, word: "(" + f" {word} ".join(parts) + ")",
            some.lists(inner, min_size=2, max_size=3),
            some.sampled_from(["and", "and", "or"]),
        )
        | some.builds("not {}".format, inner)
    ),
    max_leaves=6,
)
sorts = some.lists(
    some.builds(
        "{} {}".format,
        some.sampled_from([*NUMBERS, "note", "lower(note)", "o.created_at"]),
        some.sampled_from(["", "desc", "nulls first", "desc nulls last"]),
    ),
    max_size=3,
)


@some.composite
def statements(draw: some.DrawFn) -> str:
    """A statement over orders, perhaps joined; each has its own parameters."""
    joined = draw(some.sampled_from(["", "", *JOINS]))
    what = draw(some.sampled_from(["*", "o.id, o.amount", "count(*)", "min(o.amount)"]))
    order = ", ".join(draw(sorts)) if what[-1] != ")" else ""
    limit = draw(some.sampled_from(["", " limit 10", " limit 5 offset 100"]))
    sql = f"select {what} from shop.orders o {joined} where {draw(wheres)}"
    return _numbered(sql + (f" order by {order}" if order else "") + limit)


def _numbered(sql: str) -> str:
    """Number the parameters anew, so that each may have its own type."""
    parts = sql.replace("$2", "$1").split("$1")
    return "".join(part + (f"${number}" if number < len(parts) else "") for number, part in enumerate(parts, 1))


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A shop with rows, to plan in, and one without, to build in."""

    full: Ground
    empty: Database


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pair(cluster: Cluster) -> AsyncIterator[Pair]:
    async with shop(cluster) as full, cluster.fresh() as empty:
        await empty.execute(";".join(part for part in SHOP.split(";\n") if "insert into" not in part))
        for database in (full.database, empty):
            await database.execute("create extension pg_trgm")
        yield Pair(full=full, empty=empty)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(statements())
async def test_every_candidate_can_be_built(pair: Pair, text: str) -> None:
    """Whatever is asked: it is planned, nothing breaks, and each index that is proposed is one the server takes."""
    try:
        planned = await plan(pair.full.database, text)
    except asyncpg.PostgresError:
        reject()
    query, shape = Query(name="q", text=text, calls=10, rows=100), pair.full.shape
    groups = [*propose(query, planned, shape)]
    for variant in variants(query, planned, shape):
        assert all(number >= 1 for number, _ in variant.query.given)
    for found in rewrites(query, planned, shape, blocks=1000):
        assert found.column in {"", *found.table.by_name}
    assert len(groups) == len(set(groups))
    for candidate in {each for group in groups for each in group}:
        await _built(pair, candidate)


async def _built(pair: Pair, candidate: Candidate) -> None:
    table = pair.full.shape.tables[candidate.table]
    assert {key.column for key in candidate.keys} <= {0, *(column.number for column in table.columns)}
    assert {*candidate.include} <= table.by_name.keys()
    assert len(set(candidate.keys)) == len(candidate.keys) > 0
    await pair.empty.execute("begin")
    try:
        await pair.empty.execute(candidate.definition("tried"))
    finally:
        await pair.empty.execute("rollback")
