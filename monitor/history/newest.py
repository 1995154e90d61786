"""The newest growth of one key, reading by reading; older readings are merged, so that it stays a few numbers."""

from __future__ import annotations

from collections import deque
from operator import add
from typing import TypeAlias

Chunk: TypeAlias = tuple[float, float, tuple[float, ...]]
"""When it began and ended, by a clock that only goes forward, and how far the counters grew."""

ENOUGH = 100.0
"""Weight beyond which older readings are let go of, until somebody asks for more."""

MOST = 40
"""Chunks that are kept; more are merged."""

PART = 0.25
"""Two chunks are merged when they are no more than this part of what is newer: a stretch is longer by no more."""


class Newest:
    """The readings of one key, newest last; `place` is where the weight stands among the counters."""

    __slots__ = ("_chunks", "_enough", "_place", "_weight")

    def __init__(self, place: int) -> None:
        self._chunks: deque[Chunk] = deque()
        self._place = place
        self._weight = 0.0
        self._enough = ENOUGH

    @property
    def ended(self) -> float:
        """When the newest reading was taken in which anything grew."""
        return self._chunks[-1][1]

    @property
    def last(self) -> tuple[float, ...]:
        """How far the counters grew in the newest reading in which anything did."""
        return self._chunks[-1][2]

    def add(self, began: float, ended: float, grown: tuple[float, ...]) -> None:
        """Take the next reading in; what ended at the same moment belongs to the same one."""
        chunks, place = self._chunks, self._place
        if chunks and chunks[-1][1] == ended:
            chunks[-1] = _joined(chunks[-1], (began, ended, grown))
        else:
            chunks.append((began, ended, grown))
        self._weight += grown[place]
        if self._weight - chunks[0][2][place] >= self._enough:
            self._trim()
        if len(chunks) > MOST:
            self._merge()

    def _trim(self) -> None:
        """Let the oldest go that nobody needs."""
        chunks, place = self._chunks, self._place
        while len(chunks) > 1 and self._weight - chunks[0][2][place] >= self._enough:
            self._weight -= chunks.popleft()[2][place]

    def at_least(self, weight: float) -> Chunk | None:
        """Give the shortest stretch up to the newest reading that has so much weight; None: there is none."""
        self._enough = max(self._enough, 2 * weight)
        whole: Chunk | None = None
        for chunk in reversed(self._chunks):
            whole = chunk if whole is None else _joined(chunk, whole)
            if whole[2][self._place] >= weight:
                return whole
        return None

    def _merge(self) -> None:
        """Go from the newest to the oldest; what no merging makes room for goes."""
        place, newer = self._place, 0.0
        merged: list[Chunk] = []
        for chunk in reversed(self._chunks):
            if merged and merged[-1][2][place] + chunk[2][place] <= PART * newer:
                merged[-1] = _joined(chunk, merged[-1])
                continue
            newer += merged[-1][2][place] if merged else 0.0
            merged.append(chunk)
        self._chunks = deque(reversed(merged[: MOST * 2 // 3]))
        self._weight = sum(chunk[2][place] for chunk in self._chunks)


def _joined(older: Chunk, newer: Chunk) -> Chunk:
    return min(older[0], newer[0]), newer[1], tuple(map(add, older[2], newer[2]))
