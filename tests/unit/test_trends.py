"""Trends: gauges and rates as they are read, kept in memory, written by the hour, and read back over a restart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.collect.runner import Clock
from monitor.history.courses import DaemonTrends
from monitor.history.earlier import hour_of
from monitor.history.recorder import Recorder
from monitor.history.trend import Course
from monitor.measurement import Measurement, Row
from monitor.model import Result, Secret, Server, Target
from monitor.probe import Probe, Scope, Trend
from monitor.store.engine import Store
from monitor.store.hours import StoredHours
from tests.unit.recording import Failing

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PROBE = Probe(
    name="tables",
    scope=Scope.DATABASE,
    every=60,
    trends=(Trend(name="t", key=("table",), gauges=("bytes",), rates=("scans",), latest=("mode",), most=3),),
)
SHOP = Target("shop", "app")


class Watch:
    """A recorder, its store, and a clock set by hand."""

    def __init__(self, store: Store) -> None:
        self.now, self.seconds = NOON, 0.0
        self.failing = Failing(store)
        self.stored = StoredHours(self.failing)
        self.server = Server(name="shop", dsn=Secret("postgresql://db"), exclude=("scratch",))
        self.restart()

    def restart(self) -> None:
        self.recorder = Recorder(Clock(now=lambda: self.now, monotonic=lambda: self.seconds))
        self.trends = DaemonTrends(self.recorder, self.stored)

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds

    def read(self, rows: Sequence[Row], target: Target = SHOP, probe: Probe = PROBE) -> None:
        seen = Measurement(
            target=target, probe=probe.name, taken_at=self.now, exposed=rows, grown=rows, grown_seconds=60.0
        )
        self.recorder.take(self.server, probe, seen)

    def minutes(self, count: int, size: object = 100.0) -> None:
        for _ in range(count):
            self.sleep(60)
            self.read([row(size=size)])

    async def course(self, column: str = "bytes", hours: int = 24) -> Course:
        lines = self.trends.lines("tables.t", "shop")
        return (await self.trends.courses(lines, hours))[0, column]


def row(table: str = "rooms", size: object = 100.0, scans: object = 120.0) -> Row:
    return {"table": table, "bytes": size, "scans": scans, "mode": "heap"}


@pytest.fixture
def watch(store: Store) -> Watch:
    return Watch(store)


def test_the_newest_reading_has_gauges_rates_and_words(watch: Watch) -> None:
    """A rate is growth by the seconds that it took."""
    watch.read([row()])
    (line,) = watch.trends.lines("tables.t")
    assert (line.server, line.database, line.key) == ("shop", "app", {"table": "rooms"})
    assert line.values == {"bytes": 100.0, "scans": 2.0}
    assert line.words == {"mode": "heap"}
    assert watch.trends.lines("tables.t", "other") == []


def test_only_the_largest_are_kept_and_nothing_of_what_has_no_number(watch: Watch) -> None:
    watch.read([row(f"t{each}", float(each)) for each in range(9)] + [row("none", None), row("nan", float("nan"))])
    assert {line.key["table"] for line in watch.trends.lines("tables.t")} == {"t8", "t7", "t6"}


def test_rows_that_agree_in_the_key_are_added_up(watch: Watch) -> None:
    watch.read([row(size=1.0, scans=60.0), row(size=2.0, scans=60.0)])
    (line,) = watch.trends.lines("tables.t")
    assert line.values == {"bytes": 3.0, "scans": 2.0}


def test_growth_between_two_readings_that_are_kept_is_not_lost(watch: Watch) -> None:
    """Read each minute and kept each five: the rate is of all five."""
    probe = replace(PROBE, trends=(replace(PROBE.trends[0], every=300),))
    for place in range(30):
        watch.read([row(scans=60.0 if place % 5 else 360.0)], probe=probe)
        watch.sleep(60)
    (line,) = watch.trends.lines("tables.t")
    assert line.values["scans"] == pytest.approx(2.0)


def test_a_reading_that_failed_is_a_gap(watch: Watch) -> None:
    watch.read([row()])
    failed = Measurement(target=SHOP, probe="tables", taken_at=watch.now, result=Result.TIMEOUT)
    watch.recorder.take(watch.server, PROBE, failed)
    (line,) = watch.trends.lines("tables.t")
    assert len(watch.trends.recent(line, "bytes").points) == 1


def test_databases_that_are_not_looked_at_are_not_kept(watch: Watch) -> None:
    """Server-wide views hold them as well."""
    sizes = Probe(
        name="sizes", scope=Scope.SERVER, every=60, trends=(Trend(name="d", key=("database",), gauges=("n",)),)
    )
    watch.read([{"database": "app", "n": 1}, {"database": "scratch", "n": 2}], Target("shop"), sizes)
    assert [line.key["database"] for line in watch.trends.lines("sizes.d")] == ["app"]


async def test_hours_are_written_and_read_back_after_a_restart(watch: Watch) -> None:
    """With their mean and highest; the newest readings are shown one by one."""
    watch.minutes(59, size=100.0)
    watch.minutes(60, size=300.0)
    await watch.recorder.write(watch.stored)
    watch.restart()
    watch.minutes(2, size=700.0)
    points = (await watch.course()).points
    assert [(each.mean, each.most) for each in points] == [
        (100.0, 100.0),
        (300.0, 300.0),
        (700.0, 700.0),
        (700.0, 700.0),
    ]
    assert [each.at.hour for each in points[:2]] == [12, 13]


async def test_an_hour_goes_on_after_a_restart(watch: Watch) -> None:
    """What both runs read of it is in it, once, however often it is written."""
    watch.minutes(20, size=100.0)
    await watch.recorder.write(watch.stored)
    watch.restart()
    watch.minutes(20, size=400.0)
    for _ in range(3):
        await watch.recorder.write(watch.stored)
        watch.minutes(1, size=400.0)
        await watch.recorder.write(watch.stored)
    held = await watch.stored.read("shop", "tables.t", hour_of(NOON))
    readings, mean, most = held["app", "rooms"][:3]
    assert (readings, most) == (43, 400.0)
    assert mean == pytest.approx((20 * 100 + 23 * 400) / 43)


async def test_a_long_time_is_shown_by_the_hour_the_present_one_too(watch: Watch) -> None:
    watch.minutes(130, size=100.0)
    await watch.recorder.round(watch.stored)
    points = (await watch.course(hours=168)).points
    assert [each.at for each in points] == [NOON + timedelta(hours=each) for each in range(3)]
    assert {each.seconds for each in points} == {3600.0}


async def test_while_the_store_fails_memory_is_shown_and_waits(watch: Watch) -> None:
    """And once it works again, nothing is missing."""
    watch.failing.before, watch.failing.spared = True, 0
    watch.minutes(130, size=100.0)
    await watch.recorder.round(watch.stored)
    course = await watch.course()
    assert "disk is full" in course.reason
    assert len(course.points) == 130
    watch.failing.before = False
    watch.sleep(120)
    await watch.recorder.round(watch.stored)
    hours = [await watch.stored.read("shop", "tables.t", hour_of(NOON) + each) for each in range(3)]
    assert [held["app", "rooms"][0] for held in hours] == [59, 60, 11]


async def test_a_server_that_is_watched_no_more_is_written_and_forgotten(watch: Watch) -> None:
    watch.minutes(5)
    watch.recorder.end_server("shop")
    assert watch.recorder.due()
    await watch.recorder.round(watch.stored)
    assert watch.trends.lines("tables.t") == []
    assert await watch.stored.read("shop", "tables.t", hour_of(NOON))


async def test_what_nobody_reads_any_more_goes_after_some_hours(watch: Watch) -> None:
    """A database that was dropped, a probe that was turned off."""
    watch.minutes(5)
    watch.sleep(4 * 3600)
    await watch.recorder.round(watch.stored)
    assert watch.trends.lines("tables.t") == []


async def test_hours_older_than_the_retention_are_deleted(watch: Watch) -> None:
    watch.minutes(5)
    await watch.recorder.write(watch.stored)
    watch.sleep(40 * 86400)
    watch.minutes(1)
    await watch.recorder.round(watch.stored)
    assert await watch.stored.read("shop", "tables.t", hour_of(NOON)) == {}


async def test_every_key_is_found_again_whatever_it_is_called(watch: Watch, store: Store) -> None:
    """Quotes, markup, emoji, right-to-left, a thousand characters."""
    names = ["<script>", 'o\'hare "x"', "\u202eevil", "🐘" * 3, "n" * 1000]
    probe = replace(PROBE, trends=(replace(PROBE.trends[0], most=9),))
    watch.read([row(name) for name in names], probe=probe)
    await watch.recorder.write(StoredHours(store))
    held: Mapping[tuple[str, ...], object] = await watch.stored.read("shop", "tables.t", hour_of(NOON))
    assert set(held) == {("app", name) for name in names}
