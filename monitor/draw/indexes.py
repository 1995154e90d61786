"""The list of indexes: how large each is, how often it was used since when, and what the rules about indexes found.

It judges nothing itself: an index is in vain where a rule says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from monitor.draw.about import remarks, unsaid
from monitor.draw.asked import Asked, Sheet, sheet
from monitor.draw.canvas import Canvas
from monitor.draw.outlook import Unknown, named
from monitor.history.trend import Line, Trends
from monitor.kinds import POSTGRES
from monitor.measurement import duration
from monitor.model import Finding, State
from monitor.status import Glance

INDEXES = "indexes.indexes"
Row = Mapping[str, object]
Place = tuple[str, str, str]
"""Database, schema and name of an index."""
Read = Callable[[str], Sequence[Row]]
"""Gives the indexes of a server as they were read last."""
HEAD = 10
"""Indexes that are shown below the tables."""
NEEDS = {
    "constraint": "it enforces a constraint",
    "replica identity": "it is the table's replica identity",
    "unique": "it keeps values unique",
    "foreign key": "it serves a foreign key",
    "partition": "it is part of a partitioned table's index, which is judged as a whole",
}


class Mark(StrEnum):
    """What is known of an index in a word."""

    USED = "used"
    NEEDED = "needed"
    IDLE = "no scan"
    UNUSED = "unused"
    DUPLICATE = "duplicate"
    COVERED = "covered"
    VAIN = "no effect"
    INVALID = "invalid"
    BUILDING = "being built"
    UNKNOWN = "not known"


JUDGES: Mapping[str, Mark] = {
    "index.unused": Mark.UNUSED,
    "index.duplicate": Mark.DUPLICATE,
    "index.redundant_prefix": Mark.COVERED,
    "index.no_effect": Mark.VAIN,
}
"""Who says that an index could go. That one does not work is the catalogue's own word."""


@dataclass(frozen=True, kw_only=True)
class Index:
    """One index as it stands; `elsewhere` are its scans on the other servers of its cluster, None: not known."""

    row: Row
    now: datetime
    line: Line | None = None
    elsewhere: Mapping[str, int | None]
    findings: Sequence[Finding] = ()
    """What rules say of it."""

    @property
    def place(self) -> Place:
        """Give its full name within the server."""
        return place(self.row)

    @property
    def bytes(self) -> float:
        """Give its size by its pages."""
        return _figure(self.row, "size_bytes")

    @property
    def scans(self) -> float:
        """Count its scans since the statistics began."""
        return _figure(self.row, "uses")

    @property
    def rate(self) -> float | None:
        """Give the scans a second between the newest readings; None where it is not followed."""
        return self.line.number("scans") if self.line else None

    @property
    def since(self) -> datetime | None:
        """Give since when scans are counted."""
        return _moment(self.row, "since")

    @property
    def last(self) -> datetime | None:
        """Give when it was used last; None: never, or a server before 16."""
        return _moment(self.row, "last_scan")

    @property
    def age(self) -> timedelta:
        """Give for how long scans were counted."""
        return self.now - self.since if self.since else timedelta(0)

    @property
    def marks(self) -> Sequence[tuple[Mark, str]]:
        """Give what is known of it, each with why."""
        if self.row["building"]:
            return [(Mark.BUILDING, "it helps no statement before that is done")]
        if not self.row["works"]:
            return [(Mark.INVALID, "a build failed or was cut short: no statement uses it, and each write pays for it")]
        judged = [(JUDGES[each.rule], each.summary) for each in self.findings]
        return judged if any(mark is Mark.UNUSED for mark, _ in judged) else [*judged, self._use()]

    def _use(self) -> tuple[Mark, str]:
        if self.scans:
            return Mark.USED, ""
        if need := NEEDS.get(str(self.row["need"])):
            return Mark.NEEDED, f"no scan, but {need}"
        users = [name for name, scans in self.elsewhere.items() if scans]
        if users:
            return Mark.USED, f"on {named(users)}, not here"
        if blind := [name for name, scans in self.elsewhere.items() if scans is None]:
            return Mark.UNKNOWN, f"no scan here; of its use on {named(blind)} nothing is known"
        span = f"in {duration(self.age.total_seconds())}" if self.since else "since they are counted"
        return Mark.IDLE, span + (f"; nor on {named([*self.elsewhere])}" if self.elsewhere else "")


SORTS: Mapping[str, Callable[[Row], tuple[float, float]]] = {
    "size": lambda row: (0.0, -_figure(row, "size_bytes")),
    "scans": lambda row: (-_figure(row, "uses"), -_figure(row, "size_bytes")),
    "fewest scans": lambda row: (_figure(row, "uses"), -_figure(row, "size_bytes")),
}
"""What one can sort by."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The indexes of one server, as far as they are asked for."""

    server: str
    sheet: Sheet[Index]
    bytes: float
    """What all of them take."""

    @property
    def lines(self) -> Sequence[Line]:
        """Give what is kept over time of those that are shown."""
        return [each.line for each in self.sheet.rows if each.line]

    def head(self, count: int = HEAD) -> Listing:
        """Give the first of them."""
        return replace(self, sheet=replace(self.sheet, rows=self.sheet.rows[:count]))


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What stands on the page, but for the charts, whose courses are still to be read."""

    asked: Asked
    listing: Listing | None
    targets: Sequence[str]
    remarks: Sequence[str]
    unknown: Sequence[Unknown]
    watched: bool

    @property
    def charted(self) -> Sequence[Line]:
        """Give what is drawn."""
        return self.listing.lines if self.listing else ()


def scene(glance: Glance, trends: Trends, asked: Asked, read: Read) -> Scene:
    """Put the page of indexes together."""
    servers = [each for each in glance.shelf.targets() if each.kind == POSTGRES]
    return Scene(
        asked=asked,
        listing=listing(glance, trends, asked, read),
        targets=sorted(each.server for each in servers),
        remarks=[*remarks(glance, {POSTGRES: "indexes"}, asked.target)],
        unknown=unsaid(glance, ("index.",), asked.target),
        watched=bool(glance.shelf.targets()),
    )


def sparks(found: Listing | None, canvas: Canvas) -> Mapping[Place, str]:
    """Draw how often each index that is shown was scanned."""
    shown = found.sheet.rows if found else ()
    return {each.place: canvas.spark(each.line, "scans") for each in shown if each.line}


def listing(glance: Glance, trends: Trends, asked: Asked, read: Read) -> Listing | None:
    """List the indexes of the server that is asked for, or of the only one; None: several could be meant."""
    servers = [each.server for each in glance.shelf.targets() if each.kind == POSTGRES]
    server = asked.target or (servers[0] if len(servers) == 1 else "")
    if not server:
        return None
    rows = sorted((row for row in read(server) if _fits(row, asked)), key=place)
    rows.sort(key=SORTS.get(asked.sort, SORTS["size"]))
    page = sheet(rows, asked)
    lines = {(line.database or "", *line.key.values()): line for line in trends.lines(INDEXES, server)}
    relatives = family(glance, server)
    others = {name: _elsewhere(read(name), page.rows) for name in relatives}
    judged = findings(glance, {server, *relatives})
    shown = [
        Index(
            row=row,
            now=glance.now,
            line=lines.get(place(row)),
            elsewhere={name: scans.get(place(row)) for name, scans in others.items()},
            findings=judged.get(place(row), ()),
        )
        for row in page.rows
    ]
    whole = sum(_figure(row, "size_bytes") for row in rows)
    return Listing(server=server, sheet=Sheet(asked=asked, rows=shown, total=len(rows)), bytes=whole)


def findings(glance: Glance, servers: Collection[str]) -> Mapping[Place, Sequence[Finding]]:
    """Give what rules say at present of the indexes of a primary and its standbys, told or not yet."""
    found: dict[Place, list[Finding]] = {}
    for alert in glance.shelf.alerts():
        finding = alert.finding
        if finding.rule in JUDGES and alert.state is not State.RESOLVED and finding.target.server in servers:
            where = (finding.target.database or "", finding.object.schema or "", finding.object.name or "")
            found.setdefault(where, []).append(finding)
    return found


def _elsewhere(rows: Iterable[Row], wanted: Iterable[Row]) -> Mapping[Place, int]:
    """Count the scans of some indexes on another server."""
    places = {place(row) for row in wanted}
    return {place(row): int(_figure(row, "uses")) for row in rows if place(row) in places}


def family(glance: Glance, server: str) -> Sequence[str]:
    """Name the other servers that have the same indexes: the primary and its standbys, as the configuration says."""
    above = {each.server: each.replica_of for each in glance.shelf.targets()}
    root = above.get(server) or server
    return sorted(name for name, of in above.items() if name != server and root in {name, of})


def place(row: Row) -> Place:
    """Give an index's full name within its server."""
    return str(row["database"]), str(row["schema"]), str(row["name"])


def _fits(row: Row, asked: Asked) -> bool:
    if asked.database and row["database"] != asked.database:
        return False
    if asked.table:
        return (row["schema"], row["table"]) == (asked.schema, asked.table)
    words = f"{row['schema']}.{row['name']} {row['schema']}.{row['table']}"
    return asked.text.casefold() in words.casefold()


def _figure(row: Row, column: str) -> float:
    value = row.get(column)
    return float(value) if isinstance(value, int | float) else 0.0


def _moment(row: Row, column: str) -> datetime | None:
    at = _figure(row, column)
    return datetime.fromtimestamp(at, UTC) if at else None
