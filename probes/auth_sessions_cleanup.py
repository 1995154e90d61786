"""Whether GoTrue's own cleanup keeps up: rows far older than it leaves any, while people sign in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    Area,
    Finding,
    Measurement,
    Needs,
    NoVerdict,
    Object,
    Rule,
    Severity,
    identifier,
    plural,
    sight_sessions,
)
from probes.auth_judging import schema_of
from probes.auth_sessions_judging import unjudged
from probes.auth_sessions_reading import Part, parts
from probes.auth_sessions_remedies import Place, cleanup

PILES: Mapping[str, tuple[str, str]] = {
    "refresh_tokens": ("revoked refresh token", ""),
    "mfa_factors": ("unverified factor", ""),
    "one_time_tokens": ("one-time token", ""),
    "flow_state": ("sign-in flow", ""),
    "mfa_challenges": ("challenge of a factor", "challenges of factors"),
}
"""What piles up in each table, one and many."""


@dataclass(frozen=True, kw_only=True)
class CleanupStalled(Rule):
    """GoTrue's cleanup does not clear a table.

    Why: used and abandoned tokens, factors and flows pile up; tables and indexes grow, sign-ins slow down, and secrets
    live on that were meant for minutes.
    What to do: look for errors of the cleanup in GoTrue's log: a missing right, a lock, a timeout, a trigger.
    When it is wrong: the cleanup rides on requests, a hundred rows at a time. So up to `min_rows` are no matter, and
    where fewer than `min_traffic` sessions or tokens were touched within a day nothing is said. GoTrue itself leaves
    unused one-time tokens: those pile up where many people never confirm. The ages, `refresh_tokens_hours` and so on,
    are those of GoTrue's source (internal/models/cleanup.go: all are cleared after 24 hours), with a day more for
    tokens, of which there are most; each is one of 24, 48, 72, 168, 336 or 720 hours.
    Cost: comes with the passes over these tables, in slices of some ten milliseconds, a hundredth of the time at most.
    """

    id: ClassVar[str] = "auth.cleanup_stalled"
    area: ClassVar[Area] = Area.AUTH
    severity: Severity = Severity.INFO
    min_rows: int = 100
    """More rows than this are no leftover: as many as one request clears."""
    min_traffic: int = 10
    """Sessions and refresh tokens touched within a day that show that GoTrue is in use."""
    refresh_tokens_hours: int = 48
    mfa_factors_hours: int = 24
    one_time_tokens_hours: int = 24
    flow_state_hours: int = 24
    mfa_challenges_hours: int = 24

    def __post_init__(self) -> None:
        """Refuse an age from which on nothing is counted."""
        for table, hours in self.hours.items():
            if hours not in sight_sessions.STALE_HOURS:
                ages = ", ".join(map(str, sight_sessions.STALE_HOURS))
                raise ValueError(f"{table}_hours should be one of {ages}")

    @property
    def hours(self) -> Mapping[str, int]:
        """Give for each table the age from which on its rows should be gone."""
        return {
            "refresh_tokens": self.refresh_tokens_hours,
            "mfa_factors": self.mfa_factors_hours,
            "one_time_tokens": self.one_time_tokens_hours,
            "flow_state": self.flow_state_hours,
            "mfa_challenges": self.mfa_challenges_hours,
        }

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        """Accuse each table in which too much is left."""
        known = parts(seen.rows)
        traffic = max(known[table].counts.get("recent", 0) for table in ("sessions", "refresh_tokens"))
        for table in PILES:
            part = known[table]
            yield from unjudged(seen, part, table)
            count = part.counts.get(f"stale:{self.hours[table]}", 0)
            if count <= self.min_rows:
                continue
            if traffic >= self.min_traffic:
                yield self._accuse(seen, part, count, traffic)
            else:
                yield self._quiet(seen, table, count)

    def _quiet(self, seen: Measurement, table: str, count: int) -> NoVerdict:
        """Nobody asked GoTrue, so it had no occasion; or we cannot see whether anybody did."""
        name = identifier(schema_of(seen), table)
        (one, many), hours = PILES[table], self.hours[table]
        return NoVerdict(
            reason=(
                f"{plural(count, one, many)} older than {hours} hours in {name}, but too few sign-ins within a day to "
                "tell whether the cleanup, which rides on them, is at fault"
            ),
            needs=Needs.HISTORY,
            subject=name,
        )

    def _accuse(self, seen: Measurement, part: Part, count: int, traffic: int) -> Finding:
        schema = schema_of(seen)
        (one, many), hours = PILES[part.table], self.hours[part.table]
        return self.finding(
            seen,
            subject=identifier(schema, part.table),
            object=Object("table", schema=schema, name=part.table),
            summary=f"{plural(count, one, many)} older than {hours} hours, though GoTrue is in use",
            impact="the table grows without end, and secrets live on that were meant for minutes",
            remedy=cleanup(Place(schema=schema), part.table),
            count=count,
            older_than_hours=hours,
            traffic=traffic,
        )
