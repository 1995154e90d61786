"""The vacuum probe on real servers: ages and pace; tables.wraparound sick, cured by its remedy, near miss, limit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitor.measurement import Measurement
from monitor.model import Finding, NoVerdict, Severity, Target
from monitor.probe import Row
from probes.vacuum import PROBE
from probes.vacuum_rules import STOP, Wraparound
from probes.vacuum_tables import PROBE as TABLES
from tests.database import Cluster, Database
from tests.looking import Eye
from tests.versions import MAJORS, NEWEST

BURNT = 6000
LIMIT = 5000
RULE = Wraparound(warning=LIMIT / STOP, slack=0)
"""Sick at 5,000 ids instead of a billion."""
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EDGES = pytest.mark.parametrize("any_cluster", [MAJORS[0], NEWEST], indirect=True)


async def burn(database: Database, count: int = BURNT) -> None:
    """Use up transaction ids."""
    session = await database.connect(synchronous_commit="off")
    await session.execute(
        f"do $$ begin for i in 1..{count} loop perform pg_current_xact_id(); commit; end loop; end $$"
    )
    await session.close()


def of(seen: Measurement, database: Database) -> Row:
    return next(row for row in seen.rows if row["kind"] == "database" and row["database"] == database.name)


def age(seen: Measurement, database: Database) -> int:
    return int(str(of(seen, database)["xid_age"]))


def whole(seen: Measurement) -> Row:
    return next(row for row in seen.rows if row["kind"] == "server")


class Pair:
    """Both probes on one server, as a daemon has them: they share what is known of the server."""

    def __init__(self, whole: Eye, tables: Eye) -> None:
        self.whole, self.tables = whole, tables

    async def look(self) -> Measurement:
        await self.tables.look()
        return await self.whole.look()


@asynccontextmanager
async def watched(database: Database) -> AsyncIterator[Pair]:
    async with database.eye(PROBE) as eye:
        tables = Eye(eye.server, eye.runner, TABLES, database.name)
        yield Pair(eye, tables)


async def test_it_reads_every_version_as_the_monitors_own_role(any_database: Database) -> None:
    """Each database with its ages, templates too; settings and workers of the server as a whole."""
    monitor = await any_database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        before = await eye.look()
        await burn(any_database, 100)
        seen = await eye.look()
    assert {"template0", "template1", any_database.name} <= {row["database"] for row in seen.rows}
    assert age(seen, any_database) >= age(before, any_database) + 100
    assert whole(seen)["freeze_max_age"] == 200_000_000
    assert whole(seen)["autovacuum"] is True
    assert isinstance(whole(seen)["autovacuum_workers"], int)
    assert {row["running"] for row in seen.asides["phases"]} == {0}


async def test_without_pg_monitor_ages_are_read_and_workers_are_not(database: Database) -> None:
    """Ages are everybody's to read; how many workers run is not known, and not said to be none."""
    nobody = await database.as_monitor()
    await database.execute(f"revoke pg_monitor from {nobody.user}")
    async with nobody.eye(PROBE) as eye:
        seen = await eye.look()
        assert age(seen, database) > 0
        assert whole(seen)["autovacuum_workers"] is None
        assert eye.unsaid(seen) == []


@EDGES
async def test_an_old_database_is_found_and_the_remedy_freezes_it(any_database: Database) -> None:
    """Sick: all tables are old, more than are named, so the whole database is frozen. Cured: by that."""
    await burn(any_database)
    async with watched(any_database) as both:
        (finding,) = both.whole.findings(await both.look(), RULE)
        assert (finding.rule, finding.subject) == ("tables.wraparound", any_database.name)
        assert finding.object.kind == "database"
        assert finding.remedy.sql == ("vacuum (freeze)",)
        assert finding.severity is Severity.WARNING
        await any_database.apply(finding.remedy)
        assert both.whole.findings(await both.look(), RULE) == []


@EDGES
async def test_a_single_old_table_is_named_and_frozen(any_database: Database) -> None:
    """Sick: one table that no vacuum could lock. Cured by the printed statement, which names it, quoted."""
    await any_database.execute('create table public."Old one" (t text)')
    holder = await any_database.connect()
    await burn(any_database)
    await holder.execute('begin; lock table public."Old one" in share update exclusive mode')
    await any_database.execute("vacuum (freeze, skip_locked)")
    async with watched(any_database) as both:
        (finding,) = both.whole.findings(await both.look(), RULE)
        assert finding.remedy.sql == ('vacuum (freeze) public."Old one"',)
        assert finding.evidence["count"] == 1
        assert "locked against vacuum" in finding.summary
        assert "sessions.blocking" in finding.remedy.caution
        await holder.execute("rollback")
        await any_database.apply(finding.remedy)
        assert both.whole.findings(await both.look(), RULE) == []


async def test_the_limit_decides_exactly(database: Database) -> None:
    """At the bar it is said, one id below it is not; critical from its own bar on."""
    async with database.eye(PROBE) as eye:
        await burn(database, 100)
        seen = await eye.look()
        now = age(seen, database)
        (finding,) = eye.findings(seen, replace(RULE, warning=now / STOP))
        assert finding.severity is Severity.WARNING
        assert eye.findings(seen, replace(RULE, warning=(now + 1) / STOP)) == []
        (finding,) = eye.findings(seen, replace(RULE, warning=now / STOP, critical=now / STOP))
        assert finding.severity is Severity.CRITICAL


async def test_before_its_tables_are_read_it_says_how_to_find_them(database: Database) -> None:
    """Too little data: no statement is made up."""
    await burn(database)
    async with database.eye(PROBE) as eye:
        (finding,) = eye.findings(await eye.look(), RULE)
        assert finding.remedy.sql == ()
        assert "relfrozenxid" in finding.remedy.caution
        assert finding.evidence["stops_at"] is None
        assert "not known yet" in finding.summary


async def test_a_new_server_is_healthy(any_database: Database) -> None:
    """Near miss: by the rule's own thresholds nothing is said of any database."""
    async with any_database.eye(PROBE) as eye:
        assert eye.verdicts(await eye.look(), Wraparound()) == []


async def test_a_running_vacuum_is_counted_by_phase(cluster: Cluster, database: Database) -> None:
    """Slowed down, so that it is met; the finding tells of it."""
    await database.execute("create table big as select g, repeat('x', 500) from generate_series(1, 20000) g")
    slow = await database.connect(vacuum_cost_delay="50ms", vacuum_cost_limit="10")
    running = asyncio.create_task(slow.execute("vacuum (freeze) big"))
    monitor = await database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        seen = await eye.look()
        while sum(int(str(row["running"])) for row in seen.asides["phases"]) == 0 and not running.done():
            await asyncio.sleep(0.05)
            seen = await eye.look()
        assert sum(int(str(row["running"])) for row in seen.asides["phases"]) == 1
        (finding,) = eye.findings(seen, replace(RULE, warning=1 / STOP))
        assert finding.evidence["vacuums_running"] == 1
    await database.execute("select pg_terminate_backend($1)", slow.get_server_pid())
    await asyncio.gather(running, return_exceptions=True)


def judged(rule: Wraparound, **columns: object) -> list[Finding | NoVerdict]:
    """A database by hand, of a server as it is set by default."""
    base: Row = {
        "kind": "server", "database": "", "in_recovery": False, "freeze_max_age": 200_000_000,
        "multixact_freeze_max_age": 400_000_000, "autovacuum": True, "autovacuum_workers": 0,
        "autovacuum_workers_limit": 3, "xids_per_second": None, "mxids_per_second": None, "paced_seconds": 0.0,
    }  # fmt: skip
    shop: Row = {"kind": "database", "database": "shop", "connectable": True, "xid_age": 0, "mxid_age": 0}
    rows = [{**base, **{name: columns[name] for name in columns if name in base}}]
    rows.append({**shop, **{name: columns[name] for name in columns if name in shop}})
    return [*rule.check(Measurement(target=Target("test"), probe="vacuum", taken_at=NOON, rows=rows))]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"xid_age": 220_000_000}, None),
        ({"xid_age": 1_000_000_000}, None),
        ({"xid_age": 1_100_000_000}, Severity.WARNING),
        ({"mxid_age": 1_100_000_000}, Severity.WARNING),
        ({"xid_age": 1_800_000_000}, Severity.CRITICAL),
        ({"xid_age": 1_540_000_000, "freeze_max_age": 1_500_000_000}, None),
        ({"xid_age": 1_600_000_000, "freeze_max_age": 1_500_000_000}, Severity.WARNING),
        ({"xid_age": 1_800_000_000, "freeze_max_age": 2_000_000_000}, Severity.CRITICAL),
        ({"xid_age": 1_100_000_000, "xids_per_second": 50_000.0, "paced_seconds": 7200.0}, Severity.CRITICAL),
        ({"xid_age": 1_100_000_000, "xids_per_second": 50_000.0, "paced_seconds": 600.0}, Severity.WARNING),
        ({"xid_age": 900_000_000, "xids_per_second": 50_000.0, "paced_seconds": 7200.0}, None),
    ],
)
def test_the_defaults_leave_what_autovacuum_leaves(columns: dict[str, object], said: Severity | None) -> None:
    """Normal ages, a raised autovacuum_freeze_max_age, and ids that would last for hours only."""
    found = judged(Wraparound(), **columns)
    assert [each.severity for each in found if isinstance(each, Finding)] == ([said] if said else [])


def test_the_date_is_the_rest_by_the_pace() -> None:
    """A thousand a second: the rest lasts twelve days."""
    (finding,) = judged(Wraparound(), xid_age=STOP - 1000 * 86400 * 12, xids_per_second=1000.0)
    assert isinstance(finding, Finding)
    assert finding.evidence["seconds_left"] == 86400 * 12
    assert finding.evidence["stops_at"] == "2026-03-13T12:00+00:00"
    assert "lasts 12 d" in finding.summary


def test_a_database_that_nobody_may_enter_has_no_statement() -> None:
    """As template0: how to do it is said in words."""
    (finding,) = judged(Wraparound(), xid_age=1_900_000_000, connectable=False)
    assert isinstance(finding, Finding)
    assert finding.remedy.sql == ()
    assert "Nobody may connect" in finding.remedy.caution


def test_on_a_standby_it_does_not_apply() -> None:
    """Nothing is frozen there."""
    (verdict,) = judged(Wraparound(), xid_age=1_900_000_000, in_recovery=True)
    assert isinstance(verdict, NoVerdict)
    assert not verdict.applies
