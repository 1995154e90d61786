"""A sweep's document, made small enough to be kept over a restart: neighbours are put together, no count is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeAlias

SLICES = 1000
"""So many are kept of all sweeps of a probe, and a few more; what is too large is split when it is looked at again.

A document may have a mebibyte; of accounts, a slice with many roles and ages takes most of a kibibyte.
"""

Slice: TypeAlias = tuple[str | None, int, dict[str, int], int]
"""Where it ends, what it holds, what was counted in it, and in which turn."""


def together(slices: Sequence[Slice], at: int, most: int) -> tuple[int, list[Slice]]:
    """Put neighbours together, but not across the place where the turn goes on: give that place, and about so many."""
    size = max(1, -(-len(slices) // most))
    done, ahead = list(_groups(slices[:at], size)), list(_groups(slices[at:], size))
    return len(done), [*done, *ahead]


def _groups(slices: Sequence[Slice], size: int) -> Iterator[Slice]:
    for begin in range(0, len(slices), size):
        group = slices[begin : begin + size]
        counts: Counter[str] = Counter()
        for _, _, each, _ in group:
            counts.update(each)
        turns = [turn for *_, turn in group]
        yield group[-1][0], sum(rows for _, rows, _, _ in group), dict(counts), min(turns)
