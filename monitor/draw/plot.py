"""Charts of figures over time, as paths of SVG, as words and as numbers: lines on two axes, with gaps and a limit."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from operator import attrgetter, itemgetter
from types import MappingProxyType
from typing import Final, NamedTuple

from monitor.draw.axis import levels, moments
from monitor.draw.forecast import Forecast, until
from monitor.draw.words import figure
from monitor.history.trend import Point
from monitor.measurement import duration, size

WIDTH, HEIGHT = 520, 170
LEFT, RIGHT, TOP, BOTTOM = 76, 510, 10, 146
"""Where the axes are; below and at the left stand their words."""
MOST = 5
"""Lines of one chart; more cannot be told apart."""
FINEST = 240
"""Points of one line, which has some 430 places: of twice as many the highest of each two are drawn."""
GAP = 2.5
"""So many times the usual pause without a reading is a gap."""
FAR = 4.0
"""A limit so many times the highest figure would press everything to the ground: it is told in words only."""
ROWS = 8
"""Lines of the table beside a chart."""

HOUR = 3600.0
ABSURD = 1e18
"""Larger figures are no measurement of anything, and have no words."""


def amount(value: float) -> str:
    """Write a number in few characters: `42`, `1,250`, `310 k`, `2.5 M`."""
    for least, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e5, "k")):
        if value >= least:
            return f"{value / (1e3 if unit == 'k' else least):.4g} {unit}"
    return figure(float(f"{value:.4g}"))


WRITE: Final[Mapping[str, Callable[[float], str]]] = MappingProxyType(
    {
        "": amount,
        "bytes": size,
        "seconds": lambda value: duration(value) if value else "0 s",
        "rate": lambda value: f"{amount(float(f'{value:.3g}'))}/s",
        "ratio": lambda value: f"{100 * value:.3g} %",
    }
)
"""How figures of each unit are written."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line: `highest` draws the highest of each hour, where the mean would hide what matters."""

    name: str
    points: Sequence[Point]
    highest: bool = True


@dataclass(frozen=True, kw_only=True)
class Sketch:
    """What is to be drawn; `stepped` figures stay until they change. Marks are moments with their words."""

    title: str
    series: Sequence[Series]
    since: datetime
    until: datetime
    unit: str = ""
    limit: float | None = None
    forecast: Forecast | None = None
    """Where the first line leads."""
    stepped: bool = False
    marks: Sequence[tuple[datetime, str]] = ()

    @property
    def end(self) -> datetime:
        """Give where the time axis ends."""
        return until(self.until, self.since, self.forecast)


@dataclass(frozen=True, kw_only=True)
class Stroke:
    """One line as it is drawn; `place` picks its colour."""

    name: str
    place: int
    path: str
    area: str
    newest: str
    highest: str


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A chart, ready for its template."""

    title: str
    strokes: Sequence[Stroke]
    across: Sequence[tuple[float, str]]
    up: Sequence[tuple[float, str]]
    limit: float | None
    limit_words: str
    forecast: str
    """The path of the line ahead; empty: there is no such trend."""
    forecast_words: str
    marks: Sequence[tuple[float, str]]
    words: str
    heads: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    bottom: int = BOTTOM
    top: int = TOP


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """Where a moment and a figure lie."""

    since: float
    until: float
    top: float
    write: Callable[[float], str] = field(default=str)

    def x(self, at: float) -> int:
        part = (at - self.since) / max(self.until - self.since, 1.0)
        return round(LEFT + min(max(part, 0.0), 1.0) * (RIGHT - LEFT))

    def y(self, value: float) -> float:
        part = value / self.top if self.top else 0.0
        return round(BOTTOM - min(max(part, 0.0), 1.0) * (BOTTOM - TOP), 1)


class _Dot(NamedTuple):  # a chart of 30 days has thousands, and a dataclass takes three times as long
    at: float
    value: float
    seconds: float


def plot(sketch: Sketch) -> Plot | None:
    """Draw a chart; None where nothing at all is known of that time."""
    known = [(each.name, _dots(each, sketch)) for each in sketch.series]
    known = [(name, dots) for name, dots in known if dots][:MOST]
    if not known:
        return None
    highest = max(dot.value for _, dots in known for dot in dots)
    near = sketch.limit is not None and (0 <= sketch.limit <= FAR * highest or sketch.forecast is not None)
    ticks = levels(max(highest, (sketch.limit or 0.0) if near else 0.0), sketch.unit)
    write = WRITE[sketch.unit]
    frame = _Frame(since=sketch.since.timestamp(), until=sketch.end.timestamp(), top=ticks[-1], write=write)
    strokes = [
        _stroke(frame, place, name, dots, sketch, alone=len(known) == 1) for place, (name, dots) in enumerate(known)
    ]
    limit = sketch.limit if sketch.limit is not None and math.isfinite(sketch.limit) else None
    return Plot(
        title=sketch.title,
        strokes=strokes,
        across=[(frame.x(at.timestamp()), label) for at, label in moments(sketch.since, sketch.end)],
        up=[(frame.y(value), write(value)) for value in ticks],
        limit=frame.y(limit) if near and limit is not None else None,
        limit_words=f"limit {write(limit)}" if limit is not None else "",
        forecast=_ahead(frame, known[0][1][-1], sketch.forecast),
        forecast_words=sketch.forecast.words(sketch.until) if sketch.forecast else "",
        marks=[(frame.x(at.timestamp()), said) for at, said in sketch.marks if sketch.since <= at <= sketch.until],
        words=_words(sketch, known, write),
        heads=[name for name, _ in known],
        rows=[*_table(replace(frame, until=sketch.until.timestamp()), [dots for _, dots in known])],
    )


def _dots(series: Series, sketch: Sketch) -> list[_Dot]:
    """Give what can be drawn, oldest first; an hour stands in its middle."""
    since, until = sketch.since.timestamp(), sketch.until.timestamp()
    dots = []
    step = max(len(series.points) // FINEST, 1) if series.highest else 1
    for point in _highest(series.points, step):
        value = point.most if series.highest else point.mean
        half = point.seconds / 2 if HOUR <= point.seconds < math.inf else 0.0
        at = min(point.at.timestamp() + half, until)
        if -ABSURD <= value <= ABSURD and since <= at <= until:  # false for NaN
            dots.append(_Dot(at, max(value, 0.0), point.seconds * step))
    return sorted(dots, key=itemgetter(0))


def _highest(points: Sequence[Point], step: int) -> Iterable[Point]:
    """Give the highest of so many neighbours each: a month of hours has more than there are places to draw them."""
    if step == 1:
        return points
    return (max(points[at : at + step], key=_most) for at in range(0, len(points), step))


_most = attrgetter("most")


def _stroke(frame: _Frame, place: int, name: str, dots: Sequence[_Dot], sketch: Sketch, *, alone: bool) -> Stroke:
    runs = [_thinned(frame, run) for run in _runs(dots)]
    if sketch.stepped:
        runs = [_steps(run) for run in runs]
    return Stroke(
        name=name,
        place=place + 1,
        path="".join(map(_line, runs)),
        area="".join(map(_area, runs)) if alone else "",
        newest=frame.write(dots[-1].value),
        highest=frame.write(max(dot.value for dot in dots)),
    )


def _runs(dots: Sequence[_Dot]) -> Iterator[list[_Dot]]:
    """Cut where nothing is known for a while."""
    run: list[_Dot] = []
    for dot in dots:
        if run and dot.at - run[-1].at > GAP * max(run[-1].seconds, dot.seconds, 1.0):
            yield run
            run = []
        run.append(dot)
    if run:
        yield run


Places = list[tuple[int, float]]


def _thinned(frame: _Frame, run: Iterable[_Dot]) -> Places:
    """Give one place a unit of the width: the highest of what falls on it."""
    places: dict[int, float] = {}
    for at, value, _ in run:
        x, y = frame.x(at), frame.y(value)
        places[x] = min(places.get(x, y), y)
    return list(places.items())


def _steps(run: Places) -> Places:
    """Keep each figure until the next."""
    return [
        *run[:1],
        *(place for (_, before), (x, y) in pairwise(run) for place in ((x, before), (x, y))),
    ]


def _line(run: Places) -> str:
    (x, y), *rest = run
    return f"M{x} {y:g}" + ("".join(f"L{x} {y:g}" for x, y in rest) or "h.1")


def _area(run: Places) -> str:
    return f"{_line(run)}V{BOTTOM}H{run[0][0]}z" if len(run) > 1 else ""


def _ahead(frame: _Frame, last: _Dot, foretold: Forecast | None) -> str:
    """Draw the line from the newest figure to the limit, or as far towards it as the chart goes."""
    if foretold is None:
        return ""
    meets = max(foretold.at.timestamp(), last.at + 1)
    part = min(1.0, (frame.until - last.at) / (meets - last.at))
    value = last.value + part * (foretold.limit - last.value)
    return f"M{frame.x(last.at)} {frame.y(last.value):g}L{frame.x(min(meets, frame.until))} {frame.y(value):g}"


def _words(sketch: Sketch, known: Sequence[tuple[str, Sequence[_Dot]]], write: Callable[[float], str]) -> str:
    """Say what the chart shows."""
    said = [f"{sketch.title}, over {duration((sketch.until - sketch.since).total_seconds())}"]
    for name, dots in known:
        high = max(dots, key=lambda dot: dot.value)
        low = min(dots, key=lambda dot: dot.value)
        said.append(
            f"{name}: {write(dots[-1].value)} at last, highest {write(high.value)} ({_at(high.at)}), "
            f"lowest {write(low.value)}"
        )
    if sketch.limit is not None and math.isfinite(sketch.limit):
        said.append(f"limit {write(sketch.limit)}")
    if sketch.forecast:
        said.append(sketch.forecast.words(sketch.until))
    begun = min(dots[0].at for _, dots in known)
    if begun - sketch.since.timestamp() > (sketch.until - sketch.since).total_seconds() / 10:
        said.append(f"nothing is known before {_at(begun)}")
    return "; ".join(said) + "."


def _at(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%b %d %H:%M} UTC"


def _table(frame: _Frame, all_dots: Sequence[Sequence[_Dot]]) -> Iterator[tuple[str, Sequence[str]]]:
    """Give the highest figures of equal parts of the time, for who does not see the chart."""
    part = (frame.until - frame.since) / ROWS
    moments_of = [[dot.at for dot in dots] for dots in all_dots]
    for place in range(ROWS):
        begin = frame.since + place * part
        end = begin + part if place < ROWS - 1 else math.inf
        found = [
            [dot.value for dot in dots[bisect_left(times, begin) : bisect_left(times, end)]]
            for dots, times in zip(all_dots, moments_of, strict=True)
        ]
        if any(found):
            yield (
                f"{datetime.fromtimestamp(begin, UTC):%b %d %H:%M}",
                [frame.write(max(values)) if values else "not known" for values in found],
            )


SPARK_WIDTH, SPARK_HEIGHT = 120, 24


def spark(points: Sequence[Point], until: datetime, seconds: float) -> str:
    """Draw the course of a figure without axes, from the ground; empty where fewer than two readings are known."""
    sketch = Sketch(title="", series=(), since=datetime.fromtimestamp(until.timestamp() - seconds, UTC), until=until)
    dots = _dots(Series(name="", points=points), sketch)
    if len(dots) < 2:  # noqa: PLR2004 - one reading is no course
        return ""
    top = max(dot.value for dot in dots) or 1.0
    places = {round(SPARK_WIDTH * (1 - (until.timestamp() - dot.at) / seconds)): dot.value / top for dot in dots}
    return "M" + "L".join(f"{x} {SPARK_HEIGHT - 1 - part * (SPARK_HEIGHT - 2):.3g}" for x, part in places.items())
