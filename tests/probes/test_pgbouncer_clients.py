"""PgBouncer's limit of clients: saturation on a real one, and the forecast over readings made by hand."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitor.errors import Needs
from monitor.measurement import Measurement
from monitor.model import Finding, NoVerdict, Severity, Target
from monitor.probe import Row
from probes.pgbouncer_clients import ClientForecast, ClientSaturation, forecast
from probes.pool_series import Watched
from tests.database import Database
from tests.probes.test_pgbouncer import DEADLINE, World, world

LIMIT = 20
RULE = ClientForecast()


async def seen_with(here: World, clients: int) -> Measurement:
    """Look until the console counts so many clients, its own reader among them."""
    async with asyncio.timeout(DEADLINE):
        while True:
            seen = await here.eye.look()
            if seen.asides["whole"][0]["used_clients"] == clients:
                return seen
            await asyncio.sleep(0.05)


async def test_full_of_clients_is_found_by_name_and_mended_by_the_setting(database: Database) -> None:
    """Near miss, the limit of each level, and cured as the caution says: more places, and RELOAD."""
    async with world(database, "transaction", max_client_conn=str(LIMIT)) as here:
        sessions = [await here.client(application="checkout") for _ in range(14)]
        assert here.eye.findings(await seen_with(here, 15), ClientSaturation()) == []
        sessions.append(await here.client(application="checkout"))
        (finding,) = here.eye.findings(await seen_with(here, 16), ClientSaturation())
        assert (finding.rule, finding.severity) == ("pool.client_saturation", Severity.WARNING)
        assert (finding.evidence["count"], finding.evidence["limit_count"]) == (16, LIMIT)
        assert finding.evidence["holders"][0] == "app (checkout): 15"  # type: ignore[index]
        sessions += [await here.client() for _ in range(3)]
        (finding,) = here.eye.findings(await seen_with(here, 19), ClientSaturation())
        assert finding.severity is Severity.CRITICAL
        assert "max_client_conn (now 20)" in finding.remedy.caution
        text = here.pooler.config.read_text().replace(f"max_client_conn = {LIMIT}", "max_client_conn = 60")
        here.pooler.config.write_text(text)
        here.pooler.command("RELOAD")
        assert here.eye.findings(await seen_with(here, 19), ClientSaturation()) == []
        for session in sessions:
            session.terminate()


async def test_a_first_look_forecasts_nothing(database: Database) -> None:
    """Too little data is said, and spoils no verdict; the metric has no value yet."""
    async with world(database, "transaction") as here:
        seen = await here.eye.look()
    (verdict,) = here.eye.unsaid(seen, RULE)
    assert verdict.needs is Needs.HISTORY
    assert seen.asides["whole"][0]["time_to_exhaustion_seconds"] is None


class Console:
    """Readings made by hand, every 15 s."""

    def __init__(self, limit: int | None = 97) -> None:
        self.watched, self.at, self.limit = Watched(), datetime(2026, 1, 1, tzinfo=UTC).timestamp(), limit

    def look(self, used: int, waiting: int = 0) -> Measurement:
        self.at += 15
        rows: Sequence[Row] = [
            {"kind": "whole", "used_clients": used, "config_max_client_connections": self.limit},
            {"kind": "client", "database": "shop", "user": "web", "application": "api", "state": "waiting",
             "clients": used},
            {"kind": "pool", "cl_waiting": waiting},
        ]  # fmt: skip
        limit = forecast(self.watched, self.at, rows)
        now = datetime.fromtimestamp(self.at, UTC)
        seen = Measurement(target=Target("pool"), probe="pgbouncer", taken_at=now, rows=rows)
        return replace(seen, rows=[*rows, *([limit] if limit else [])])


def left(seen: Measurement) -> float:
    (row,) = (row for row in seen.rows if row["kind"] == "clients")
    return float(str(row["time_to_exhaustion_seconds"]))


def test_waiting_clients_that_pile_up_are_forecast_and_the_horizon_decides() -> None:
    """Sick: a client a second that comes and waits. At the limit of the horizon it is said, beyond it is not."""
    console = Console()
    for _ in range(120):
        console.look(5)
    seen = [console.look(5 + 15 * reading, 15 * reading) for reading in range(1, 4)][-1]
    (finding,) = RULE.check(seen)
    assert isinstance(finding, Finding)
    assert finding.evidence["growing"] == ["web (api), waiting: +45"]
    assert finding.evidence["waiting"] == 45
    assert "45 of them wait" in finding.summary
    assert isinstance(next(replace(RULE, horizon=left(seen)).check(seen)), Finding)
    assert list(replace(RULE, horizon=left(seen) - 0.1).check(seen)) == []


def test_clients_that_stay_as_many_have_no_end_in_sight() -> None:
    """Cured, and near miss: +Inf says that it was looked at."""
    console = Console()
    seen = [console.look(60 + reading // 40) for reading in range(120)][-1]
    assert left(seen) == math.inf
    assert list(RULE.check(seen)) == []


@pytest.mark.parametrize("limit", [None, 0, 9])
def test_a_limit_that_is_untold_or_tiny_is_not_judged(limit: int | None) -> None:
    """Nothing to be judged is no finding; nor is it a verdict that something is missing."""
    seen = Console(limit).look(9)
    assert [*RULE.check(seen), *ClientSaturation().check(seen)] == []


def test_too_short_a_time_is_said() -> None:
    """A PgBouncer seen for the first time."""
    (verdict,) = RULE.check(Console().look(5))
    assert isinstance(verdict, NoVerdict)
    assert (verdict.needs, verdict.subject) == (Needs.HISTORY, None)
