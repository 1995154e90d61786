"""Simulated load: statements with log-normal times, by day and night, that wait for locks; and what is kept of it.

Sums of many calls are put together from tables of sums of 8, 16, 32 … draws, so that a day of hundreds of statements
takes seconds. Baselines are the real ones (monitor/history/baseline.py), stretches are as exact as readings are.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from math import cos, exp, inf, pi, sqrt
from operator import add, itemgetter, sub
from random import Random

from monitor.history.baseline import Sum, baseline
from monitor.history.past import Baseline, Key, Stretch, Tide
from monitor.history.tide import tide
from monitor.measurement import Measurement
from monitor.model import Finding, Target
from monitor.planning import Planner
from monitor.proof import Cure

CYCLE = 15.0
HOUR, DAY = 3600.0, 86400.0
WINDOW = 600.0
EPOCH = datetime(2026, 3, 2, tzinfo=UTC)
DATABASE = "shop"
COLUMNS = ("calls", "exec_seconds", "exec_squares", "shared_blks_read")
ROWS, FRESH = 4096, 3

POOL = 20
"""Connections: no more calls wait for one lock."""

MOST = 300
"""Readings that are remembered, at the least."""

_three = itemgetter(0, 1, 2)


@cache
def _table(sigma: float, power: int) -> Sequence[tuple[float, float]]:
    """Sums and sums of squares of 2^power log-normal times of mean 1: up to 16 from fresh draws, then from those."""
    random, mu = Random(power), -sigma * sigma / 2
    if power > FRESH:
        half = _table(sigma, power - 1)
        return [
            (a + c, b + d)
            for (a, b), (c, d) in zip(random.choices(half, k=ROWS), random.choices(half, k=ROWS), strict=True)
        ]
    drawn = ([exp(random.gauss(mu, sigma)) for _ in range(1 << power)] for _ in range(ROWS))
    return [(sum(each), sum([time * time for time in each])) for each in drawn]


def times(random: Random, sigma: float, calls: int) -> tuple[float, float]:
    """Sum and sum of squares of so many calls' times, of mean 1."""
    total = squares = 0.0
    power, rest = 0, calls
    while rest:
        if rest & 1:
            a, b = _table(sigma, power)[int(random.random() * ROWS)]
            total += a
            squares += b
        rest >>= 1
        power += 1
    return total, squares


def arrivals(random: Random, expected: float) -> int:
    """So many calls came where so many were expected (Poisson; normal beyond 30)."""
    if expected > 30:
        return max(int(random.gauss(expected, sqrt(expected)) + 0.5), 0)
    limit, product, count = exp(-expected), random.random(), 0
    while product > limit:
        product *= random.random()
        count += 1
    return count


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What is true of one statement: calls a second by day, their mean time, its spread, how quiet its nights are."""

    name: str
    rate: float
    mean: float
    sigma: float
    night: float = 0.2
    """The part of the day's calls that come at four in the morning."""

    @property
    def key(self) -> Key:
        return (DATABASE, self.name)

    def pace(self, second: float) -> float:
        """Calls a second at that time of day."""
        return self.rate * (1 - (1 - self.night) * (1 + cos(2 * pi * (second / DAY - 4 / 24))) / 2)


@dataclass(kw_only=True)
class Grown:
    """The growth of one reading."""

    calls: int = 0
    seconds: float = 0.0
    squares: float = 0.0
    blocks: float = 0.0

    def plus(self, other: "Grown") -> "Grown":
        """Add another part of the same reading."""
        return Grown(
            calls=self.calls + other.calls,
            seconds=self.seconds + other.seconds,
            squares=self.squares + other.squares,
            blocks=self.blocks + other.blocks,
        )

    def wait(self, waits: Sequence[float], mean: float) -> None:
        """Let calls wait as long before they do their work; they are among those counted, if enough are."""
        self.calls = max(self.calls, len(waits))
        self.seconds += sum(waits)
        self.squares += sum(wait * wait + 2 * wait * mean for wait in waits)


def drawn(
    random: Random, statement: Statement, second: float, over: float, *, busy: float = 1.0, slow: float = 1.0
) -> Grown:
    """One reading's growth; `busy` times the calls, `slow` times as long."""
    calls = arrivals(random, statement.pace(second) * busy * over)
    total, squares = times(random, statement.sigma, calls)
    scale = statement.mean * slow
    return Grown(calls=calls, seconds=total * scale, squares=squares * scale * scale)


class Newest:
    """The newest readings of one statement, as running totals."""

    def __init__(self) -> None:
        self._calls: list[float] = []
        self._totals: list[tuple[float, ...]] = []
        self._began: list[float] = []
        self._sum = (0.0,) * len(COLUMNS)
        self.ended = -inf

    def add(self, began: float, ended: float, grown: Sequence[float]) -> None:
        """Take a reading in; only so many are remembered."""
        self._calls.append(self._sum[0])
        self._totals.append(self._sum)
        self._began.append(began)
        self._sum, self.ended = tuple(map(add, self._sum, grown)), ended
        if len(self._calls) > 2 * MOST:
            del self._calls[:MOST], self._totals[:MOST], self._began[:MOST]

    def at_least(self, calls: float) -> tuple[float, float, tuple[float, ...]] | None:
        """Give the shortest stretch up to the newest reading with so many calls."""
        place = bisect_right(self._calls, self._sum[0] - calls) - 1
        if place < 0:
            return None
        return self._began[place], self.ended, tuple(map(sub, self._sum, self._totals[place]))


@dataclass
class Line:
    """One statement's newest readings, hours and baseline."""

    newest: Newest = field(default_factory=Newest)
    hours: list[Sum] = field(default_factory=list)
    present: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    baseline: Baseline | None = None
    last: tuple[float, float, float] = (-inf, 0.0, 0.0)


class Kept:
    """A history as an advisor may ask it, fed by hand."""

    def __init__(self, statements: Sequence[Statement], *, days: float, random: Random) -> None:
        self.lines: dict[Key, Line] = {each.key: Line() for each in statements}
        self.second = 0.0
        self._begins: datetime | None = EPOCH - timedelta(days=days)
        self._tides: deque[tuple[float, Tide]] = deque(maxlen=240)
        self.asked: Collection[Key] | None = None
        """The keys that are given; None: all."""
        for each in statements:
            self.lines[each.key].hours = [_hour(random, each, hour) for hour in range(-round(days * 24), 0)]
        self.turn(0)

    def turn(self, hour: int) -> None:
        """Let a new hour begin."""
        for line in self.lines.values():
            if any(line.present):
                line.hours.append(
                    Sum(hour=hour - 1, weight=line.present[0], weighed=line.present[1], squares=line.present[2])
                )
            line.present = [0.0, 0.0, 0.0]
            line.baseline = baseline(line.hours, hour)

    def add(self, key: Key, at: float, grown: Grown) -> None:
        """Take in one reading."""
        self.second = at
        if not grown.calls:
            return
        line = self.lines[key]
        line.last = (at, grown.calls, grown.seconds)
        values = (float(grown.calls), grown.seconds, grown.squares, grown.blocks)
        line.newest.add(at - CYCLE, at, values)
        line.present = [a + b for a, b in zip(line.present, _three(values), strict=True)]

    def forget(self) -> None:
        """Begin without any reading: the monitor was started anew."""
        for line in self.lines.values():
            line.newest = Newest()

    @property
    def begins(self) -> datetime | None:
        return self._begins

    def keys(self) -> Collection[Key]:
        return [*self.lines] if self.asked is None else self.asked

    def tides(self, seconds: float) -> Sequence[Tide]:
        if not self._tides or self._tides[-1][0] < self.second:
            newest = (line for line in self.lines.values() if line.last[0] == self.second)
            self._tides.append((self.second, tide((*line.last[1:], line.baseline) for line in newest)))
        return [each for at, each in self._tides if at > self.second - seconds]

    def recent(self, key: Key, at_least: float) -> Stretch | None:
        line = self.lines[key]
        found = line.newest.at_least(at_least)
        if found is None or line.newest.ended < self.second - WINDOW:
            return None
        began, ended, values = found
        ends = EPOCH + timedelta(seconds=ended)
        return Stretch(values=dict(zip(COLUMNS, values, strict=True)), seconds=ended - began, ends_at=ends)

    def baseline(self, key: Key) -> Baseline | None:
        return self.lines[key].baseline

    def suspects(self, factor: float, calls: float) -> list[Key]:
        """Give the keys that meet the advisor's first condition: asking it for others would find nothing."""
        newest = ((key, line) for key, line in self.lines.items() if line.newest.ended == self.second)
        return [key for key, line in newest if _slower(line, factor, calls)]


def _slower(line: Line, factor: float, calls: float) -> bool:
    found = line.newest.at_least(calls)
    return (
        found is not None and line.baseline is not None and found[2][1] >= factor * line.baseline.median * found[2][0]
    )


def _hour(random: Random, statement: Statement, hour: int) -> Sum:
    grown = drawn(random, statement, hour * HOUR % DAY, HOUR)
    return Sum(hour=hour, weight=grown.calls, weighed=grown.seconds, squares=grown.squares)


TARGET = Target("test", DATABASE)


@dataclass(frozen=True, kw_only=True)
class Page:
    """A book over a kept history."""

    kept: Kept | None
    seen: Measurement
    server: Measurement | None = None
    target: Target = TARGET
    planner: Planner | None = None

    def last(self, probe: str) -> Measurement | None:
        return {"statements": self.seen, "server": self.server}.get(probe)

    def history(self, _probe: str) -> Kept | None:
        return self.kept

    def family(self, _probe: str) -> Mapping[str, Measurement | None]:
        return {}

    def found(self, _rule: str) -> Sequence[Finding]:
        return ()

    def tried(self, _rule: str) -> Sequence[Cure]:
        return ()


def page(
    kept: Kept | None,
    second: float,
    *,
    started: float | None = None,
    details: Mapping[object, Mapping[str, object]] | None = None,
) -> Page:
    """The book of one moment; `started`: when the server was."""
    at = EPOCH + timedelta(seconds=second)
    rows = (
        [{"database": "", "start_time_seconds": (EPOCH + timedelta(seconds=started)).timestamp()}]
        if started is not None
        else []
    )
    return Page(
        kept=kept,
        seen=Measurement(
            target=Target("test"), probe="statements", taken_at=at, window_growth=(), details=details or {}
        ),
        server=Measurement(target=Target("test"), probe="server", taken_at=at, rows=rows) if rows else None,
    )
