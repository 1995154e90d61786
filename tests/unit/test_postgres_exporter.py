"""The page of postgres_exporter's names: its table against theirs, and what becomes of rows; without a server."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from monitor.expose.compat import POSTGRES_EXPORTER, Compat
from monitor.expose.metrics import Exposition
from monitor.expose.postgres_exporter import told
from monitor.expose.postgres_exporter.table import COLLECTORS, PROBES, UNSERVED
from monitor.measurement import Measurement, Row
from monitor.model import Result, Target
from monitor.probe import Probe
from monitor.status import ProbeStatus, TargetStatus
from monitor.whole import whole_catalog
from tests.exporters import Labels, samples

GOLDEN = Path(__file__).parents[1] / "golden" / "postgres_exporter.tsv"
ON = Compat([POSTGRES_EXPORTER])
AT = datetime(2026, 1, 2, tzinfo=UTC)
CATALOG = whole_catalog()

ADDED = {"pg_up", "pg_static", "pg_exporter_last_scrape_error", "pg_exporter_last_scrape_duration_seconds"}
"""What the table of 131 leaves out, and every exporter has."""

HOSTILE = 'a"b\\c\nd} 1\u202e'


def theirs() -> Mapping[str, tuple[str, set[str]]]:
    """Read type and labels of each of the 131."""
    rows = [line.split("\t") for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
    return {name: (kind, {each for each in labels.strip("{}").split(",") if each}) for name, kind, labels in rows}


def ours() -> Mapping[str, tuple[str, set[str]]]:
    """Say type and labels of each metric of the table."""
    read = {each.name: (each.kind.value, set(one.labels)) for one in COLLECTORS for each in one.metrics}
    of_itself = {
        each.name: (each.kind.value, {"collector"} if "collector" in each.name else set[str]()) for each in told.METRICS
    }
    return {**read, **of_itself, "pg_settings_name": ("gauge", {"server"})}


def reading(probe: str, *rows: Row, target: str = "shop", result: Result = Result.OK) -> Measurement:
    return Measurement(target=Target(target), probe=probe, taken_at=AT, rows=rows, result=result)


def table(name: str) -> Row:
    """Give a row as exporter_tables reads it, with a one in every column."""
    columns = [metric.column for each in COLLECTORS if each.probe == "exporter_tables" for metric in each.metrics]
    return {"datname": "shop", "schema": "public", "name": name, **dict.fromkeys(columns, 1)}


def text(exposition: Exposition, *, openmetrics: bool = False) -> str:
    return exposition.page(openmetrics=openmetrics).decode()


def shown(*seen: Measurement, limit: int = 2000) -> Exposition:
    """Give an exposition that has taken these readings."""
    exposition = Exposition(limit=limit, compat=ON)
    for each in seen:
        exposition.absorb(probe(each.probe), each)
    return exposition


def probe(name: str) -> Probe:
    """Give a probe without metrics of its own, so that the page holds theirs only."""
    return replace(CATALOG.probes[name], metrics=(), asides=())


def test_each_of_theirs_is_served_as_it_is_there_or_said_not_to_be() -> None:
    """Names, types and labels; and nothing that they do not have."""
    assert len(theirs()) == 131
    assert ours().keys() & UNSERVED.keys() == set()
    assert sorted(ours().keys() | UNSERVED.keys()) == sorted(theirs().keys() | ADDED)
    different = {
        name: (theirs()[name], it) for name, it in ours().items() if name not in ADDED and theirs()[name] != it
    }
    assert different == {}


def test_each_collector_reads_a_probe_that_there_is() -> None:
    """One that compat enables, or that is on anyway."""
    assert sorted(PROBES - CATALOG.probes.keys()) == []
    enabled = CATALOG.compatible([POSTGRES_EXPORTER]).asked
    assert sorted(PROBES - enabled.keys()) == []
    assert {name for name, each in CATALOG.probes.items() if each.compat} == enabled.keys() - CATALOG.asked.keys()


def test_a_reading_becomes_their_series() -> None:
    """The server's own figures, in their units, with their labels and the target."""
    row = {"database": "shop", "datid": 5, "commits": 7, "block_read_seconds": 0.5, "stats_reset": AT, "sessions": None}
    page = text(shown(reading("server", row, {"database": "", "commits": 99, "start_time_seconds": 12.5})))
    labels = '{target="shop",datid="5",datname="shop"}'
    assert "# TYPE pg_stat_database_xact_commit counter\n" in page
    assert f"\npg_stat_database_xact_commit{labels} 7\n" in page
    assert f"\npg_stat_database_blk_read_time{labels} 500.0\n" in page
    assert f"\npg_stat_database_stats_reset{labels} {AT.timestamp()}\n" in page
    assert '\npg_postmaster_start_time_seconds{target="shop"} 12.5\n' in page
    assert "numbackends" not in page, "what is NULL has no series"
    assert " 99\n" not in page, "shared objects are no database"


def test_a_counter_falls_when_the_servers_does() -> None:
    """They show raw readings: a reset is seen as a reset, not as growth of ours."""
    row = {"database": "shop", "datid": 5, "commits": 7}
    exposition = shown(reading("server", row), reading("server", {**row, "commits": 2}))
    assert 'pg_stat_database_xact_commit{target="shop",datid="5",datname="shop"} 2\n' in text(exposition)


def test_what_has_the_same_labels_is_one_series() -> None:
    """A name given twice would cost the whole scrape: counts are added, of ages the greatest is told."""
    row = {"kind": "sessions", "database": "shop", "state": "active", "application": "***", "sessions": 2}
    seen = reading("exporter_activity", {**row, "oldest_seconds": 3.0}, {**row, "oldest_seconds": 8.0})
    found = samples(text(shown(seen)))
    assert list(found["pg_stat_activity_count"].values()) == [4]
    assert list(found["pg_stat_activity_max_tx_duration"].values()) == [8]


def test_a_setting_has_a_metric_of_its_own() -> None:
    """Named by it and by its unit; dots of extensions' settings become underscores."""
    row = {"kind": "setting", "suffix": "_bytes", "value": 8192.0, "told": f"Room. {HOSTILE}", "server": "h:5432"}
    page = text(shown(reading("exporter_settings", {**row, "setting": "work_mem"}, {**row, "setting": "auto.x"})))
    assert '\npg_settings_work_mem_bytes{target="shop",server="h:5432"} 8192.0\n' in page
    assert '\npg_settings_auto_x_bytes{target="shop",server="h:5432"} 8192.0\n' in page


@pytest.mark.parametrize("major", [14, 17])
def test_checkpoints_go_on_under_their_old_names(major: int) -> None:
    """From 17 on under the new ones, too; the reset is that of the view it is named after."""
    counted: tuple[str, ...] = ("checkpoints_timed", "checkpoint_write_seconds")
    row = {"kind": "checkpoints", "checkpoints_timed": 3, "checkpoint_write_seconds": 2.0, "restartpoints_timed": 0}
    given = (*counted, "restartpoints_timed") if major == 17 else (*counted, "buffers_allocated")
    writer = {"kind": "background_writer", "stats_reset": AT, "buffers_allocated": 9, "given": ("buffers_allocated",)}
    rows = [{**row, "stats_reset": datetime.fromtimestamp(1, UTC), "buffers_allocated": 9, "given": given}]
    found = samples(text(shown(reading("wal", *rows, *([writer] if major == 17 else [])))))
    assert found["pg_stat_bgwriter_checkpoints_timed_total"] == {frozenset(): 3}
    assert found["pg_stat_bgwriter_checkpoint_write_time_total"] == {frozenset(): 2000}
    assert found["pg_stat_bgwriter_buffers_alloc_total"] == {frozenset(): 9}
    assert found["pg_stat_bgwriter_stats_reset_total"] == {frozenset(): AT.timestamp() if major == 17 else 1}
    assert ("pg_stat_checkpointer_num_timed_total" in found) == (major == 17)
    assert "pg_stat_bgwriter_buffers_backend_total" not in found, "what the view does not count has no series"


def test_two_targets_share_a_page() -> None:
    """`target` tells them apart; each metric's header stands once."""
    row = {"database": "shop", "datid": 5, "commits": 7}
    page = text(shown(reading("server", row), reading("server", row, target="spare")))
    assert page.count("# TYPE pg_stat_database_xact_commit ") == 1
    assert {line.split(",")[0] for line in page.splitlines() if line.startswith("pg_stat_database_xact")} == {
        'pg_stat_database_xact_commit{target="shop"',
        'pg_stat_database_xact_commit{target="spare"',
    }


@pytest.mark.parametrize("openmetrics", [False, True])
def test_the_page_is_read_by_prometheus_own_parsers(*, openmetrics: bool) -> None:
    """Whatever stands in names; in OpenMetrics a counter that is not named `_total` has no type."""
    exposition = shown(reading("exporter_tables", table(HOSTILE), table("rooms")))
    page = text(exposition, openmetrics=openmetrics)
    read = read_openmetrics if openmetrics else read_text
    families = list(read(f"{page}# EOF\n" if openmetrics else page))
    kinds = {each.name: each.type for each in families}
    assert kinds["pg_stat_user_tables_seq_scan"] == ("unknown" if openmetrics else "counter")
    assert kinds["pg_stat_user_tables_n_live_tup"] == "gauge"
    names = {sample.labels["relname"] for each in families for sample in each.samples if "relname" in sample.labels}
    assert "rooms" in names
    assert len(names) == 2


def test_beyond_the_limit_tables_go_first() -> None:
    """What concerns the server as a whole stays, whoever was read first; what is missing is counted."""
    server = {"database": "shop", "datid": 5, "commits": 7, "rollbacks": 1}
    tables = reading("exporter_tables", *[table(f"t{place}") for place in range(10)])
    exposition = shown(tables, reading("server", server), limit=20)
    found = samples(text(exposition))
    assert "pg_stat_database_xact_rollback_total" in found
    shown_ = sum(len(each) for name, each in found.items() if name != "pg_exporter_scrapes_total")
    assert shown_ == 20
    wanted = 2 + 10 * (len(table("t")) - 3)
    assert exposition.dropped("shop") == wanted - 20
    assert exposition.left_away()["shop"] >= wanted - 20 - 2


def test_what_has_no_answer_has_no_series() -> None:
    """As with theirs: nobody may take an old figure for a new one; ours keep it, and say its age."""
    row = {"database": "shop", "datid": 5, "commits": 7}
    exposition = shown(reading("server", row), reading("exporter_tables", table("t")))
    exposition.absorb(probe("server"), reading("server", result=Result.TIMEOUT))
    assert "pg_stat_database" not in text(exposition)
    assert "pg_stat_user_tables" in text(exposition)
    exposition.absorb(probe("server"), reading("server", result=Result.UNREACHABLE))
    assert "pg_stat_user_tables" not in text(exposition)


def test_what_is_watched_no_more_is_gone() -> None:
    """A server, a database, a probe that is turned off."""
    of_database = replace(reading("exporter_tables", table("t")), target=Target("shop", "shop"))
    exposition = shown(reading("server", {"database": "shop", "datid": 5, "commits": 7}), of_database)
    exposition.drop_database(Target("shop", "shop"))
    assert "pg_stat_user_tables" not in text(exposition)
    exposition.drop_probe("server")
    assert "pg_stat_database" not in text(exposition)
    exposition.absorb(probe("server"), reading("server", {"database": "shop", "datid": 5, "commits": 7}))
    exposition.drop_target("shop")
    assert "\npg_" not in text(exposition)


def test_it_can_be_turned_on_and_off() -> None:
    """By a reload; off, nothing of it stands on the page."""
    exposition = Exposition()
    seen = reading("server", {"database": "shop", "datid": 5, "commits": 7})
    exposition.absorb(probe("server"), seen)
    assert text(exposition) == ""
    exposition.turn_to(ON)
    exposition.absorb(probe("server"), seen)
    exposition.turn_to(ON)
    assert "pg_stat_database_xact_commit" in text(exposition)
    exposition.turn_to(Compat())
    assert text(exposition) == ""


def test_nothing_of_it_is_loaded_while_nobody_asks() -> None:
    """Who has no such dashboards pays nothing."""
    script = (
        "import sys, monitor.daemon.daemon; from monitor.expose.metrics import Exposition; Exposition(); "
        "sys.exit(any('postgres_exporter' in name for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def run(name: str, result: Result = Result.OK) -> ProbeStatus:
    return ProbeStatus(target=Target("shop"), probe=name, result=result, taken_at=AT, duration_seconds=0.5)


def said(*probes: ProbeStatus, up: bool = True) -> Mapping[str, Mapping[Labels, float]]:
    """Give what is told of one server, and of a PgBouncer beside it."""
    targets = [TargetStatus(server="shop", up=up, probes=probes), TargetStatus(server="p", kind="pgbouncer", up=True)]
    return samples(told.told(targets, openmetrics=False).decode(), without=["server"])


def collectors(name: str, found: Mapping[str, Mapping[Labels, float]]) -> Mapping[str, float]:
    return {dict(labels)["collector"]: value for labels, value in found[f"pg_scrape_collector_{name}"].items()}


def test_the_exporters_own_series_follow_the_probes() -> None:
    """A collector fares as the probes that it is made of; PgBouncers are none of theirs."""
    found = said(run("server"), run("wal", Result.TIMEOUT), run("pool"))
    assert found["pg_up"] == {frozenset([("target", "shop")]): 1}
    assert list(found["pg_exporter_last_scrape_error"].values()) == [1]
    assert list(found["pg_exporter_last_scrape_duration_seconds"].values()) == [1.0]
    success = collectors("success", found)
    assert (success["stat_database"], success["stat_bgwriter"], success["wal"]) == (1, 0, 0)
    assert collectors("duration_seconds", found)["stat_database"] == 0.5
    assert list(said(run("server"))["pg_exporter_last_scrape_error"].values()) == [0]
    down = said(run("server"), up=False)
    assert (list(down["pg_up"].values()), list(down["pg_exporter_last_scrape_error"].values())) == ([0], [1])
