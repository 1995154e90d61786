"""Evidence over time: the main number of what fires, kept where it changed, over restarts, in little memory."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.collect.runner import Clock
from monitor.draw.evidence import told
from monitor.history.trail import MOST, Trail, Trails
from monitor.history.trend import Course, limit_of, main_figure
from monitor.model import Alert, Scalar, State
from monitor.store.engine import Store
from monitor.store.hours import StoredHours
from tests.unit.shelf import NOW, alert, finding


class Watch:
    """The trails of some alerts, with a clock set by hand."""

    def __init__(self, store: Store) -> None:
        self.now, self.seconds = NOW, 0.0
        self.stored = StoredHours(store)
        self.restart()

    def restart(self) -> None:
        self.trails = Trails(Clock(now=lambda: self.now, monotonic=lambda: self.seconds))

    async def look(self, alerts: Sequence[Alert], minutes: float = 1) -> None:
        self.now += timedelta(minutes=minutes)
        self.seconds += 60 * minutes
        await self.trails.round([replace(each, last_seen=self.now) for each in alerts], self.stored)

    async def course(self, of: Alert) -> Course:
        return await self.trails.course(self.stored, of.finding.fingerprint, "shop", 24 * 30)


def counting(count: Scalar, **more: Scalar) -> Alert:
    found = alert()
    return replace(found, finding=replace(found.finding, evidence={"count": count, **more}))


@pytest.mark.parametrize(
    ("evidence", "figure"),
    [
        ({"size_bytes": 5, "count": 2}, "count"),
        ({"limit_bytes": 9, "retained_bytes": 5}, "retained_bytes"),
        ({"table": "rooms", "in_recovery": True, "mean_ms": 4.5}, "mean_ms"),
        ({"warning_ratio": 0.8, "min_calls": 3, "why": "so"}, None),
        ({}, None),
    ],
)
def test_the_main_number_is_how_many_or_the_first_that_is_no_limit(
    evidence: dict[str, object], figure: str | None
) -> None:
    assert main_figure(evidence) == figure


def test_a_limit_is_one_of_the_same_unit() -> None:
    assert limit_of({"count": 5, "limit_count": 9}, "count") == 9
    assert limit_of({"count": 5, "limit_bytes": 9}, "count") is None


async def test_only_changes_are_kept_and_the_newest_look(store: Store) -> None:
    watch = Watch(store)
    for count in (3, 3, 3, 7, 7):
        await watch.look([counting(count)])
    course = await watch.course(counting(7))
    assert [point.most for point in course.points] == [3, 7, 7]
    assert course.points[-1].at == watch.now


async def test_it_goes_on_after_a_restart(store: Store) -> None:
    watch = Watch(store)
    await watch.look([counting(3)])
    await watch.look([counting(9)], minutes=60)
    watch.restart()
    await watch.look([counting(4)], minutes=60)
    course = await watch.course(counting(4))
    assert [point.most for point in course.points] == [3, 9, 4]


async def test_what_stays_as_it_is_is_written_once_a_day(store: Store) -> None:
    """Ten thousand findings that do not move are no load on the store."""
    watch = Watch(store)
    for _ in range(50):
        await watch.look([counting(3)], minutes=60)
    present = int(watch.now.timestamp() // 3600)
    hours = await watch.stored.of(
        "shop", "findings", [(counting(3).finding.fingerprint,)], range(present - 60, present + 1)
    )
    assert len(next(iter(hours.values()))) == 3


async def test_what_is_over_is_let_go_of(store: Store) -> None:
    watch = Watch(store)
    await watch.look([counting(3)])
    assert len(watch.trails) == 1
    await watch.look([replace(counting(3), state=State.RESOLVED)], minutes=16)
    assert len(watch.trails) == 0
    assert [point.most for point in (await watch.course(counting(3))).points] == [3]


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), "many", None, True])
async def test_what_is_no_number_has_no_course(store: Store, odd: Scalar) -> None:
    watch = Watch(store)
    await watch.look([counting(odd)])
    assert len(watch.trails) == 0


def test_a_number_that_never_rests_takes_little_memory() -> None:
    trail = Trail("shop")
    for each in range(10_000):
        trail.add(float(each), float(each % 7))
    assert sys.getsizeof(trail.pairs) <= 2 * 8 * MOST * 2


async def test_the_page_says_how_it_went(store: Store) -> None:
    """Unchanged in words; else a chart with the limit and the moment when it began to fire."""
    watch = Watch(store)
    before = counting(3, limit_count=5)
    await watch.look([before])
    same = told(before, await watch.course(before), watch.now)
    assert same is not None
    assert same.plot is None
    assert same.words.startswith("count 3, unchanged since")
    await watch.look([counting(9, limit_count=5)], minutes=30)
    seen = told(counting(9, limit_count=5), await watch.course(before), watch.now)
    assert seen is not None
    assert seen.plot is not None
    assert seen.words.startswith("count 9, up from 3")
    assert seen.plot.limit is not None


def test_without_a_number_or_a_past_nothing_is_said() -> None:
    assert told(counting("many"), Course(), NOW) is None
    assert told(alert(finding()), Course(), NOW) is None
