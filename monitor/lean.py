"""Lean alerts: of what is over, memory keeps what lists, router and a second outbreak need; the rest is in the store.

A lean alert is never changed, and never written over the whole one; who shows it has it completed from the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from sys import intern
from typing import TypeVar

from monitor.model import Alert, Finding, Object, Remedy

T = TypeVar("T")

STORED = "what it said is in the store"
LOST = "what it said was lost with the store that held it"
UNREADABLE = "what it said is in the store, which cannot be read"

NOTHING: Mapping[str, Sequence[str]] = {}
NO_REMEDY = Remedy()


class Lean:
    """Makes alerts lean; what several of them have in common is there once."""

    def __init__(self) -> None:
        self._common: dict[object, object] = {}

    def __call__(self, alert: Alert) -> Alert:
        """Give an alert without what only its own page shows."""
        return replace(
            alert,
            finding=self._finding(alert.finding),
            source=self._one(alert.source),
            starts_at=self._one(alert.starts_at),
            last_seen=self._one(alert.last_seen),
            fired_at=self._one(alert.fired_at),
            ends_at=self._one(alert.ends_at),
            ended_by=intern(alert.ended_by),
            labels=self._labels(alert.labels),
        )

    def _finding(self, finding: Finding) -> Finding:
        return replace(
            finding,
            target=self._one(finding.target),
            rule=intern(finding.rule),
            subject=_anew(finding.subject),
            object=self._one(Object(finding.object.kind)),
            title=self._one(finding.title),
            summary="",
            impact="",
            evidence=NOTHING,
            remedy=NO_REMEDY,
            proof=None,
            missing=STORED,
        )

    def _labels(self, labels: Mapping[str, str]) -> Mapping[str, str]:
        key = ("labels", *sorted(labels.items()))
        return self._common.setdefault(key, labels)  # type: ignore[return-value]

    def _one(self, value: T) -> T:
        return self._common.setdefault(value, value)  # type: ignore[return-value]


def completed(alert: Alert, stored: Finding | None, unreadable: str = "") -> Alert:
    """Give a lean alert with the finding that the store has; without one, with the words for why it has none.

    `unreadable` is why the store could not be asked.
    """
    if stored is not None and not stored.missing:
        return replace(alert, finding=stored)
    missing = f"{UNREADABLE}: {unreadable}" if unreadable else LOST
    return replace(alert, finding=replace(alert.finding, missing=missing))


def _anew(text: str) -> str:
    """Copy a text, so that it lies with what was made lean with it: the old one would hold a whole page of memory."""
    return text[:1] + text[1:]
