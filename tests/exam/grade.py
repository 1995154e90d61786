"""What came of grading: a mark for each proposal and drop, the sums, and the pass marks."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

ENOUGH = 0.95
"""Recall and precision that are asked for."""


class Kind(Enum):
    """What a proposal is worth."""

    RIGHT = "right"
    USEFUL = "useful, though not expected"
    EXTRA = "neither right nor proved"
    REPEATED = "said before, in other words"
    AGREED = "said before, about the same index"
    REMARK = "a foreign key that no delete looks up here"
    FORBIDDEN = "FORBIDDEN"
    BROKEN = "BROKEN"
    DROPPED = "rightly dropped"
    AGED = "dropped, not asked for"
    WRONGLY_DROPPED = "WRONGLY DROPPED"


GOOD = {Kind.RIGHT, Kind.USEFUL}
BAD = {Kind.EXTRA, Kind.REPEATED, Kind.FORBIDDEN, Kind.BROKEN}
NEVER = {Kind.FORBIDDEN, Kind.BROKEN, Kind.WRONGLY_DROPPED}


@dataclass(frozen=True, kw_only=True)
class Mark:
    """The mark of one proposal; `about` is the right answer, or why not."""

    kind: Kind
    rule: str
    what: str
    about: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.rule} {self.what}" + (f" ({self.about})" if self.about else "")


@dataclass(frozen=True, kw_only=True)
class Grade:
    """The grade of a report."""

    marks: Sequence[Mark]
    missed: Sequence[str]
    """What should have been said and was not."""
    expected: int

    @property
    def recall(self) -> float:
        return (self.expected - len(self.missed)) / self.expected if self.expected else 1.0

    @property
    def precision(self) -> float:
        good, bad = self.count(*GOOD), self.count(*BAD)
        return good / (good + bad) if good + bad else float(not self.expected)

    @property
    def passed(self) -> bool:
        return self.recall >= ENOUGH and self.precision >= ENOUGH and not self.count(*NEVER)

    def count(self, *kinds: Kind) -> int:
        return sum(mark.kind in kinds for mark in self.marks)

    def text(self) -> str:
        """Write it down, the worst first."""
        worst = [mark for mark in self.marks if mark.kind in NEVER]
        rest = [mark for mark in self.marks if mark.kind not in NEVER]
        sums = (
            f"recall {self.recall:.3f} ({self.expected - len(self.missed)} of {self.expected}), "
            f"precision {self.precision:.3f} ({self.count(*GOOD)} good, {self.count(*BAD)} bad), "
            f"forbidden {self.count(Kind.FORBIDDEN)}, broken {self.count(Kind.BROKEN)}, "
            f"wrong drops {self.count(Kind.WRONGLY_DROPPED)}"
        )
        lines = [*map(str, worst), *(f"missed: {each}" for each in self.missed), *map(str, rest)]
        return "\n".join([*lines, sums, "passed" if self.passed else "FAILED"])
