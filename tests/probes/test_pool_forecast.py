"""The forecast on real servers: a real leak under a role's limit is named while there is room, and ends with it."""

import asyncio
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.errors import Needs
from monitor.measurement import Measurement
from monitor.model import Finding, NoVerdict, Target
from monitor.probe import Row
from probes.pool import PROBE
from probes.pool_forecast import ExhaustionForecast
from probes.pool_series import Watched
from tests.database import Database
from tests.probes.test_pool import application, quoted
from tests.versions import MAJORS, NEWEST

RULE = ExhaustionForecast()
START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


@pytest.mark.soak
@pytest.mark.parametrize("any_cluster", [MAJORS[0], NEWEST], indirect=True)
async def test_a_leak_is_forecast_by_name_and_over_when_it_stops(any_database: Database) -> None:
    """Sick: one session a second of 40. Cured as the caution says: the application is restarted."""
    async with application(any_database, "connection limit 40") as app, any_database.eye(PROBE) as eye:
        seen, found = await eye.look(), list[Finding]()
        while not found:
            assert len(app.sessions) < 38, "full, and nothing was said"
            await app.connect("checkout")
            await asyncio.sleep(1)
            seen = await eye.look()
            found = [each for each in eye.findings(seen, RULE) if each.subject == quoted(app.role).strip('"')]
        (finding,) = found
        assert (finding.rule, finding.object.kind) == ("pool.exhaustion_forecast", "role")
        assert finding.evidence["growing"][0].startswith(f"{app.role} (checkout), idle: ")  # type: ignore[index, union-attr]
        assert 0 < finding.evidence["seconds_left"] <= 60  # type: ignore[operator]
        assert "are not given back" in finding.remedy.caution
        row = next(row for row in seen.exposed or () if row["kind"] == "role" and row["role"] == app.role)
        assert row["time_to_exhaustion_seconds"] == pytest.approx(finding.evidence["seconds_left"], abs=1)
        while app.sessions:
            await app.sessions.pop().close()
        assert [each for each in eye.findings(await eye.look(), RULE) if each.subject == app.role] == []


async def test_two_readings_are_too_few_to_say_anything(database: Database) -> None:
    """As in a snapshot: it needs history, which spoils no verdict."""
    async with database.eye(PROBE, snapshot=True) as eye:
        await eye.look()
        seen = await eye.look()
    assert eye.findings(seen, RULE) == []
    assert {verdict.needs for verdict in eye.unsaid(seen, RULE)} == {Needs.HISTORY}
    assert {row["time_to_exhaustion_seconds"] for row in seen.exposed or () if row["kind"] == "server"} == {None}


class Server:
    """Handmade readings every 15 s."""

    def __init__(self, limit: int = 97) -> None:
        self.watched, self.at, self.limit, self.started = Watched(), START, limit, 1.0

    def look(self, used: float, *, seconds: float = 15, application: str = "api") -> list[Row]:
        self.at += seconds
        place: Row = {"database": "", "role": "", "application": "", "state": "", "own_sessions": 0}
        group = {**place, "kind": "group", "role": "web", "application": application, "state": "idle", "sessions": used}
        limit = {**place, "kind": "server", "slots_used": used, "slots_limit": self.limit}
        return [*self.watched.take(self.at, self.started, [group], [limit])]

    def verdicts(self, rows: list[Row], rule: ExhaustionForecast = RULE) -> list[Finding | NoVerdict]:
        now = datetime.fromtimestamp(self.at, UTC) + timedelta()
        return [*rule.check(Measurement(target=Target("shop"), probe="pool", taken_at=now, rows=rows))]


def leaking(server: Server, *, from_: int = 5, readings: int = 4) -> list[Row]:
    """Half an hour of quiet, then a session a second."""
    for _ in range(120):
        server.look(from_)
    return [server.look(from_ + 15 * reading) for reading in range(1, readings)][-1]


def test_the_horizon_decides_exactly() -> None:
    """At the limit it is said; beyond it is not, and the metric still tells."""
    server = Server()
    rows = leaking(server)
    left = rows[0]["time_to_exhaustion_seconds"]
    assert isinstance(left, float)
    assert isinstance(server.verdicts(rows, replace(RULE, horizon=left))[0], Finding)
    assert server.verdicts(rows, replace(RULE, horizon=left - 0.1)) == []


def test_a_quiet_server_has_no_end_in_sight() -> None:
    """Near miss: four sessions more in half an hour; +Inf says that it was looked at."""
    server = Server()
    rows = [server.look(40 + reading // 30) for reading in range(120)][-1]
    assert rows[0]["time_to_exhaustion_seconds"] == math.inf
    assert server.verdicts(rows) == []


@pytest.mark.parametrize("break_", ["gap", "restart", "limit", "clock"])
def test_after_a_break_it_begins_anew(break_: str) -> None:
    """Points of before and after are no line: nothing is said until there is enough again."""
    server = Server()
    leaking(server, readings=2)
    pause = 15.0
    match break_:
        case "gap":
            pause = 61.0
        case "restart":
            server.started = 2.0
        case "limit":
            server.limit = 90
        case "clock":
            pause = -100.0
    (verdict,) = server.verdicts(server.look(50, seconds=pause))
    assert isinstance(verdict, NoVerdict)
    assert verdict.needs is Needs.HISTORY


def test_an_application_that_is_new_is_named_as_the_one_that_grows() -> None:
    """It was not there before the rise: all it holds is growth."""
    server = Server()
    for _ in range(60):
        server.look(5)
    rows = [server.look(5 + 15 * reading, application="import") for reading in range(1, 4)][-1]
    (finding,) = server.verdicts(rows)
    assert isinstance(finding, Finding)
    assert finding.evidence["growing"] == ["web (import), idle: +50"]
    assert "most of it web (import), idle" in finding.summary
