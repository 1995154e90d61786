"""The exporter_settings probe on real servers: settings in base units, limits, the version."""

import pytest

from monitor.measurement import Measurement, of_kind
from probes.exporter_settings import PROBE
from tests.database import Database


@pytest.fixture
async def seen(any_database: Database) -> Measurement:
    """One reading as the monitor's own role, on each version."""
    await any_database.execute(f"alter database {any_database.name} set statement_timeout = '90s'")
    await any_database.execute(f"alter database {any_database.name} connection limit 33")
    monitor = await any_database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        return await eye.look()


def settings(seen: Measurement) -> dict[str, object]:
    return {f"{row['setting']}{row['suffix']}": row["value"] for row in of_kind(seen.rows, "setting")}


def test_settings_are_in_base_units(seen: Measurement) -> None:
    """Bytes and seconds; switches are 0 and 1, -1 stays -1, file modes are digits."""
    told = settings(seen)
    assert told["shared_buffers_bytes"] == 16 * 1024 * 1024
    assert told["checkpoint_timeout_seconds"] == 300
    assert told["deadlock_timeout_seconds"] == 1
    assert told["max_connections"] == 60
    assert told["track_io_timing"] == 1
    assert told["log_min_duration_statement_seconds"] == -1
    assert told["log_file_mode"] == 600
    assert told["pg_stat_statements.max"] == 5000


def test_what_the_monitor_sets_for_itself_is_not_told(seen: Measurement) -> None:
    """It is of no one else: what others get stands there, or nothing."""
    told = settings(seen)
    assert told["statement_timeout_seconds"] == 90
    assert not told.keys() & {"lock_timeout_seconds", "jit", "default_transaction_read_only", "transaction_read_only"}


async def test_limits_and_the_version_are_told(any_database: Database, seen: Measurement) -> None:
    """Databases' and roles' limits; whose version it is, and where."""
    limits = {row["database"]: row["connection_limit"] for row in of_kind(seen.rows, "database")}
    assert limits[any_database.name] == 33
    assert "template0" not in limits
    assert {row["connection_limit"] for row in of_kind(seen.rows, "role")} == {-1}
    (version,) = of_kind(seen.rows, "version")
    number = int(await any_database.value("show server_version_num"))
    assert version["short_version"] == f"{number // 10000}.{number % 10000}.0"
    assert version["server"] == f"127.0.0.1:{any_database.server.port}"
