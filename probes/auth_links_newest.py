"""The newest rows and users of a big link, looked at before the sweep comes by: up to where, by the server's clock.

A pass goes from one time to another, in slices of a thousand rows. It begins where the one before began, so that
each row is looked at in two of them, and earlier still by OVERLAP: some commit later than others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

KEYS = 1000
OVERLAP = 60.0
OLDEST = 3600.0
"""Seconds: what is older is the sweep's, and a pass that falls that far behind leaves the rest to it."""


@dataclass
class Side:
    """How far one table was looked at, in seconds since 1970 as the server's clock has it."""

    began: float | None = None
    """Where the last pass found new ones; None: there was no pass."""
    mark: float | None = None
    """Where it ended."""
    at: float | None = None
    """Where the running pass is; None: none is."""
    until: float = 0.0
    moved: float | None = None
    """When the tables were last seen to have changed."""

    def begin(self, ripe: float) -> bool:
        """Begin or go on with a pass that ends with those made before `ripe`; tell whether there is anything to do."""
        if self.at is not None and ripe - self.at > OLDEST:
            self.at = None
        if self.at is not None:
            return True
        if self.mark is None or self.began is None or self.mark - ripe > OLDEST:
            self.began = self.mark = ripe - OLDEST
        if ripe <= self.mark:
            return False
        self.at = math.floor(max(min(self.began, self.mark - OVERLAP), ripe - OLDEST))
        self.until = ripe
        return True

    def passed(self, upto: float | None) -> None:
        """Go on from a time; None: the pass is at its end."""
        self.at = upto
        if upto is None:
            self.began, self.mark = self.mark, self.until

    def rests(self, ripe: float) -> bool:
        """Tell whether all that is there was looked at twice; then what is older than `ripe` counts as looked at."""
        if self.moved is None or self.at is not None or self.began is None or self.began < self.moved:
            return False
        self.began = self.mark = max(ripe, self.began)
        return True


@dataclass
class Newest:
    """Both sides of a link, by the way in which they are looked at."""

    sides: dict[str, Side] = field(default_factory=dict)
    _state: object = None

    def ways(self, clocks: Mapping[str, float], state: object) -> None:
        """Take note of the ways that are open, each with the server's clock, and of whether the tables changed."""
        moved, self._state = state is None or state != self._state, state
        self.sides = {way: self.sides.get(way, Side()) for way in clocks}
        for way, clock in clocks.items():
            if moved:
                self.sides[way].moved = clock

    def age(self, way: str, clock: float) -> float | None:
        """Give how long ago those were made up to whom all were looked at; None before the first pass."""
        side = self.sides.get(way)
        return None if side is None or side.mark is None else max(0.0, clock - side.mark)

    def document(self) -> object:
        """Give what a restart must not forget, as JSON has it."""
        return {way: [side.began, side.mark] for way, side in self.sides.items() if side.mark is not None}

    def restore(self, document: object) -> None:
        """Go on from a document; raises TypeError or ValueError for one that is none."""
        if not isinstance(document, Mapping):
            raise TypeError(document)
        for way, (began, mark) in document.items():
            self.sides[str(way)] = Side(began=float(str(began)), mark=float(str(mark)))
