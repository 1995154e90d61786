"""How a figure stands beside its goal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One figure and its goal."""

    what: str
    value: float
    goal: float
    unit: str

    def __str__(self) -> str:
        """Write the line of the table."""
        verdict = "OK" if self.value <= self.goal else "over"
        return f"{self.what:<58} {self.value:>9,.1f} {self.unit:<4} {self.goal:>8,.1f} {self.unit:<4}  {verdict}"


def table_head() -> str:
    """Head the columns of such lines."""
    return f"{'':<58} {'measured':>9}      {'goal':>8}"
