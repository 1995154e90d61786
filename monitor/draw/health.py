"""How a target stands, in a word and a tone: up, down and since when, or not heard of for too long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from monitor.draw.words import ago
from monitor.measurement import plural
from monitor.model import Alert, Severity
from monitor.status import TargetStatus

STALE = timedelta(minutes=3)
"""A server of which no probe was answered for so long is not called up, whatever was known last."""


@dataclass(frozen=True, kw_only=True)
class Health:
    """The word that stands on the target's badge, its tone, and what goes with it."""

    word: str
    tone: str
    words: str


def target_of(server: str) -> str:
    """Give the address of a target's page."""
    return f"/targets/{quote(server, safe='', errors='replace')}"


def health(target: TargetStatus, now: datetime) -> Health:
    """Judge one target."""
    answered = max((run.last_success for run in target.probes if run.last_success), default=None)
    if target.since is None:
        return Health(word="waiting", tone="unknown", words="not asked yet")
    if not target.up:
        return Health(word="down", tone="down", words=f"since {ago(target.since, now)}; last seen {ago(answered, now)}")
    if answered is not None and now - answered > STALE:
        return Health(word="stale", tone="stale", words=f"last seen {ago(answered, now)}")
    version = f"{target.kind} {target.server_version}".strip()
    return Health(word="up", tone="up", words=f"{version}, {plural(len(target.databases), 'database')}")


def order(target: TargetStatus, now: datetime) -> tuple[int, str]:
    """Sort those first that need somebody."""
    return ("down", "stale", "waiting", "up").index(health(target, now).word), target.server


def firing_by_server(firing: Sequence[Alert]) -> dict[str, str]:
    """Say for each server what fires there: `1 critical, 2 warnings`."""
    counts: dict[str, Counter[Severity]] = {}
    for alert in firing:
        counts.setdefault(alert.finding.target.server, Counter())[alert.finding.severity] += 1
    words = {Severity.CRITICAL: ("critical", "critical"), Severity.WARNING: ("warning", ""), Severity.INFO: ("remark", "")}
    return {
        server: ", ".join(plural(count[each], *words[each]) for each in reversed(Severity) if count[each])
        for server, count in counts.items()
    }
