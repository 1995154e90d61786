"""`compat: [postgres_exporter]`: our figures beside those of Debian's exporter, and the dashboards people have."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from monitor.expose.compat import POSTGRES_EXPORTER
from tests.conftest import Clusters
from tests.database import Database
from tests.end_to_end.test_prometheus import Prometheus, scraping
from tests.exporters import Labels, Samples, debians_exporter, kept, page, samples, scraped
from tests.faults.harness import Daemon, daemon
from tests.standby import until

ROOMS = """
    create table rooms (id int primary key, name text);
    insert into rooms select g, 'room ' || g from generate_series(1, 1000) g;
    delete from rooms where id > 900;
    analyze rooms
"""

OF_A_SESSION = {"pg_settings_extra_float_digits"}
"""What each driver sets for its own session."""
OF_ITSELF = {"pg_exporter_scrapes_total"}
"""What tells of the exporter, not of the server."""
CLOSE = {
    "pg_stat_activity_count": 3.0,
    "pg_stat_activity_max_tx_duration": 5.0,
    "pg_locks_count": 50.0,
    "pg_stat_database_numbackends": 2.0,
}
"""What changes from moment to moment, or counts who asks: how far the two may be apart."""

DASHBOARD_9628 = {
    "pg_static",
    "pg_postmaster_start_time_seconds",
    "pg_settings_shared_buffers_bytes",
    "pg_settings_effective_cache_size_bytes",
    "pg_settings_maintenance_work_mem_bytes",
    "pg_settings_work_mem_bytes",
    "pg_settings_max_wal_size_bytes",
    "pg_settings_random_page_cost",
    "pg_settings_seq_page_cost",
    "pg_settings_max_worker_processes",
    "pg_settings_max_parallel_workers",
    "pg_settings_max_connections",
    "pg_stat_database_tup_fetched",
    "pg_stat_database_tup_inserted",
    "pg_stat_database_tup_updated",
    "pg_stat_database_tup_returned",
    "pg_stat_database_tup_deleted",
    "pg_stat_database_xact_commit",
    "pg_stat_database_xact_rollback",
    "pg_stat_database_conflicts",
    "pg_stat_database_deadlocks",
    "pg_stat_database_temp_bytes",
    "pg_stat_database_blks_hit",
    "pg_stat_database_blks_read",
    "pg_stat_activity_count",
    "pg_stat_activity_max_tx_duration",
    "pg_locks_count",
    "pg_stat_bgwriter_buffers_alloc_total",
    "pg_stat_bgwriter_buffers_clean_total",
    "pg_stat_bgwriter_buffers_checkpoint_total",
    "pg_stat_bgwriter_checkpoint_write_time_total",
    "pg_stat_bgwriter_checkpoint_sync_time_total",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
    "process_open_fds",
}
"""What Grafana's board 9628 asks for. Two more, buffers_backend and buffers_backend_fsync, went with PostgreSQL 17."""


def apart(name: str, before: float, theirs: float, after: float) -> bool:
    """Tell whether a figure of theirs is not between the two of ours around it."""
    room = CLOSE.get(name, 1e-6 * abs(theirs))
    return not min(before, after) - room <= theirs <= max(before, after) + room


def of_no_database(labels: Labels) -> bool:
    """Tell whether it is of a template, or of shared objects, which we leave out."""
    database = dict(labels).get("datname")
    return database is not None and (not database or database.startswith("template"))


def differences(name: str, before: Samples, theirs: Mapping[Labels, float], after: Samples) -> list[str]:
    """Say where two figures around one of theirs do not fit it; labels added since are summed over."""
    names = sorted({label for labels in theirs for label, _ in labels})
    merge = max if name == "pg_stat_activity_max_tx_duration" else sum
    ours = kept(before[name], names, merge), kept(after[name], names, merge)
    wrong = []
    for labels, value in theirs.items():
        first, second = (each.get(labels) for each in ours)
        missing = first is None or second is None
        if (missing and not of_no_database(labels)) or (
            first is not None and second is not None and apart(name, first, value, second)
        ):
            wrong.append(f"{name}{dict(labels)}: {first}, {value}, {second}")
    return wrong


@pytest.mark.parametrize(("major", "least"), [(14, 265), (17, 265)])
async def test_what_debians_exporter_says_we_say_too(
    clusters: Clusters, major: int, least: int, tmp_path: Path
) -> None:
    """Of each name both have: every label set that it has, with a figure between two readings of ours around it."""
    async with (await clusters.of(major)).fresh() as database:
        await database.execute(ROOMS)
        monitor = await database.as_monitor()
        async with debians_exporter(f"{monitor.dsn}?sslmode=disable", tmp_path) as url:
            await scraped(url)
            before, theirs, after = (
                samples(await page(monitor)),
                samples(await scraped(url)),
                samples(await page(monitor)),
            )
    both = sorted((theirs.keys() & before.keys() & after.keys()) - OF_A_SESSION - OF_ITSELF)
    assert len(both) >= least, both
    assert [each for name in both for each in differences(name, before, theirs[name], after)] == []


@pytest.fixture
async def watched(database: Database, tmp_path: Path) -> AsyncIterator[Daemon]:
    """The monitor with their names, on a database with something to say of."""
    await database.execute(ROOMS)
    monitor = await database.as_monitor()
    (tmp_path / "monitor").mkdir()
    everything = {
        "compat": [POSTGRES_EXPORTER],
        "limits": {"series": 20_000},
        "probes": {"exporter_tables": {"every": "1s"}},
    }
    async with daemon(tmp_path / "monitor", {"shop": monitor.dsn}, everything) as running:
        await running.measured()
        yield running


async def said(prometheus: Prometheus, query: str) -> bool:
    """Tell whether a query has an answer."""
    return await prometheus.value(query) is not None


async def test_a_dashboard_that_people_have_goes_on_working(watched: Daemon, tmp_path: Path) -> None:
    """Prometheus takes the page without a complaint, and has every metric that the board asks for."""
    async with scraping(watched.config["web"]["listen"], tmp_path) as prometheus:
        deleted = 'pg_stat_user_tables_n_tup_del{relname="rooms"} == 100'
        await until(lambda: said(prometheus, deleted))
        known = set(await prometheus.ask("label/__name__/values"))
        assert sorted(DASHBOARD_9628 - known) == []
        assert await prometheus.value('pg_up{target="shop"}') == 1
        assert await prometheus.value("pg_exporter_last_scrape_error") == 0
        assert await prometheus.value("min(pg_scrape_collector_success)") == 1
        assert await prometheus.value("sum(pg_stat_activity_count) > 0") is not None
    assert prometheus.complaints() == []


async def test_without_it_nothing_of_theirs_is_there(database: Database, tmp_path: Path) -> None:
    """Neither names, nor the probes that are read for them."""
    monitor = await database.as_monitor()
    async with daemon(tmp_path, {"shop": monitor.dsn}) as running:
        await running.measured()
        text = await running.get("/metrics")
    assert "\npg_" not in text
    assert 'probe="exporter_' not in text
