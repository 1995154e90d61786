"""Which server answers: the one that was read before, that one started anew, or another one in its place.

By the cluster's system identifier (initdb's), the timeline (each promotion begins one; 0 on a standby) and the start
of the postmaster. Where the first two cannot be read, only the start and pg_is_in_recovery() tell.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from monitor.lasting import Identity
from monitor.measurement import Row
from monitor.probe import Facts

IDENTITY = """
    (select system_identifier from pg_catalog.pg_control_system()) as system_identifier,
    case when pg_catalog.pg_is_in_recovery() then 0
         else ('x' || pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8))::bit(32)::int
     end as timeline
"""
UNTOLD = " null::int8 as system_identifier, null::int as timeline"
"""For servers that keep it to themselves: a function revoked from public, or a service that has none."""


class Who(Protocol):
    """What tells one server from another."""

    @property
    def system_identifier(self) -> int | None:
        """What initdb called the cluster."""

    @property
    def timeline(self) -> int | None:
        """Counts promotions."""

    @property
    def in_recovery(self) -> bool:
        """Whether it is a standby."""

    @property
    def started_at(self) -> float:
        """When its postmaster began."""


def identified(facts: Facts, row: Row) -> Facts:
    """Put the server that answers now in the place of the one known, as far as it was asked who it is."""
    who = {name: row[name] for name in ("system_identifier", "timeline", "in_recovery", "started_at") if name in row}
    return replace(facts, **who)  # type: ignore[arg-type]  # as the question casts them


def goes_on(before: Who, now: Who, read_at: float) -> bool:
    """Tell whether the counters read before (at `read_at`) can go on in what answers now.

    They do in the same process, promoted or not, and in the same server after a restart. Who was running already while
    another was read is another one; so is a restored copy, and a standby that was started later and promoted.
    """
    if _differ(before.system_identifier, now.system_identifier):
        return False
    if now.started_at == before.started_at:
        return True
    swapped = before.in_recovery != now.in_recovery or _differ(before.timeline, now.timeline)
    return now.started_at > read_at and not swapped


def identity(server: Who, read_at: float) -> Identity:
    """Give what of a server read at that time goes with what is remembered of it."""
    return Identity(
        system_identifier=server.system_identifier,
        timeline=server.timeline,
        in_recovery=server.in_recovery,
        started_at=server.started_at,
        read_at=read_at,
    )


def is_same(before: Identity, now: Who) -> bool:
    """Tell whether what an earlier process remembered is of the server that answers now.

    Where the cluster is not known by its identifier, only the very same process of the server is.
    """
    told = None not in {before.system_identifier, now.system_identifier}
    return goes_on(before, now, before.read_at) and (told or now.started_at == before.started_at)


def turned(before: Facts, now: Facts) -> str:
    """Say in words what a failover changed since the session before; empty: nothing."""
    if _differ(before.system_identifier, now.system_identifier):
        return "another cluster"
    if before.in_recovery != now.in_recovery:
        return "a standby where the primary was" if now.in_recovery else "a standby was promoted"
    return "another timeline" if _differ(before.timeline, now.timeline) else ""


def _differ(before: int | None, now: int | None) -> bool:
    return None not in {before, now} and before != now
