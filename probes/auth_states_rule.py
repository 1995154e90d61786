"""What the rules about users' states share: which links they concern, what is unsaid, and how one is accused."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from monitor.probe import (
    Area,
    Confidence,
    Finding,
    Measurement,
    Needs,
    NoVerdict,
    Object,
    Remedy,
    Rule,
    Scalar,
)
from probes.auth_judging import LOWER
from probes.auth_sight import advised
from probes.auth_states_reading import UNKNOWN, readings, unknown
from probes.auth_states_traits import StateReading


@dataclass(frozen=True, kw_only=True)
class StateRule(Rule):
    """What these rules share: which links they concern, what is said of the others, and how one is accused."""

    area: ClassVar[Area] = Area.AUTH
    nothing: ClassVar[str]
    """Why it does not apply, where it concerns no link."""

    @abstractmethod
    def concerns(self, reading: StateReading) -> bool:
        """Tell whether a link can be at fault at all."""

    @abstractmethod
    def judge(self, seen: Measurement, reading: StateReading) -> Iterator[Finding | NoVerdict]:
        """Judge a link whose rows were read."""

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        """Judge each link it concerns."""
        found = [reading for reading in readings(seen.rows) if self.concerns(reading)]
        if unknown(seen.rows):
            yield NoVerdict(reason=UNKNOWN, needs=Needs.TIME)
        elif not found:
            yield NoVerdict(reason=self.nothing, needs=None)
        yield from _unread(found)
        for reading in found:
            if reading.needs is None:
                yield from self.judge(seen, reading)
                yield from _unfinished(reading)

    def accuse(
        self,
        seen: Measurement,
        reading: StateReading,
        *,
        summary: str,
        impact: str,
        remedy: Remedy,
        count: int | None = None,
        sure: bool = True,
        **evidence: Scalar,
    ) -> Finding:
        """Accuse a link; one known by a sample only is accused a step lower."""
        sampled, column = reading.link.known.sampled, reading.column
        finding = self.finding(
            seen,
            subject=column.subject,
            object=Object("column", schema=column.schema, name=column.table, column=column.column),
            severity=LOWER[self.severity] if sampled else self.severity,
            confidence=Confidence.HIGH if sure and not sampled else Confidence.MEDIUM,
            summary=summary,
            impact=impact,
            remedy=remedy,
            origin=reading.link.known.origin.value,
        )
        if count is not None:
            share = {} if reading.whole else {"looked_at": round(reading.share, 3)}
            evidence = {"count": count, **evidence, **share}
        return replace(finding, evidence={**evidence, **finding.evidence})


def _unread(found: Sequence[StateReading]) -> Iterator[NoVerdict]:
    """Give why links were not read; what holds for all of them once."""
    common = {reading.reason: reading.needs for reading in found if reading.common}
    for reason, needs in common.items():
        yield NoVerdict(reason=advised(reason, needs), needs=needs)
    for reading in found:
        if reading.needs is not None and not reading.common:
            reason = advised(reading.reason, reading.needs)
            yield NoVerdict(reason=reason, needs=reading.needs, subject=reading.column.subject)


def _unfinished(reading: StateReading) -> Iterator[NoVerdict]:
    """Say how much of a table was looked at, before the first turn is over."""
    if not reading.whole:
        part = f"{reading.share:.0%} of {reading.column.relation} was looked at so far"
        yield NoVerdict(reason=part, needs=Needs.TIME, subject=reading.column.subject)
