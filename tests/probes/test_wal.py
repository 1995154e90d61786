"""The wal probe on real servers: its figures, an archive that fails and is mended, checkpoints by the amount of WAL."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest_asyncio

from monitor.embedded import EmbeddedServer
from monitor.errors import Needs
from monitor.measurement import GIB, MIB, Measurement
from monitor.model import Finding, NoVerdict, Result, Target
from probes.wal import PROBE
from probes.wal_checkpoints import CheckpointsRequested
from probes.wal_rules import ArchiverFailing, Growth, row_of
from tests.database import Cluster, Database
from tests.looking import Eye
from tests.patience import PATIENCE
from tests.versions import NEWEST, binaries

SMALL = {
    "archive_mode": "on",
    "archive_command": "false",
    "max_wal_size": "32MB",
    "checkpoint_timeout": "1h",
    "max_slot_wal_keep_size": "1GB",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def archiving() -> AsyncIterator[Cluster]:
    """A server whose archive fails, and whose checkpoints come by little WAL."""
    async with EmbeddedServer.started(SMALL, binaries=binaries(NEWEST)) as server:
        yield Cluster(major=NEWEST, server=server)


async def until(eye: Eye, wanted: Callable[[Measurement], bool]) -> Measurement:
    """Look until it is so, with a long deadline."""
    async with asyncio.timeout(20 * PATIENCE):
        while True:
            eye.runner.forget("test")
            seen = await eye.look()
            if wanted(seen):
                return seen
            await asyncio.sleep(0.3)


async def test_it_reads_every_version_as_the_monitors_own_role(any_database: Database) -> None:
    """Each view answers, nothing is refused, and growth of WAL is exported."""
    monitor = await any_database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        seen = await eye.look()
        await any_database.execute("create table t as select g from generate_series(1, 10000) g")
        seen = await eye.look()
    kinds = {row["kind"] for row in seen.rows}
    assert seen.result is Result.OK
    assert kinds >= {"checkpoints", "wal", "archiver", "primary", "directory", "waiting"}
    assert not [kind for kind in kinds if str(kind).startswith("no_")]
    (whole,) = seen.exposed or ()
    assert isinstance(whole["written_bytes"], float)
    assert whole["written_bytes"] > 0
    assert whole["received_bytes"] is None
    assert bool(seen.asides["io"]) == ("io" in kinds)


async def test_without_rights_it_says_what_it_cannot_see(database: Database) -> None:
    """Only the WAL directory and the archive's state need a right; the rest is read."""
    nobody = await database.as_monitor()
    await database.execute(f"revoke pg_monitor from {nobody.user}")
    async with nobody.eye(PROBE) as eye:
        seen = await eye.look()
        assert row_of(seen.rows, "checkpoints")
        (unsaid,) = eye.unsaid(seen, Growth())
        assert unsaid.needs is Needs.RIGHTS


async def test_a_failing_archive_is_found_and_gone_when_it_is_mended(archiving: Cluster) -> None:
    """Sick: archive_command fails. Limit: an older failure. Cured as the caution says: by a command that works."""
    database = Database(archiving.server, "postgres")
    await database.execute("create table before as select 1; select pg_switch_wal()")
    async with database.eye(PROBE) as eye:
        seen = await until(eye, lambda seen: bool(eye.findings(seen, ArchiverFailing())))
        (finding,) = eye.findings(seen, ArchiverFailing())
        assert finding.severity.value == "critical"
        assert finding.remedy.sql == ()
        assert len(str(finding.evidence["last_failed_wal"])) == 24
        assert finding.evidence["waiting"] >= 1  # type: ignore[operator]
        age = (row_of(seen.rows, "archiver") or {})["last_failed_age_seconds"]
        assert len(eye.findings(seen, ArchiverFailing(recent_seconds=float(str(age))))) == 1
        assert eye.findings(seen, ArchiverFailing(recent_seconds=float(str(age)) - 0.001)) == []
        await database.execute("alter system set archive_command = 'true'")
        await database.execute("select pg_reload_conf()")
        await until(eye, lambda seen: not eye.findings(seen, ArchiverFailing()))
    await database.close()


async def test_archiving_that_is_on_and_does_nothing_is_found(archiving: Cluster) -> None:
    """Sick: files wait and no command is set. Near miss: fewer wait. Cured: a command."""
    database = Database(archiving.server, "postgres")
    await database.execute("alter system set archive_command = ''")
    await database.execute("select pg_reload_conf()")
    await database.execute("create table idle as select 1; select pg_switch_wal()")
    rule = ArchiverFailing(min_waiting=1, recent_seconds=-1)
    async with database.eye(PROBE) as eye:
        seen = await until(eye, lambda seen: bool(eye.findings(seen, rule)))
        assert "neither" in eye.findings(seen, rule)[0].summary
        assert eye.findings(seen, replace(rule, min_waiting=1000)) == []
        await database.execute("alter system set archive_command = 'true'")
        await database.execute("select pg_reload_conf()")
        await until(eye, lambda seen: not eye.findings(seen, rule))
    await database.close()


async def test_a_server_that_does_not_archive_is_silent(database: Database) -> None:
    """The rule does not apply, and says nothing of rights or history."""
    async with database.eye(PROBE) as eye:
        (unsaid,) = eye.unsaid(await eye.look(), ArchiverFailing())
        assert unsaid.needs is None


async def fill(database: Database, megabytes: int) -> None:
    """Write so much WAL."""
    message = "pg_logical_emit_message(false, 'test', repeat('x', 1048576))"
    await database.execute(f"select count({message}) from generate_series(1, {megabytes})")


async def test_checkpoints_by_the_amount_of_wal_are_found_and_the_remedy_ends_them(archiving: Cluster) -> None:
    """Sick: 32 MB are full again and again. Cured by running the remedy; the rollback sets the value before."""
    database = Database(archiving.server, "postgres")
    rule = CheckpointsRequested(min_requested=2, min_window=0)
    async with database.eye(PROBE) as eye:
        await eye.look()
        await fill(database, 100)
        async with asyncio.timeout(20 * PATIENCE):
            while not (found := eye.findings(seen := await eye.look(), rule)):
                await fill(database, 40)
                await asyncio.sleep(0.3)
        assert eye.unsaid(seen, CheckpointsRequested())[0].needs is Needs.HISTORY
        await database.apply(found[0].remedy)
    async with database.eye(PROBE) as eye:
        position = row_of((await eye.look()).rows, "primary") or {}
        assert float(str(position["max_wal_size_bytes"])) >= 64 * MIB
        await fill(database, 20)
        assert eye.findings(await eye.look(), rule) == []
    for statement in found[0].remedy.rollback:
        await database.execute(statement)
    async with database.eye(PROBE) as eye:
        await until(eye, lambda seen: (row_of(seen.rows, "primary") or {})["max_wal_size_bytes"] == 32 * MIB)
    await database.close()


async def test_manual_checkpoints_are_not_taken_for_too_small_a_limit(database: Database) -> None:
    """Near miss: somebody asks for checkpoints, and hardly any WAL is written."""
    async with database.eye(PROBE) as eye:
        await eye.look()
        for _ in range(4):
            await database.execute("checkpoint")
        assert eye.findings(await eye.look(), CheckpointsRequested(min_requested=1, min_window=0)) == []


async def test_wal_kept_for_a_slot_is_found_with_its_name(archiving: Cluster) -> None:
    """Sick: a slot keeps WAL. Near miss: a larger minimum. Falling out: little is left. Cured: it is dropped."""
    database = Database(archiving.server, "postgres")
    await database.execute("select pg_create_physical_replication_slot('left_behind', true)")
    async with database.eye(PROBE) as eye:
        await eye.look()
        await fill(database, 150)
        eye.runner.forget("test")
        await eye.look()
        await fill(database, 50)
        seen = await eye.look()
        (finding,) = eye.findings(seen, Growth(min_bytes=MIB, factor=1))
        assert finding.evidence["slot"] == "left_behind"
        assert finding.remedy.sql == ()
        assert eye.findings(seen, Growth(horizon=0)) == []
        (falling,) = eye.findings(seen, Growth(horizon=1e9))
        assert "max_slot_wal_keep_size" in falling.summary
        await database.execute("select pg_drop_replication_slot('left_behind')")
        await database.execute("checkpoint")
        eye.runner.forget("test")
        assert eye.findings(await eye.look(), Growth(min_bytes=GIB, horizon=1e9)) == []
    await database.close()


async def test_a_reset_of_the_statistics_is_no_growth(database: Database) -> None:
    """Views are reset one by one: growth of the one is not told that time, that of the others is."""
    async with database.eye(PROBE) as eye:
        await eye.look()
        await database.execute("select pg_stat_reset_shared('wal')")
        await database.execute("create table t as select g from generate_series(1, 1000) g")
        seen = await eye.look()
        kinds = {row["kind"] for row in seen.grown or ()}
        assert "wal" not in kinds
        assert {"primary", "archiver"} <= kinds
        (whole,) = seen.exposed or ()
        assert whole["bytes"] == 0


POSITION = {
    "kind": "primary", "max_wal_size_bytes": GIB, "min_wal_size_bytes": 80 * MIB, "wal_keep_size_bytes": 0,
    "segment_bytes": 16 * MIB, "checkpoint_timeout_seconds": 300, "checkpoint_completion_target": 0.9,
    "max_wal_size_source": "default", "max_wal_size_file": None,
}  # fmt: skip


def half_an_hour(requested: float, timed: float, written: float, **position: object) -> Measurement:
    """A window of 1,800 seconds, made by hand."""
    grown = [
        {"kind": "checkpoints", "checkpoints_requested": requested, "checkpoints_timed": timed},
        {"kind": "primary", "written_bytes": written},
    ]
    return Measurement(
        target=Target("shop"),
        probe="wal",
        taken_at=datetime(2026, 1, 1, tzinfo=UTC),
        rows=[{**POSITION, **position}],
        window_growth=grown,
        window_seconds=1800,
    )


def said(seen: Measurement, rule: CheckpointsRequested | None = None) -> list[Finding]:
    return [each for each in (rule or CheckpointsRequested()).check(seen) if isinstance(each, Finding)]


def test_the_limits_of_checkpoints_by_amount() -> None:
    """Exactly half of them, or seven, is no finding; more is; and requests the WAL does not explain do not count."""
    assert len(said(half_an_hour(9, 6, 9 * 528 * MIB))) == 1
    assert said(half_an_hour(9, 9, 9 * 528 * MIB)) == []
    assert said(half_an_hour(7, 0, 9 * 528 * MIB)) == []
    assert said(half_an_hour(40, 0, 7 * 528 * MIB)) == []


def test_the_remedy_holds_the_wal_of_one_timeout() -> None:
    """300 s at 20 GiB in half an hour, times 1.9, and a quarter more: 8 GiB; what exists is never lowered."""
    (finding,) = said(half_an_hour(38, 0, 20 * GIB))
    assert finding.remedy.sql[0] == "alter system set max_wal_size = '8192MB'"
    assert finding.remedy.rollback[0] == "alter system reset max_wal_size"
    (again,) = said(half_an_hour(38, 0, 20 * GIB, max_wal_size_file="/data/postgresql.auto.conf"))
    assert again.remedy.rollback[0] == "alter system set max_wal_size = '1024MB'"


def test_where_alter_system_does_not_help_no_sql_is_printed() -> None:
    """A value of the command line wins over it; and beyond the bound one looks for the writer instead."""
    (finding,) = said(half_an_hour(38, 0, 20 * GIB, max_wal_size_source="command line"))
    assert (finding.remedy.sql, "command line" in finding.remedy.caution) == ((), True)
    (full,) = said(half_an_hour(38, 0, 4000 * GIB, max_wal_size_bytes=64 * GIB))
    assert full.remedy.sql == ()


def test_a_standby_is_not_asked_about_checkpoints() -> None:
    """Its restartpoints follow the primary's checkpoints."""
    (unsaid,) = CheckpointsRequested().check(half_an_hour(0, 0, 0, kind="standby"))
    assert isinstance(unsaid, NoVerdict)
    assert unsaid.needs is None


async def test_a_standby_is_read_and_judged_as_one() -> None:
    """It replays, writes nothing of its own, and is asked neither about checkpoints nor about archiving."""
    async with EmbeddedServer.started(SMALL, binaries=binaries(NEWEST)) as server:
        await server.stop()
        data = server.directory / "data"
        subprocess.run(["cp", "-a", data / "PG_VERSION", data / "standby.signal"], check=True)
        await server.start()
        async with Database(server, "postgres").eye(PROBE) as eye:
            await eye.look()
            seen = await eye.look()
            assert row_of(seen.rows, "standby")
            (whole,) = seen.exposed or ()
            assert (whole["written_bytes"], whole["replayed_bytes"]) == (None, 0)
            assert eye.findings(seen) == []
            assert {each.needs for each in eye.unsaid(seen)} == {None}
