"""The page of tables and indexes: how large they are and grow, how they are read, and what findings say of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from monitor.draw.about import firing, remarks, unsaid
from monitor.draw.asked import Asked, Sheet, sheet
from monitor.draw.canvas import Canvas
from monitor.draw.indexes import Listing
from monitor.draw.outlook import Unknown
from monitor.draw.plot import Plot, spark
from monitor.history.trend import Line, Trends
from monitor.kinds import POSTGRES
from monitor.model import Alert
from monitor.status import Glance

TABLES, SIZES = "tables.tables", "sizes.databases"
FAMILIES = ("tables.", "index.", "schema.", "rls.")
PROBES = {POSTGRES: "tables"}
RECENT_SECONDS = 3 * 3600.0
INDEXES = 20
"""Findings on indexes that are listed; the others are counted."""
Place = tuple[str, str, str, str]
"""Server, database, schema and table."""


@dataclass(frozen=True, kw_only=True)
class Stand:
    """One table as it stands."""

    line: Line
    findings: Sequence[Alert]
    growth: float | None = None
    """Bytes gained over what memory holds of it; None: it was read once."""
    seconds: float = 0.0
    """How long that took."""

    @property
    def place(self) -> Place:
        """Give its full name."""
        return self.line.server, self.line.database or "", self.line.key["schema"], self.line.key["table"]

    @property
    def bytes(self) -> float | None:
        """Give its size with indexes; where that was not measured, by its pages at the last vacuum."""
        whole = self.line.number("total_bytes")
        return self.line.number("heap_bytes") if whole is None else whole

    @property
    def dead_percent(self) -> float | None:
        """Give the dead rows as a part of all."""
        dead, live = self.line.number("dead_rows"), self.line.number("live_rows")
        return None if dead is None or live is None or dead + live == 0 else 100 * dead / (dead + live)

    @property
    def written(self) -> float | None:
        """Give the rows written a second."""
        known = [self.line.number(f"rows_{what}") for what in ("inserted", "updated", "deleted")]
        return None if None in known else sum(each or 0.0 for each in known)

    def moment(self, what: str) -> datetime | None:
        """Give when it was last vacuumed or analyzed."""
        at = self.line.number(f"last_{what}_timestamp_seconds")
        return datetime.fromtimestamp(at, UTC) if at else None


SORTS: Mapping[str, Callable[[Stand], float]] = {
    "size": lambda each: _known(each.bytes),
    "growth": lambda each: _known(each.growth),
    "dead": lambda each: _known(each.line.number("dead_rows")),
    "scans": lambda each: _known(each.line.number("seq_scans")),
    "writes": lambda each: _known(each.written),
    "findings": lambda each: float(len(each.findings)),
    "vacuum": lambda each: -_known(each.line.number("last_vacuum_timestamp_seconds")),
}
"""What one can sort by, the largest first; of vacuum the longest ago."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What stands on the page, but for the charts, whose courses are still to be read."""

    sheet: Sheet[Stand]
    chosen: Stand | None
    courses: Mapping[Place, str]
    """The size of the newest hours of the tables that are shown, from the ground."""
    drawn: Sequence[Line]
    """Those that have charts of their own."""
    listing: Listing | None
    """The largest indexes, or those of the chosen table."""
    indexes: Sequence[Alert]
    more_indexes: int
    targets: Sequence[str]
    remarks: Sequence[str]
    unknown: Sequence[Unknown]
    watched: bool

    @property
    def charted(self) -> Sequence[Line]:
        """Give all whose courses are drawn."""
        return [*self.drawn, *(self.listing.lines if self.listing else ())]


def scene(glance: Glance, trends: Trends, asked: Asked, listing: Listing | None = None) -> Scene:
    """Put together what is known now."""
    alerts = [each for of in firing(glance.shelf.alerts(), FAMILIES, asked.target).values() for each in of]
    by_table = _by_table(alerts)
    lines = [line for line in trends.lines(TABLES, asked.target or None) if _fits(line, asked)]
    stands = [_stand(line, by_table) for line in lines]
    if asked.sort == "growth":  # else only of those that are shown: each is looked up
        stands = [_grown(each, trends) for each in stands]
    stands.sort(key=SORTS.get(asked.sort, SORTS["size"]), reverse=True)
    chosen = next((each for each in stands if asked.table and each.place[2:] == (asked.schema, asked.table)), None)
    sizes = [line for line in trends.lines(SIZES, asked.target or None) if _fits(line, asked)]
    largest = sorted(sizes, key=lambda line: -line.values.get("database_bytes", 0.0))[:5] if asked.target else []
    indexes = [each for each in alerts if each.finding.rule.startswith("index.") and _concerns(each, asked)]
    page = sheet(stands, asked)
    shown = replace(page, rows=[_grown(each, trends) for each in page.rows])
    return Scene(
        sheet=shown,
        chosen=chosen and _grown(chosen, trends),
        courses={each.place: _course(each.line, trends, glance.now) for each in shown.rows},
        drawn=[chosen.line] if chosen else largest,
        listing=listing if chosen or listing is None else listing.head(),
        indexes=indexes[:INDEXES],
        more_indexes=max(0, len(indexes) - INDEXES),
        targets=sorted({each.server for each in glance.shelf.targets() if each.kind == POSTGRES}),
        remarks=[*remarks(glance, PROBES, asked.target)],
        unknown=unsaid(glance, FAMILIES, asked.target),
        watched=bool(glance.shelf.targets()),
    )


def _fits(line: Line, asked: Asked) -> bool:
    """Tell whether a line is wanted; what sums up all other tables is no table."""
    database = line.database or line.key.get("database", "")
    if asked.database and database != asked.database:
        return False
    if line.trend != TABLES:
        return True
    named = f"{line.key['schema']}.{line.key['table']}"
    return bool(line.key["schema"]) and asked.text.casefold() in named.casefold()


def _stand(line: Line, findings: Mapping[Place, Sequence[Alert]]) -> Stand:
    place = (line.server, line.database or "", line.key["schema"], line.key["table"])
    return Stand(line=line, findings=findings.get(place, ()))


def _grown(stand: Stand, trends: Trends) -> Stand:
    growth, seconds = trends.gained(stand.line, _measured(stand.line)) or (None, 0.0)
    return replace(stand, growth=growth, seconds=seconds)


def _course(line: Line, trends: Trends, now: datetime) -> str:
    return spark(trends.recent(line, _measured(line)).points, now, RECENT_SECONDS)


def _measured(line: Line) -> str:
    """Name the column that has its size."""
    return "heap_bytes" if line.number("total_bytes") is None else "total_bytes"


def _by_table(alerts: Iterable[Alert]) -> Mapping[Place, Sequence[Alert]]:
    """Give the findings on each table, those on its indexes too."""
    found: dict[Place, list[Alert]] = {}
    for alert in alerts:
        for place in _places(alert):
            found.setdefault(place, []).append(alert)
    return found


def _places(alert: Alert) -> Iterator[Place]:
    finding = alert.finding
    server, database, thing = finding.target.server, finding.target.database or "", finding.object
    if thing.kind in {"table", "column"} and thing.schema and thing.name:
        yield server, database, thing.schema, thing.name
    elif thing.kind == "index" and isinstance(table := finding.evidence.get("table"), str):
        schema, _, name = table.rpartition(".")
        yield server, database, (schema or thing.schema or "").strip('"'), name.strip('"')


def _concerns(alert: Alert, asked: Asked) -> bool:
    if asked.database and alert.finding.target.database != asked.database:
        return False
    return asked.text.casefold() in alert.finding.subject.casefold()


def _known(value: float | None) -> float:
    """Put what is not known last."""
    return -math.inf if value is None else value


def charts(seen: Scene, canvas: Canvas) -> list[Plot]:
    """Draw the chosen table's figures, else the sizes of the databases."""
    if seen.chosen is None:
        series = [canvas.series(line.key["database"], line, "database_bytes") for line in seen.drawn]
        return canvas.plot("Size of the databases", series, unit="bytes")
    line = seen.chosen.line
    size = ("with indexes", "total_bytes") if line.number("total_bytes") is not None else ("table", "heap_bytes")
    return [
        *canvas.plot("Size", [canvas.series(size[0], line, size[1])], unit="bytes"),
        *canvas.plot("Rows", [canvas.series(name, line, f"{name}_rows") for name in ("live", "dead")]),
        *canvas.plot(
            "Scans",
            [canvas.series("sequential", line, "seq_scans"), canvas.series("by index", line, "index_scans")],
            unit="rate",
        ),
        *canvas.plot(
            "Rows written",
            [canvas.series(name, line, f"rows_{name}") for name in ("inserted", "updated", "deleted")],
            unit="rate",
        ),
        *canvas.plot(
            "Scans of its indexes",
            [canvas.series(each.key["index"], each, "scans") for each in (seen.listing.lines if seen.listing else ())],
            unit="rate",
        ),
    ]
