"""Lean alerts: of what is over, memory keeps what lists, router and a second outbreak need; the rest is in the store.

A lean alert is never changed, and never written over the whole one; who shows it has it completed from the store.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from itertools import pairwise
from sys import intern
from typing import TypeAlias, TypeVar

from monitor.model import Alert, Finding, Object, Remedy

T = TypeVar("T")
Slot: TypeAlias = Callable[[object, object], None]

STORED = "what it said is in the store"
LOST = "what it said was lost with the store that held it"
UNREADABLE = "what it said is in the store, which cannot be read"

NOTHING: Mapping[str, Sequence[str]] = {}
NO_REMEDY = Remedy()

OWN = ("subject", "fingerprint")
"""What no two findings have in common."""
FINDING = (*OWN, *(each.name for each in fields(Finding) if each.name not in OWN))
ALERT = tuple(each.name for each in fields(Alert))
FINDING_SLOTS: Sequence[Slot] = [getattr(Finding, name).__set__ for name in FINDING]
ALERT_SLOTS: Sequence[Slot] = [getattr(Alert, name).__set__ for name in ALERT]


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
            object=self._one(Object(finding.object.kind)),
            title=self._one(finding.title),
            summary="",
            impact="",
            evidence=NOTHING,
            remedy=NO_REMEDY,
            proof=None,
            missing=STORED,
            keys=(),
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


class Packed:
    """Many lean alerts as one piece of memory, from which they can be made anew.

    Objects that were made lean among whole ones lie scattered, and each holds the page that it lies in. Made anew when
    all others are gone, they lie close together.
    """

    def __init__(self) -> None:
        self._written = bytearray()
        self._ends = [0]
        self._common: list[object] = []
        self._places: dict[int, int] = {}

    def add(self, alerts: Sequence[Alert]) -> None:
        """Take alerts in."""
        self._written += marshal.dumps([self._row(alert) for alert in alerts])
        self._ends.append(len(self._written))

    def __iter__(self) -> Iterator[Alert]:
        """Make the alerts anew, in the order they came."""
        written, common = memoryview(self._written), self._common
        for begin, end in pairwise(self._ends):
            for own, finding, alert in marshal.loads(written[begin:end]):  # noqa: S302 - written above
                found = _made(Finding, FINDING_SLOTS, (*own, *(common[place] for place in finding)))
                yield _made(Alert, ALERT_SLOTS, (found, *(common[place] for place in alert)))

    def _row(self, alert: Alert) -> tuple[tuple[str, ...], tuple[int, ...], tuple[int, ...]]:
        finding, own = alert.finding, len(OWN)
        return (
            tuple(getattr(finding, name) for name in OWN),
            tuple(self._place(getattr(finding, name)) for name in FINDING[own:]),
            tuple(self._place(getattr(alert, name)) for name in ALERT[1:]),
        )

    def _place(self, value: object) -> int:
        """Find a value among those that several alerts have in common; the list keeps it, so no other has its id."""
        place = self._places.setdefault(id(value), len(self._common))
        if place == len(self._common):
            self._common.append(value)
        return place


def _made(kind: type[T], slots: Sequence[Slot], values: Iterable[object]) -> T:
    """Make an object of values that it had before: its constructor would take four times as long."""
    made = object.__new__(kind)
    for put, value in zip(slots, values, strict=True):
        put(made, value)
    return made
