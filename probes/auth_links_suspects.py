"""Keys that were met without their counterpart while a link was swept: only who was met twice counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

MOST = 10_000
"""So many are told apart in each direction; of more than these only the number is known, from one look each."""

BETWEEN_LOOKS = 1.0

Ages: TypeAlias = tuple[int, int]
"""How many rows of a key are older than the grace, and how many of unknown age."""


class Span(NamedTuple):
    """A slice: the way it was looked at, its first key, and the next slice's (None: there was none)."""

    way: str
    first: str
    next: str | None


Wanted: TypeAlias = Mapping[int, Span | None]
"""Suspects' hashes, with the slice in which each was met; None: the link is looked at whole."""


class Suspect(NamedTuple):
    """A hashed key (or place of a row): where and when it was met first and last."""

    span: Span
    ages: Ages
    first: float
    last: float

    @property
    def twice(self) -> bool:
        """Tell whether two looks met it; a tenth is for the clocks."""
        return self.last - self.first >= 0.9 * BETWEEN_LOOKS


@dataclass(frozen=True)
class Counts:
    """How many rows are suspect, having been met twice: old ones, and those of unknown age; how many keys were not."""

    old: int
    unaged: int
    once: int


class Suspects:
    """Those of one direction of one link."""

    def __init__(self) -> None:
        self.held: dict[int, Suspect] = {}
        self.beyond = 0
        """Rows of keys that could not be held, in the last whole turn."""
        self._beyond_now = 0

    def take(self, span: Span, met: Mapping[int, Ages], rows: int, now: float, *, again: bool) -> None:
        """Learn what a slice showed: `rows` old ones in all; `again`: it was looked at besides the turn."""
        for key in [key for key, suspect in self.held.items() if suspect.span == span and key not in met]:
            del self.held[key]
        for key, ages in met.items():
            known = self.held.get(key)
            if known is not None or len(self.held) < MOST:
                self.held[key] = Suspect(span, ages, known.first if known else now, now)
        if not again:
            self._beyond_now += max(0, rows - sum(ages[0] for key, ages in met.items() if key in self.held))

    def turned(self, began: float) -> None:
        """Forget whom nothing has met since a turn that is whole now began."""
        for key in [key for key, each in self.held.items() if each.last < began]:
            del self.held[key]
        self.beyond, self._beyond_now = self._beyond_now, 0

    def counts(self, now: float, grace: float) -> Counts:
        """Give how many there are; a row of unknown age is old once it has been known for the grace."""
        old = unaged = once = 0
        for suspect in self.held.values():
            if not suspect.twice:
                once += suspect.ages[0]
                continue
            matured = now - suspect.first > grace
            old += suspect.ages[0] + (suspect.ages[1] if matured else 0)
            unaged += 0 if matured else suspect.ages[1]
        return Counts(old + max(self.beyond, self._beyond_now), unaged, once)

    def accused(self, now: float, grace: float) -> Wanted:
        """Give who is counted as old; where nobody is, who was met twice and is of unknown age."""
        twice = {key: each for key, each in self.held.items() if each.twice and any(each.ages)}
        aged = {key: each.span for key, each in twice.items() if each.ages[0] or now - each.first > grace}
        return aged or {key: each.span for key, each in twice.items()}

    @property
    def fresh(self) -> bool:
        """Tell whether anybody awaits the second look."""
        return any(any(each.ages) and not each.twice for each in self.held.values())

    @property
    def settled(self) -> bool:
        """Tell whether time alone will change nothing: everybody was met twice, and is old."""
        return all(each.twice and each.ages[0] and not each.ages[1] for each in self.held.values())

    def spans(self) -> Iterator[tuple[float, Span]]:
        """Give where to look again, and when that was done last; a slice may come more than once."""
        return ((each.last, each.span) for each in self.held.values())

    def document(self) -> object:
        """Give all of it, as JSON has it."""
        return [self.beyond, [[key, *each.span, *each.ages, each.first, each.last] for key, each in self.held.items()]]

    def restore(self, document: object) -> None:
        """Go on from a document; raises TypeError or ValueError for one that is none."""
        beyond, held = _list(document)
        for key, way, first, next_, old, unaged, met, last in map(_list, _list(held)):
            span = Span(str(way), str(first), None if next_ is None else str(next_))
            self.held[int(str(key))] = Suspect(
                span, (int(str(old)), int(str(unaged))), float(str(met)), float(str(last))
            )
        self.beyond = int(str(beyond))


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise TypeError(value)
    return value
