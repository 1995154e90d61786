"""Rules and advisors: who judges measurements, with which patience, and the manual page each carries."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from types import MappingProxyType
from typing import ClassVar, Protocol

from monitor.history.past import History
from monitor.measurement import Measurement
from monitor.model import Area, Confidence, Evidence, Finding, NoVerdict, Object, Remedy, Scalar, Severity, Target
from monitor.planning import Planner
from monitor.proof import Cure

HEADINGS = ("Why", "What to do", "When it is wrong", "Cost")


@dataclass(frozen=True, kw_only=True)
class Judge(ABC):
    """What rules and advisors share: a name, a severity, patience, and the docstring as manual page.

    `hold`: seconds a finding must stand before people hear of it. `keep`: seconds it must be gone before it is over.
    `note`: a remark that is put into the evidence of every finding, such as why a threshold was moved.
    Every field can be set in the configuration under `rules: {ID: …}`.
    """

    id: ClassVar[str]
    area: ClassVar[Area]
    severity: Severity = Severity.WARNING
    hold: float = 0.0
    keep: float = 0.0
    note: str = ""

    @classmethod
    @cache
    def manual(cls) -> Mapping[str, str]:
        """Split the docstring into `fault` and the four headings of a manual page."""
        pages: dict[str, list[str]] = {"fault": []}
        current = "fault"
        for line in inspect.cleandoc(cls.__doc__ or "").splitlines():
            heading, colon, rest = line.partition(":")
            if colon and heading in HEADINGS:
                current, line = heading, rest  # noqa: PLW2901 - the heading is not part of its own text
            pages.setdefault(current, []).append(line.strip())
        return MappingProxyType({name: " ".join(part for part in lines if part) for name, lines in pages.items()})

    def thresholds(self) -> Mapping[str, object]:
        """Give every setting with its present value, patience first."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def finding(  # noqa: PLR0913 - a finding has this many parts; all are keyword-only
        self,
        seen: Measurement | Target,
        *,
        subject: str,
        object: Object,  # noqa: A002 - the word of the contract
        summary: str,
        impact: str,
        remedy: Remedy | None = None,
        severity: Severity | None = None,
        confidence: Confidence = Confidence.HIGH,
        in_database: str | None = None,
        **evidence: Scalar | Sequence[Scalar],
    ) -> Finding:
        """Accuse one object of the measured target; `in_database` narrows a server-wide reading to one database."""
        target = seen if isinstance(seen, Target) else seen.target
        return Finding(
            target=Target(target.server, in_database or target.database),
            rule=self.id,
            area=self.area,
            severity=severity or self.severity,
            subject=subject,
            object=object,
            title=self.manual()["fault"].rstrip("."),
            summary=summary,
            impact=impact,
            evidence=self._evidence(evidence),
            remedy=remedy or Remedy(),
            confidence=confidence,
        )

    def _evidence(self, evidence: Evidence) -> Evidence:
        return {**evidence, "note": self.note} if self.note else evidence


@dataclass(frozen=True, kw_only=True)
class Rule(Judge):
    """A judgement on one measurement: no I/O, no clock."""

    @abstractmethod
    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        """Yield what is wrong, and what could not be judged."""


class Book(Protocol):
    """What an advisor may read, handed in by who runs it."""

    @property
    def target(self) -> Target:
        """The database the advice is for."""

    def last(self, probe: str) -> Measurement | None:
        """Give the newest reading of a probe, of this database or of the whole server; None if there is none."""

    def family(self, probe: str) -> Mapping[str, Measurement | None]:
        """Give its newest reading of this database on each other server of the same replication; None: not read."""

    def history(self, probe: str) -> History | None:
        """Give what is kept of a probe's growth on this server; None: nothing is kept."""

    def found(self, rule: str) -> Sequence[Finding]:
        """Give what another rule finds in this database at present; who wants to know names it in `hears`."""

    def tried(self, rule: str) -> Sequence[Cure]:
        """Give the remedies of a rule's findings in this database that were applied, and have an outcome."""

    @property
    def planner(self) -> Planner | None:
        """Who can tell what a planner would do; None: nobody."""


@dataclass(frozen=True, kw_only=True)
class Advisor(Judge):
    """A judgement that joins several measurements; runs every `every` seconds."""

    reads: ClassVar[tuple[str, ...]]
    """The probes it joins."""
    hears: ClassVar[tuple[str, ...]] = ()
    """The rules whose findings it joins: a snapshot asks them first."""
    every: float = 60.0

    @abstractmethod
    async def advise(self, book: Book) -> Sequence[Finding | NoVerdict]:
        """Give what is wrong, and what could not be judged."""
