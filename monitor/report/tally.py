"""Counts in how many places each rule could judge, had nothing to judge, or was told to say nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.model import Judgement
from monitor.report.review import Checked
from monitor.rule import Judge


@dataclass
class Tally:
    """Counts by rule; tallies of several servers can be added."""

    answered: Counter[str] = field(default_factory=Counter)
    idle: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)

    def note(self, found: Sequence[Judgement], kept: Sequence[Judgement]) -> None:
        """Count judgements as they were found, and what the configuration left of each."""
        for before, after in zip(found, kept, strict=True):
            mute = [each for each in before.no_verdicts if each.subject is None]
            self.answered[before.rule] += not mute
            self.idle[before.rule] += any(not each.applies for each in mute)
            self.ignored[before.rule] += len(before.findings) - len(after.findings)

    def __add__(self, other: Tally) -> Tally:
        """Add what was counted elsewhere."""
        return Tally(self.answered + other.answered, self.idle + other.idle, self.ignored + other.ignored)

    def checked(self, judges: Sequence[Judge]) -> list[Checked]:
        """Give every rule that was asked, also those that nobody let speak."""
        return [
            Checked(judge=each, answered=self.answered[each.id], idle=self.idle[each.id], ignored=self.ignored[each.id])
            for each in judges
        ]
