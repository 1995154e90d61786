"""Plans: why is a slow statement slow? The node of its generic plan that is expected to cost most, in plain words.

Nothing is executed: PREPARE and EXPLAIN in a read-only transaction, on a budget; each once a day or when its mean time
changed. No rules: evidence of findings about statements shows it. Siblings: plans_memory, plans_asking, plans_reading.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.probe import Memory, Probe, Row, Scope, Session
from probes.plans_asking import explained
from probes.plans_memory import Explained, Plans, Wanted


@dataclass(frozen=True, kw_only=True)
class PlansOptions:
    """What `probes: {plans: …}` sets."""

    per_run: int = 10
    """How many statements of one database are explained in one go."""
    per_hour: int = 100
    """How many of one server are explained in an hour."""
    least_ms: float = 20.0
    """What takes less a call is not explained."""

    def __post_init__(self) -> None:
        """Refuse budgets that are none."""
        if self.per_run < 1 or self.per_hour < 1 or self.least_ms < 0:
            raise ValueError("per_run and per_hour should be 1 or more, least_ms not below 0")


ENOUGH_SECONDS = 3.0
"""A run that took this long leaves the rest to the next."""


async def observe(session: Session, memory: Memory, options: object) -> Sequence[Row]:
    """Explain what wants it in this database, as far as the budget goes."""
    chosen = options if isinstance(options, PlansOptions) else PlansOptions()
    plans, database, began = memory.server.of(Plans), session.facts.database, time.monotonic()
    plans.least_ms = chosen.least_ms
    due = plans.due(database, began, least_ms=chosen.least_ms)
    for wanted in due[: min(chosen.per_run, plans.allowed(began, per_hour=chosen.per_hour))]:
        if time.monotonic() - began > ENOUGH_SECONDS:
            break
        plans.spend(began)
        plans.put(database, wanted, await _one(session, wanted), began)
    waiting = len(plans.due(database, began, least_ms=chosen.least_ms))
    return [{**plans.counts(database), "waiting": waiting}]


async def _one(session: Session, wanted: Wanted) -> Explained:
    if session.facts.pooled:
        return Explained(skipped="a transaction pooler stands before the server: it cannot be prepared")
    if session.facts.superuser:
        return Explained(
            skipped="the monitor's role is a superuser: planning may run functions that others wrote, with all its "
            "rights; give the monitor a role of its own (monitor grants)"
        )
    return await explained(session, wanted.text)


PROBE = Probe(name="plans", scope=Scope.DATABASE, every=60, timeout=2.0, observe=observe, options=PlansOptions())
