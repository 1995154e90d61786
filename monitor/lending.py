"""Lending a session on the watched server to who plans there: under all guards, for a moment, closed afterwards."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

from monitor.planning import Planner
from monitor.probe import Session


class Lent(Session, Protocol):
    """A guarded session that is lent."""

    def within(self, seconds: float) -> None:
        """Set the time each of the next statements may take."""


Lend: TypeAlias = Callable[[], AbstractAsyncContextManager[Lent]]
"""Lends a session in the database that a shape was read from; raises TargetError where none can be had."""


class Lending(Planner, Protocol):
    """Opens plan sources, also on the watched server itself where a session is lent."""

    def beside(self, lend: Lend) -> Planner:
        """Give the same planner with sessions on one database to be had."""
