"""Which findings stand on a page: what is asked for, in what order, and under which address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from monitor.draw.address import address
from monitor.model import Alert, Area, Severity, State

SHOWN = 50
"""Findings on a page."""
OPEN = "open"
"""In place of a state: all that is not over."""
STATES: Final = (OPEN, *(each.value for each in State), "all")
ORDERS: Final = MappingProxyType({"worst": "worst first", "newest": "newest first"})
CHOICES: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        "severity": tuple(each.value for each in reversed(Severity)),
        "area": tuple(each.value for each in Area),
        "state": STATES,
        "sort": tuple(ORDERS),
    }
)
"""What may stand in each of these."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is asked for; an empty text is anything."""

    severity: str = ""
    area: str = ""
    state: str = OPEN
    target: str = ""
    database: str = ""
    rule: str = ""
    q: str = ""
    sort: str = "worst"

    @property
    def narrowed(self) -> bool:
        """Tell whether anything is left out."""
        return replace(self, sort="worst") != Search()

    @property
    def address(self) -> str:
        """Give the address under which that is shown."""
        return address("/findings", self, Search())

    def but(self, **changed: str) -> str:
        """Give the address of the same with something changed."""
        return replace(self, **changed).address

    def at(self, page: int) -> str:
        """Give the address of another page."""
        return f"{self.address}{'&' if '?' in self.address else '?'}page={page}"

    def takes(self, alert: Alert) -> bool:
        """Tell whether a finding is meant, its severity aside."""
        finding = alert.finding
        return (
            self.state in {"all", alert.state.value, OPEN if alert.state is not State.RESOLVED else ""}
            and self.area in {"", finding.area.value}
            and self.target in {"", finding.target.server}
            and self.database in {"", finding.target.database}
            and self.rule in {"", finding.rule}
            and (not self.q or _holds(alert, self.q.casefold()))
        )


def _holds(alert: Alert, text: str) -> bool:
    finding = alert.finding
    place = f"{finding.target.server} {finding.target.database or ''}"
    words = (finding.title, finding.subject, finding.summary, finding.rule, place, finding.fingerprint)
    return any(text in word.casefold() for word in words)


@dataclass(frozen=True, kw_only=True)
class Found:
    """One page of what was searched for, with counts by severity of the whole."""

    search: Search
    shown: Sequence[Alert]
    counts: Mapping[str, int]
    total: int
    page: int

    @property
    def pages(self) -> int:
        """Count the pages there are."""
        return max(1, -(-self.total // SHOWN))


def found(alerts: Iterable[Alert], search: Search, page: int) -> Found:
    """Search; `alerts` come worst first."""
    fitting = [alert for alert in alerts if search.takes(alert)]
    counts = Counter(alert.finding.severity.value for alert in fitting)
    if search.severity:
        fitting = [alert for alert in fitting if alert.finding.severity.value == search.severity]
    if search.sort == "newest":
        fitting.sort(key=lambda alert: alert.starts_at, reverse=True)
    shown = fitting[(page - 1) * SHOWN : page * SHOWN]
    return Found(search=search, shown=shown, counts=counts, total=len(fitting), page=page)
