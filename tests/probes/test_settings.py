"""The settings probe on real servers: numbers in base units, changes since we watch, what waits for a restart."""

import asyncio
from collections.abc import Mapping

from monitor.model import Finding, Result
from probes.settings import PROBE
from tests.database import Database
from tests.looking import Eye
from tests.patience import PATIENCE


async def exposed(eye: Eye) -> Mapping[str, Mapping[str, object]]:
    return {str(row["setting"]): row for row in (await eye.look()).exposed or ()}


async def test_it_reads_every_version_as_the_monitors_own_role(any_database: Database) -> None:
    """Bytes, seconds and switches as numbers; and no text of a setting is read."""
    monitor = await any_database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        seen = await eye.look()
        shown = {str(row["setting"]): row["value"] for row in seen.exposed or ()}
    assert seen.result is Result.OK
    assert (shown["shared_buffers"], shown["checkpoint_timeout"], shown["fsync"]) == (16 * 1024 * 1024, 300, 0)
    assert shown["max_slot_wal_keep_size"] == -1
    assert len(shown) <= 60
    assert all(len(str(row["digest"])) <= 20 for row in seen.rows)


async def test_a_change_is_told_with_its_time_and_without_its_value(database: Database) -> None:
    """Also one of a setting that is no number, and not what was so from the first look."""
    async with database.eye(PROBE) as eye:
        assert [row for row in (await exposed(eye)).values() if row["changed_timestamp_seconds"]] == []
        await database.execute("alter system set log_line_prefix = 'secret'")
        await database.execute("select pg_reload_conf()")
        async with asyncio.timeout(20 * PATIENCE):
            while "log_line_prefix" not in (shown := await exposed(eye)):
                pass
        assert shown["log_line_prefix"]["value"] is None
        assert shown["log_line_prefix"]["changed_timestamp_seconds"]
        assert "secret" not in str(shown)
        await database.execute("alter system reset log_line_prefix")
        await database.execute("select pg_reload_conf()")


async def test_what_waits_for_a_restart_is_found_and_gone_when_it_is_taken_back(any_database: Database) -> None:
    """Sick: max_connections was raised. Near miss: a setting that needs a reload only. Cured as the caution says."""
    monitor = await any_database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        assert eye.findings(await eye.look()) == []
        await any_database.execute("alter system set max_connections = 70")
        await any_database.execute("alter system set checkpoint_timeout = '6min'")
        await any_database.execute("select pg_reload_conf()")
        try:
            found: list[Finding] = []
            async with asyncio.timeout(20 * PATIENCE):
                while not found:
                    found = eye.findings(await eye.look())
            assert [each.subject for each in found] == ["max_connections"]
            assert "alter system reset max_connections" in found[0].remedy.caution
        finally:
            await any_database.execute("alter system reset max_connections")
            await any_database.execute("alter system reset checkpoint_timeout")
            await any_database.execute("select pg_reload_conf()")
        async with asyncio.timeout(20 * PATIENCE):
            while eye.findings(await eye.look()):
                pass
