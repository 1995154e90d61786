"""The settings probe on real servers: numbers in base units, changes since we watch, what waits for a restart."""

import asyncio
from collections.abc import Mapping

import pytest

from monitor.model import Finding, Result
from monitor.probe import GIB, MIB
from probes.settings import PROBE
from probes.settings_memory import MachineMemory, SettingsOptions, advised
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


async def test_what_is_usual_for_the_machine_stands_beside_what_is_set(database: Database) -> None:
    """Where the configuration names its memory; a target's own entry before everybody's; else nothing is advised."""
    machines = (MachineMemory(memory_bytes=64 * GIB), MachineMemory(memory_bytes=16 * GIB, target="test"))
    options = SettingsOptions(machines=(*machines, MachineMemory(memory_bytes=GIB, target="other")))
    async with database.eye(PROBE, options=options) as eye:
        shown = await exposed(eye)
    usual = {name: row["usual_bytes"] for name, row in shown.items() if row["usual_bytes"]}
    assert usual == advised(16 * GIB, 60)
    assert shown["shared_buffers"]["value"] == 16 * MIB
    async with database.eye(PROBE) as eye:
        assert {row["usual_bytes"] for row in (await exposed(eye)).values()} == {None}


@pytest.mark.parametrize("gigabytes", [0.5, 2, 16, 256])
def test_what_is_usual_fits_into_the_machine(gigabytes: float) -> None:
    """Buffers, and two sorts in each connection: at most half of it, but where the least possible is more."""
    usual = advised(gigabytes * GIB, 100)
    assert (usual["shared_buffers"], usual["effective_cache_size"]) == (gigabytes * GIB / 4, gigabytes * GIB * 3 / 4)
    assert 64 * MIB <= usual["maintenance_work_mem"] <= 2 * GIB
    sorts = 2 * 100 * usual["work_mem"]
    assert usual["work_mem"] == 4 * MIB or usual["shared_buffers"] + sorts <= gigabytes * GIB / 2
    with pytest.raises(ValueError, match="above 0"):
        MachineMemory(memory_bytes=0)
