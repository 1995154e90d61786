"""The tables of a report on paper: busiest statements, connections, largest tables; with bars where they help."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.report import outline
from monitor.report.review import Review

ROWS = 25

Row = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A table; a row has the percent of its bar (None: no bar) and cells: name, whether it is a number, text."""

    anchor: str
    title: str
    meter: str
    columns: Sequence[tuple[str, bool]]
    rows: Sequence[tuple[float | None, Sequence[tuple[str, bool, str]]]]
    more: int


def listings(review: Review) -> Iterator[Listing]:
    """Give the tables that have rows."""
    whole = max((_number(row, "total_bytes") for row in review.tables), default=0.0)
    meters = {
        "Busiest statements": ("load", [_share(row) for row in review.statements[:ROWS]]),
        "Connections": ("in use", [_used(row) for row in review.pools[:ROWS]]),
        "Largest tables": ("size", [_ratio(_number(row, "total_bytes"), whole) for row in review.tables[:ROWS]]),
    }
    for grid in outline.grids(review, ROWS):
        yield _listing(grid, *meters[grid.title])


def _listing(grid: outline.Grid, meter: str, parts: Sequence[float | None]) -> Listing:
    columns = list(zip(grid.header, grid.right, strict=True))
    return Listing(
        anchor=grid.title.lower().replace(" ", "-"),
        title=grid.title,
        meter=meter if any(part is not None for part in parts) else "",
        columns=columns,
        rows=[
            (part, [(name, right, cell) for (name, right), cell in zip(columns, cells, strict=True)])
            for part, cells in zip(parts, grid.rows, strict=True)
        ],
        more=grid.more,
    )


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
