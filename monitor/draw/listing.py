"""Which statements stand on a page, in what order and under which address; and the address of a finding's own row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, TypeAlias
from urllib.parse import quote

from monitor.draw.address import address
from monitor.model import Finding

Row: TypeAlias = Mapping[str, object]
Known: TypeAlias = tuple[str, str, str]
"""A statement as findings and rows name it: server, database, fingerprint."""

FAMILY = "statements."
"""How the ids of rules on statements begin."""
SHOWN = 100
"""Statements on a page."""

SORTS: Final[Mapping[str, str]] = MappingProxyType(
    {"time": "total_seconds", "mean": "mean_ms", "calls": "calls", "rows": "rows"}
)
"""What one can sort by, the largest first, and the figure that is meant."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked for; with `statement` and no page the one that this statement stands on."""

    target: str | None = None
    database: str | None = None
    sort: str = "time"
    statement: str | None = None
    page: int | None = None

    @property
    def address(self) -> str:
        """Give the address under which that is shown."""
        return address("/statements", self, Wanted())

    def sorted_by(self, sort: str) -> str:
        """Give the address of the same statements in another order."""
        return replace(self, sort=sort, statement=None, page=None).address

    def at(self, page: int) -> str:
        """Give the address of another page of them."""
        return replace(self, statement=None, page=page).address

    def covers(self, server: str, database: str | None) -> bool:
        """Tell whether what is said of a database, or of a server as a whole, concerns it."""
        return self.target in {None, server} and (None in {self.database, database} or self.database == database)


def statements_of(server: str, database: str | None = None) -> str:
    """Give the address of one server's statements, or of one database's."""
    return Wanted(target=server, database=database).address


def statement_of(finding: Finding) -> Known | None:
    """Give the statement that a finding is about; None: it is about something else."""
    name = finding.object.name
    if not finding.rule.startswith(FAMILY) or finding.object.kind != "statement" or not name:
        return None
    return finding.target.server, finding.target.database or "", name


def row_of(finding: Finding) -> str | None:
    """Give the address of the row of the statement that a finding is about."""
    known = statement_of(finding)
    if known is None:
        return None
    server, database, name = known
    whole = Wanted(target=server, database=database or None, statement=name).address
    return f"{whole}#{quote(name, errors='replace')}"


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One page of rows out of the whole."""

    wanted: Wanted
    rows: Sequence[Row]
    page: int
    total: int

    @property
    def pages(self) -> int:
        """Count the pages there are."""
        return max(1, -(-self.total // SHOWN))

    @property
    def missing(self) -> bool:
        """Tell whether a statement was asked for that is not here."""
        wanted = self.wanted.statement
        return wanted is not None and all(row.get("statement") != wanted for row in self.rows)


def listing(rows: Iterable[Row], wanted: Wanted) -> Listing:
    """Sort what is wanted and cut one page out; `rows` come by the time they took, the busiest first."""
    fitting = list(rows)
    for name, value in (("target", wanted.target), ("database", wanted.database)):
        fitting = fitting if value is None else [row for row in fitting if row.get(name) == value]
    if wanted.sort != Wanted.sort:
        figure = SORTS[wanted.sort]
        fitting.sort(key=lambda row: number(row, figure), reverse=True)
    page = wanted.page or _place(fitting, wanted.statement) // SHOWN + 1
    return Listing(wanted=wanted, rows=fitting[(page - 1) * SHOWN : page * SHOWN], page=page, total=len(fitting))


def _place(rows: Sequence[Row], statement: str | None) -> int:
    """Tell how many rows stand before a statement; 0: it is not among them, or none is wanted."""
    if statement is None:
        return 0
    return next((place for place, row in enumerate(rows) if row.get("statement") == statement), 0)


def text(row: Row, name: str) -> str:
    """Give a figure that is a text."""
    value = row.get(name)
    return value if isinstance(value, str) else ""


def number(row: Row, name: str) -> float:
    """Give a figure that is a number."""
    value = row.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0
