"""How a target stands, in a word and a tone: up, down and since when, or not heard of for too long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from monitor.draw.words import ago, severities
from monitor.measurement import plural
from monitor.model import Alert, Severity
from monitor.status import TargetStatus

STALE = timedelta(minutes=3)
"""A server that was asked for so long without any answer is not called up, whatever was known last."""
STATES: Final = ("down", "stale", "waiting", "up")
"""The words for how a target stands, those first that need somebody."""
WORDS: Final[Mapping[Severity, tuple[str, str]]] = MappingProxyType(
    {Severity.CRITICAL: ("critical", "critical"), Severity.WARNING: ("warning", ""), Severity.INFO: ("remark", "")}
)


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
        return Health(
            word="down", tone="down", words=f"went down {ago(target.since, now)}; last seen {ago(answered, now)}"
        )
    asked = max((run.taken_at for run in target.probes), default=now)
    if asked - (answered or target.since) > STALE:
        return Health(word="stale", tone="stale", words=f"last seen {ago(answered, now)}")
    databases = f"{plural(len(target.databases), 'database')}, " if target.databases else ""
    return Health(word="up", tone="up", words=f"{databases}seen {ago(answered, now)}")


def firing_by_server(firing: Sequence[Alert]) -> dict[str, str]:
    """Say for each server what fires there: `1 critical, 2 warnings`."""
    found: dict[str, list[Alert]] = {}
    for alert in firing:
        found.setdefault(alert.finding.target.server, []).append(alert)
    return {server: severities(alerts, WORDS) for server, alerts in found.items()}
