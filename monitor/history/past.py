"""What a probe's counters did in earlier hours, and did just now: what advisors on change may ask."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

Key: TypeAlias = tuple[str, ...]
"""The values of the columns by which a probe's history is kept."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What of a probe's growth is kept, hour by hour; `weighed` over `weight` is the mean whose baseline is kept."""

    key: tuple[str, ...]
    """Columns of the exposed rows; growth of rows that agree in them is added up."""
    columns: tuple[str, ...]
    """Counters, in the order in which the store keeps them; later ones are only ever added at the end."""
    weight: str
    weighed: str
    squares: str
    """The counter of the sum of squares of what is weighed, for the spread within an hour."""
    others: str = "other"
    """What the key's last column holds in a row that sums up all that is not looked at one by one: it is not kept."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """How far one key's counters grew over a stretch of time."""

    values: Mapping[str, float]
    seconds: float
    ends_at: datetime


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What a mean used to be: median and spread (1.4826 times the median deviation) of hourly means."""

    median: float
    spread: float
    within: float
    """The standard deviation of single values around their hour's mean, as a median over the hours."""
    hours: int
    """How many hours it is of."""
    weight: float
    """How many values (calls) it is of."""
    same_hour: bool
    """True when only hours of the same time of day are in it: there was enough history for that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tide:
    """What one reading was for all keys together: how many had weight enough and a baseline, how many rose above it.

    `times`: what the second highest is of its baseline; the highest may be the one that is judged by it.
    """

    witnesses: int
    risen: int
    times: float


class History(Protocol):
    """One probe's history on one server."""

    @property
    def begins(self) -> datetime | None:
        """When the oldest hour that is kept began; None: nothing is kept."""

    def keys(self) -> Collection[Key]:
        """Give the keys that grew of late."""

    def recent(self, key: Key, at_least: float) -> Stretch | None:
        """Give the newest stretch in which `weight` grew by at least so much, the shortest such; None: there is none.

        A stretch ends with the newest reading: one that ended longer ago than the probe's window is None.
        """

    def tides(self, seconds: float) -> Sequence[Tide]:
        """Give one for each reading of the newest seconds (an hour is remembered), the newest last."""

    def baseline(self, key: Key) -> Baseline | None:
        """Give what the mean was before the present hour; None: never seen in any earlier hour."""
