"""What statements do and did, pools and indexes, as pages and API show them: from memory and our own store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter

from monitor.daemon.desk import Desk
from monitor.errors import StoreError
from monitor.history.earlier import LOOKED_UP, beginning, bites, hour_of
from monitor.history.past import Key
from monitor.measurement import Measurement
from monitor.model import Target
from monitor.probe import Probe
from monitor.report.compose import listed
from monitor.status import Bucket, Hours
from monitor.store.hours import Hour, StoredHours

STATEMENTS = "statements"
"""The probe, and the report's list that its rows are in."""
INDEXES = "indexes"
"""The probe, and the list that its rows are in."""
WORDY = frozenset({STATEMENTS, INDEXES, "tables"})
"""Probes whose lists are long, and name no pool."""
TOGETHER = 20
"""Servers whose rows are written before anybody else has a turn."""


class DaemonWorkload:
    """The daemon's answer to `monitor.status.Workload`; `probes` gives those that are asked at present."""

    def __init__(self, desk: Desk, stored: StoredHours, probes: Callable[[], Mapping[str, Probe]]) -> None:
        self._desk, self._stored, self._probes = desk, stored, probes
        self._rows: dict[Target, tuple[Measurement, Sequence[Mapping[str, object]]]] = {}

    @property
    def window(self) -> float:
        """Give the seconds that the figures are of."""
        probe = self._probes().get(STATEMENTS)
        return probe.window if probe else 0.0

    async def statements(self, target: str | None = None) -> Sequence[Mapping[str, object]]:
        """Give the busiest statements of one server or of all, by the time they took; others have their turn between.

        A reading is put into rows once, when somebody wants to see it.
        """
        readings = [
            (key[0], seen)
            for key, seen in list(self._desk.newest.items())
            if seen.probe == STATEMENTS and target in {None, key[0].server}
        ]
        rows: list[Mapping[str, object]] = []
        for place, (of, seen) in enumerate(readings, 1):
            rows += self._rows_of(of, seen)
            if place % TOGETHER == 0:
                await asyncio.sleep(0)
        if target is None:
            self._rows = {of: self._rows[of] for of, _ in readings if of in self._rows}
        return sorted(rows, key=itemgetter("total_seconds"), reverse=True)

    def _rows_of(self, target: Target, seen: Measurement) -> Sequence[Mapping[str, object]]:
        kept = self._rows.get(target)
        standing = self._desk.shelf.servers.get(target.server)
        if standing is None:
            return ()
        if kept is None or kept[0] is not seen:
            kept = self._rows[target] = (seen, listed([standing], [seen])[STATEMENTS])
        return kept[1]

    def pools(self) -> Sequence[Mapping[str, object]]:
        """Give slots, sessions and pools of all servers, as the snapshot lists them."""
        servers = self._desk.shelf.servers
        readings = [
            seen for seen in self._desk.newest.values() if seen.probe not in WORDY and seen.target.server in servers
        ]
        return listed(list(servers.values()), readings)["pools"]

    def indexes(self, target: str) -> Sequence[Mapping[str, object]]:
        """Give the indexes of one server as they were read last."""
        standing = self._desk.shelf.servers.get(target)
        if standing is None:
            return ()
        readings = [seen for of, seen in self._desk.newest.items() if seen.probe == INDEXES and of[0].server == target]
        return listed([standing], readings)[INDEXES]

    async def hours(self, statements: Sequence[Mapping[str, object]], count: int) -> Hours:
        """Give the newest hours of some of them, each oldest first, in the same order."""
        probe = self._probes().get(STATEMENTS)
        columns = probe.history.columns if probe and probe.history else ()
        present = hour_of(self._desk.clock.now())
        found: dict[tuple[str, Key], list[Hour]] = {}
        wanted = [(str(row["target"]), (str(row["database"]), str(row["statement"]))) for row in statements]
        try:
            for keys in bites(dict.fromkeys(wanted), LOOKED_UP):
                found |= await self._stored.of_many(STATEMENTS, keys, range(present - count + 1, present + 1))
        except StoreError as error:
            return Hours(buckets=None, reason=str(error))
        return Hours(buckets=[[_bucket(hour, columns) for hour in found.get(each, ())] for each in wanted])


def _bucket(hour: Hour, columns: Sequence[str]) -> Bucket:
    number, figures = hour
    return Bucket(begins=beginning(number), figures=dict(zip(columns, figures, strict=False)))
