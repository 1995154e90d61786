"""The rule that judges how near the connection slots are to their limits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    Finding,
    Measurement,
    NoVerdict,
    Remedy,
    Row,
    Severity,
    number,
    of_kind,
    plural,
    share,
)
from probes.pool_groups import holder
from probes.pool_limits import Levels, LimitRule


@dataclass(frozen=True, kw_only=True)
class Saturation(LimitRule, Levels):
    """Connection slots run out.

    Why: when the last slot is taken, the next session is refused with `too many connections`; an application that then
    retries makes it worse. Counted are client sessions against max_connections without the reserved slots, and
    against each role's and database's CONNECTION LIMIT; a level counts as reached when used / limit equals its ratio.
    What to do: see who holds the slots and in which state. Idle ones: make that application's pool smaller, or put a
    transaction pooler before the server. Active ones: mend the slow statements first. `alter system set
    max_connections` is no first answer: it needs a restart, memory for each session, and moves the wall a little.
    When it is wrong: a limit that is meant to be used up, such as a pool of exactly that size; raise the ratios. Limits
    below `min_limit` are left out (a limit of 1 is a lock), as are limits that only the monitor itself uses.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "pool.saturation"
    hold: float = 15.0
    keep: float = 60.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in self.limits(seen):
            used = number(row, "slots_used")
            severity = self.reached(used, number(row, "slots_limit"))
            if severity is not None and used > number(row, "own_sessions"):
                yield self._accuse(seen, row, severity)

    def _accuse(self, seen: Measurement, row: Row, severity: Severity) -> Finding:
        used, limit = number(row, "slots_used"), number(row, "slots_limit")
        holders = holding(seen, row)
        idle = sum(number(each, "sessions") for each in holders if each["state"] == "idle")
        return self.accusing(
            seen,
            row,
            severity=severity,
            summary=f"{used:.0f} of {plural(limit, 'slot')} used ({share(used, limit)}), {idle:.0f} of them idle",
            remedy=Remedy(caution=advice(holders, idle, used)),
            count=used,
            ratio=round(used / limit, 3),
            idle=round(idle),
            holders=[f"{holder(each)}, {each['state']}: {number(each, 'sessions'):.0f}" for each in holders[:5]],
            warning_ratio=self.warning_ratio,
            critical_ratio=self.critical_ratio,
        )


def holding(seen: Measurement, limit: Row) -> Sequence[Row]:
    """Give the groups under one limit, the largest first, without the monitor's own sessions."""
    under = (
        {**row, "sessions": number(row, "sessions") - number(row, "own_sessions")}
        for row in of_kind(seen.rows, "group")
        if limit["kind"] == "server" or row[str(limit["kind"])] == limit[str(limit["kind"])]
    )
    return sorted((row for row in under if row["sessions"]), key=lambda row: -number(row, "sessions"))


STEPS = {
    "idle": "Make its pool smaller or let idle sessions go (the pool's idle timeout, idle_session_timeout); many "
    "processes with a pool each want a transaction pooler before the server.",
    "active": "Find what its statements wait for (statements.slow, sessions.blocking) before giving it more slots.",
    "": "Find the code that leaves transactions open (sessions.idle_in_transaction); ending those sessions frees the "
    "slots at once.",
}
"""What to do first, by the state most sessions are in."""

LAST = "A higher limit is the last answer: max_connections needs a restart and memory for each session."


def advice(holders: Sequence[Row], idle: float, used: float) -> str:
    """Say where to begin: with idle sessions where they are the many, else with what the busy ones do."""
    if not holders:
        return LAST
    state = "idle" if 2 * idle >= used else "idle in transaction" if leaked(holders, used) else "active"
    chief = next((row for row in holders if row["state"] == state), holders[0])
    count, doing = number(chief, "sessions"), str(chief["state"])
    many = f"{holder(chief)} holds {plural(count, 'session')} in state {doing}."
    return f"{many} {STEPS.get(doing, STEPS[''])} {LAST}"


def leaked(holders: Sequence[Row], used: float) -> bool:
    """Tell whether sessions idle in a transaction are at least a third of all."""
    return 3 * sum(number(row, "sessions") for row in holders if str(row["state"]).startswith("idle in")) >= used
