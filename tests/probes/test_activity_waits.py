"""server.waits: on a real server where sessions queue for a lock, and by hand near the limits."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from monitor.errors import Needs
from monitor.measurement import Measurement
from monitor.model import Finding, NoVerdict, Severity, Target
from monitor.probe import Row
from probes.activity import PROBE
from probes.activity_waits import ADVICE, CLASSES, DETAIL, WINDOW_SECONDS, DominantWait, Waits
from tests.database import Database

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def averages(seen: Measurement) -> dict[str, float]:
    return {str(row["wait_event_type"]): float(str(row["average_active_sessions"])) for row in seen.asides["waits"]}


def evidence(finding: Finding, name: str) -> Sequence[object]:
    value = finding.evidence[name]
    assert isinstance(value, Sequence)
    return value


async def test_sessions_that_queue_for_a_lock_are_found_and_gone_when_it_is_free(any_database: Database) -> None:
    """Sick: four sessions wait for one. Cured as the caution says: the holder commits, and later samples are quiet."""
    monitor = await any_database.as_monitor()
    await any_database.execute("create table counter as select 1 as id, 0 as n")
    holder = await any_database.connect()
    await holder.execute("begin; update counter set n = 1")
    queue = [await any_database.connect() for _ in range(4)]
    waiting = [asyncio.create_task(each.execute("update counter set n = n + 1")) for each in queue]
    rule = DominantWait(min_samples=4)
    async with monitor.eye(PROBE) as eye:
        seen = await eye.look()
        while averages(seen)["Lock"] < 2:
            seen = await eye.look()
        for _ in range(3):
            seen = await eye.look()
        (finding,) = eye.findings(seen, rule)
        assert (finding.rule, finding.severity, finding.subject) == ("server.waits", Severity.INFO, "Lock")
        assert finding.remedy.caution == ADVICE["Lock"]
        assert {str(each).split(":")[0] for each in evidence(finding, "events")} == {"transactionid", "tuple"}
        await holder.execute("commit")
        await asyncio.gather(*waiting)
    async with monitor.eye(PROBE) as eye:
        for _ in range(4):
            seen = await eye.look()
        assert eye.findings(seen, rule) == []
        assert averages(seen)["Lock"] == 0


def active(kind: str | None, count: int, event: str = "e") -> list[Row]:
    return [{"state": "active", "wait_event_type": kind, "wait_event": kind and event}] * count


def judged(samples: Sequence[Sequence[Row]], rule: DominantWait | None = None) -> list[Finding | NoVerdict]:
    waits = Waits()
    for place, rows in enumerate(samples):
        waits.take(place * 15.0, rows)
    seen = Measurement(target=Target("shop"), probe="activity", taken_at=NOON, details={DETAIL: waits.shown()})
    return [*(rule or DominantWait()).check(seen)]


def test_more_than_half_is_most_and_half_is_not() -> None:
    """At the limit nothing is said."""
    half = [active("IO", 2) + active(None, 2)] * 20
    assert judged(half) == []
    (finding,) = judged([active("IO", 3) + active(None, 2)] * 20)
    assert isinstance(finding, Finding)
    assert finding.evidence["ratio"] == 0.6
    assert finding.evidence["average_active_sessions"] == 5


@pytest.mark.parametrize(
    "samples",
    [
        [active(None, 9)] * 40,
        [active("IO", 1)] * 40,
        [[]] * 40,
        [[{"state": "idle", "wait_event_type": "Client", "wait_event": "ClientRead"}] * 9] * 40,
        [active("IO", 9)] * 3 + [[]] * 37,
    ],
)
def test_a_healthy_server_is_left_alone(samples: list[list[Row]]) -> None:
    """Near misses: at work, one session, nobody, sessions at rest, and a short moment in ten minutes."""
    assert judged(samples) == []


def test_few_samples_need_history() -> None:
    """Too little data: also in a snapshot."""
    (verdict,) = judged([active("IO", 9)] * 19)
    assert isinstance(verdict, NoVerdict)
    assert verdict.needs is Needs.HISTORY


def test_ten_minutes_are_remembered() -> None:
    """What is older does not count; a clock that was set back begins anew."""
    waits, at = Waits(), NOON
    for _ in range(100):
        at += timedelta(seconds=15)
        waits.take(at.timestamp(), active("IO", 1))
    assert waits.shown()["samples"] == WINDOW_SECONDS / 15
    waits.take(NOON.timestamp(), [])
    assert waits.shown() == {"samples": 1, "seconds": 0.0, "events": {}}
    assert [row["wait_event_type"] for row in waits.classes()] == list(CLASSES)
