"""What is asked of a page of lists and charts, and the addresses of the same page asked otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from monitor.draw.address import address

T = TypeVar("T")

SPANS: Mapping[int, str] = {3: "3 hours", 24: "24 hours", 168: "7 days", 720: "30 days"}
"""Over how many hours charts may go."""
SHOWN = 50
"""Rows on a page."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked for; what is empty is not asked for."""

    path: str
    target: str = ""
    database: str = ""
    schema: str = ""
    table: str = ""
    text: str = ""
    sort: str = ""
    hours: int = 24
    page: int = 1

    @property
    def address(self) -> str:
        """Give the address under which that is shown."""
        return address(self.path, self, Asked(path=self.path))

    def with_(self, **changed: object) -> str:
        """Give the address of the same page with something changed, from its first page on."""
        return replace(self, **{"page": 1, **changed}).address  # type: ignore[arg-type]  # templates hand in what fits

    def elsewhere(self, path: str) -> str:
        """Give the address of another page about the same things, in its own order."""
        return Asked(path=path, target=self.target, database=self.database, text=self.text).address

    def table_of(self, target: str, row: Mapping[str, object]) -> str:
        """Give the address of the table that a row is about."""
        database, schema, table = (str(row[name]) for name in ("database", "schema", "table"))
        return Asked(path="/tables", target=target, database=database, schema=schema, table=table).address

    def at(self, page: int) -> str:
        """Give the address of another page."""
        return self.with_(page=page)

    @property
    def span(self) -> str:
        """Write over how much time charts go."""
        return SPANS[self.hours]

    def spans(self) -> list[tuple[str, str, bool]]:
        """Give the words and address of each span of time, and whether it is the one that is shown."""
        return [(words, self.with_(hours=hours), hours == self.hours) for hours, words in SPANS.items()]


@dataclass(frozen=True, kw_only=True)
class Sheet(Generic[T]):
    """One page of a list."""

    asked: Asked
    rows: Sequence[T]
    total: int

    @property
    def pages(self) -> int:
        """Count the pages there are."""
        return max(1, -(-self.total // SHOWN))


def sheet(rows: Sequence[T], asked: Asked) -> Sheet[T]:
    """Cut one page out."""
    first = (asked.page - 1) * SHOWN
    return Sheet(asked=asked, rows=rows[first : first + SHOWN], total=len(rows))
