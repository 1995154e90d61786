"""The pool probe on real servers: real limits reached, a real leaked transaction, a real long one."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest

from monitor.errors import Needs
from monitor.measurement import Measurement
from monitor.model import Finding, Result, Severity, Target
from monitor.probe import Row, Rule
from probes.app_pool import AppSaturation
from probes.pool import PROBE
from probes.pool_budget import PoolBudget
from probes.pool_forecast import ExhaustionForecast
from probes.pool_groups import safe, told_apart
from probes.pool_saturation import Saturation
from probes.pool_transactions import IdleInTransaction, LongTransaction
from tests.database import Cluster, Database

LEAK = IdleInTransaction(warning_after=0.5, critical_after=60)
LONG = LongTransaction(warning_after=0.5, critical_after=60)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class Application:
    """A role of its own with sessions in one database; gone with everything it left when the test ends."""

    def __init__(self, database: Database, role: str, password: str) -> None:
        self.database, self.role = database, role
        self._password = password
        self.sessions: list[asyncpg.Connection] = []

    async def connect(self, name: str = "") -> asyncpg.Connection:
        dsn = self.database.server.dsn(self.database.name, self.role, self._password)
        session = await asyncpg.connect(dsn, timeout=10, server_settings={"application_name": name})
        self.sessions.append(session)
        return session

    async def leave(self) -> None:
        for session in self.sessions:
            session.terminate()
        await self.database.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = $1", self.role
        )
        await self.database.execute(f"drop owned by {quoted(self.role)}; drop role {quoted(self.role)}")


@asynccontextmanager
async def application(database: Database, options: str = "", suffix: str = "") -> AsyncIterator[Application]:
    role, password = f"app_{secrets.token_hex(4)}{suffix}", secrets.token_hex(8)
    await database.execute(f"create role {quoted(role)} login password '{password}' {options}")
    app = Application(database, role, password)
    try:
        yield app
    finally:
        await app.leave()


def group(seen: Measurement, **wanted: str) -> Row:
    rows = [row for row in seen.rows if row["kind"] == "group"]
    return next(row for row in rows if all(row[name] == value for name, value in wanted.items()))


async def accused(database: Database, *rules: Rule) -> list[Finding]:
    """What is found in this database, or of the server's roles and slots."""
    return await database.judge(PROBE, *rules)


async def test_it_reads_every_version_as_the_monitors_own_role(any_database: Database) -> None:
    """Sessions by database, role, application and state; the slots; and nobody's statement."""
    monitor = await any_database.as_monitor()
    session = await any_database.connect(application_name="shop")
    await session.execute("begin")
    async with monitor.eye(PROBE) as eye:
        seen = await eye.look()
    row = group(seen, database=any_database.name, application="shop")
    whole = next(row for row in seen.rows if row["kind"] == "server")
    assert seen.result is Result.OK
    assert (row["role"], row["state"], row["sessions"]) == ("postgres", "idle in transaction", 1)
    assert whole["slots_limit"] == 57
    assert whole["slots_used"] == sum(int(str(row["sessions"])) for row in seen.rows if row["kind"] == "group")
    assert whole["own_sessions"] == 1


def test_rules_wait_before_they_speak_and_before_they_are_silent() -> None:
    """A burst of sessions between two readings is none, and a pause in it ends nothing."""
    assert [(rule.hold, rule.keep) for rule in (Saturation(), AppSaturation())] == [(15, 60)] * 2
    assert [(rule.hold, rule.keep) for rule in (PoolBudget(), ExhaustionForecast())] == [(0, 60), (0, 120)]


async def test_without_the_right_to_see_others_it_is_denied(database: Database) -> None:
    """A role that sees only itself must not call the pool empty."""
    async with application(database) as app:
        stranger = Database(database.server, database.name, app.role, app._password)
        async with stranger.eye(PROBE) as eye:
            seen = await eye.look()
            assert seen.result is Result.DENIED
            assert {verdict.needs for verdict in eye.unsaid(seen)} == {Needs.RIGHTS}


async def test_reserved_connections_do_not_count_as_room(any_cluster: Cluster, any_database: Database) -> None:
    """PostgreSQL 16 has a second reserve; before it there is one."""
    async with any_database.eye(PROBE) as eye:
        seen = await eye.look()
    whole = next(row for row in seen.rows if row["kind"] == "server")
    reserved = await any_database.value(
        "select sum(setting::int) from pg_settings"
        " where name in ('superuser_reserved_connections', 'reserved_connections')"
    )
    assert whole["slots_limit"] == 60 - reserved


async def test_slots_that_rds_reserves_do_not_count_as_room(database: Database) -> None:
    """A service's own setting, played by the database's."""
    async with database.eye(PROBE) as eye:
        (before,) = [row for row in (await eye.look()).rows if row["kind"] == "server"]
    await database.execute(f'alter database {database.name} set "rds.rds_superuser_reserved_connections" = 2')
    async with database.eye(PROBE) as eye:
        (after,) = [row for row in (await eye.look()).rows if row["kind"] == "server"]
    assert after["slots_limit"] == before["slots_limit"] - 2  # type: ignore[operator]


async def test_a_role_at_its_limit_is_found_and_gone_when_it_lets_go(any_database: Database) -> None:
    """Sick: 4 of 4. Cured as the caution says: idle sessions go. Near miss: 3 of 4 is below 80 %."""
    async with application(any_database, "connection limit 4", suffix=' "Ü') as app:
        for _ in range(4):
            await app.connect("checkout")
        (finding,) = await accused(any_database, Saturation())
        assert (finding.severity, finding.object.kind, finding.object.name) == (Severity.CRITICAL, "role", app.role)
        assert finding.target.database is None
        assert finding.evidence["holders"] == [f"{quoted(app.role)} (checkout), idle: 4"]
        assert "checkout" in finding.remedy.caution
        with pytest.raises(asyncpg.TooManyConnectionsError):
            await app.connect()
        await app.sessions.pop().close()
        assert await accused(any_database, Saturation()) == []


async def test_a_database_near_its_limit_is_found_exactly_at_the_ratio(database: Database) -> None:
    """Five sessions, the test's and the monitor's own: seven of fourteen. At the ratio it fires, above it does not."""
    await database.execute(f"alter database {database.name} connection limit 14")
    async with application(database) as app:
        for _ in range(5):
            await app.connect("tenant")
        (finding,) = await accused(database, Saturation(warning_ratio=0.5, critical_ratio=0.51))
        assert (finding.severity, finding.object.kind) == (Severity.WARNING, "database")
        assert (finding.target.database, finding.evidence["count"]) == (database.name, 7)
        assert await accused(database, Saturation(warning_ratio=0.51, critical_ratio=0.9)) == []
        (finding,) = await accused(database, Saturation(warning_ratio=0.4, critical_ratio=0.5))
        assert finding.severity is Severity.CRITICAL


async def test_the_servers_own_slots_are_judged(database: Database) -> None:
    """Sick by a low ratio: the whole server, named `max_connections`, with its holders. Near miss: a higher one."""
    async with application(database) as app:
        for _ in range(3):
            await app.connect("web")
        found = await accused(database, Saturation(warning_ratio=0.05, critical_ratio=0.9))
        whole = next(finding for finding in found if finding.object.kind == "pool")
        assert (whole.subject, whole.severity) == ("max_connections", Severity.WARNING)
        assert any("web" in str(holder) for holder in whole.evidence["holders"])  # type: ignore[union-attr]
        assert await accused(database, Saturation(warning_ratio=0.9)) == []


async def test_limits_that_are_locks_or_the_monitors_own_accuse_nobody(database: Database) -> None:
    """Too little: a limit of one is a lock. And who uses all of a limit must not be us alone."""
    async with application(database, "connection limit 1") as app:
        await app.connect()
        assert await accused(database, Saturation()) == []
    async with application(database, "connection limit 2 in role pg_monitor") as app:
        await app.connect("pgarchitect")
        monitor = Database(database.server, database.name, app.role, app._password)
        async with monitor.eye(PROBE) as eye:
            seen = await eye.look()
            limit = next(row for row in seen.rows if row["kind"] == "role" and row["role"] == app.role)
            assert (limit["slots_used"], limit["own_sessions"]) == (2, 2)
            assert eye.findings(seen, Saturation()) == []


async def leak(app: Application, name: str = "api", sql: str = "select 1") -> asyncpg.Connection:
    session = await app.connect(name)
    await session.execute("begin")
    await session.execute(sql)
    return session


async def test_the_first_session_of_a_backup_may_rest(database: Database) -> None:
    """Near miss: `pg_dump -j` keeps its snapshot in a session that is idle until all jobs are done."""
    async with application(database) as app:
        await leak(app, "pg_dump")
        await asyncio.sleep(0.8)
        assert await accused(database, LEAK) == []
        (finding,) = await accused(database, replace(LEAK, except_applications=()))
        assert finding.subject == f"{app.role} (pg_dump)"


async def test_a_leaked_transaction_is_found_and_the_remedy_keeps_the_next_one_short(any_database: Database) -> None:
    """Sick: idle in a transaction, one finding for two sessions. Cured: ended by pid; the next leak is ended for us."""
    async with application(any_database, suffix="-Ä") as app:
        whose = f"alter role {quoted(app.role)} in database {any_database.name}"
        await any_database.execute(f"{whose} set idle_in_transaction_session_timeout = '9min'")
        for _ in range(2):
            await leak(app)
        await asyncio.sleep(0.8)
        (finding,) = await accused(any_database, LEAK)
        assert (finding.rule, finding.target.database) == ("sessions.idle_in_transaction", any_database.name)
        assert (finding.subject, finding.severity) == (f'"{app.role}" (api)', Severity.WARNING)
        assert finding.evidence["count"] == 2
        await any_database.apply(finding.remedy)
        for pid in finding.evidence["pids"]:  # type: ignore[union-attr]
            await any_database.value("select pg_terminate_backend($1, 5000)", pid)
        assert await accused(any_database, LEAK) == []
        again = await leak(app)
        ended = asyncio.Event()
        again.add_termination_listener(lambda _: ended.set())
        await asyncio.wait_for(ended.wait(), 20)
        assert await accused(any_database, LEAK) == []
        await undo(any_database, finding)
        assert await (await app.connect()).fetchval("show idle_in_transaction_session_timeout") == "9min"


async def undo(database: Database, finding: Finding) -> None:
    for statement in finding.remedy.rollback:
        await database.execute(statement)


async def test_what_a_leaked_transaction_blocks_and_holds_back_is_named(database: Database) -> None:
    """It wrote a row that another session wants, so somebody waits and vacuum is held back."""
    await database.execute(
        "create table t (id int primary key, v int); insert into t values (1, 0); grant all on t to public"
    )
    async with application(database) as app:
        await leak(app, sql="update t set v = 1")
        victim = await database.connect(application_name="victim")
        waiting = asyncio.create_task(victim.execute("update t set v = 2"))
        await asyncio.sleep(1.2)
        (finding,) = await accused(database, LEAK)
        assert (finding.evidence["blocked"], finding.evidence["blocked_applications"]) == (1, ["victim"])
        assert isinstance(finding.evidence["held_transactions"], int)
        assert "1 session of victim waits for its locks" in finding.impact
        assert "vacuum keeps" in finding.impact
        await (app.sessions[0]).execute("commit")
        await waiting
        assert await accused(database, LEAK) == []


async def test_the_fingerprint_outlives_the_process_and_the_numbers(database: Database) -> None:
    """Another session of the same application leaks: it is the same finding."""
    async with application(database) as app:
        first = await leak(app)
        await asyncio.sleep(0.7)
        (one,) = await accused(database, LEAK)
        await first.close()
        await leak(app)
        await asyncio.sleep(0.7)
        (two,) = await accused(database, LEAK)
        assert one.fingerprint == two.fingerprint
        assert one.evidence["pids"] != two.evidence["pids"]


async def test_a_transaction_in_work_or_just_left_is_no_leak(database: Database) -> None:
    """Near misses: an active one; one idle for less than the limit; plain idle; and the monitor itself."""
    async with application(database) as app:
        working = await leak(app)
        task = asyncio.create_task(working.execute("select pg_sleep(1.2)"))
        await app.connect("resting")
        await leak(app, name="brief")
        await asyncio.sleep(0.8)
        (finding,) = await accused(database, LEAK)
        assert "(brief)" in finding.subject
        assert await accused(database, replace(LEAK, warning_after=30)) == []
        await task


async def test_an_aborted_transaction_left_open_is_a_leak_too(database: Database) -> None:
    """Its error was swallowed, and nobody rolled back."""
    async with application(database) as app:
        session = await app.connect("api")
        await session.execute("begin")
        with pytest.raises(asyncpg.DivisionByZeroError):
            await session.execute("select 1 / 0")
        await asyncio.sleep(0.7)
        (finding,) = await accused(database, LEAK)
        assert finding.evidence["states"] == ["idle in transaction (aborted)"]


async def test_a_long_transaction_is_found_and_gone_once_cancelled(any_database: Database) -> None:
    """Sick: one statement runs on. Cured as the caution says: pg_cancel_backend. Near miss: a higher limit."""
    async with application(any_database) as app:
        session = await app.connect("report")
        task = asyncio.create_task(session.execute("select pg_sleep(30)"))
        await asyncio.sleep(0.8)
        (finding,) = await accused(any_database, LONG)
        assert (finding.rule, finding.target.database) == ("sessions.long_transaction", any_database.name)
        assert finding.evidence["held_transactions"] is not None
        assert await accused(any_database, replace(LONG, warning_after=30)) == []
        pid = await any_database.value("select pid from pg_stat_activity where usename = $1", app.role)
        assert finding.evidence["pids"] == [pid]
        assert str(pid) in finding.remedy.caution
        await any_database.value("select pg_cancel_backend($1)", pid)
        with pytest.raises(asyncpg.QueryCanceledError):
            await task
        assert await accused(any_database, LONG) == []


async def test_what_the_other_rule_names_or_nobody_would_end_is_left_out(database: Database) -> None:
    """A leak is the other rule's, one that goes on working is ours although it rests now, pg_dump is spared."""
    async with application(database) as app:
        await leak(app, name="leaky")
        chatty = await leak(app, name="chatty")
        dump = await app.connect("pg_dump")
        task = asyncio.create_task(dump.execute("select pg_sleep(1.5)"))
        for _ in range(3):
            await asyncio.sleep(0.3)
            await chatty.execute("select 1")
        (finding,) = await accused(database, LONG)
        assert "(chatty)" in finding.subject
        assert len(await accused(database, replace(LONG, except_applications=()))) == 2
        await task


async def test_sessions_that_do_not_report_are_not_called_well(database: Database) -> None:
    """Not knowing: track_activities is off for a role."""
    async with application(database) as app:
        await database.execute(f"alter role {app.role} set track_activities = off")
        session = await app.connect("dark")
        await session.execute("begin")
        async with database.eye(PROBE) as eye:
            seen = await eye.look()
            for rule in (LEAK, LONG):
                (unsaid,) = eye.unsaid(seen, rule)
                assert (unsaid.needs, unsaid.subject) == (Needs.SETTING, f"{app.role} (dark)")


def measured(*rows: Row) -> Measurement:
    return Measurement(target=Target("shop"), probe="pool", taken_at=datetime.now(UTC), rows=rows)


def transaction(age: float, idle: float | None = None, **other: object) -> Row:
    row: Mapping[str, object] = {
        "kind": "transaction", "database": "shop", "role": "web", "application": "api", "state": "idle in transaction",
        "pid": 1, "transaction_seconds": age, "idle_seconds": idle, "held_transactions": None, "blocked": 0,
        "blocked_applications": [],
    }  # fmt: skip
    return {**row, **other}


@pytest.mark.parametrize(("age", "said"), [(299.9, None), (300.0, "warning"), (899.9, "warning"), (900.0, "critical")])
def test_an_age_that_equals_the_limit_counts(age: float, said: str | None) -> None:
    """Exactly at the limit, for both levels."""
    found = [*IdleInTransaction().check(measured(transaction(age, age)))]
    assert [str(each.severity) for each in found if isinstance(each, Finding)] == ([said] if said else [])


@pytest.mark.parametrize(
    ("used", "said"), [(79, None), (80, "warning"), (94, "warning"), (95, "critical"), (101, "critical")]
)
def test_a_ratio_that_equals_the_limit_counts(used: int, said: str | None) -> None:
    """Exactly at the limit, for both levels; superusers may use more than there is for others."""
    row = {"kind": "server", "database": "", "role": "", "slots_used": used, "slots_limit": 100, "own_sessions": 1}
    found = [*Saturation().check(measured(row))]
    assert [str(each.severity) for each in found if isinstance(each, Finding)] == ([said] if said else [])


def sessions(count: int, **place: object) -> Row:
    row: Mapping[str, object] = {
        "kind": "group", "database": "shop", "role": "web", "application": "api", "state": "idle",
        "sessions": count, "own_sessions": 0, "waiting_sessions": 1,
        "oldest_transaction_seconds": None, "oldest_idle_in_transaction_seconds": None,
    }  # fmt: skip
    return {**row, **place}


def test_many_applications_are_bounded_and_nobody_is_lost() -> None:
    """Fifty groups by name, the rest as `other` by state; sums and oldest ages stay right."""
    rows = [sessions(2, application=f"app {place}", oldest_transaction_seconds=place) for place in range(60)]
    rows += [sessions(1, application="app 59", state="active")]
    told = list(told_apart(rows))
    (other,) = (row for row in told if row["application"] == "other")
    assert (len(told), other["sessions"], other["waiting_sessions"]) == (52, 20, 10)
    assert other["database"] == ""
    assert sum(int(str(row["sessions"])) for row in told) == 121
    assert any(row["oldest_transaction_seconds"] == 59 for row in told)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("checkout-api", "checkout-api"),
        ("celery@worker-1", "celery@worker-1"),
        ("psql postgres://joe:hunter2@db.example.org/shop", "psql postgres://***@db.example.org/shop"),
        ("postgresql://joe:a/b@c@10.0.0.1/shop", "postgresql://***@10.0.0.1/shop"),
        ("worker password=hunter2 n=3", "worker password=*** n=3"),
        ("report for ann@example.org", "report for ***@example.org"),
    ],
)
def test_an_applications_name_gives_no_secret_away(name: str, shown: str) -> None:
    """Passwords and people are taken out; names that mean to be names stay."""
    assert safe(name) == shown


async def test_single_transactions_reach_no_metric(database: Database) -> None:
    """A transaction has the labels of its group, and would take its place."""
    async with application(database) as app:
        await leak(app)
        await asyncio.sleep(0.4)
        async with database.eye(PROBE) as eye:
            seen = await eye.look()
    assert any(row["kind"] == "transaction" for row in seen.rows)
    assert {str(row["kind"]) for row in seen.exposed or ()} <= {"group", "server", "role", "database"}
    labels = [tuple(row[name] for name in PROBE.labels) for row in seen.exposed or ()]
    assert len(labels) == len(set(labels))
