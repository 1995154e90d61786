"""What the rules on limits share: which rows they judge, the object and the words of a finding, and levels of use."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    Area,
    Confidence,
    Finding,
    Measurement,
    Object,
    Remedy,
    Row,
    Rule,
    Scalar,
    Severity,
    identifier,
    number,
    of_kind,
)
from probes.pool_groups import LIMITS

TIE = 1e-9
"""Keeps a quotient of whole numbers that equals a ratio on the ratio's side."""


@dataclass(frozen=True, kw_only=True)
class LimitRule(Rule):
    """A rule that judges each limit of connection slots: the server's, and those of roles and databases."""

    area: ClassVar[Area] = Area.CAPACITY
    kinds: ClassVar[tuple[str, ...]] = LIMITS
    """The kinds of rows it judges."""
    min_limit: float = 2.0

    def limits(self, seen: Measurement) -> Iterator[Row]:
        """Give the limits that are large enough to be judged."""
        return (row for row in of_kind(seen.rows, *self.kinds) if number(row, "slots_limit") >= self.min_limit)

    def accusing(
        self,
        seen: Measurement,
        row: Row,
        *,
        summary: str,
        remedy: Remedy,
        count: float,
        severity: Severity | None = None,
        confidence: Confidence = Confidence.HIGH,
        **evidence: Scalar | list[Scalar],
    ) -> Finding:
        """Accuse who has a limit: `count` are, or will be, beside it."""
        about = limited_object(row)
        return self.finding(
            seen,
            in_database=str(row["database"]) or None,
            subject=identifier(str(about.name)),
            object=about,
            severity=severity or self.severity,
            confidence=confidence,
            summary=summary,
            impact=refusal(row),
            remedy=remedy,
            count=round(count),
            limit_count=round(number(row, "slots_limit")),
            **evidence,
        )


@dataclass(frozen=True, kw_only=True)
class Levels(Rule):
    """A rule with two ratios of use; a level counts as reached when the use equals it."""

    warning_ratio: float = 0.80
    critical_ratio: float = 0.95

    def reached(self, used: float, limit: float) -> Severity | None:
        """Give the severity of the level that is reached."""
        if used / limit + TIE >= self.critical_ratio:
            return Severity.CRITICAL
        return self.severity if used / limit + TIE >= self.warning_ratio else None


CLIENTS = "clients"
"""The kind of row that holds PgBouncer's limit of clients."""
SETTINGS: Mapping[str, str] = {"server": "max_connections", CLIENTS: "max_client_conn"}


def limited_object(row: Row) -> Object:
    """Name what has the limit: a role, a database, or by its setting a whole server or PgBouncer."""
    kind = str(row["kind"])
    return Object("pool", name=SETTINGS[kind]) if kind in SETTINGS else Object(kind, name=str(row[kind]))


def refusal(row: Row) -> str:
    """Say what happens at the limit, in the server's own words."""
    match row["kind"]:
        case "role":
            role = identifier(str(row["role"]))
            return f"when all are used, its next session is refused: too many connections for role {role}"
        case "database":
            return "when all are used, the next session in it is refused: too many connections for database"
        case "clients":
            return (
                "when all are used, PgBouncer refuses the next client of whatever pool: no more connections allowed "
                "(max_client_conn)"
            )
    return "when all are used, every application's next session is refused, and retries make it worse"
