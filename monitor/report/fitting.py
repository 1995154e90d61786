"""How much of a long report fits into a comment on GitHub: what is worst first, whole pieces only, and what is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from monitor.model import Finding
from monitor.report import outline

MOST = 65_000
"""Characters of a report; GitHub takes 65,536, and who posts it may add a line of their own."""
PLACES, REACHED, GAPS = 12_000, 4_000, 10_000
"""Characters for the servers looked at, for their boxes on the checklist, and for what was not evaluated."""

T = TypeVar("T")
Piece = Sequence[str]
"""Lines that belong together."""


def length(lines: Iterable[str]) -> int:
    """Count the characters of lines, their ends included."""
    return sum(len(line) + 1 for line in lines)


def first(pieces: Iterable[Piece], room: int, more: Callable[[int], str]) -> Iterator[str]:
    """Give whole pieces for as long as there is room, then how many are left out."""
    rest = list(pieces)
    if sum(map(length, rest)) <= room:
        yield from (line for piece in rest for line in piece)
        return
    for place, piece in enumerate(rest):
        room -= length(piece)
        if room < 0:
            yield more(len(rest) - place)
            return
        yield from piece


def worst(findings: Sequence[Finding], room: int, write: Callable[[Finding], Piece]) -> list[Finding]:
    """Give the worst for as long as there is room for what is written of them: nothing left out is worse."""
    shown: list[Finding] = []
    for finding in sorted(findings, key=lambda each: outline.WORST_FIRST.index(each.severity)):
        room -= length(write(finding))
        if room < 0:
            break
        shown.append(finding)
    return shown
