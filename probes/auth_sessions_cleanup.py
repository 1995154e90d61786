"""Whether GoTrue's own cleanup keeps up: rows far older than it leaves any, while people sign in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import Area, Finding, Measurement, Needs, NoVerdict, Object, Rule, Severity, identifier, plural
from probes.auth_judging import schema_of
from probes.auth_sessions_judging import unjudged
from probes.auth_sessions_reading import Part, parts
from probes.auth_sessions_remedies import Place, cleanup

PILES: Mapping[str, tuple[str, str, int]] = {
    "refresh_tokens": ("revoked refresh token", "", 48),
    "mfa_factors": ("unverified factor", "", 24),
    "one_time_tokens": ("one-time token", "", 24),
    "flow_state": ("sign-in flow", "", 24),
    "mfa_challenges": ("challenge of a factor", "challenges of factors", 24),
}
"""What piles up in each table, one and many, and the age in hours from which on it should be gone."""


@dataclass(frozen=True, kw_only=True)
class CleanupStalled(Rule):
    """GoTrue's cleanup does not clear a table.

    Why: used and abandoned tokens, factors and flows pile up; tables and indexes grow, sign-ins slow down, and secrets
    live on that were meant for minutes.
    What to do: look for errors of the cleanup in GoTrue's log: a missing right, a lock, a timeout, a trigger.
    When it is wrong: the cleanup rides on requests, a hundred rows at a time. So up to `min_rows` are no matter, and
    where fewer than `min_traffic` sessions or tokens were touched within a day nothing is said. GoTrue itself leaves
    unused one-time tokens: those pile up where many people never confirm.
    Cost: comes with the passes over these tables, in slices of some ten milliseconds, a hundredth of the time at most.
    """

    id: ClassVar[str] = "auth.cleanup_stalled"
    area: ClassVar[Area] = Area.AUTH
    severity: Severity = Severity.INFO
    min_rows: int = 100
    """More rows than this are no leftover: as many as one request clears."""
    min_traffic: int = 10
    """Sessions and refresh tokens touched within a day that show that GoTrue is in use."""

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        """Accuse each table in which too much is left."""
        known = parts(seen.rows)
        traffic = max(known[table].counts.get("recent", 0) for table in ("sessions", "refresh_tokens"))
        for table in PILES:
            part = known[table]
            yield from unjudged(seen, part, table)
            count = part.counts.get("stale", 0)
            if count <= self.min_rows:
                continue
            if traffic >= self.min_traffic:
                yield self._accuse(seen, part, count, traffic)
            else:
                yield self._quiet(seen, table, count)

    def _quiet(self, seen: Measurement, table: str, count: int) -> NoVerdict:
        """Nobody asked GoTrue, so it had no occasion; or we cannot see whether anybody did."""
        name = identifier(schema_of(seen), table)
        one, many, hours = PILES[table]
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
        one, many, hours = PILES[part.table]
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
