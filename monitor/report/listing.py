"""The tables of a report on paper: busiest statements, connections, largest tables; with bars and charts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.draw.chart import hourly_means
from monitor.draw.plot import SPARK_HEIGHT, SPARK_WIDTH, WRITE, spark
from monitor.report import outline
from monitor.report.review import Review
from monitor.report.traced import HOURS, TABLES, line_of

ROWS = 25
COURSES = {
    "Busiest statements": f"mean, last {HOURS} h",
    "Connections": f"in use, last {HOURS} h",
    "Largest tables": f"size, last {HOURS} h",
}

Row = Mapping[str, object]


Cell = tuple[str, bool, str]
"""Its column, whether that holds numbers, and its text."""


@dataclass(frozen=True, kw_only=True)
class Strip:
    """A small chart of a row: bars an hour each, or a line; `words` say what it shows."""

    path: str
    width: int
    height: int
    words: str
    peak: str
    bars: bool


@dataclass(frozen=True, kw_only=True)
class Line:
    """One row: the percent of its bar (None: no bar), its cells, and how it went (None: nothing is known)."""

    percent: float | None
    cells: Sequence[Cell]
    strip: Strip | None = None


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A table; `meter` heads its bars, `course` its charts; empty: it has none."""

    anchor: str
    title: str
    meter: str
    course: str
    columns: Sequence[tuple[str, bool]]
    rows: Sequence[Line]
    more: int


def listings(review: Review) -> Iterator[Listing]:
    """Give the tables that have rows."""
    sources = {
        "Busiest statements": review.statements,
        "Connections": review.pools,
        "Largest tables": review.tables,
    }
    whole = max((_number(row, "total_bytes") for row in review.tables), default=0.0)
    meters = {
        "Busiest statements": ("load", [_share(row) for row in review.statements[:ROWS]]),
        "Connections": ("in use", [_used(row) for row in review.pools[:ROWS]]),
        "Largest tables": ("size", [_ratio(_number(row, "total_bytes"), whole) for row in review.tables[:ROWS]]),
    }
    for grid in outline.grids(review, ROWS):
        strips = [strip(review, row) for row in sources[grid.title][:ROWS]]
        yield _listing(grid, *meters[grid.title], strips)


def _listing(grid: outline.Grid, meter: str, parts: Sequence[float | None], strips: Sequence[Strip | None]) -> Listing:
    columns = list(zip(grid.header, grid.right, strict=True))
    return Listing(
        anchor=grid.title.lower().replace(" ", "-"),
        title=grid.title,
        meter=meter if any(part is not None for part in parts) else "",
        course=COURSES[grid.title] if any(strips) else "",
        columns=columns,
        rows=[
            Line(
                percent=part,
                cells=[(name, right, cell) for (name, right), cell in zip(columns, cells, strict=True)],
                strip=drawn,
            )
            for part, cells, drawn in zip(parts, grid.rows, strips, strict=True)
        ],
        more=grid.more,
    )


def strip(review: Review, row: Row) -> Strip | None:
    """Draw how a row went over the newest hours; None: nothing was kept of it."""
    line, traced, now = line_of(row), review.traced, review.generated_at
    if line is None:
        return None
    bars = hourly_means(traced.statements.get(line, ()), now, HOURS)
    if bars is not None:
        return Strip(path=bars.path, width=bars.width, height=bars.height, words=bars.words, peak=bars.peak, bars=True)
    points = traced.gauges.get(line, ())
    path = spark(points, now, HOURS * 3600.0)
    if not path:
        return None
    write = WRITE["bytes" if line[0] == TABLES else ""]
    most, least = write(max(each.most for each in points)), write(min(each.mean for each in points))
    words = f"Over the last {HOURS} hours between {least} and {most}."
    return Strip(path=path, width=SPARK_WIDTH, height=SPARK_HEIGHT, words=words, peak=most, bars=False)


def _share(row: Row) -> float | None:
    return _ratio(_number(row, "share"), 1.0) if row.get("share") is not None else None


def _used(row: Row) -> float | None:
    return _ratio(_number(row, "used"), _number(row, "limit"))


def _ratio(part: float, whole: float) -> float | None:
    """Give percent, of a whole that there is."""
    return round(min(max(100 * part / whole, 0.0), 100.0), 1) if whole > 0 else None


def _number(row: Row, key: str) -> float:
    value = row.get(key)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0
