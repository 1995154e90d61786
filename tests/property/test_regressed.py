"""statements.regressed over simulated load: quiet where no statement changed, in time where one did."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import exp
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.advisors.statements_regressed import Regressed
from monitor.errors import Needs
from monitor.model import Finding, NoVerdict
from monitor.rules.evaluate import advise
from tests.loads import CYCLE, DAY, HOUR, POOL, Grown, Kept, Page, Statement, arrivals, drawn, page

RULE = Regressed()
SIGMAS = (0.1, 0.3, 0.6, 0.8, 1.0, 1.2)
COLD_SECONDS, COLD = 300.0, 6.0
"""After a restart times are so many times longer, and that fades within minutes; a block takes half a millisecond."""


def verdicts(book: Page, rule: Regressed = RULE) -> Sequence[Finding | NoVerdict]:
    return asyncio.run(_said(book, rule))


async def _said(book: Page, rule: Regressed = RULE) -> Sequence[Finding | NoVerdict]:
    return (await advise(rule, book)).verdicts


def world(random: Random, count: int) -> list[Statement]:
    """Statements as a server has them: from one call in two minutes to 200 a second, from 0.3 ms to half a second."""
    return [statement(random, number) for number in range(count)]


def statement(random: Random, number: int) -> Statement:
    rate, mean = 10 ** random.uniform(-2, 2.3), 10 ** random.uniform(-3.5, -0.3)
    night = random.choice((0.02, 0.1, 0.3, 1.0))
    sigma = SIGMAS[number % len(SIGMAS)]
    return Statement(name=f"s{number}", rate=rate, mean=min(mean, 2 / rate), sigma=sigma, night=night)


class Weather:
    """What befalls a server whose statements are as they ever were: bursts, lock waits, a restart a day."""

    def __init__(self, random: Random, statements: Sequence[Statement]) -> None:
        self._random, self._statements = random, statements
        self._bursts: dict[str, tuple[float, float]] = {}
        self.started: float | None = None

    def turn(self, at: float) -> None:
        """Let something begin."""
        random = self._random
        if random.random() < CYCLE / DAY:
            self.started = at
        if random.random() < 4 * CYCLE / DAY:
            for each in random.sample(self._statements, max(len(self._statements) // 20, 1)):
                self._bursts[each.name] = (at + random.uniform(60, 900), random.uniform(3, 10))

    def grown(self, each: Statement, at: float) -> Grown:
        """Give what one statement did in the reading that ends now."""
        until, busy = self._bursts.get(each.name, (0.0, 1.0))
        cold = 0.0 if self.started is None else COLD * exp((self.started - at) / COLD_SECONDS)
        grown = drawn(self._random, each, at - CYCLE, CYCLE, busy=busy if at < until else 1.0, slow=1 + cold)
        grown.blocks = grown.seconds * cold / (1 + cold) / 0.0005
        if self._random.random() < 2 * CYCLE / DAY:  # twice a day each waits for a lock
            longest = min(self._random.lognormvariate(0.7, 1.0), 30.0)
            many = min(POOL, 1 + arrivals(self._random, each.pace(at) * longest))
            grown.wait([self._random.uniform(0, longest) for _ in range(many)], each.mean)
        return grown


async def false_alarms(seed: int, *, count: int, days: float, history: float) -> int:
    """Run equal load and count what was accused, each statement once in ten minutes."""
    random = Random(seed)
    statements = world(random, count)
    kept, weather = Kept(statements, days=history, random=random), Weather(random, statements)
    accused: dict[str, float] = {}
    alarms = 0
    for cycle in range(1, round(days * DAY / CYCLE) + 1):
        at = cycle * CYCLE
        if at % HOUR == 0:
            kept.turn(round(at / HOUR))
        weather.turn(at)
        for each in statements:
            kept.add(each.key, at, weather.grown(each, at))
        if suspects := kept.suspects(RULE.factor, RULE.min_calls):
            kept.asked = suspects
            for verdict in await _said(page(kept, at, started=weather.started)):
                if isinstance(verdict, Finding):
                    alarms += at - accused.get(verdict.subject, -DAY) > RULE.keep
                    accused[verdict.subject] = at
    return alarms


async def test_a_day_of_equal_load_is_quiet() -> None:
    """Log-normal times up to sigma 1.2, day and night, bursts, cold caches, lock waits, with two days of history."""
    assert await false_alarms(1, count=60, days=1, history=2) == 0


@pytest.mark.soak
@pytest.mark.parametrize(("seed", "history"), [(2, 2), (3, 10), (4, 30)])
async def test_a_month_of_equal_load_is_quiet(seed: int, history: float) -> None:
    """A day of all 500, and with more history their hours are of the same time of day; in all a tenth of a month."""
    assert await false_alarms(seed, count=500, days=1, history=history) == 0


def readings(
    random: Random, each: Statement, hour: int, offset: float, slow: float
) -> Iterator[tuple[float, Kept, float]]:
    """Plant a slowdown so long after a reading; give each later reading's time since then, and its calls so far."""
    kept = Kept([each], days=2, random=random)
    planted = hour * HOUR + offset
    at = hour * HOUR - max(600.0, 150 / each.pace(hour * HOUR))
    at += (hour * HOUR - at) % CYCLE
    calls = 0.0
    while True:
        before = drawn(random, each, at, min(max(planted - at, 0.0), CYCLE))
        after = drawn(random, each, at, min(max(at + CYCLE - planted, 0.0), CYCLE), slow=slow)
        at, calls = at + CYCLE, calls + after.calls
        kept.add(each.key, at, before.plus(after))
        if at > planted:
            yield at - planted, kept, calls


def found_after(random: Random, each: Statement, hour: int, offset: float, slow: float = 3.0) -> tuple[float, float]:
    """Give the seconds and the calls that a slowdown went unseen."""
    for seconds, kept, calls in readings(random, each, hour, offset, slow):
        if any(isinstance(verdict, Finding) for verdict in verdicts(page(kept, kept.second))):
            return seconds, calls
        assert calls < 5000 + 60 * CYCLE * each.rate, "never seen"
    raise AssertionError


@pytest.mark.parametrize("rate", [10.0, 100.0, 1000.0])
@pytest.mark.parametrize("hour", range(24))
def test_a_slowdown_of_a_busy_statement_is_found_within_two_cycles(hour: int, rate: float) -> None:
    """Three times slower, at any hour of the day, whenever in a cycle it begins."""
    for number in range(4):
        random = Random(f"{hour} {rate} {number}")
        each = Statement(name="s", rate=rate, mean=0.3 / rate, sigma=(0.1, 0.3, 0.6, 0.7)[number], night=1.0)
        seconds, _ = found_after(random, each, hour, random.uniform(0, CYCLE))
        assert seconds <= 2 * CYCLE


@pytest.mark.parametrize("hour", range(0, 24, 3))
def test_a_slowdown_of_widely_spread_times_is_found_within_four_cycles(hour: int) -> None:
    """What single calls take differs by a hundred times: it needs calls, not luck."""
    for number, rate in enumerate((10.0, 100.0, 1000.0)):
        random = Random(f"wide {hour} {number}")
        each = Statement(name="s", rate=rate, mean=0.3 / rate, sigma=(1.0, 1.2)[hour % 2], night=1.0)
        seconds, _ = found_after(random, each, hour, random.uniform(0, CYCLE))
        assert seconds <= 4 * CYCLE


@pytest.mark.parametrize("hour", range(24))
def test_a_slowdown_of_a_rare_statement_is_found_within_fifty_calls(hour: int) -> None:
    """And those of the reading in which the fiftieth comes."""
    for number, rate in enumerate((0.05, 0.3, 2.0)):
        random = Random(f"rare {hour} {number}")
        each = Statement(name="s", rate=rate, mean=0.1, sigma=(0.1, 0.3, 0.5)[number], night=1.0)
        _, calls = found_after(random, each, hour, random.uniform(0, CYCLE))
        assert calls <= 50 + 3 * CYCLE * rate + 3


def moment(mean: float = 0.02, *, before: float = 0.01, calls: int = 200, rate: float = 10.0, parts: int = 4) -> Page:
    """A book over one statement that took `before` for two days, and takes `mean` now, every call alike."""
    each = Statement(name="s", rate=rate, mean=before, sigma=0.01, night=1.0)
    kept = Kept([each], days=2, random=Random(1))
    for part in range(parts):
        many = calls // parts
        kept.add(each.key, (part + 1) * CYCLE, Grown(calls=many, seconds=many * mean, squares=many * mean * mean))
    return page(kept, parts * CYCLE)


@settings(deadline=None)
@given(mean=st.floats(0.0001, 10), before=st.floats(0.0001, 10), calls=st.integers(4, 4000), parts=st.integers(1, 8))
def test_what_is_accused_is_slower_costs_something_and_was_called(
    mean: float, before: float, calls: int, parts: int
) -> None:
    """Whatever the figures are, a finding keeps to every limit, and says what it compared."""
    for verdict in verdicts(moment(mean, before=before, calls=calls, parts=parts)):
        assert isinstance(verdict, Finding)
        evidence = {name: value for name, value in verdict.evidence.items() if isinstance(value, int | float)}
        assert evidence["calls"] >= RULE.min_calls
        assert evidence["mean_ms"] >= RULE.factor * evidence["before_ms"] - 0.001
        assert evidence["mean_ms"] - evidence["before_ms"] >= RULE.min_excess_ms - 0.001
        assert evidence["excess_cores"] >= RULE.min_cores - 0.0001


def test_microseconds_of_noise_say_nothing() -> None:
    """0.05 ms to 0.1 ms is twice as slow, and nobody's trouble; to 10 ms it is."""
    assert verdicts(moment(0.0001, before=0.00005, calls=5000)) == ()
    assert len(verdicts(moment(0.01, before=0.00005, calls=5000))) == 1


@settings(deadline=None)
@given(data=st.data())
def test_counters_that_disagree_give_no_verdict(data: st.DataObject) -> None:
    """A mean of squares less than the mean's square cannot be of any calls: an entry was evicted in between."""
    each = Statement(name="s", rate=10, mean=0.01, sigma=0.01, night=1.0)
    kept = Kept([each], days=2, random=Random(1))
    seconds = data.draw(st.floats(4, 1000))
    squares = data.draw(st.floats(0, 0.98)) * seconds * seconds / 200
    kept.add(each.key, CYCLE, Grown(calls=200, seconds=seconds, squares=squares))
    assert verdicts(page(kept, CYCLE)) == ()


@settings(deadline=None, max_examples=40)
@given(events=st.lists(st.sampled_from(["read", "read", "read", "reset", "gap", "restart"]), max_size=60))
def test_resets_gaps_and_restarts_are_no_slowdown(events: Sequence[str]) -> None:
    """Equal load: a reading without growth, an hour without readings, a monitor that begins anew."""
    random, at, started = Random(7), 0.0, None
    statements = [Statement(name=f"s{n}", rate=rate, mean=0.01, sigma=0.6) for n, rate in enumerate((0.1, 2.0, 50.0))]
    kept = Kept(statements, days=2, random=random)
    for event in events:
        at += HOUR if event == "gap" else CYCLE
        if event == "gap":
            kept.forget()
        cold = 5.0 if event == "restart" else 0.0
        started = at - 1 if event == "restart" else started
        for each in statements if event != "reset" else ():
            grown = drawn(random, each, at, CYCLE, slow=1 + cold)
            grown.blocks = grown.seconds * cold / (1 + cold) / 0.0005
            kept.add(each.key, at, grown)
        kept.second = at
        assert not any(isinstance(verdict, Finding) for verdict in verdicts(page(kept, at, started=started)))


@settings(deadline=None, max_examples=20)
@given(days=st.floats(0, 0.99))
def test_too_short_a_history_is_said_once_for_the_database(days: float) -> None:
    """Not once a statement, and whatever they did."""
    statements = [Statement(name=f"s{n}", rate=1.0, mean=0.01, sigma=0.1) for n in range(5)]
    (unsaid,) = verdicts(page(Kept(statements, days=days, random=Random(1)), 0.0))
    assert isinstance(unsaid, NoVerdict)
    assert (unsaid.needs, unsaid.subject) == (Needs.HISTORY, None)


def test_a_lock_that_many_wait_for_is_no_slowdown() -> None:
    """Forty of 75 calls wait up to ten seconds, once, in the newest reading or in the one before."""
    each = Statement(name="s", rate=5.0, mean=0.01, sigma=0.3, night=1.0)
    for waiting in range(4):
        kept, random = Kept([each], days=2, random=Random(1)), Random(waiting)
        for cycle in range(1, 7):
            grown = drawn(random, each, cycle * CYCLE, CYCLE)
            if cycle == 6 - waiting:
                grown.wait([random.uniform(0, 10) for _ in range(40)], each.mean)
            kept.add(each.key, cycle * CYCLE, grown)
        assert verdicts(page(kept, 6 * CYCLE)) == ()


def test_limits_are_kept_exactly() -> None:
    """At the limit it speaks, beyond it does not."""
    (finding,) = verdicts(moment(0.02, before=0.01, calls=200), replace(RULE, factor=1.9))
    assert isinstance(finding, Finding)
    times, before = float(str(finding.evidence["times"])), float(str(finding.evidence["before_ms"]))
    assert len(verdicts(moment(0.03, before=0.01, calls=200))) == 1
    assert verdicts(moment(0.03, before=0.01, calls=48)) == ()
    for stricter in (
        replace(RULE, factor=times + 0.1),
        replace(RULE, factor=1.9, min_excess_ms=20.1 - before),
        replace(RULE, factor=1.9, min_cores=0.1),
        replace(RULE, factor=1.9, min_hours=49),
    ):
        assert verdicts(moment(0.02, before=0.01, calls=200), stricter) == ()
