"""The sizes probe on real servers, and its forecast at the edges, on points made by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import time_machine

from monitor.errors import Needs, ProbeTimeout
from monitor.measurement import GIB, MIB, Measurement, Row
from monitor.model import Finding, NoVerdict, Result, Target
from monitor.probe import Facts, Memory
from probes.sizes import CLOCK, DATABASE_SIZE, DATABASES, PROBE, observe
from probes.sizes_forecast import Limits, SizeForecast, SizeLimit, SizesOptions
from tests.database import Database

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = 3600.0


async def test_it_reads_every_version_as_the_monitors_own_role(any_database: Database) -> None:
    """Databases without templates, tablespaces, and what sorts hold there."""
    monitor = await any_database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        seen = await eye.look()
    shown = {row["database"]: row["database_bytes"] for row in seen.exposed or ()}
    spaces = {row["tablespace"]: row for row in seen.asides["tablespaces"]}
    assert seen.result is Result.OK
    assert int(str(shown[any_database.name])) > 5 * MIB
    assert "template1" not in shown
    assert spaces["pg_default"]["tablespace_bytes"]
    assert spaces["pg_default"]["temporary_files"] == 0


async def test_a_database_one_may_not_read_loses_only_itself(database: Database) -> None:
    """Without the right to read all, and without connect, its size is unknown; a limit on it is not evaluated."""
    nobody = await database.as_monitor()
    await database.execute(f"revoke pg_monitor from {nobody.user}")
    await database.execute("create database closed")
    await database.execute("revoke connect on database closed from public")
    options = SizesOptions(limits=(SizeLimit(limit_bytes=GIB, database="closed"),))
    try:
        async with nobody.eye(PROBE, options=options) as eye:
            seen = await eye.look()
            shown = {row["database"]: row["database_bytes"] for row in seen.exposed or ()}
            assert (shown["closed"], bool(shown[database.name])) == (None, True)
            (unsaid,) = eye.unsaid(seen)
            assert (unsaid.subject, unsaid.needs) == ("closed", Needs.RIGHTS)
    finally:
        await database.execute("drop database closed")


async def test_a_size_that_is_passed_is_said_at_once(database: Database) -> None:
    """Sick: more than the limit. Near miss: less, and too little data for a trend. Cured: the rows are gone."""
    await database.execute("create table t as select repeat('x', 1000) from generate_series(1, 30000)")
    before = await database.value("select pg_database_size(current_database())")
    options = SizesOptions(limits=(SizeLimit(limit_bytes=before - 8 * MIB, target="test", database=database.name),))
    async with database.eye(PROBE, options=options) as eye:
        (finding,) = eye.findings(await eye.look())
        assert (finding.rule, finding.subject) == ("server.size_forecast", database.name)
        await database.execute("drop table t; checkpoint")
        seen = await eye.look()
        assert eye.findings(seen) == []
        assert eye.unsaid(seen)[0].needs is Needs.HISTORY


async def test_a_growing_database_is_forecast(database: Database) -> None:
    """Two days of growth seen by the real probe, hour by hour: days are left, and the rate is said."""
    with time_machine.travel(BEGAN, tick=False) as clock:
        size = await database.value("select pg_database_size(current_database())")
        options = SizesOptions(limits=(SizeLimit(limit_bytes=size + 100 * MIB, database=database.name),))
        await database.execute("create table t (t text)")
        async with database.eye(PROBE, options=options) as eye:
            for _ in range(32):
                await database.execute("insert into t select repeat('x', 1000) from generate_series(1, 1500)")
                clock.shift(timedelta(hours=1))
                await eye.look()
            (finding,) = eye.findings(await eye.look())
            assert 0.5 * 86400 < finding.evidence["seconds_left"] < 3 * 86400  # type: ignore[operator]


async def test_without_a_configured_size_it_does_not_apply(database: Database) -> None:
    """No limit, no verdict that would spoil a report."""
    async with database.eye(PROBE) as eye:
        (unsaid,) = eye.unsaid(await eye.look())
        assert unsaid.needs is None


def judged(
    hours: int, limit: float, *, step: float = GIB, rule: SizeForecast | None = None
) -> list[Finding | NoVerdict]:
    """Let a database of 100 GiB grow by so much each hour."""
    known, limits = Limits(), (SizeLimit(limit_bytes=limit, database="shop"),)
    rows = [
        known.take(hour * HOUR, [{"name": "shop", "bytes": 100 * GIB + hour * step}], limits)
        for hour in range(hours + 1)
    ][-1]
    seen = Measurement(
        target=Target("shop"), probe="sizes", taken_at=BEGAN, details={row["database"]: row for row in rows}
    )
    return list((rule or SizeForecast()).check(seen))


def test_the_horizon_and_the_history_are_exact() -> None:
    """At the horizon it is told, beyond it not; no further than three times the rise; too little is no verdict."""
    near = SizeForecast(horizon=50 * HOUR)
    assert len(judged(30, 180 * GIB, rule=near)) == 1
    assert judged(30, 180.1 * GIB, rule=near) == []
    assert len(judged(30, (130 + 80.9) * GIB)) == 1
    assert judged(30, (130 + 81.1) * GIB) == []
    (unsaid,) = judged(20, 130 * GIB)
    assert isinstance(unsaid, NoVerdict)
    assert unsaid.needs is Needs.HISTORY


def test_a_limit_of_the_whole_server_adds_its_databases_up() -> None:
    """Without a database it is about all of them together; one that was dropped leaves nothing behind."""
    known, limits = Limits(), (SizeLimit(limit_bytes=GIB), SizeLimit(limit_bytes=GIB, database="gone"))
    (row,) = known.take(0.0, [{"name": "a", "bytes": 1}, {"name": "b", "bytes": 2}], limits)
    assert (row["database"], row["bytes"]) == ("", 3)


class Slow:
    """A session on which each size takes three seconds by the server's clock, and one disk does not answer."""

    def __init__(self, hung: int = 0) -> None:
        self.now, self.hung, self.asked = 0.0, hung, list[int]()

    @property
    def facts(self) -> Facts:
        raise NotImplementedError

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
        if sql == DATABASES:
            return [{"kind": "database", "name": f"d{oid}", "oid": oid} for oid in range(1, 8)]
        if sql == DATABASE_SIZE:
            self.asked.append(int(str(arguments[0])))
            self.now += 3
            if self.asked[-1] == self.hung:
                raise ProbeTimeout("no answer")
            return [{"bytes": 1}]
        return [{"at": self.now}] if sql == CLOCK else []


async def test_slow_disks_are_asked_in_turns() -> None:
    """After ten seconds the others wait, and are asked first the next time; nobody is left out for good."""
    session, memory = Slow(), Memory()
    first = await observe(session, memory, None)
    assert session.asked == [1, 2, 3, 4]
    assert [row["needs"] for row in first[4:]] == [Needs.TIME] * 3
    second = await observe(session, memory, None)
    assert session.asked[4:] == [5, 6, 7, 1]
    assert all(row["bytes"] == 1 for row in second)


async def test_a_disk_that_hangs_is_asked_once_and_last_the_next_time() -> None:
    """One timeout ends the round; the next one begins with those that were not asked."""
    session, memory = Slow(hung=2), Memory()
    await observe(session, memory, None)
    assert session.asked == [1, 2]
    await observe(session, memory, None)
    assert session.asked[2:] == [3, 4, 5, 6]
