"""Roles without timeouts, on real servers: the printed SQL is run, a new session has them, and all is put back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from monitor.errors import Needs
from monitor.measurement import Measurement
from monitor.model import Finding, Severity, Target
from monitor.rule import Rule
from probes.timeouts import PROBE
from probes.timeouts_rule import LEVELS, NoTimeouts, off
from tests.database import Cluster, Database
from tests.looking import Eye
from tests.probes.test_pool import Application, application, undo

NAMES = ["statement_timeout", "idle_in_transaction_session_timeout"]


async def accused(eye: Eye, app: Application, *rules: Rule) -> list[Finding]:
    """What is found of this one role; the tests' other roles are none of its business."""
    seen = await eye.look()
    return [each for each in eye.findings(seen, *rules) if each.object.name == app.role]


async def test_a_role_without_timeouts_is_found_and_the_printed_sql_mends_it(any_database: Database) -> None:
    """Sick: neither. Cured: new sessions have both. The rollback puts back the 0 that stood there."""
    monitor = await any_database.as_monitor()
    async with application(any_database, suffix=' "Ü') as app, monitor.eye(PROBE) as eye:
        quoted = '"' + app.role.replace('"', '""') + '"'
        await any_database.execute(f"alter role {quoted} set statement_timeout = 0")
        await app.connect("api")
        (finding,) = await accused(eye, app)
        assert (finding.rule, finding.severity, finding.subject) == ("sessions.no_timeouts", Severity.INFO, quoted)
        assert (finding.evidence["missing"], finding.evidence["databases"]) == (NAMES, [any_database.name])
        assert len(finding.remedy.sql) == 2
        await any_database.apply(finding.remedy)
        assert await accused(eye, app) == []
        fresh = await app.connect("api")
        assert [await fresh.fetchval(f"show {name}") for name in NAMES] == ["5min", "5min"]
        await undo(any_database, finding)
        (again,) = await accused(eye, app)
        assert again.fingerprint == finding.fingerprint
        given = await any_database.value(
            "select setconfig from pg_db_role_setting where setrole = (select oid from pg_roles where rolname = $1)",
            app.role,
        )
        assert given == ["statement_timeout=0"]


async def test_one_that_is_missing_is_named_alone(database: Database) -> None:
    """Near misses: the role's own, the database's, a transaction_timeout instead of both, an excepted role."""
    async with application(database) as app, database.eye(PROBE) as eye:
        await app.connect("api")
        await database.execute(f"alter role {app.role} set statement_timeout = '30s'")
        (finding,) = await accused(eye, app)
        assert finding.evidence["missing"] == NAMES[1:]
        assert await accused(eye, app, NoTimeouts(except_roles=(app.role,))) == []
        await database.execute(f"alter database {database.name} set idle_in_transaction_session_timeout = '1min'")
        assert await accused(eye, app) == []
        await database.execute(f"alter database {database.name} reset all; alter role {app.role} reset all")
        await database.execute(f"alter role {app.role} set transaction_timeout = '1h'")
        assert await accused(eye, app) == []


async def test_a_timeout_switched_off_in_one_database_is_mended_there(database: Database) -> None:
    """What stands for the role in the database goes before the role's own: the remedy has to be as narrow."""
    async with application(database) as app, database.eye(PROBE) as eye:
        for name in NAMES:
            await database.execute(f"alter role {app.role} set {name} = '1min'")
        await database.execute(f"alter role {app.role} in database {database.name} set {NAMES[0]} = '0ms'")
        await app.connect("api")
        (finding,) = await accused(eye, app)
        whose = f"alter role {app.role} in database {database.name} set statement_timeout"
        assert (finding.remedy.sql, finding.remedy.rollback) == ((f"{whose} = '300s'",), (f"{whose} = '0ms'",))
        await database.apply(finding.remedy)
        assert await accused(eye, app) == []


async def test_superusers_watchers_and_strangers_are_no_applications(database: Database) -> None:
    """Too little: no session of the role was seen. A superuser, and who may read all statistics, are not asked."""
    async with application(database) as app, application(database, "in role pg_monitor") as watcher:
        await watcher.connect("exporter")
        async with database.eye(PROBE) as eye:
            assert await accused(eye, app) + await accused(eye, watcher) == []
            await database.execute(f"alter role {app.role} superuser")
            await app.connect("api")
            assert await accused(eye, app) == []
            await database.execute(f"alter role {app.role} nosuperuser replication")
            assert await accused(eye, app) == []


async def test_who_was_connected_today_is_still_judged(database: Database) -> None:
    """A pause between two sessions is no cure."""
    async with application(database) as app, database.eye(PROBE) as eye:
        session = await app.connect("nightly")
        assert len(await accused(eye, app)) == 1
        await session.close()
        (finding,) = await accused(eye, app)
        assert finding.evidence["sessions"] == 0


@asynccontextmanager
async def everybody(database: Database, name: str, value: str) -> AsyncIterator[None]:
    """A default of the whole server, as of its configuration file."""
    await database.execute(f"alter system set {name} = '{value}'")
    try:
        await database.execute("select pg_reload_conf()")
        yield
    finally:
        await database.execute(f"alter system reset {name}")
        await database.execute("select pg_reload_conf()")


async def test_the_servers_own_default_counts(any_cluster: Cluster, any_database: Database) -> None:
    """The monitor's own timeouts do not hide it; what stands for the monitor's role does, and that is said."""
    monitor = await any_database.as_monitor()
    async with (
        application(any_database) as app,
        everybody(any_database, NAMES[0], "1h"),
        everybody(any_database, NAMES[1], "1h"),
    ):
        fresh = await app.connect("api")
        assert await fresh.fetchval("show statement_timeout") == "1h"
        async with monitor.eye(PROBE) as eye:
            assert await accused(eye, app) == []
        await any_database.execute(f"alter role {monitor.user} set statement_timeout = '7s'")
        async with monitor.eye(PROBE) as eye:
            seen = await eye.look()
            (unsaid,) = (each for each in eye.unsaid(seen) if each.subject == app.role)
            assert unsaid.needs is Needs.SETTING
            assert "statement_timeout" in unsaid.reason


@pytest.mark.parametrize(
    ("text", "means"),
    [("0", True), ("0ms", True), ("0 min", True), ("00.0s", True), ("1", False), ("10", False), ("0.5min", False)],
)
def test_zero_is_no_timeout_whatever_its_unit(text: str, *, means: bool) -> None:
    """At the limit: zero is off, the smallest time is on."""
    assert off(text) is means


@pytest.mark.parametrize(("role", "said"), [("supabase_auth_admin", 0), ("cloudsqlagent", 0), ("authenticator", 1)])
def test_a_managed_services_own_roles_are_left_out(role: str, said: int) -> None:
    """Nobody but the service can alter them; a role that its customer may alter is named."""
    nothing: dict[str, object] = dict.fromkeys((*LEVELS, "hiding"), ())
    row = {**nothing, "role": role, "database": "shop", "sessions": 1, "serves": True}
    row["defaults"] = ["statement_timeout=0", "idle_in_transaction_session_timeout=0"]
    seen = Measurement(target=Target("shop"), probe="timeouts", taken_at=datetime.now(UTC), rows=[row])
    assert len([*NoTimeouts().check(seen)]) == said
