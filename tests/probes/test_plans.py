"""Explaining slow statements on real servers: what is said, what is skipped and why, and that nothing stays behind."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio

from monitor.collect.runner import Runner
from monitor.collect.server import PostgresServer
from monitor.measurement import Row
from monitor.model import Result, Secret, Server, Target
from monitor.probe import Memory
from monitor.report.snapshot import Question, take_snapshot
from monitor.report.text import as_text
from monitor.rules.evaluate import evaluate
from probes.plans import PROBE, PlansOptions
from probes.plans_asking import explained
from probes.plans_memory import DAY, HOUR, Explained, Plans, Wanted
from probes.statements import PROBE as STATEMENTS
from probes.statements import Slow
from probes.statements_texts import SHOWN_CHARACTERS
from tests.conftest import Clusters
from tests.database import Cluster, Database
from tests.versions import MAJORS

CANARY = "correct-horse-battery"
LONG = ", ".join(f"name as name_{n:03}" for n in range(300))
TABLES = """
    create table parts as select g as id, md5(g::text) as name, g % 100 as kind from generate_series(1, 100000) g;
    create table orders (id int primary key, part int, note text);
    create view named as select * from parts where name <> 'correct-horse-battery' and kind > 77777;
    analyze parts
"""


@pytest_asyncio.fixture(
    scope="session", loop_scope="session", params=[MAJORS[0], MAJORS[-1]], ids=lambda major: f"pg{major}"
)
async def either_cluster(clusters: Clusters, request: pytest.FixtureRequest) -> Cluster:
    """The oldest version's server and the newest's."""
    return await clusters.of(request.param)


@pytest.fixture
async def shop(either_cluster: Cluster) -> AsyncIterator[Database]:
    """A database with tables."""
    async with either_cluster.fresh() as fresh:
        await fresh.execute(TABLES)
        yield fresh


@dataclass
class Reader:
    """The monitor's own role in one database, with a real guarded session."""

    server: PostgresServer
    database: Database

    async def says(self, text: str) -> Explained:
        """Explain one statement."""
        async with self.server.visit(self.database.name, stay=True) as session:
            session.within(2)
            return await explained(session, text)

    async def fetch(self, sql: str) -> Sequence[Row]:
        async with self.server.visit(self.database.name, stay=True) as session:
            return await session.fetch(sql)


@asynccontextmanager
async def reading(database: Database, *, may_read: bool = True) -> AsyncIterator[Reader]:
    monitor = await database.as_monitor()
    if may_read:
        await database.execute(f"grant pg_read_all_data to {monitor.user}")
    server = PostgresServer(Server(name="test", dsn=Secret(monitor.dsn), only=database.name), environ={})
    try:
        yield Reader(server, database)
    finally:
        await server.close()


@pytest.mark.parametrize(
    "columns", ["id", ", ".join(f"name as name_{n:03}" for n in range(300))], ids=["short", "long"]
)
async def test_a_slow_statements_finding_names_the_costly_node(shop: Database, columns: str) -> None:
    """From prepared traffic to evidence: seen by one probe, explained by the other, shown by the first, cut if long."""
    runner, rule, session = Runner(), Slow(simple_ms=0.1, min_calls=3), await shop.connect()
    async with reading(shop) as reader:
        whole, place = Target("test"), Target("test", shop.name)

        async def look() -> list[dict[str, object]]:
            for turn in range(5):
                await session.fetch(f"select {columns} from parts where name = $1", f"{CANARY}-{turn}")
            async with reader.server.home() as home:
                seen = await runner.run(STATEMENTS, whole, home)
            found = [each for one in evaluate((rule,), seen) for each in one.findings]
            return [dict(each.evidence) for each in found if each.target.database == shop.name]

        async def plan() -> Row:
            options = PlansOptions(least_ms=0)
            async with reader.server.visit(shop.name, stay=True) as visit:
                seen = await runner.run(replace(PROBE, options=options), place, visit)
            assert seen.result is Result.OK, seen.reason
            return seen.rows[0]

        assert (await plan())["wanted"] == 0
        await look()
        (before,) = [each for each in await look() if each["tables"] == ["parts"]]
        assert before["plan_skipped"] == "not explained yet"
        assert (await plan())["waiting"] == 0
        (after,) = [each for each in await look() if each["tables"] == ["parts"]]
        text = str(after["plan"])
        assert text.startswith("reads the whole of public.parts (about 100,000 rows) and keeps about 1 row: filter")
        assert "name = $1" in text
        assert float(str(after["plan_cost"])) > 1000
        assert CANARY not in repr(after)
        assert len(str(after["statement"])) <= SHOWN_CHARACTERS


async def test_a_snapshot_explains_what_was_slow_before_it(shop: Database) -> None:
    """Its first round nominates, its second one explains."""
    session, monitor = await shop.connect(), await shop.as_monitor()
    await shop.execute(f"grant pg_read_all_data to {monitor.user}")

    async def ask() -> None:
        while True:
            await session.fetch("select id from parts where name = $1", CANARY)

    asking = asyncio.create_task(ask())
    try:
        await asyncio.sleep(0.3)
        statements = replace(STATEMENTS, rules=(Slow(simple_ms=0.1, min_calls=3),))
        server = Server(name="test", dsn=Secret(monitor.dsn), only=shop.name)
        probes = (statements, replace(PROBE, options=PlansOptions(least_ms=0)))
        review = await take_snapshot(Question(servers=(server,), probes=probes, window=1))
    finally:
        asking.cancel()
        await asyncio.wait([asking])
    (finding,) = [each for each in review.findings if each.evidence["tables"] == ["parts"]]
    assert "whole of public.parts" in str(finding.evidence["plan"])
    assert "whole of public.parts" in " ".join(as_text(review).split())


async def test_updates_and_deletes_are_explained_by_the_rows_they_find(shop: Database) -> None:
    """Our role may change nothing, and needs not to."""
    async with reading(shop) as reader:
        for text in (
            "update parts set kind = $1 where name = $2 returning id",
            "delete from parts where name = $1",
            "update orders set note = p.name from parts p where p.id = orders.part and p.name = $1",
            "insert into orders select id, kind from parts where name = $1 on conflict do nothing",
            "select id from parts where name = $1 for update skip locked limit $2",
        ):
            said = await reader.says(text)
            assert "whole of public.parts" in said.plan, (text, said)
    assert await shop.value("select count(*) from parts") == 100000


async def test_what_cannot_be_explained_is_skipped_with_its_reason(shop: Database) -> None:
    """Each in words that say what would help."""
    await shop.execute(
        "create schema other; create table other.orders (id int);"
        "create function own(int) returns int language sql immutable as 'select 1';"
        "create view owning as select own(1) as one;"
    )
    async with reading(shop) as reader:
        reasons = {
            "select $1 + $2": "the types of its parameters",
            "select id from orders": "in several schemas (other, public)",
            "select id from gone": "no table gone is seen here",
            "select nothing from parts": "not there any more",
            "select own(id) from parts": "it uses own, of the application's own",
            "select one from owning": "it uses own, of the application's own",
            "insert into parts values ($1)": "inserts the values",
            "with d as (delete from parts returning id) select id from d": "changes rows",
            "select id into x from parts": "makes a table",
            "create table x (id int)": "neither reads nor changes",
            "select 1; drop table parts": "one statement",
            "select " + "x" * 200_000 + "…": "too long",
            "": "not known",
        }
        said = {text: (await reader.says(text)).skipped for text in reasons}
        assert [text[:50] for text, reason in reasons.items() if reason not in said[text]] == [], said
        assert (await reader.says("select id from parts where kind = $1")).plan


async def test_missing_rights_and_row_security_are_named(shop: Database) -> None:
    """The reason says what to grant."""
    async with reading(shop, may_read=False) as reader:
        said = await reader.says("select id from parts where name = $1")
    assert said.skipped == "the monitor's role may not read public.parts; grant select on it, or pg_read_all_data"
    await shop.execute("alter table parts enable row level security")
    async with reading(shop) as reader:
        assert "row level security of public.parts" in (await reader.says("select id from parts")).skipped


async def test_a_locked_table_is_left_alone_at_once(shop: Database) -> None:
    """Nobody waits for us, and we wait for nobody: not even for a partition's lock."""
    await shop.execute(
        "create table whole (id int) partition by range (id);"
        "create table part_1 partition of whole for values from (1) to (10);"
        "create table part_2 partition of whole for values from (10) to (20)"
    )
    holder = await shop.connect()
    async with reading(shop) as reader:
        assert "2 partitions" in (await reader.says("select * from whole where id <> $1")).plan
        await holder.execute("begin; lock table parts, part_2 in access exclusive mode")
        assert "locked exclusively" in (await reader.says("select id from parts")).skipped
        assert "would have waited for a lock" in (await reader.says("select * from whole where id <> $1")).skipped
        await holder.execute("rollback")
        assert (await reader.says("select id from parts")).plan


async def test_the_session_is_left_clean(shop: Database) -> None:
    """No prepared statement, no setting and no transaction lasts; the guard against writes holds."""
    asked = (
        "select current_setting('search_path') as path, current_setting('row_security') as rls,"
        " current_setting('plan_cache_mode') as mode, current_setting('transaction_read_only') as guard,"
        " (select count(*) from pg_prepared_statements where name = 'pgarchitect_plan') as left_over"
    )
    async with reading(shop) as reader:
        before = await reader.fetch(asked)
        for text in ("select id from parts where name = $1", "select $1 + $2", "select nothing from parts"):
            await reader.says(text)
            assert await reader.fetch(asked) == before
    assert (before[0]["guard"], before[0]["left_over"]) == ("on", 0)


async def test_no_constant_of_a_view_is_shown(shop: Database) -> None:
    """A plan shows a view's own conditions, with the constants in them."""
    async with reading(shop) as reader:
        said = await reader.says("select id from named where id = $1")
    assert "whole of parts" in said.plan
    assert CANARY not in said.plan
    assert "77777" not in said.plan


async def test_a_superuser_explains_nothing(shop: Database) -> None:
    """Planning may run functions others wrote."""
    async with shop.eye(PROBE) as eye, eye.server.visit(shop.name, stay=True) as session:
        memory = Memory()
        memory.server.of(Plans).want([(shop.name, Wanted(label="a", text="select id from parts", mean_ms=100))])
        (row,) = await PROBE.observe(session, memory, PlansOptions()) if PROBE.observe else ()
        assert (row["skipped"], row["explained"]) == (1, 0)
        assert "superuser" in str(memory.server.of(Plans).evidence(shop.name, "a")["plan_skipped"])


def test_each_is_explained_once_a_day_or_when_it_changed() -> None:
    """And never more than the budget of an hour."""
    plans, one = Plans(), Wanted(label="a", text="select", mean_ms=100)
    plans.want([("shop", one)])
    assert plans.due("shop", 0, least_ms=20) == [one]
    assert plans.due("shop", 0, least_ms=101) == []
    plans.put("shop", one, Explained(plan="reads"), 0)
    assert plans.due("shop", DAY - 1, least_ms=20) == []
    assert plans.due("shop", DAY, least_ms=20) == [one]
    plans.want([("shop", Wanted(label="a", text="select", mean_ms=201))])
    assert plans.due("shop", 299, least_ms=20) == []
    assert len(plans.due("shop", 300, least_ms=20)) == 1
    for _ in range(3):
        plans.spend(0)
    assert (plans.allowed(1, per_hour=4), plans.allowed(1, per_hour=3), plans.allowed(HOUR, per_hour=3)) == (1, 0, 3)


def test_what_will_not_be_explained_is_not_said_to_wait_for_it() -> None:
    """Below `least_ms` nothing is said of the plan; from there on it waits; without a probe of plans nothing does."""
    plans = Plans()
    plans.want(
        [("shop", Wanted(label="quick", text="", mean_ms=19)), ("shop", Wanted(label="slow", text="", mean_ms=20))]
    )
    assert plans.evidence("shop", "slow") == {}
    plans.least_ms = 20
    assert plans.evidence("shop", "quick") == {}
    assert plans.evidence("shop", "slow") == {"plan_skipped": "not explained yet"}
