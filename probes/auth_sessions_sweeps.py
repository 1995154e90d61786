"""The sweeps of tables of sessions, and how they are kept over a restart: coarser, for a document has its limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from probes.auth_sweep import Sweeps

SLICES = 1000
"""So many of a table are kept, and a few more; one that is too large is split when it is looked at again."""

Slice: TypeAlias = tuple[str | None, int, dict[str, int], int]
"""Where it ends, what it holds, what was counted in it, and in which turn, as a sweep's document has it."""


class SessionSweeps(Sweeps):
    """Sweeps of which a restart keeps every count and fewer bounds."""

    def document(self) -> object:
        """Give the sweeps' documents, with neighbours put together."""
        whole = super().document()
        return {name: _coarse(each) for name, each in whole.items()} if isinstance(whole, dict) else whole


def _coarse(document: dict[str, object]) -> dict[str, object]:
    """Put neighbours together, but not across the place where the turn goes on."""
    slices, at = document["slices"], document["at"]
    if not isinstance(slices, list) or not isinstance(at, int):
        return document
    size = -(-len(slices) // SLICES)
    done, ahead = list(_together(slices[:at], size)), list(_together(slices[at:], size))
    return {**document, "at": len(done), "slices": [*done, *ahead]}


def _together(slices: Sequence[Slice], size: int) -> Iterator[Slice]:
    for begin in range(0, len(slices), size):
        group = slices[begin : begin + size]
        counts: Counter[str] = Counter()
        for _, _, each, _ in group:
            counts.update(each)
        turns = [turn for *_, turn in group]
        yield group[-1][0], sum(rows for _, rows, _, _ in group), dict(counts), min(turns)
