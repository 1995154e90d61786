"""Cron's times: what cron means by them, before and after a moment, over the nights when clocks change."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from monitor.schedule import Cron, Schedule

SUNDAY = datetime(2026, 11, 22, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("0 8 * * 1", "2026-11-16 07:00", "2026-11-23 07:00"),
        ("0 8 * * mon", "2026-11-16 07:00", "2026-11-23 07:00"),
        ("0 8 * * 0", "2026-11-22 07:00", "2026-11-29 07:00"),
        ("0 8 * * 7", "2026-11-22 07:00", "2026-11-29 07:00"),
        ("0 8 * * 1-5", "2026-11-20 07:00", "2026-11-23 07:00"),
        ("0 8 * * fri-mon", "2026-11-22 07:00", "2026-11-23 07:00"),
        ("0 8 * * 2,4", "2026-11-19 07:00", "2026-11-24 07:00"),
        ("*/15 * * * *", "2026-11-22 20:00", "2026-11-22 20:15"),
        ("0 8 1 * *", "2026-11-01 07:00", "2026-12-01 07:00"),
        ("0 8 29 2 *", "2024-02-29 07:00", "2028-02-29 07:00"),
    ],
)
def test_a_time_means_what_cron_means_by_it(text: str, before: str, after: str) -> None:
    """APScheduler alone would take 1 for Tuesday."""
    cron = Cron(text, "Europe/Berlin")
    moments = (cron.previous(SUNDAY), cron.next(SUNDAY))
    assert [f"{moment:%Y-%m-%d %H:%M}" for moment in moments if moment] == [before, after]


def test_the_moment_itself_is_the_previous_one_and_not_the_next() -> None:
    cron, monday = Cron("0 8 * * *", "UTC"), datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert (cron.previous(monday), cron.next(monday)) == (monday, monday.replace(day=24))


def test_eight_in_the_morning_stays_eight_when_clocks_change() -> None:
    cron = Cron("0 8 * * *", "Europe/Berlin")
    spring, autumn = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert (cron.next(spring), cron.next(autumn)) == (
        datetime(2026, 3, 29, 6, tzinfo=UTC),
        datetime(2026, 10, 25, 7, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("text", "zone", "noon", "moments"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-28", ["2026-03-29 01:30", "2026-03-30 00:30"]),
        ("0 2 * * *", "Europe/Berlin", "2026-03-28", ["2026-03-29 01:00", "2026-03-30 00:00"]),
        ("30 3 * * *", "Europe/Berlin", "2026-03-28", ["2026-03-29 01:30", "2026-03-30 01:30"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24", ["2026-10-25 00:30", "2026-10-26 01:30"]),
        ("0 2 * * *", "Europe/Berlin", "2026-10-24", ["2026-10-25 00:00", "2026-10-26 01:00"]),
        ("0 3 * * *", "Europe/Berlin", "2026-10-24", ["2026-10-25 02:00", "2026-10-26 02:00"]),
        ("30 2 * * sun", "America/New_York", "2026-03-07", ["2026-03-08 07:30", "2026-03-15 06:30"]),
        ("30 1 * * sun", "America/New_York", "2026-10-31", ["2026-11-01 05:30", "2026-11-08 06:30"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03", ["2026-10-03 15:45", "2026-10-04 15:15"]),
    ],
)
def test_a_time_in_the_night_when_clocks_change_comes_once(text: str, zone: str, noon: str, moments: list[str]) -> None:
    """From whatever minute of that night one asks, forward and back, and for the trigger."""
    cron, now = Cron(text, zone), datetime.fromisoformat(f"{noon}T12:00+00:00")
    first, second = (datetime.fromisoformat(f"{moment}+00:00") for moment in moments)
    assert cron.trigger.get_next_fire_time(None, first) == first
    assert cron.trigger.get_next_fire_time(first, now) == second
    while now < second:
        assert cron.next(now) == (first if now < first else second)
        assert now < first or cron.previous(now) == first
        now += timedelta(minutes=15)


def test_each_minute_comes_once_when_clocks_are_set_forward() -> None:
    cron, now = Cron("*/30 * * * *", "Europe/Berlin"), datetime(2026, 3, 29, tzinfo=UTC)
    for _ in range(10):
        later = cron.next(now)
        assert later == now + timedelta(minutes=30)
        now = later


@pytest.mark.parametrize(
    ("text", "zone", "says"),
    [
        ("0 8 * *", "UTC", "should be five fields"),
        ("@daily", "UTC", "should be five fields"),
        ("99 8 * * *", "UTC", "is no time of cron's"),
        ("0 8 * * 8", "UTC", "a weekday that cron does not know"),
        ("0 8 * * someday", "UTC", "a weekday that cron does not know"),
        ("0 8 1 * 1", "UTC", "both a day of the month and a weekday"),
        ("0 8 31 2 *", "UTC", "never comes"),
        ("0 8 * * *", "Mars/Olympus", "no time zone"),
        ("0 8 * * *", "../etc/passwd", "no time zone"),
    ],
)
def test_what_is_no_time_is_refused(text: str, zone: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Cron(text, zone)


async def test_the_schedule_has_crons_next_times() -> None:
    """APScheduler's own, as it will call."""
    schedule, called = Schedule(), list[str]()
    schedule.at(Cron("0 8 * * 1", "UTC"), "digest weekly", lambda: called.append("weekly"))
    schedule.at(Cron("0 9 * * 1", "UTC"), "digest weekly", lambda: called.append("weekly"))
    schedule.begin()
    try:
        (job,) = schedule._scheduler.get_jobs()
        assert (job.next_run_time.strftime("%a %H:%M"), job.coalesce, job.misfire_grace_time) == (
            "Mon 09:00",
            True,
            86400,
        )
        job.func()
        assert called == ["weekly"]
        schedule.drop("digest ")
        assert schedule._scheduler.get_jobs() == []
    finally:
        schedule.end()


def test_zones_are_there_where_the_system_has_none() -> None:
    """As on a slim Debian: the package tzdata has them."""
    code = "from monitor.schedule import time_zone; print(time_zone('Europe/Berlin'))"
    bare = {**os.environ, "PYTHONTZPATH": ""}
    done = subprocess.run([sys.executable, "-c", code], env=bare, capture_output=True, text=True, check=True)
    assert done.stdout == "Europe/Berlin\n"
