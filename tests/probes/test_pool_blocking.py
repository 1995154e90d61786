"""Who keeps others waiting: real chains, queues and prepared transactions; rings and rare processes made by hand."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest

from monitor.embedded import EmbeddedServer
from monitor.errors import Needs
from monitor.measurement import Measurement
from monitor.model import Finding, NoVerdict, Severity, Target
from monitor.probe import Row
from probes.pool import PROBE
from probes.pool_blocking import Tree, planted, roots
from probes.pool_blocking_rule import Blocking
from tests.conftest import absent
from tests.database import Database
from tests.looking import eye
from tests.probes.test_pool import Application, application, leak, undo
from tests.versions import NEWEST, binaries

RULE = Blocking(after=1)
TABLE = "create table t (id int primary key, v int); insert into t select g, 0 from generate_series(1, 4) g"
BLOCKED = """
    select count(*) from pg_locks where not granted and pid in (select pid from pg_stat_activity where datname = $1)
"""

BURN = """
    do $$ begin for each in 1..100100 loop begin insert into burnt default values; exception when others then null; end;
    end loop; end $$
"""
"""So many transaction ids are used up, as savepoints have one each."""


@pytest.fixture
async def autovacuuming() -> AsyncIterator[Database]:
    """A server of its own, as autovacuum comes by once a minute elsewhere."""
    tree = binaries(NEWEST)
    if tree is None:
        absent(f"PostgreSQL {NEWEST} is not fetched: python -m tests.versions fetch")
    async with EmbeddedServer.started({"autovacuum_naptime": "1s"}, binaries=tree) as server:
        database = Database(server, "postgres")
        yield database
        await database.close()


@asynccontextmanager
async def stuck(database: Database, *sessions: tuple[asyncpg.Connection, str]) -> AsyncIterator[None]:
    """Run statements that come to wait, one after the other, and go on once each has waited for a second."""
    tasks = []
    for place, (session, sql) in enumerate(sessions, 1):
        tasks.append(asyncio.create_task(session.execute(sql)))
        async with asyncio.timeout(20):
            while await database.value(BLOCKED, database.name) < place:  # noqa: ASYNC110 - the server sends no event
                await asyncio.sleep(0.02)
    await asyncio.sleep(1.1)
    try:
        yield
        async with asyncio.timeout(20):
            await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def writer(app: Application, name: str, row: int) -> asyncpg.Connection:
    """A session that has written one row and keeps it."""
    return await leak(app, name, f"update t set v = v + 1 where id = {row}")


@asynccontextmanager
async def shop(database: Database) -> AsyncIterator[Application]:
    await database.execute(TABLE)
    async with application(database, suffix="-Ä") as app:
        await database.execute(f'grant all on t to "{app.role}"')
        yield app


async def test_a_chain_is_accusedby_its_root_and_gone_when_that_ends(any_database: Database) -> None:
    """Sick: three wait, three deep, behind one forgotten transaction. Cured as the caution says: it is ended."""
    async with shop(any_database) as app:
        whose = f'alter role "{app.role}" in database {any_database.name}'
        await any_database.execute(f"{whose} set idle_in_transaction_session_timeout = '11min'")
        first, second, third = [await writer(app, f"step {row}", row) for row in (1, 2, 3)]
        last = await app.connect("checkout")
        await last.execute("begin")
        waits = [
            (session, f"update t set v = 0 where id = {row}; commit")
            for row, session in enumerate((second, third, last), 1)
        ]
        async with stuck(any_database, *waits):
            (finding,) = await any_database.judge(PROBE, RULE)
            assert (finding.subject, finding.severity) == (f'"{app.role}" (step 1)', Severity.WARNING)
            assert (finding.target.database, finding.object.name) == (any_database.name, app.role)
            assert (finding.evidence["count"], finding.evidence["depth"]) == (3, 3)
            assert finding.evidence["blocked_applications"] == ["checkout", "step 2", "step 3"]
            assert finding.evidence["states"] == ["idle in transaction"]
            assert finding.evidence["locks"] == ["a row of public.t, held: RowExclusiveLock"]
            assert "3 deep" in finding.impact
            pid = first.get_server_pid()
            assert finding.evidence["pids"] == [pid]
            assert f"pg_terminate_backend({pid})" in finding.remedy.caution
            await any_database.apply(finding.remedy)
            await undo(any_database, finding)
            await any_database.value(f"select pg_terminate_backend({pid}, 5000)")
        assert await any_database.judge(PROBE, RULE) == []
        fresh = await app.connect()
        assert await fresh.fetchval("show idle_in_transaction_session_timeout") == "11min"


async def test_a_schema_change_in_the_queue_blocks_who_comes_later(database: Database) -> None:
    """The root is who reads, not the schema change; relation and both lock modes are named. Near misses: the limits."""
    async with shop(database) as app:
        reader = await leak(app, "report", "select * from t")
        change = (await database.connect(application_name="migration"), "alter table t add w int")
        late = (await app.connect("api"), "select * from t")
        async with stuck(database, change, late):
            (finding,) = await database.judge(PROBE, Blocking(after=30, blocked=2))
            assert finding.subject.endswith("(report)")
            assert finding.evidence["locks"][0] == "AccessExclusiveLock on public.t, held: AccessShareLock"  # type: ignore[index]
            assert (finding.evidence["count"], finding.evidence["depth"]) == (2, 2)
            assert await database.judge(PROBE, Blocking(after=30, blocked=3)) == []
            await reader.execute("commit")


async def test_a_prepared_transaction_is_a_root_without_a_process(any_database: Database) -> None:
    """Nobody's session holds it: named by its gid. Cured as the caution says: rolled back by that."""
    async with shop(any_database) as app:
        gid = f"order 7 of {any_database.name}"
        session = await writer(app, "manager", 1)
        await session.execute(f"prepare transaction '{gid}'")
        await session.close()
        async with stuck(any_database, (await app.connect("api"), "update t set v = 9 where id = 1")):
            (finding,) = await any_database.judge(PROBE, RULE)
            assert finding.subject == f'"{app.role}" (prepared transaction)'
            assert (finding.evidence["prepared"], finding.evidence["pids"]) == ([gid], [])
            assert f"rollback prepared '{gid}'" in finding.remedy.caution
            await any_database.execute(f"rollback prepared '{gid}'")
        assert await any_database.judge(PROBE, RULE) == []


async def test_a_table_of_another_database_has_its_oid(database: Database) -> None:
    """The monitor's session is elsewhere, where that number means nothing or another table."""
    async with shop(database) as app:
        keeper = await writer(app, "api", 1)
        oid = await database.value("select 't'::regclass::oid")
        async with stuck(database, (await database.connect(application_name="lock"), "begin; lock table t; commit")):
            async with eye(database.server.dsn("postgres"), database.name, PROBE) as looking:
                (finding,) = looking.findings(await looking.look(), RULE)
            locks = [f"AccessExclusiveLock on relation {oid} of database {database.name}, held: RowExclusiveLock"]
            assert finding.evidence["locks"] == locks
            await keeper.execute("commit")


async def test_a_lock_of_a_session_at_rest_is_accusedtoo(database: Database) -> None:
    """An advisory lock outlives its transaction. Nobody accuses the monitor's own sessions, nor a short wait."""
    async with application(database) as app:
        keeper = await app.connect("leader")
        await keeper.execute("select pg_advisory_lock(42)")
        waiter = await app.connect("follower")
        async with stuck(database, (waiter, "select pg_advisory_lock(42)")):
            (finding,) = await database.judge(PROBE, RULE)
            assert finding.evidence["locks"] == ["ExclusiveLock on advisory"]
            assert "advisory lock of its session" in finding.remedy.caution
            assert finding.remedy.sql == ()
            await keeper.execute("select pg_advisory_unlock(42)")
        async with database.eye(PROBE) as looking:
            seen = await looking.look()
        assert [row for row in seen.rows if row["kind"] == "blocker"] == []


def wait(pid: int, *blockers: int, seconds: float = 5, **other: object) -> Row:
    row: Mapping[str, object] = {
        "kind": "wait", "pid": pid, "blockers": [*blockers], "seconds": seconds, "database": "shop", "role": "web",
        "application": f"app {pid}", "backend_type": "", "state": "", "locktype": "relation", "mode": "ShareLock",
        "relation": "public.t", "relation_oid": 16420, "held": [], "own": False,
    }  # fmt: skip
    return {**row, **other}


def held_by(pid: int, **other: object) -> Row:
    row: Mapping[str, object] = {
        "kind": "session", "pid": pid, "database": "shop", "role": "web", "application": f"app {pid}",
        "backend_type": "client backend", "state": "active", "transaction_seconds": 9.0, "idle_seconds": None,
        "own": False, "gid": None, "timeout_before": None,
    }  # fmt: skip
    return {**row, **other}


def found(*rows: Row) -> list[Row]:
    return list(roots(planted(rows)))


def test_a_tree_is_told_by_its_roots() -> None:
    """Two roots; one waits behind both; parallel workers count as their leader and never wait for themselves."""
    rows = [wait(3, 1), wait(3, 3, 1, seconds=7), wait(4, 1, 2), wait(5, 4), held_by(1), held_by(2), held_by(4)]
    one, two = found(*rows)
    assert (one["pid"], one["blocked_pids"], one["depth"], one["waited_seconds"]) == (1, [3, 4, 5], 2, 7)
    assert (two["pid"], two["blocked_pids"]) == (2, [4, 5])


def test_a_ring_has_one_root_and_an_end() -> None:
    """A deadlock whose timeout is long: who has waited longest is named, with all others behind it."""
    (ring,) = found(wait(1, 2, seconds=9), wait(2, 1), wait(3, 1), held_by(1), held_by(2))
    assert (ring["pid"], ring["blocked_pids"], ring["ring"]) == (1, [2, 3], True)
    (finding,) = judged(ring, rule=Blocking(after=5))
    assert "wait for each other" in finding.remedy.caution


def test_the_monitor_and_who_has_ended_meanwhile_are_no_roots() -> None:
    """Its own locks are for reading; a process that is gone when it is looked up has no name."""
    assert found(wait(1, 2), held_by(2, own=True)) == []
    assert found(wait(1, 2)) == []
    assert list(roots(Tree())) == []


def measured(*rows: Row, unknown: Row | None = None) -> Measurement:
    seen = Measurement(target=Target("shop"), probe="pool", taken_at=datetime.now(UTC), rows=rows)
    return seen if unknown is None else replace(seen, details={"blocking": unknown})


def judged(*rows: Row, rule: Blocking) -> list[Finding]:
    return [each for each in rule.check(measured(*rows)) if isinstance(each, Finding)]


@pytest.mark.parametrize(("seconds", "count", "said"), [(29.9, 1, 0), (30.0, 1, 1), (1.0, 2, 0), (1.0, 3, 1)])
def test_what_equals_a_limit_counts(seconds: float, count: int, said: int) -> None:
    """Exactly at the limit: half a minute, or three who wait."""
    rows = found(*(wait(pid, 9, seconds=seconds) for pid in range(count)), held_by(9))
    assert len(judged(*rows, rule=Blocking())) == said


def test_two_roots_of_one_application_are_one_finding() -> None:
    """It stays the same finding when the process ids change; who waits for both counts once."""
    rows = found(wait(1, 8, 9), wait(2, 8), wait(3, 9), held_by(8, application="api"), held_by(9, application="api"))
    (finding,) = judged(*rows, rule=Blocking())
    assert (finding.evidence["count"], finding.evidence["pids"]) == (3, [8, 9])


@pytest.mark.parametrize(
    ("kind", "subject", "words"),
    [
        ("autovacuum worker", "autovacuum worker", "prevents a wraparound"),
        ("startup", "startup", "replays"),
        ("logical replication worker", "logical replication worker", "if you know what it does"),
    ],
)
def test_processes_of_the_server_are_not_to_be_ended(kind: str, subject: str, words: str) -> None:
    """Autovacuum and recovery are named as what they are, and what they do is said."""
    rows = found(wait(1, 9, seconds=60), held_by(9, backend_type=kind, role="", application=""))
    (finding,) = judged(*rows, rule=Blocking())
    assert (finding.subject, finding.remedy.sql) == (subject, ())
    assert words in finding.remedy.caution


def test_what_could_not_be_asked_is_not_called_well() -> None:
    """Too little: the second query took too long; the rest of the reading stands."""
    (unsaid,) = Blocking().check(measured(unknown={"reason": "cancelled after 5 s", "needs": Needs.TIME}))
    assert isinstance(unsaid, NoVerdict)
    assert unsaid.needs is Needs.TIME


@pytest.mark.soak
async def test_an_autovacuum_that_waits_is_named_as_what_it_is(autovacuuming: Database) -> None:
    """It has no application and no role; to prevent a wraparound it does wait, behind whoever locked the table."""
    await autovacuuming.execute("create table old () with (autovacuum_freeze_max_age = 100000); create table burnt ()")
    locker = await autovacuuming.connect(application_name="migration")
    await locker.execute("begin; lock table old in share mode")
    await autovacuuming.execute(BURN)
    async with asyncio.timeout(60), autovacuuming.eye(PROBE) as looking:
        while not (accused := looking.findings(await looking.look(), RULE)):  # noqa: ASYNC110 - the server sends no event
            await asyncio.sleep(0.5)
    assert accused[0].evidence["blocked_applications"] == ["autovacuum worker"]
    assert accused[0].impact.startswith("autovacuum worker cannot go on")
