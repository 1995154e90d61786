"""The histories of all probes that keep one, on all servers: fed by the desk, written and read back in rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import structlog

from monitor.collect.runner import Clock
from monitor.errors import StoreError
from monitor.history.earlier import HOUR_SECONDS, hour_of
from monitor.history.past import History
from monitor.history.record import Record
from monitor.history.trail import Trails
from monitor.history.trends import Keeping
from monitor.measurement import Measurement
from monitor.model import Alert, Server
from monitor.probe import Probe
from monitor.store.hours import StoredHours

log = structlog.get_logger()

PAUSE_SECONDS, MENDING_SECONDS = 10.0, 60.0
"""The least time between two rounds, and after one that failed."""

MONTH = 30 * 86400.0

Place: TypeAlias = tuple[str, str]
"""A server and a probe."""


class Recorder:
    """Takes growth in; `retention` says for how many seconds hours are kept."""

    def __init__(self, clock: Clock, alerts: Callable[[], Sequence[Alert]] = tuple) -> None:
        """Take the alerts whose numbers are followed, as they are at the moment."""
        self._alerts = alerts
        self.retention = MONTH
        self._clock = clock
        self.trends, self.trails = Keeping(clock), Trails(clock)
        self._records: dict[Place, Record] = {}
        self._ended: set[str] = set()
        self._next_at = clock.monotonic()
        self._forgot: int | None = None

    @property
    def histories(self) -> Mapping[Place, History]:
        """Give what is kept, by server and probe."""
        return self._records

    def take(self, server: Server, probe: Probe, seen: Measurement) -> None:
        """Add up what grew since the reading before."""
        self.trends.take(server, probe, seen)
        if probe.history is None or seen.exposed is None or seen.grown is None:
            return
        place = (server.name, probe.name)
        record = self._records.get(place)
        if record is None or record.kept != probe.history:
            record = self._records[place] = Record(server, probe, probe.history, self._clock)
        self._ended.discard(server.name)
        record.server = server
        record.take(seen.exposed, seen.grown_seconds, seen.taken_at)

    def end_server(self, name: str) -> None:
        """Let a server's histories go, when they are written."""
        self._ended.add(name)
        self.trends.end_server(name)

    def write_all(self) -> None:
        """Count everything as unwritten: the store may be a new one."""
        self.trends.write_all()
        self.trails.write_all()
        for record in self._records.values():
            record.write_all()

    def due(self) -> bool:
        """Tell whether it is time for a round."""
        if self._clock.monotonic() < self._next_at:
            return False
        present = hour_of(self._clock.now())
        return (
            bool(self._ended)
            or any(each.due(present) for each in self._records.values())
            or self.trends.due()
            or self.trails.due()
        )

    async def round(self, stored: StoredHours) -> None:
        """Write, and look up, what is due; while the store cannot be used, it waits."""
        present = hour_of(self._clock.now())
        self._next_at = self._clock.monotonic() + PAUSE_SECONDS
        try:
            for place, record in list(self._records.items()):
                if record.due(present) or place[0] in self._ended:
                    await self._turn(record, stored, present)
            await self.trends.round(stored)
            await self.trails.round(self._alerts(), stored)
            await self._forget(stored, present)
        except StoreError as error:
            self._next_at = self._clock.monotonic() + MENDING_SECONDS
            log.debug("history waits", reason=str(error))

    async def write(self, stored: StoredHours) -> None:
        """Write all there is, at the end; what cannot be written is lost."""
        present = hour_of(self._clock.now())
        try:
            for record in self._records.values():
                await record.write(stored, present)
            await self.trends.write(stored)
            await self.trails.write(stored)
        except StoreError as error:
            log.warning("the newest history could not be written", reason=str(error))

    async def _turn(self, record: Record, stored: StoredHours, present: int) -> None:
        name = record.server.name
        if name in self._ended or record.unwritten(present):
            await record.write(stored, present)
        if name in self._ended:
            self._records.pop((name, record.probe), None)
            self._ended &= {server for server, _ in self._records}
            return
        await record.look_up(stored, present, present - int(self.retention // HOUR_SECONDS))

    async def _forget(self, stored: StoredHours, present: int) -> None:
        """Delete what is too old, once an hour."""
        if self._forgot != present:
            await stored.forget(present - int(self.retention // HOUR_SECONDS))
            self._forgot = present
