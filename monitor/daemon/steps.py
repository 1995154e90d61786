"""An alert's steps in words: for its history in the store, and for the log."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from monitor.findings.ledger import Change
from monitor.model import Alert, State
from monitor.proof import Cure
from monitor.store.records import Transition

log = structlog.get_logger()

MOST_LOGGED = 20
"""Findings of one moment that have a line each in the log."""


def logged(changes: Sequence[Change], before: int) -> int:
    """Say what people may hear of, and give how many; of many at once, the first ones and how many there are."""
    told = [change.alert for change in changes if change.worth_telling]
    room = max(MOST_LOGGED - before, 0)
    for alert in told[:room]:
        rule, fingerprint = alert.finding.rule, alert.finding.fingerprint
        log.info("finding", state=alert.state.value, rule=rule, fingerprint=fingerprint)
    if len(told) > room:
        log.info("more findings", count=len(told) - room)
    return len(told)


def step_of(alert: Alert, now: datetime) -> Transition:
    severity = alert.finding.severity.value
    over = alert.state is State.RESOLVED
    return Transition(
        fingerprint=alert.finding.fingerprint,
        at=now,
        state=alert.state.value,
        severity=severity,
        why=alert.ended_by if over else alert.finding.summary,
    )


def arrived(alert: Alert, now: datetime) -> Transition:
    """Say where it was before."""
    return replace(step_of(alert, now), state="moved", why=f"it stood on {alert.moved_from} before")


def remedied(alert: Alert, cure: Cure) -> Transition:
    """Say that its remedy is there."""
    why = f"{cure.thing.kind} {cure.thing.name} is there; its effect is measured"
    step = step_of(alert, cure.at)
    return replace(step, state="remedied", why=why)
