"""Plans of real servers for tests of index advice: the shape as the probe reads it, generic plans."""

import json
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from monitor.advisors.index.candidates import propose
from monitor.advisors.index.choices import Group
from monitor.model import Result
from monitor.planning import Candidate, Planned, Query
from monitor.shape import Shape
from monitor.shaped import shape_of
from monitor.sql.text import identifier
from probes.shape import PROBE
from tests.database import Cluster, Database


async def shape_read(database: Database) -> Shape:
    """Read the shape as the probe does."""
    async with database.eye(PROBE) as eye:
        seen = await eye.look()
    assert seen.result is Result.OK, seen.reason
    return shape_of(seen)


PLANNED = """
    create function pg_temp.planned(statement text) returns json language plpgsql
    set max_parallel_workers_per_gather = 0 as $$
    declare plan json;
    begin
      execute 'explain (generic_plan, verbose, format json) ' || statement into plan;
      return plan -> 0 -> 'Plan';
    end $$
"""


async def plan(database: Database, text: str) -> Planned:
    """Plan a statement for any value of its parameters."""
    if await database.value("select to_regproc('pg_temp.planned') is null"):
        await database.execute(PLANNED)
    top: dict[str, Any] = json.loads(await database.value("select pg_temp.planned($1)", text))
    return Planned(cost=top["Total Cost"], plan=top)


SHOP = """
    create schema shop;
    create type shop.state as enum ('open', 'paid', 'done');
    create domain shop.address as text;
    create function shop.normal(text) returns text language sql immutable as 'select lower(btrim($1))';
    create function shop.odd(text) returns text language plpgsql stable as 'begin return $1; end';
    create table shop.users (
        id bigint primary key, email text collate "en-x-icu", name varchar(60) collate "en-x-icu",
        city text collate "C", born date, mail shop.address, deleted_at timestamptz,
        vip boolean not null, doc jsonb, created_at timestamp, code char(8), plain json);
    insert into shop.users
    select g, 'user' || g || '@example.com', 'name ' || g % 5000, 'city' || g % 100, date '1950-01-01' + g % 20000,
           'user' || g, case when g % 50 = 0 then now() end, g % 50 = 1,
           jsonb_build_object('kind', g % 10, 'tag', 't' || g % 3000), timestamp '2020-01-01' + g * interval '1 minute',
           'c' || g % 900, '{}'
      from generate_series(1, 12000) g;
    create table shop.orders (
        id bigint primary key, user_id bigint not null references shop.users, shop_id int not null, state shop.state,
        amount numeric(12, 2), created_at timestamptz not null, note text, tags text[], done boolean not null, ref uuid,
        span tstzrange, words tsvector, at_place point, big text,
        total numeric generated always as (amount * 2) stored);
    insert into shop.orders
    select g, 1 + g * 7919 % 12000, g % 40, case when g % 50 = 0 then 'open' else 'done' end::shop.state, g % 1000,
           timestamptz '2024-01-01' + g * interval '1 minute', 'a note of some length ' || g, array['t' || g % 700],
           g % 100 <> 0, gen_random_uuid(),
           tstzrange(now() + g * interval '1 minute', now() + g * interval '2 minutes'),
           to_tsvector('simple', 'w' || g), point(g, g), null
      from generate_series(1, 20000) g;
    create table shop.lines (
        order_id bigint not null, position int not null, product_id int not null, quantity int not null,
        primary key (order_id, position));
    insert into shop.lines select g / 3, g % 3, g * 31 % 4000, g % 9 from generate_series(1, 30000) g;
    create table shop.events (id bigint, kind text, user_id bigint, at timestamptz not null) partition by range (at);
    create table shop.events_1 partition of shop.events for values from ('2024-01-01') to ('2024-02-01');
    create table shop.events_2 partition of shop.events for values from ('2024-02-01') to ('2024-03-01');
    create table shop.events_3 partition of shop.events default;
    insert into shop.events
    select g, 'kind ' || g % 900, g % 5000, timestamptz '2024-01-01' + g * interval '4 minutes'
      from generate_series(1, 20000) g;
    create table shop.small (id int, name text);
    insert into shop.small select g, 'n' || g from generate_series(1, 500) g;
    create schema "Odd.Sch""ema";
    create table "Odd.Sch""ema"."Or.der""s ü" ("Sp ace" int, "ü.""é" text, "select" int, pad text);
    insert into "Odd.Sch""ema"."Or.der""s ü"
    select g, 'v' || g, g % 1000, repeat('x', 60) from generate_series(1, 10000) g;
    create view shop.open_orders as select * from shop.orders where state = 'open';
    create view shop.open_orders_of as
    select o.*, u.email from shop.open_orders o join shop.users u on u.id = o.user_id;
    create index on shop.users (lower(mail::text));
    create index on shop.users (born);
    create index on shop.lines (product_id);
"""


@asynccontextmanager
async def shop(cluster: Cluster) -> AsyncIterator["Ground"]:
    """Make a shop that has next to no index, and read its shape."""
    async with cluster.fresh() as database:
        await database.execute(SHOP)
        await database.execute("vacuum analyze")
        yield Ground(database=database, shape=await shape_read(database))


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A database with its shape."""

    database: Database
    shape: Shape

    async def groups(self, text: str, *, rows: float = 1.0, given: Iterable[tuple[int, str]] = ()) -> list[Group]:
        """Give what is proposed for a statement that returns so many rows a call."""
        query = Query(name="q", text=text, calls=10, seconds=1, rows=10 * rows, given=tuple(given))
        return [*propose(query, await plan(self.database, text), self.shape)]

    async def indexes(self, text: str, *, rows: float = 1.0) -> list[str]:
        """Give the single candidates as short texts: `orders btree (user_id, created_at) where …`."""
        return [short(each) for group in await self.groups(text, rows=rows) if len(group) == 1 for each in group]

    async def together(self, text: str) -> list[set[str]]:
        """Give the groups of several."""
        return [{short(each) for each in group} for group in await self.groups(text) if len(group) > 1]

    async def build(self, candidates: Collection[Candidate]) -> None:
        """Build candidates for real; the server says whether they are right."""
        for number, candidate in enumerate(candidates):
            await self.database.execute(candidate.definition(f"built_{number}"))


def short(candidate: Candidate) -> str:
    """Write a candidate without its name and schema."""
    return (
        candidate.definition("x")
        .partition(" on ")[2]
        .removeprefix(f"{identifier(candidate.schema)}.")
        .replace(" using btree", "")
    )
