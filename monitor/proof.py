"""What proves a finding, the sign that its remedy was applied, and what came of it.

A finding's remedy may leave a sign in the catalogue (an index, a policy, a setting). Once it stands, the number that
proved the finding is read again. Probes name what stands (`Probe.things`); the ledger compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Better(StrEnum):
    """Which way a number ought to go."""

    LOWER = "lower"
    HIGHER = "higher"


class Outcome(StrEnum):
    """What a remedy did, by numbers; there is none where that could not be measured."""

    FIXED = "fixed"
    NO_EFFECT = "no effect"
    WORSE = "worse"


@dataclass(frozen=True, kw_only=True)
class Thing:
    """Something that stands in the catalogue and works: no invalid index, no policy of a table without row security."""

    kind: str
    relation: str
    """What it belongs to, or of a setting its name; written as in a finding's subject."""
    name: str
    """Of a setting, its value."""
    columns: tuple[str, ...] = ()
    uses: float | None = None
    """How often it was used since it is there; None: nobody counts that."""
    undo: str = ""
    """The statement that takes it away."""


@dataclass(frozen=True, kw_only=True)
class Sign:
    """What will stand in the catalogue once somebody applied the remedy, and did not when the finding was made."""

    kind: str
    relation: str
    columns: tuple[str, ...] = ()
    """It begins with these, in any order; none: any will do."""
    before: tuple[str, ...] = ()
    """Names that stood there already, and are no sign."""
    others: tuple[str, ...] = ()
    """Relations that get one each as well, such as partitions: all of them show it together."""

    @property
    def relations(self) -> tuple[str, ...]:
        """Give every relation that gets one."""
        return (self.relation, *self.others)

    def shown_by(self, thing: Thing) -> bool:
        """Tell whether this is what was awaited, of one of the relations."""
        if thing.kind != self.kind or thing.relation not in self.relations or thing.name in self.before:
            return False
        return set(thing.columns[: len(self.columns)]) == set(self.columns)


@dataclass(frozen=True, kw_only=True)
class Proof:
    """The measured number that proves a finding, and where to read it again."""

    probe: str
    metric: str
    """A counter of the probe, whose growth over the probe's window is the number, a second or `per` another."""
    labels: Mapping[str, str]
    """The rows it is read from: the sum of those that agree."""
    value: float
    what: str
    """Such as "rows a second read by sequential scans"."""
    better: Better = Better.LOWER
    per: str = ""
    """Another counter of the same rows: the number is the metric's growth for each of it; "": a second."""
    pace: float = 0.0
    """How often a second the remedy would have been of use; 0: not known. Without use nothing is proved."""


@dataclass(frozen=True, kw_only=True)
class Cure:
    """A remedy that was applied while its alert fired: what is there since when, and what came of it."""

    at: datetime
    sign: Sign
    thing: Thing
    """As it was first seen."""
    proof: Proof | None = None
    """The number from before; None: that the finding is gone is proof enough."""
    gone: bool = field(default=False)
    """The rule has not found it for its `keep` by now, and only the number is awaited."""
    outcome: Outcome | None = None
    """None: not known yet, or never."""
