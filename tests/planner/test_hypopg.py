"""hypopg on the watched server: the same interface and answers as the shadow's, and nothing left in the session."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import pytest
import pytest_asyncio

from monitor.busy import busy
from monitor.collect.opening import Opener
from monitor.collect.session import GuardedSession
from monitor.dsn import read_dsn
from monitor.errors import Needs, PlannerError
from monitor.model import Secret, Server
from monitor.planner.choice import Choice, Shadows
from monitor.planner.hypopg import hypopg
from monitor.planner.planners import Planners
from monitor.planner.source import Limits
from monitor.planning import Planner, PlanSource
from monitor.shape import Shape
from tests.database import SETTINGS, Cluster, Database
from tests.debian import hypopg_server
from tests.labour import at_work
from tests.planner.reading import shape_of
from tests.planner.real import candidate, outline, queries

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHOP = """
    create extension hypopg;
    create table orders (id bigint primary key, customer int not null, at timestamptz not null, note text);
    insert into orders
    select g, g * 7919 % 5000, '2024-01-01'::timestamptz + g * interval '1 minute', 'note ' || g
      from generate_series(1, 50000) g;
    create table secret (id int primary key, owner text);
    alter table secret enable row level security;
    create function slug(t text) returns text language sql immutable as $$ select lower(t) $$;
    create view slugs as select id, slug(note) as slug from orders;
    analyze;
"""
TEXTS = (
    "select * from orders where customer = $1",
    "select * from orders where customer = $1 order by at desc limit $2",
    "select count(*) from orders where at > $1",
    "select * from orders where id = $1",
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def debian() -> AsyncIterator[Database]:
    """A database of Debian's PostgreSQL 15, which has hypopg, with a role for the monitor."""
    async with hypopg_server(SETTINGS) as server:
        cluster = Cluster(major=15, server=server)
        await cluster.run("postgres", "create database template_tests is_template true")
        async with cluster.fresh() as database:
            await database.execute(SHOP)
            yield database


@asynccontextmanager
async def lent(database: Database) -> AsyncIterator[GuardedSession]:
    """A guarded session, as the daemon's."""
    server = Server(name="debian", dsn=Secret(database.dsn))
    session = await Opener(server, read_dsn(database.dsn), lambda _: None).open(database.name)
    try:
        yield session
    finally:
        await session.close()


async def seeing(database: Database) -> Database:
    """Give the monitor's role what planning needs."""
    monitor = await database.as_monitor()
    await database.execute(f"grant pg_read_all_data to {monitor.user}")
    return monitor


async def test_it_plans_as_the_shadow_does(debian: Database, planners: Planners) -> None:
    """The same plans and used candidates from both, at costs within half and double."""
    shape = await shape_of(debian)
    wanted = [candidate(shape, "orders", "customer", "at"), candidate(shape, "orders", "at", method="brin")]
    asked = queries(*TEXTS, "update orders set note = $1 where customer = $2")
    async with lent(await seeing(debian)) as session, hypopg(session, shape, Limits(seconds=60)) as real:
        theirs = [await real.cost(asked, each) for each in ((), wanted[:1], wanted[1:], ())]
        plans = real.plans
        assert 0.3 < real.size_bytes(wanted[0]) / 1.5e6 < 3
    async with planners.opened(shape) as shadow:
        ours = [await shadow.cost(asked, each) for each in ((), wanted[:1], wanted[1:], ())]
    assert plans <= 15
    for text in TEXTS:
        for their, our in zip(theirs, ours, strict=True):
            assert outline(their.planned[text].plan) == outline(our.planned[text].plan)
            assert their.planned[text].used == our.planned[text].used
            assert 0.5 < their.planned[text].cost / our.planned[text].cost < 2
    assert theirs[1].planned[asked[-1].name].used == {wanted[0]}


async def test_the_session_is_left_as_it_was(debian: Database) -> None:
    """No hypothetical index, no setting, no prepared statement stays; nothing was written."""
    shape = await shape_of(debian)
    async with lent(await seeing(debian)) as session:
        before = await session.fetch("select current_setting('search_path'), current_setting('plan_cache_mode')")
        async with hypopg(session, shape, Limits(seconds=60)) as source:
            await source.cost(queries(*TEXTS, "select nix from orders"), [candidate(shape, "orders", "customer")])
        after = await session.fetch("select current_setting('search_path'), current_setting('plan_cache_mode')")
        left = await session.fetch(
            "select (select count(*) from public.hypopg()) as hypothetical, "
            "(select count(*) from pg_prepared_statements where name like 'pgarchitect%') as prepared"
        )
    assert after == before
    assert left == [{"hypothetical": 0, "prepared": 0}]


async def test_nothing_of_the_application_is_evaluated(debian: Database) -> None:
    """Own functions, also behind views, and row level security are refused; so are kinds that hypopg does not know."""
    shape = await shape_of(debian)
    gin = candidate(shape, "orders", "note", method="gin")
    texts = {
        "select slug($1)": "slug",
        "select * from slugs where id = $1": "slug",
        "select * from secret where owner = $1": "row level security",
        "select nix from orders": "would not plan",
    }
    async with lent(await seeing(debian)) as session, hypopg(session, shape, Limits(seconds=60)) as source:
        refused = await source.propose([gin])
        answer = await source.cost(queries(*texts))
        hidden = await source.cost(queries(TEXTS[0]), without=[1])
    assert "gin" in refused[gin]
    assert "hide" in hidden.refused[TEXTS[0]]
    assert answer.planned == {}
    for text, reason in texts.items():
        assert reason in answer.refused[text]


async def test_a_role_without_rights_is_told(debian: Database) -> None:
    """Who may not read a table may not plan for it."""
    shape = await shape_of(debian)
    async with lent(await debian.as_monitor()) as session, hypopg(session, shape, Limits(seconds=60)) as source:
        answer = await source.cost(queries(TEXTS[0]))
    assert "lacks a right" in answer.refused[TEXTS[0]]


def choosing(planners: Shadows, source: str, database: Database) -> Planner:
    """The choice of a configuration, with sessions of this role to be had."""
    return Choice(shadows=planners, source=source).beside(lambda: lent(database))


async def chosen(planner: Planner, shape: Shape) -> str:
    """Say who is asked."""
    async with planner.opened(shape) as source:
        assert source.remark
        return source.method


class NoShadows:
    """Where the embedded wheel is not installed."""

    def opened(self, shape: Shape) -> AbstractAsyncContextManager[PlanSource]:
        raise PlannerError(f"shadow planner: none of {len(shape.tables)} tables can be made")

    async def close(self) -> None:
        """Nothing was started."""


async def test_nothing_is_planned_for_a_superuser(debian: Database, planners: Planners) -> None:
    """Who asks for hypopg by name is told why not."""
    shape = await shape_of(debian)
    with pytest.raises(PlannerError, match="superuser"):
        await chosen(choosing(planners, "hypopg", debian), shape)
    assert await chosen(choosing(NoShadows(), "auto", debian), shape) == "arithmetic"


async def test_the_best_that_can_be_had_is_chosen(debian: Database, planners: Planners) -> None:
    """By itself the shadow; without one hypopg, where it is installed and a session is lent; each by its name."""
    monitor = await seeing(debian)
    shape = await shape_of(debian)
    assert await chosen(choosing(planners, "auto", monitor), shape) == "shadow"
    assert await chosen(choosing(planners, "shadow", monitor), shape) == "shadow"
    assert await chosen(choosing(planners, "hypopg", monitor), shape) == "hypopg"
    assert await chosen(choosing(planners, "arithmetic", monitor), shape) == "arithmetic"
    with pytest.raises(PlannerError, match="lent"):
        await chosen(Choice(shadows=planners, source="hypopg"), shape)
    none = NoShadows()
    assert await chosen(choosing(none, "auto", monitor), shape) == "hypopg"
    assert await chosen(Choice(shadows=none), shape) == "arithmetic"
    assert await chosen(choosing(none, "auto", monitor), replace(shape, extensions={})) == "arithmetic"
    with pytest.raises(PlannerError, match="shadow"):
        await chosen(choosing(none, "shadow", monitor), shape)


async def refused(database: Database, shape: Shape) -> PlannerError:
    """Give why hypopg is not used."""
    with pytest.raises(PlannerError) as told:
        async with lent(database) as session, hypopg(session, shape, Limits()):
            pass
    return told.value


async def test_it_works_in_any_schema_and_says_its_version(debian: Database) -> None:
    """Supabase keeps extensions in a schema of their own."""
    monitor = await seeing(debian)
    await debian.execute('create schema "What If"; alter extension hypopg set schema "What If"')
    try:
        shape = await shape_of(debian)
        assert 'grant usage on schema "What If"' in str(await refused(await debian.as_monitor(), shape))
        one = candidate(shape, "orders", "customer")
        async with lent(monitor) as session, hypopg(session, shape, Limits(seconds=60)) as source:
            answer = await source.cost(queries(TEXTS[0]), [one])
            remark = source.remark
    finally:
        await debian.execute("alter extension hypopg set schema public")
    assert answer.planned[TEXTS[0]].used == {one}
    assert "hypopg 1." in remark


async def test_who_may_not_use_it_is_told_how_to_mend_that(debian: Database) -> None:
    """Not installed, too old, no right to its functions: each says what to run."""
    monitor, shape = await seeing(debian), await shape_of(debian)
    await debian.execute("revoke execute on function hypopg_create_index(text) from public")
    denied = await refused(monitor, shape)
    await debian.execute("grant execute on function hypopg_create_index(text) to public")
    await debian.execute("update pg_extension set extversion = '1.1.4' where extname = 'hypopg'")
    old = await refused(monitor, shape)
    await debian.execute("drop extension hypopg")
    gone = await refused(monitor, shape)
    await debian.execute("create extension hypopg")
    assert (denied.needs, old.needs, gone.needs) == (Needs.RIGHTS, Needs.EXTENSION, Needs.EXTENSION)
    assert "grant execute" in str(denied)
    assert "alter extension hypopg update" in str(old)
    assert "create extension hypopg" in str(gone)


async def test_losing_it_in_the_middle_is_no_answer(debian: Database) -> None:
    """The extension dropped, or the session ended, while candidates are tried: no index is called needless by that."""
    monitor, shape = await seeing(debian), await shape_of(debian)
    one = candidate(shape, "orders", "customer")
    try:
        async with lent(monitor) as session, hypopg(session, shape, Limits(seconds=60)) as source:
            await source.cost(queries(TEXTS[0]))
            await debian.execute("drop extension hypopg")
            with pytest.raises(PlannerError, match="not installed"):
                await source.propose([one])
    finally:
        await debian.execute("create extension if not exists hypopg")
    async with lent(monitor) as session, hypopg(session, shape, Limits(seconds=60)) as source:
        await debian.execute(f"select pg_terminate_backend({session.backend.pid})")
        with pytest.raises(PlannerError, match="next advice"):
            await source.cost(queries(TEXTS[0]), [one])


async def test_the_time_of_everything_on_the_server_is_counted(debian: Database) -> None:
    """When it is spent, what was not tried is refused and what was not planned is said."""
    monitor, shape = await seeing(debian), await shape_of(debian)
    one, other = candidate(shape, "orders", "customer"), candidate(shape, "orders", "at")
    async with lent(monitor) as session, hypopg(session, shape, Limits(seconds=1e-6)) as source:
        refusals = await source.propose([one, other])
        answer = await source.cost(queries(*TEXTS), [one])
    assert list(refusals) == [other]
    assert (answer.planned, "limit" in answer.cut) == ({}, True)


async def test_a_busy_server_is_left_alone(debian: Database) -> None:
    """More sessions at work than max_parallel_workers, and at least four; those that wait for a lock do not count."""
    monitor, shape = await seeing(debian), await shape_of(debian)
    await debian.execute(f"alter role {monitor.user} set max_parallel_workers = 2")
    async with lent(monitor) as session:
        assert await busy(session) == ""
        async with at_work(debian, 4):
            assert await busy(session) == ""
        async with at_work(debian, 5):
            why = await busy(session)
            told = await refused(monitor, shape)
    assert "5 sessions are at work" in why
    assert told.needs is Needs.TIME
    assert "put off" in str(told)


async def test_a_partial_index_is_as_small_as_its_share(debian: Database) -> None:
    shape = await shape_of(debian)
    whole, part = candidate(shape, "orders", "at"), candidate(shape, "orders", "at", where="(customer < 50)")
    async with lent(await seeing(debian)) as session, hypopg(session, shape, Limits(seconds=60)) as source:
        assert await source.propose([whole, part]) == {}
        assert source.size_bytes(part) < 0.1 * source.size_bytes(whole)
