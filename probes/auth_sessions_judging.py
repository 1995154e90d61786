"""How a rule about sessions and tokens judges: it reads one count of one table, or says why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
    identifier,
    plural,
)
from probes.auth_judging import schema_of
from probes.auth_repair import printed_later
from probes.auth_sessions_reading import Part, parts
from probes.auth_sessions_remedies import Place


def unjudged(seen: Measurement, part: Part, accused: str) -> Iterator[NoVerdict]:
    """Say why a table cannot be judged, or which part of it was looked at so far."""
    name = identifier(schema_of(seen), part.table)
    subject = identifier(schema_of(seen), accused)
    if not part.known:
        yield NoVerdict(reason=part.reason, needs=part.needs, subject=subject)
    elif part.progress < 1:
        yield NoVerdict(
            reason=f"{part.progress * 100:.0f} % of {name} looked at so far", needs=Needs.TIME, subject=subject
        )


@dataclass(frozen=True, kw_only=True)
class SessionRule(Rule):
    """What these rules share: the part they read, the count in it, and the table they accuse."""

    area: ClassVar[Area] = Area.AUTH
    part: ClassVar[str]
    counted: ClassVar[str]
    accused: ClassVar[str]
    what: ClassVar[tuple[str, str]]
    """What is counted, in words: one of them, and many."""
    impact: ClassVar[str]
    mend: ClassVar[Callable[[Place], Remedy]]
    columns: ClassVar[tuple[str, ...]] = ()
    """Where one of these is lacking the rule does not apply."""
    beside: ClassVar[Mapping[str, str]] = {}
    """Further counts that the evidence names."""
    ripens: ClassVar[bool] = False
    """Only time can tell whether it stands, and a single report has none."""
    hold: float = 45.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        """Accuse the table where anything was counted twice."""
        part = parts(seen.rows)[self.part]
        lacking = [column for column in self.columns if column in part.lacks]
        if part.known and lacking:
            yield NoVerdict(reason=f"this level of GoTrue has no {schema_of(seen)}.{lacking[0]}", needs=None)
            return
        yield from unjudged(seen, part, self.accused)
        if part.counts.get(self.counted):
            yield self._accuse(seen, part, part.counts[self.counted])

    def _accuse(self, seen: Measurement, part: Part, count: int) -> Finding:
        schema = schema_of(seen)
        so_far = "" if part.progress == 1 else ", in the part looked at so far"
        place = Place(schema=schema, lacks=part.lacks, count=count)
        remedy = type(self).mend(place) if part.progress == 1 else printed_later(place.table(part.table))
        beside = {name: part.counts[counted] for name, counted in self.beside.items()}
        found = self.finding(
            seen,
            subject=identifier(schema, self.accused),
            object=Object("table", schema=schema, name=self.accused),
            summary=f"{plural(count, *self.what)}{so_far}",
            impact=self.impact,
            remedy=remedy,
            confidence=Confidence.MEDIUM if self.ripens and seen.snapshot else Confidence.HIGH,
            count=count,
        )
        return replace(found, evidence={**found.evidence, **beside})
