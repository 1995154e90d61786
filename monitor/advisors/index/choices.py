"""The words of choosing indexes: what an index must bring, what it goes by, what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from monitor.advisors.index.workload import Workload
from monitor.planning import Candidate, Planned, PlanSource, Query
from monitor.shape import Shape

Group: TypeAlias = frozenset[Candidate]
"""Candidates that are of use only together: the arms of an OR, the two sides of a join."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What an index must bring."""

    part: float = 0.6
    """A statement is helped when its cost falls below this part of it …"""
    units: float = 20.0
    """… and by so many units of the planner's."""
    times_price: float = 2.0
    """What is saved must be so many times what writers pay."""
    least_ms_per_day: float = 0.0
    least_share: float = 0.0005
    """Of the workload's time."""
    budget_bytes: float = float("inf")
    per_table: int = 8
    beside: float = 0.25
    """Columns beside the keys must spare this part of a statement's cost of today: they make every write dearer."""
    near: float = 0.95
    """Of those that save nearly as much as the best, the smallest is taken."""


@dataclass(frozen=True, kw_only=True)
class Helped:
    """A statement before and after, in the planner's units, and the ms a day it saves."""

    query: Query
    before: float
    after: float
    saved_ms_per_day: float


@dataclass(frozen=True, kw_only=True)
class Choice:
    """An index that is worth it."""

    candidate: Candidate
    helped: tuple[Helped, ...]
    spent_ms_per_day: float
    size_bytes: float
    reads: frozenset[str] = frozenset()
    """The names of all indexes that the plans of those statements read once it is there."""

    @property
    def saved_ms_per_day(self) -> float:
        """What all statements save."""
        return sum(each.saved_ms_per_day for each in self.helped)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What came of it: the indexes, and why others were not taken."""

    choices: tuple[Choice, ...] = ()
    rejected: Mapping[Candidate, str] = field(default_factory=dict)
    refused: Mapping[Candidate, str] = field(default_factory=dict)
    """Of those rejected, what the planner could not try at all, and why."""
    untried: frozenset[Candidate] = frozenset()
    """Of those rejected, what was not looked at because the search was cut short."""
    cut: str = ""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a choice goes by; `before` holds the statements' plans of today."""

    source: PlanSource
    shape: Shape
    work: Workload
    before: Mapping[str, Planned]
    terms: Terms = field(default_factory=Terms)


def covers(wide: Candidate, narrow: Candidate) -> bool:
    """Tell whether one index does all that another does: the same, or a btree whose keys begin with the other's."""
    if wide == narrow:
        return True
    same = (wide.table, wide.method, wide.where) == (narrow.table, narrow.method, narrow.where)
    begins = wide.method == "btree" and wide.keys[: len(narrow.keys)] == narrow.keys
    held = {key.expression for key in wide.keys} | set(wide.include)
    return same and begins and all(name in held for name in narrow.include)


def needed(group: Group) -> Group:
    """Leave out of a group what another of it covers: one index may serve two arms of an OR."""
    return frozenset(one for one in group if not any(_instead(other, one) for other in group))


def _instead(other: Candidate, one: Candidate) -> bool:
    """Tell whether another covers one; of two that cover each other, the first by name does."""
    return other != one and covers(other, one) and (not covers(one, other) or str(other) < str(one))
