"""What cannot be planned is refused with a reason in plain words; nothing odd in a catalogue breaks the shadow."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio

from monitor.planner.planners import Planners
from monitor.planning import Candidate
from monitor.shape import Column, DefinedType, Index, IndexKey, Shape, Table
from monitor.sql.text import identifier
from tests.database import Cluster, Database
from tests.planner.reading import shape_of
from tests.planner.real import candidate, queries

pytestmark = pytest.mark.asyncio(loop_scope="session")

ODD = 'Größe "x". y'
LONG = "ü" * 31
WORLD = f"""
    create extension postgres_fdw;
    create server elsewhere foreign data wrapper postgres_fdw;
    create foreign table far (id int) server elsewhere;
    create schema "a.b";
    create table "a.b"."select ""x"" y" (id int primary key, {identifier(ODD)} text, {identifier(LONG)} int);
    create table twice (id int);
    create schema one;
    create schema two;
    create table one.thing (id int);
    create table two.thing (id int);
    create table one.single (id int primary key, a int);
    create domain money_amount as numeric(12, 2) check (value > 0);
    create table shop (
        id bigint generated always as identity primary key,
        amount money_amount,
        doubled numeric generated always as (amount * 2) stored,
        happened tsrange,
        word text collate "POSIX");
    create function slug(t text) returns text language sql immutable as $$ select lower(t) $$;
    create function mine() returns bigint language sql stable as $$ select 1::bigint $$;
    create index shop_slug on shop (slug(word));
    create table never (id int, a text);
    create view v1 as select id, amount from shop;
    create view v2 as select * from v1 where id > 0;
    create view v3 as select v2.id, o.a from v2 join one.single o on o.id = v2.id;
    create materialized view kept as select id, word from shop;
    create table secret (id int, owner bigint);
    alter table secret enable row level security;
    create policy own on secret using (owner = mine());
    create table base (id int, kind text);
    create table derived (more int) inherits (base);
    insert into shop (amount, word) select g, 'w' || g from generate_series(1, 20000) g;
    insert into one.single select g, g from generate_series(1, 20000) g;
    insert into secret select g, g from generate_series(1, 20000) g;
    insert into derived select g, 'k' || g, g from generate_series(1, 20000) g;
    refresh materialized view kept;
    analyze;
"""


@dataclass(frozen=True, kw_only=True)
class World:
    """A database with all that is odd, and its shape."""

    database: Database
    shape: Shape


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(cluster: Cluster) -> AsyncIterator[World]:
    async with cluster.fresh() as database:
        await database.execute(WORLD)
        shape = await shape_of(database, left_out={"public.held": "it is locked exclusively"})
        yield World(database=database, shape=shape)


REFUSED = {
    "select * from": "its text cannot be read as one statement",
    "select 1; select 2": "its text cannot be read as one statement",
    "vacuum shop": "it neither reads nor changes rows",
    "select * from gone": "no table gone is known",
    "select * from public.gone": "no table public.gone is known",
    "select * from public.held": "it is locked exclusively",
    "select * from thing": "thing is in several schemas (one, two)",
    "select * from far": "public.far is a foreign table",
    "select nix from shop": 'column "nix" does not exist',
    "select unknown_function(id) from shop": "unknown_function",
    "select * from shop where id = $1 + $2 + 'x'::point": "the shadow cannot tell the types or functions",
}


@pytest.mark.parametrize("text", REFUSED)
async def test_it_says_why_a_statement_cannot_be_planned(world: World, planners: Planners, text: str) -> None:
    """In words that tell the cause; others of the same question are planned."""
    async with planners.opened(world.shape) as shadow:
        answer = await shadow.cost(queries(text, "select * from shop where id = $1"))
    assert REFUSED[text] in answer.refused[text]
    assert [*answer.planned] == ["select * from shop where id = $1"]


PLANNED = (
    'select * from "a.b"."select ""x"" y" where id = $1',
    "select * from single where a = $1",
    "select * from one.single where a > $1 order by a limit $2",
    "select * from shop where doubled > $1 and happened && $2",
    "select * from v3 where id = $1",
    "select * from kept where id = $1",
    "select * from secret where owner = mine()",
    "select * from secret where owner = $1",
    "select * from base where kind = $1",
    "select slug($1), count(*) from shop where slug(word) = slug($2)",
    "select * from never where a = $1",
    "select extract($1 from now()), id from shop where id = $2",
    "select * from pg_class where relname = $1",
    "select * from information_schema.tables",
    "with s as (select id from shop where word = $1) update single set a = $2 from s where single.id = s.id",
    "insert into one.single select id, $1 from shop where word like $2 on conflict (id) do nothing",
    "merge into one.single o using shop s on s.id = o.id when matched then update set a = 1",
    "select * from shop where id = $1 for update",
    "select * from shop s, lateral (select * from single o where o.id = s.id limit $1) x",
)


async def test_odd_things_are_planned(world: World, planners: Planners) -> None:
    """Quoted names, views over views, generated columns, domains, own functions, inheritance, row security."""
    async with planners.opened(world.shape) as shadow:
        answer = await shadow.cost(queries(*PLANNED))
    assert answer.refused == {}
    assert answer.planned.keys() == {*PLANNED}


async def test_inherited_rows_are_counted(world: World, planners: Planners) -> None:
    """A parent's plan reads its children, and a candidate on a child is used."""
    kind = candidate(world.shape, "derived", "kind")
    (query,) = queries("select * from base where kind = $1")
    async with planners.opened(world.shape) as shadow:
        answer = await shadow.cost([query], [kind])
    assert answer.planned[query.name].used == {kind}


async def test_odd_candidates_are_made_or_refused(world: World, planners: Planners) -> None:
    """Names of any sort are fine; what PostgreSQL would not make is refused with its reason."""
    shape = replace(world.shape, available=frozenset())
    odd = [candidate(shape, 'select "x" y', each, schema="a.b") for each in (ODD, LONG)]
    bad = {
        candidate(shape, "shop", "(now())"): "IMMUTABLE",
        candidate(shape, "shop", "amount", method="gin"): "no default operator class",
        candidate(shape, "shop", "word", method="gin", opclass="gin_trgm_ops"): "needs the extension pg_trgm",
        candidate(shape, "shop", "nix"): "nix",
        candidate(shape, "far", "id"): "foreign table",
        candidate(shape, "shop", "id", where="nix > 0"): "nix",
        candidate(shape, "shop", "id", method="bloom"): "bloom",
        Candidate(table=1, schema="public", name="gone", keys=(IndexKey(expression="id"),)): "not known",
    }
    async with planners.opened(shape) as shadow:
        refused = await shadow.propose([*odd, *bad])
        answer = await shadow.cost(queries('select * from "a.b"."select ""x"" y" where id = $1'), [*odd, *bad])
    assert refused.keys() == bad.keys()
    for each, reason in bad.items():
        assert reason in refused[each]
        assert len(refused[each].splitlines()) == 1
    assert len(answer.planned) == 1


async def test_trigrams_can_be_had_where_the_server_could_have_them(world: World, planners: Planners) -> None:
    """The extension is made in the shadow only."""
    shape = replace(world.shape, available=frozenset({"pg_trgm"}))
    trigrams = candidate(shape, "shop", "word", method="gin", opclass="gin_trgm_ops")
    (query,) = queries("select * from shop where word ilike $1", given={1: "'%abcdef%'"})
    async with planners.opened(shape) as shadow:
        answer = await shadow.cost([query], [trigrams])
    assert answer.planned[query.name].used == {trigrams}


def wide() -> Table:
    columns = tuple(Column(number=at, name=f"c{at}", type="integer") for at in range(1, 1601))
    return Table(oid=1, schema="public", name="wide", rows=1e6, pages=100_000, columns=columns)


STRANGE = Table(
    oid=2,
    schema="gis",
    name="places",
    rows=1e5,
    pages=5000,
    columns=(
        Column(number=1, name="id", type="bigint"),
        Column(number=2, name="where", type="gis.geometry(Point,4326)"),
        Column(number=3, name="many", type="gis.geometry[]"),
        Column(number=4, name="word", type="text", collation='"de-DE-x-icu"'),
        Column(number=5, name="label", type="gis.label"),
    ),
    indexes=(
        Index(
            oid=20,
            schema="gis",
            name="places_where",
            method="gist",
            keys=(IndexKey(expression='"where"', column=2, opclass="gis.gist_geometry_ops_2d"),),
        ),
        Index(
            oid=21,
            schema="gis",
            name="places_id",
            method="btree",
            keys=(IndexKey(expression="id", column=1),),
            pages=300,
        ),
    ),
)


async def test_what_the_shadow_lacks_is_stood_in_for(planners: Planners) -> None:
    """Types, collations, access methods and extensions it has not: the rest of the table is planned, and it says so."""
    label = DefinedType(schema="gis", name="label", base="gis.unknown")
    shape = Shape(version_num=150000, tables={1: wide(), 2: STRANGE}, types=(label,), extensions={"postgis": "gis"})
    texts = ("select * from places where id = $1", "select * from places where word = $1", "select c7 from wide")
    strange = 'select * from places where gis.st_within("where", $1)'
    async with planners.opened(shape) as shadow:
        answer = await shadow.cost(queries(*texts, strange))
        remark = shadow.remark
    assert answer.planned.keys() == {*texts}
    assert "st_within" in answer.refused[strange]
    assert "places_id" in str(answer.planned[texts[0]].plan)
    assert "postgis" in remark
    assert "gis.geometry" in remark
    assert "places_where" in remark
