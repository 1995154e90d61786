"""The sweeps of one database's links: what they may cost together, and what of them outlives a restart."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from probes.auth_links_discovery import Column, Place
from probes.auth_links_sweep import LinkSweep

FIRST_SECONDS = 3.0
"""A first look may take so long, so that it has something to say."""
MOST_SECONDS = 5.0


class LinkSweeps:
    """All sweeps of a database, and when they last ran."""

    def __init__(self) -> None:
        self._sweeps: dict[Place, LinkSweep] = {}
        self._ran_at: float | None = None

    def known(self, column: Column) -> LinkSweep | None:
        """Give a link's sweep, if it ever was swept."""
        return self._sweeps.get(column.place)

    def of(self, column: Column, ways: Sequence[str]) -> LinkSweep:
        """Give a link's sweep that goes these ways; one that went others begins anew."""
        known = self._sweeps.get(column.place)
        if known is None or tuple(known.ways) != tuple(ways):
            known = self._sweeps[column.place] = LinkSweep(ways)
        return known

    def drop(self, column: Column) -> None:
        """Forget a link that is small enough to be looked at whole."""
        self._sweeps.pop(column.place, None)

    def only(self, columns: Sequence[Column]) -> None:
        """Forget the links that are there no more."""
        present = {column.place for column in columns}
        self._sweeps = {place: sweep for place, sweep in self._sweeps.items() if place in present}

    def seconds(self, duty: float) -> float:
        """Give what all of them may take now, `duty` of the time since they last ran."""
        now, before = time.monotonic(), self._ran_at
        self._ran_at = now
        return FIRST_SECONDS if before is None else min(duty * (now - before), MOST_SECONDS)

    def document(self) -> object:
        """Give all sweeps, as JSON has it."""
        return [[list(place), sweep.document()] for place, sweep in self._sweeps.items()] or None

    def restore(self, document: object) -> None:
        """Go on from a document."""
        if not isinstance(document, list):
            raise TypeError(document)
        for (schema, table, column), each in document:
            if isinstance(each, Mapping):
                self._sweeps[str(schema), str(table), str(column)] = LinkSweep.restored(each)
