"""hypopg on the watched server: the same interface and answers as the shadow's, and nothing left in the session."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from monitor.collect.opening import Opener
from monitor.collect.session import GuardedSession
from monitor.dsn import read_dsn
from monitor.embedded import EmbeddedServer
from monitor.errors import PlannerError
from monitor.model import Secret, Server
from monitor.planner.choice import Choice
from monitor.planner.hypopg import hypopg
from monitor.planner.planners import Planners
from monitor.planner.source import Limits
from monitor.planning import PlanSource
from monitor.shape import Shape
from tests.conftest import absent
from tests.database import SETTINGS, Cluster, Database
from tests.planner.reading import shape_of
from tests.planner.real import candidate, outline, queries

pytestmark = pytest.mark.asyncio(loop_scope="session")

DEBIAN = {
    "bin": Path("/usr/lib/postgresql/15/bin"),
    "lib": Path("/usr/lib/postgresql/15/lib"),
    "share": Path("/usr/share/postgresql/15"),
}
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
    if not (DEBIAN["share"] / "extension" / "hypopg.control").exists():
        absent("postgresql-15-hypopg is not installed")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        for name, place in DEBIAN.items():
            (Path(folder) / name).symlink_to(place)
        settings = {name: value for name, value in SETTINGS.items() if name != "shared_preload_libraries"}
        async with EmbeddedServer.started(settings, binaries=Path(folder)) as server:
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


async def test_nothing_is_planned_for_a_superuser(debian: Database, planners: Planners) -> None:
    """Choosing by itself takes the shadow then; who insists on hypopg is told why not."""
    shape = await shape_of(debian)

    async def chosen(source: str) -> str:
        choice = Choice(shadows=planners, source=source, on_target=lambda _: lent(debian))
        async with choice.opened(shape) as plans:
            return plans.method

    assert await chosen("auto") == "shadow"
    with pytest.raises(PlannerError, match="superuser"):
        await chosen("hypopg")


async def test_the_best_that_can_be_had_is_chosen(debian: Database, planners: Planners) -> None:
    """Hypopg where it is installed and a session is lent, else the shadow, unless one of them is asked for."""
    monitor = await seeing(debian)
    shape = await shape_of(debian)

    async def chosen(source: str, of: Shape, *, lends: bool = True) -> str:
        on_target = (lambda _: lent(monitor)) if lends else None
        async with Choice(shadows=planners, source=source, on_target=on_target).opened(of) as plans:
            assert isinstance(plans.remark, str)
            ours: PlanSource = plans
            return ours.method

    assert await chosen("auto", shape) == "hypopg"
    assert await chosen("shadow", shape) == "shadow"
    assert await chosen("auto", shape, lends=False) == "shadow"
    with pytest.raises(PlannerError, match="lent"):
        await chosen("hypopg", shape, lends=False)
