"""Whether the sets of constants that a statement came with can be a program's own.

A program's own constants are few, and soon all of them were met; inputs go on bringing new ones. So what is judged is
how many there are, of what sort, and whether the samples still bring new ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto

ENOUGH = 20
"""So many different sets of values are no program's own, whether they repeat or not."""
SOME_REPEAT, ALL_REPEAT = 1.5, 3.0
"""Samples to a set: where fewer prove, they all are new, or nearly; where as many or more, no new one comes."""
WORDS = 10
"""So many words that are all new are worth a remark."""
WORDS_REPEAT = 2.0


class Proof(IntEnum):
    """What the sets show."""

    NONE = auto()
    NEW_WORDS = auto()
    """Nothing but words or digits varies: too many to be sure that they are the program's own."""
    SETTLED = auto()
    """Values, and the same few again and again."""
    LIKELY = auto()
    """Values, some of them again."""
    SURE = auto()


SHOWN = {
    Proof.SURE: "sets of constants in its text",
    Proof.LIKELY: "sets of constants in its text, some of them again",
    Proof.SETTLED: "sets of constants in its text, the same again and again: if the program's own, all is well",
    Proof.NEW_WORDS: "words in its text, nearly all new: if they are the program's own, as states are, all is well",
}


@dataclass(frozen=True, kw_only=True)
class Sets:
    """How many different sets of constants there are, how often they were seen, and how many of their sort it takes."""

    different: int
    seen: int
    takes: int = 0

    @property
    def repeat(self) -> bool:
        """Tell whether sets come again."""
        return self.seen > SOME_REPEAT * self.different

    def proof(self, least: int) -> Proof:
        """Say what they show, where `least` different values prove it."""
        if self.different < least:
            return Proof.NONE
        if self.different >= max(ENOUGH, least):
            return Proof.SURE
        if self.different < self.takes:
            news = self.different >= WORDS and self.seen <= WORDS_REPEAT * self.different
            return Proof.NEW_WORDS if news else Proof.NONE
        if self.seen > ALL_REPEAT * self.different:
            return Proof.NONE if self.takes else Proof.SETTLED
        return Proof.LIKELY if self.repeat else Proof.SURE
