"""statements.regressed over days as servers have them: all kinds of noise at once, and a slowdown planted among it."""

from math import exp, pi, sin, sqrt
from random import Random

import pytest

from monitor.advisors.statements_regressed import Regressed
from monitor.history.baseline import Sum, baseline
from monitor.model import Finding
from monitor.rules.evaluate import advise
from tests.loads import CYCLE, DAY, HOUR, POOL, Grown, Kept, Statement, arrivals, drawn, page
from tests.property.test_false_alarms import ROWS, world

RULE = Regressed()
CACHED, MISSED, MISSES = 0.55, 5.05, 0.1
"""Every third statement: nine calls of ten find their rows in memory, the tenth reads them; its mean is one."""
MINUTES = 20 * 60.0
"""For so long a statement's own slow swings last: other values, other rows, other neighbours."""
MOST = 8
SURE = 25
"""Planted slowdowns, of which nearly all must be found at once."""


class Noise:
    """How slow and how busy each statement is, as time goes on, though none was changed."""

    def __init__(self, random: Random, statements: list[Statement]) -> None:
        self.random, self.statements = random, statements
        self.swing = {each.name: random.uniform(0.02, 0.2) for each in statements}
        self.reads = {each.name: random.choice((0.0, random.random(), 1.0)) for each in statements}
        """How much of a statement's time is the disk's: that much of a storm it feels."""
        self.state = {each.name: random.gauss(0, 1) for each in statements}
        self.mix = {each.name: 1.0 for each in statements}
        self.bursts: dict[str, float] = {}
        self.storm, self.storm_until = 1.0, 0.0

    def turn(self, at: float) -> None:
        """Let swings swing and something begin: checkpoints and neighbours, nightly backups, deployments, bursts."""
        random, keep = self.random, exp(-CYCLE / MINUTES)
        for name, value in self.state.items():
            self.state[name] = keep * value + sqrt(1 - keep * keep) * random.gauss(0, 1)
        if at >= self.storm_until:
            self.storm = 1.0
            if random.random() < 24 * CYCLE / DAY:
                self.storm, self.storm_until = random.uniform(1.3, 5), at + CYCLE * random.randint(1, 8)
        if 2 * HOUR <= at % DAY < 2 * HOUR + CYCLE:
            self.storm, self.storm_until = random.uniform(1.3, 2.5), at + random.uniform(900, 2400)
        if random.random() < 2 * CYCLE / DAY:
            self.mix = {name: random.lognormvariate(0, 0.6) for name in self.mix}
        if random.random() < 6 * CYCLE / DAY:
            self.bursts = {each.name: random.uniform(2, 8) for each in random.sample(self.statements, 3)}
        elif random.random() < CYCLE / 600:
            self.bursts = {}

    def slow(self, each: Statement, at: float) -> float:
        """Give how many times as long it takes just now."""
        day = 1 + 0.15 * sin(2 * pi * at / DAY)
        swing = exp(self.swing[each.name] * self.state[each.name])
        return day * swing * (1 + self.reads[each.name] * (self.storm - 1))

    def grown(self, number: int, at: float, planted: float = 1.0) -> Grown:
        """Draw one reading of one statement."""
        each = self.statements[number]
        busy = self.mix[each.name] * self.bursts.get(each.name, 1.0)
        grown = mixed(self.random, number, each, at, CYCLE, busy=busy, slow=planted * self.slow(each, at))
        if self.random.random() < 2 * CYCLE / DAY:
            longest = min(self.random.lognormvariate(0.7, 1.0), 30.0)
            many = min(POOL, 1 + arrivals(self.random, each.pace(at) * longest))
            grown.wait([self.random.uniform(0, longest) for _ in range(many)], each.mean)
        return grown


def mixed(random: Random, number: int, each: Statement, at: float, over: float, *, busy: float, slow: float) -> Grown:
    """Draw calls of one kind, or of those that find their rows in memory and those that do not."""
    if number % 3:
        return drawn(random, each, at, over, busy=busy, slow=slow)
    found = drawn(random, each, at, over, busy=busy * (1 - MISSES), slow=slow * CACHED)
    return found.plus(drawn(random, each, at, over, busy=busy * MISSES, slow=slow * MISSED))


class Target:
    """One server with its noise, and a history that had the same noise."""

    def __init__(self, seed: str, days: int = 2) -> None:
        self.random = Random(seed)
        self.statements = world(self.random)
        self.noise = Noise(self.random, self.statements)
        self.kept = Kept(self.statements, days=days, random=self.random)
        self.at = 0.0
        self.past(days)

    def past(self, days: int) -> None:
        for number, each in enumerate(self.statements):
            line = self.kept.lines[each.key]
            line.hours = [self.hour(number, each, hour) for hour in range(-24 * days, 0)]
            line.baseline = baseline(line.hours, 0)

    def hour(self, number: int, each: Statement, hour: int) -> Sum:
        swing = exp(self.noise.swing[each.name] * self.random.gauss(0, 0.8))
        slow = swing * (1 + 0.15 * sin(2 * pi * hour / 24))
        grown = mixed(self.random, number, each, hour * HOUR % DAY, HOUR, busy=1.0, slow=slow)
        return Sum(hour=hour, weight=grown.calls, weighed=grown.seconds, squares=grown.squares)

    async def read(self, planted: int | None = None, times: float = 1.0) -> set[str]:
        """Take one reading; give the statements accused in it. Of a slower server is told after half an hour."""
        self.at += CYCLE
        if self.at % HOUR == 0:
            self.kept.turn(round(self.at / HOUR))
        self.noise.turn(self.at)
        for number, each in enumerate(self.statements):
            self.kept.add(each.key, self.at, self.noise.grown(number, self.at, times if number == planted else 1.0))
        self.kept.second = self.at
        self.kept.tides(CYCLE)
        self.kept.asked = self.kept.suspects(RULE.factor, RULE.min_calls)
        if not self.kept.asked:
            return set()
        judged = await advise(RULE, page(self.kept, self.at, details=ROWS))
        return {
            each.subject for each in judged.verdicts if isinstance(each, Finding) and each.object.kind == "statement"
        }

    async def alarms(self, days: float) -> int:
        """Count what is accused, each once in ten minutes."""
        last: dict[str, float] = {}
        count = 0
        for _ in range(round(days * DAY / CYCLE)):
            for name in await self.read():
                count += self.at - last.get(name, -DAY) > RULE.keep
                last[name] = self.at
        return count


@pytest.mark.soak
async def test_a_target_month_of_noise_raises_few_alarms() -> None:
    """Log-normal and two-peaked times, swings that last, storms that some feel, backups, deployments, bursts, locks.

    The goal is one: it is missed under this noise. Measured: 6 in a month, mostly swings of a statement that did take
    about twice as long for ten minutes; this keeps it from growing worse.
    """
    assert sum([await Target(f"month {seed}").alarms(1) for seed in range(30)]) <= MOST


async def found(target: Target, number: int) -> bool:
    """Plant a threefold slowdown of one statement among the noise; tell whether it is accused within two cycles."""
    name = target.statements[number].name
    target.noise.swing[name] = 0.0  # a statement that happens to be quick just then is not three times as slow
    for _ in range(20):
        await target.read()
    return any([name in await target.read(number, 3.0) for _ in range(2)])


def planted(seed: int, *, busiest: bool) -> tuple[Target, int] | None:
    """Give a target, and its statement of ten calls a second that has most calls, or is most of the load."""
    target = Target(f"planted {seed}")
    rates = {number: each.pace(0.0) for number, each in enumerate(target.statements)}
    able = [n for n, rate in rates.items() if rate >= 10 and target.statements[n].sigma <= 0.6 and n % 3]
    weight = {n: rates[n] * (target.statements[n].mean if busiest else 1.0) for n in able}
    return (target, max(able, key=lambda n: weight[n])) if able else None


@pytest.mark.parametrize("busiest", [False, True], ids=["most calls", "most time"])
async def test_a_slowdown_among_noise_is_found_within_two_cycles(*, busiest: bool) -> None:
    """Also of the one that is most of the load; but for those that a storm hides meanwhile: one in twenty-five."""
    able = [one for seed in range(SURE) if (one := planted(seed, busiest=busiest))]
    missed = sum([not await found(*one) for one in able])
    assert missed <= 1
