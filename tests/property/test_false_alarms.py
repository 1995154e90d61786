"""statements.regressed over events that leave every statement as it was: false alarms per target-month, by kind.

Only the time around each kind of event is simulated; how often it comes in a month is written beside it.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

import pytest

from monitor.advisors.statements_regressed import Regressed
from monitor.model import Finding
from monitor.rules.evaluate import advise
from tests.loads import CYCLE, DATABASE, POOL, Grown, Kept, Statement, arrivals, drawn, page

RULE = Regressed()
STATEMENTS = 24
SIGMAS = (0.1, 0.3, 0.6, 0.8, 1.0, 1.2)
ROWS: Mapping[object, Mapping[str, object]] = {
    ("statement", f"s{number}", DATABASE): {
        "database": DATABASE,
        "statement": f"s{number}",
        "kind": "simple",
        "tables": (("public", f"t{number // 3}"),),
    }
    for number in range(STATEMENTS)
}
"""Three statements a table."""

Event: TypeAlias = Callable[[Random], Mapping[int, tuple[float, float]]]
"""Draws one event: by statement how many times slower and how many times busier it is while that lasts."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of load: events of it in a month, months simulated, readings of one event, and of the calm after it."""

    name: str
    event: Event
    monthly: int
    months: float
    lasts: tuple[int, int]
    calm: int = 3
    waits: bool = False
    cold: bool = False


def everything(least: float, most: float, part: float = 1.0) -> Event:
    """The whole server is slower, or the part of its statements that read from disk."""

    def draw(random: Random) -> Mapping[int, tuple[float, float]]:
        return {n: (random.uniform(least, most), 1.0) for n in range(STATEMENTS) if random.random() < part}

    return draw


def table(least: float, most: float) -> Event:
    """The three statements of one table."""

    def draw(random: Random) -> Mapping[int, tuple[float, float]]:
        first = 3 * random.randrange(STATEMENTS // 3)
        return {n: (random.uniform(least, most), 1.0) for n in range(first, first + 3)}

    return draw


def busier(random: Random) -> Mapping[int, tuple[float, float]]:
    """Some have many more calls, and the server is a little slower for it."""
    many = {random.randrange(STATEMENTS) for _ in range(5)}
    return {n: (random.uniform(1.0, 1.4), random.uniform(3, 10) if n in many else 1.0) for n in range(STATEMENTS)}


def nothing(_random: Random) -> Mapping[int, tuple[float, float]]:
    return {}


KINDS = (
    Kind(name="calm", event=nothing, monthly=30, months=1, lasts=(5760, 5760)),
    Kind(name="checkpoint", event=everything(1.5, 4), monthly=5184, months=1, lasts=(1, 1), calm=1),
    Kind(name="long checkpoint", event=everything(1.5, 4), monthly=2880, months=0.3, lasts=(2, 2), calm=1),
    Kind(name="readers only", event=everything(1.5, 4, 0.7), monthly=2880, months=0.3, lasts=(2, 2), calm=1),
    Kind(name="backup", event=everything(1.5, 3), monthly=30, months=3, lasts=(80, 80), calm=40),
    Kind(name="burst", event=busier, monthly=120, months=1, lasts=(4, 60)),
    Kind(name="restart", event=everything(3, 6), monthly=4, months=3, lasts=(20, 20), calm=4, cold=True),
    Kind(name="autovacuum", event=table(1.1, 1.6), monthly=600, months=1, lasts=(1, 20)),
    Kind(name="locks", event=table(1.0, 1.0), monthly=1440, months=1, lasts=(1, 1), waits=True),
)


def world(random: Random) -> list[Statement]:
    """From a call in a minute to 200 a second."""
    each = [(10 ** random.uniform(-1.5, 2.3), 10 ** random.uniform(-3.5, -0.3)) for _ in range(STATEMENTS)]
    return [
        Statement(name=f"s{n}", rate=rate, mean=min(mean, 2 / rate), sigma=SIGMAS[n % len(SIGMAS)], night=0.3)
        for n, (rate, mean) in enumerate(each)
    ]


class Simulation:
    """One target under one kind of load; `alarms` are findings that were not there ten minutes before."""

    def __init__(self, kind: Kind, seed: int) -> None:
        self.random, self.kind = Random(f"{kind.name} {seed}"), kind
        self.statements = world(self.random)
        self.kept = Kept(self.statements, days=2, random=self.random)
        self.at, self.started = 0.0, -1e9
        self.accused: dict[str, float] = {}
        self.alarms = 0

    def run(self, events: int) -> int:
        for _ in range(events):
            change, lasts = self.kind.event(self.random), self.random.randint(*self.kind.lasts)
            if self.kind.cold:
                self.started = self.at
            for _ in range(lasts):
                self.read(change)
            for _ in range(self.kind.calm):
                self.read({})
        return self.alarms

    def read(self, change: Mapping[int, tuple[float, float]]) -> None:
        """Take one reading; the hours before stay as they are: no hour of these is added to them."""
        self.at += CYCLE
        for number, each in enumerate(self.statements):
            slow, busy = change.get(number, (1.0, 1.0))
            grown = drawn(self.random, each, self.at, CYCLE, slow=slow, busy=busy)
            if self.kind.cold:
                grown.blocks = grown.seconds * (slow - 1) / slow / 0.0005
            if self.kind.waits and number in change:
                self.wait(each, grown)
            self.kept.add(each.key, self.at, grown)
        self.kept.second = self.at
        self.kept.tides(CYCLE)
        self.judge()

    def wait(self, each: Statement, grown: Grown) -> None:
        longest = min(self.random.lognormvariate(0.7, 1.0), 30.0)
        many = min(POOL, 1 + arrivals(self.random, each.pace(self.at) * longest))
        grown.wait([self.random.uniform(0, longest) for _ in range(many)], each.mean)

    def judge(self) -> None:
        suspects = self.kept.suspects(RULE.factor, RULE.min_calls)
        if not suspects:
            return
        self.kept.asked = suspects
        judged = asyncio.run(advise(RULE, page(self.kept, self.at, started=self.started, details=ROWS)))
        for verdict in judged.verdicts:
            if isinstance(verdict, Finding):
                self.alarms += self.at - self.accused.get(verdict.subject, -1e9) > RULE.keep
                self.accused[verdict.subject] = self.at


def monthly(kind: Kind, part: float = 1.0) -> float:
    """Give the false alarms per target-month; each eighth of the events is of another target."""
    events = max(round(kind.monthly * kind.months * part), 1)
    shares = min(8, events)
    alarms = sum(Simulation(kind, seed).run(max(events // shares, 1)) for seed in range(shares))
    return alarms / (kind.months * part)


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name.replace(" ", "_"))
def test_events_that_pass_raise_hardly_an_alarm(kind: Kind) -> None:
    """At most one in a target-month."""
    assert monthly(kind) <= 1
