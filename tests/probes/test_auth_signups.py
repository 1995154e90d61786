"""Sign-ups by counters: on real servers, and on weeks made by hand, at the edges and with chance."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from monitor.errors import Needs
from monitor.measurement import Measurement, Row
from monitor.model import Finding, NoVerdict, Object, Result, Severity, Target
from probes.auth_signups import PROBE
from probes.auth_signups_rule import SignupAnomaly
from probes.auth_signups_weeks import HOUR, TABLES, Weeks
from tests.database import Database
from tests.probes.people import found_auth, sign_up
from tests.probes.test_server import settled

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
RULE = SignupAnomaly()
STEP = 600.0


@dataclass
class Life:
    """An application whose hours are made by hand: readings every ten minutes, judged as the daemon would."""

    weeks: Weeks = field(default_factory=Weeks)
    at: float = MONDAY.timestamp()
    recent: list[float] = field(default_factory=list)

    def step(self, count: float) -> Sequence[Finding | NoVerdict]:
        """Let ten minutes pass in which so many rows came into each table."""
        self.at += STEP
        self.recent = [*self.recent, count][-6:]
        self.weeks.take(self.at, STEP, dict.fromkeys(TABLES, count))
        window = len(self.recent) * STEP
        seen = Measurement(
            target=Target("shop", "shop"),
            probe=PROBE.name,
            taken_at=datetime.fromtimestamp(self.at, UTC),
            window_growth=[dict.fromkeys(TABLES, sum(self.recent))],
            window_seconds=window,
            details={"users": self.weeks.alike("users", self.at, window)},
        )
        return list(RULE.check(seen))

    def live(self, hours: float, rate: Callable[[float], float]) -> list[Finding]:
        """Live for hours at `rate(hour of the week)` rows an hour; give what was found."""
        said: list[Finding] = []
        for _ in range(int(hours * HOUR / STEP)):
            hour = (self.at - MONDAY.timestamp()) / HOUR % 168
            said += [each for each in self.step(rate(hour) * STEP / HOUR) if isinstance(each, Finding)]
        return said


def steady(rate: float) -> Callable[[float], float]:
    return lambda _: rate


def test_too_little_history_is_no_verdict() -> None:
    """Six like hours of the day are too few, seven are enough; three like hours of the week replace them."""
    life = Life()
    life.live(6 * 24 + 0.9, steady(60))
    (unsaid,) = life.step(10)
    assert isinstance(unsaid, NoVerdict)
    assert (unsaid.needs, unsaid.subject) == (Needs.HISTORY, "auth.users")
    life.live(26, steady(60))
    assert life.step(10) == []
    (finding,) = life.step(2000)
    assert isinstance(finding, Finding)
    assert finding.evidence["same_hour_of"] == "day"
    life.live(15 * 24, steady(60))
    (finding,) = life.step(2000)
    assert isinstance(finding, Finding)
    assert finding.evidence["same_hour_of"] == "week"


def test_a_flood_is_told_at_its_limit() -> None:
    """Five times the usual at least, eight deviations, and a hundred rows; a little less is no flood."""
    for usual, limit in ((2.0, 100.0), (60.0, 300.0), (6.0, 100.0)):
        life = Life()
        life.live(22 * 24 + 2, steady(usual))
        before = usual * 5 / 6
        (finding,) = (each for each in life.step(limit - before) if isinstance(each, Finding))
        assert finding.object == Object("table", schema="auth", name="users")
        assert (finding.severity, finding.evidence["direction"]) == (Severity.WARNING, "flood")
        assert finding.evidence["count"] == round(limit)
        near = Life()
        near.live(22 * 24 + 2, steady(usual))
        assert near.step(limit - before - 1) == []


def test_a_silence_is_told_after_an_hour_and_ends_with_the_first_row() -> None:
    """Usually thirty an hour; of fewer, none for an hour may be chance."""
    life = Life()
    life.live(22 * 24, steady(30))
    assert life.live(5 / 6, steady(0)) == []
    (finding,) = life.step(0)
    assert isinstance(finding, Finding)
    assert (finding.evidence["count"], finding.evidence["direction"]) == (0, "silence")
    assert life.step(1) == []
    few = Life()
    few.live(22 * 24, steady(29))
    assert few.live(3, steady(0)) == []


def test_nights_weekends_and_weekly_imports_are_usual() -> None:
    """No sign-up at night and on Sundays, and an import every Monday at three: nothing is said in six weeks."""

    def rate(hour: float) -> float:
        if 3 <= hour < 4:
            return 5000
        return 0 if hour % 24 < 7 or hour >= 144 else 120

    assert Life().live(6 * 168, rate) == []


def test_a_silence_of_once_blinds_nobody_for_other_hours() -> None:
    """An outage of the week before at the same hour makes a silence there uncertain, and only there."""
    life = Life()
    life.live(4 * 168, steady(100))
    assert life.live(3, steady(0)) != []
    life.live(165, steady(100))
    assert life.live(2, steady(0)) == []
    life.live(20, steady(100))
    assert life.live(2, steady(0)) != []


@pytest.mark.parametrize("seed", range(3))
def test_chance_raises_nothing_and_hides_nothing(seed: int) -> None:
    """Two months of days and weekends with noise as of chance: silent; then a flood of ten times, and a silence."""
    chance, life = random.Random(seed), Life()

    def rate(hour: float) -> float:
        daily = 80 * (1 if 8 <= hour % 24 < 22 else 0.2) * (1 if hour < 120 else 0.6)
        mean = daily * STEP / HOUR
        return max(0, round(chance.gauss(mean, mean**0.5))) * HOUR / STEP

    assert life.live(8 * 168 + 12, rate) == []
    assert life.live(1.5, lambda hour: 10 * rate(hour)) != []
    life.live(2, rate)
    assert life.live(1.5, steady(0)) != []


def test_a_pause_of_ours_enters_no_hour() -> None:
    """What grew while we were away may have come at any time; a reading across the hour is divided."""
    weeks = Weeks()
    weeks.take(7200 + 300, 600, dict.fromkeys(TABLES, 100))
    weeks.take(7200 + 7300, 7000, dict.fromkeys(TABLES, 9000))
    assert weeks.document() == {"hours": [[1, 300.0, 50.0, 50.0, 50.0], [2, 300.0, 50.0, 50.0, 50.0]]}


def test_hours_outlive_a_restart() -> None:
    """Written as JSON; five weeks are kept; what is no entry of ours is left out."""
    life = Life()
    life.live(6 * 168, steady(60))
    document = json.loads(json.dumps(life.weeks.document()))
    assert 840 <= len(document["hours"]) <= 842
    later = Life(at=life.at)
    later.weeks.restore(document)
    assert later.weeks.alike("users", life.at, HOUR) == life.weeks.alike("users", life.at, HOUR)
    for rubbish in (None, 3, {"hours": 3}, {"hours": [3, [1], [1, 2, 3, 4, "x"], [1, -1, 0, 0, 0]]}):
        later.weeks.restore(rubbish)
        assert later.weeks.document() is None


def test_a_level_of_gotrue_without_refresh_tokens_is_no_silence() -> None:
    """None come while sessions do: they are refreshed another way now. With sessions gone as well, it is one."""
    life = Life()
    life.live(22 * 24, steady(60))
    details: dict[object, Row] = {"refresh_tokens": life.weeks.alike("refresh_tokens", life.at, HOUR)}
    for sessions, accused in ((1, 0), (0, 1)):
        seen = Measurement(
            target=Target("shop", "shop"),
            probe=PROBE.name,
            taken_at=datetime.fromtimestamp(life.at, UTC),
            window_growth=[{"users": 1, "sessions": sessions, "refresh_tokens": 0}],
            window_seconds=HOUR,
            details=details,
        )
        assert len(list(RULE.check(seen))) == accused


def test_totals_of_other_times_than_an_hour_are_not_judged() -> None:
    """A snapshot with window 0; and what came while we were away for longer."""
    lifetime = Measurement(target=Target("shop", "shop"), probe=PROBE.name, taken_at=MONDAY, lifetime=True)
    away = replace(lifetime, lifetime=False, window_growth=[dict.fromkeys(TABLES, 9999)], window_seconds=8 * HOUR)
    for seen in (lifetime, away):
        (unsaid,) = RULE.check(seen)
        assert isinstance(unsaid, NoVerdict)
        assert unsaid.needs is Needs.HISTORY


async def counted(database: Database, many: int) -> None:
    """Let people sign up, and wait until the server has counted them: a session reports with its next statement."""
    await sign_up(database, many)
    await settled()
    await database.execute("select 1")
    await settled()


async def test_counters_grow_on_each_version_without_any_sight(any_database: Database) -> None:
    """A role that may read nothing of schema auth sees how many came."""
    await found_auth(any_database)
    monitor = await any_database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        first = await eye.look()
        assert (first.result, first.exposed) == (Result.OK, ())
        await counted(any_database, 7)
        (row,) = (await eye.look()).exposed or ()
        assert [row[table] for table in TABLES] == [7, 0, 0]
        await any_database.execute("select pg_stat_reset()")
        await settled()
        seen = await eye.look()
        assert (seen.exposed, {each.needs for each in eye.unsaid(seen)}) == ((), {Needs.HISTORY})


async def test_without_gotrue_it_does_not_apply(database: Database) -> None:
    """No schema auth: skipped, without a need."""
    async with database.eye(PROBE) as eye:
        seen = await eye.look()
        assert (seen.result, seen.needs) == (Result.SKIPPED, None)


async def test_a_flood_is_seen_on_a_real_server(database: Database) -> None:
    """Eight days of ten sign-ups an hour, read by the real probe with the clock set by hand; then bots."""
    await found_auth(database)
    with time_machine.travel(MONDAY, tick=False) as clock:
        async with database.eye(PROBE) as eye:
            await eye.look()
            weeks = eye.runner._kept[Target("test", database.name), PROBE.name].memory.of(Weeks)
            for hour in range(8 * 24):
                weeks.take(MONDAY.timestamp() + (hour - 8 * 24 + 1) * HOUR - 600, 600, dict.fromkeys(TABLES, 2))
                for part in range(5):
                    at = MONDAY.timestamp() + (hour - 8 * 24) * HOUR + (part + 1) * 600
                    weeks.take(at, 600, dict.fromkeys(TABLES, 2))
            clock.shift(timedelta(minutes=1))
            assert eye.verdicts(await eye.look()) == []
            await counted(database, 150)
            clock.shift(timedelta(minutes=1))
            (finding,) = eye.findings(await eye.look())
    assert (finding.subject, finding.evidence["count"]) == ("auth.users", 150)
