"""The page of their names: lines made once a reading; beyond the limit of a server the table's last are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import TypeAlias

from monitor.expose.postgres_exporter.table import COLLECTORS, PROBES
from monitor.expose.postgres_exporter.words import Collector, Sample, Theirs, counter
from monitor.expose.text import label_set, label_value, number_text
from monitor.measurement import Measurement
from monitor.model import Result, Target

Place: TypeAlias = tuple[int, str | None]
"""A collector by its place in the table, and the database it was read of."""
Line: TypeAlias = tuple[str, str]
"""A metric's name and a sample line of it."""

SCRAPES = counter("pg_exporter_scrapes_total", "", "Readings taken of the server for these names.")


class Lot:
    """One collector's lines of one reading, and those of them for which there is room."""

    def __init__(self, lines: Sequence[Line] = (), further: int = 0) -> None:
        self.chunks: Mapping[str, bytes] = {}
        self.shown = -1
        self._lines, self._further = lines, further

    def fit(self, room: int) -> int:
        """Show at most so many lines; gives how many are."""
        shown = max(0, min(room, len(self._lines)))
        if shown != self.shown:
            self.shown = shown
            texts: dict[str, list[str]] = {}
            for name, line in self._lines[:shown]:
                texts.setdefault(name, []).append(line)
            self.chunks = {name: "".join(each).encode() for name, each in texts.items()}
        return shown

    @property
    def left_away(self) -> int:
        """Count the lines without room."""
        return len(self._lines) + self._further - self.shown


class Page:
    """What was read of all servers, under their names; as with theirs, what has no answer now has no series."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lots: dict[str, dict[Place, Lot]] = {}
        self._metrics: dict[str, Theirs] = {SCRAPES.name: SCRAPES}
        self._readings: Counter[str] = Counter()

    def absorb(self, seen: Measurement) -> int:
        """Take a reading over; gives how many of its series found no room."""
        if seen.probe not in PROBES:
            return 0
        server, database = seen.target.server, seen.target.database
        self._readings[server] += 1
        if seen.result is Result.UNREACHABLE and database is None:
            self._lots.pop(server, None)
            return 0
        lots = self._lots.setdefault(server, {})
        mine = [(rank, database) for rank, each in enumerate(COLLECTORS) if each.probe == seen.probe]
        for place in mine:
            lots[place] = self._lot(COLLECTORS[place[0]], seen) if seen.result is Result.OK else Lot()
        room = self._limit
        for place in sorted(lots, key=_order):
            room -= lots[place].fit(room)
        return sum(lots[place].left_away for place in mine)

    def page(self, *, openmetrics: bool) -> bytes:
        """Give the text of all series, metric by metric."""
        chunks: dict[str, list[bytes]] = {}
        for lots in self._lots.values():
            for lot in lots.values():
                for name, chunk in lot.chunks.items():
                    chunks.setdefault(name, []).append(chunk)
        if chunks:
            chunks[SCRAPES.name] = [_scrapes(server, self._readings[server]) for server in self._lots]
        parts: list[bytes] = []
        for name in sorted(chunks):
            parts.extend((self._metrics[name].header(openmetrics=openmetrics).encode(), *chunks[name]))
        return b"".join(parts)

    def dropped(self, server: str) -> int:
        """Count the series of a server that have no room at present."""
        return sum(lot.left_away for lot in self._lots.get(server, {}).values())

    def drop_target(self, server: str) -> None:
        """Forget a server."""
        self._lots.pop(server, None)
        self._readings.pop(server, None)

    def drop_database(self, target: Target) -> None:
        """Forget what was read of a database itself."""
        self._drop(lambda server, place: (server, place[1]) == (target.server, target.database))

    def drop_probe(self, name: str) -> None:
        """Forget what a probe read."""
        self._drop(lambda _, place: COLLECTORS[place[0]].probe == name)

    def _drop(self, gone: Callable[[str, Place], bool]) -> None:
        for server, lots in self._lots.items():
            self._lots[server] = {place: lot for place, lot in lots.items() if not gone(server, place)}

    def _lot(self, collector: Collector, seen: Measurement) -> Lot:
        """Write no more lines than there could ever be room for."""
        target = f'target="{label_value(seen.target.server)}"'
        samples = _merged(sample for row in seen.rows for sample in collector.samples(row))
        lines: list[Line] = []
        for metric, labels, value in islice(samples, self._limit):
            self._metrics.setdefault(metric.name, metric)
            own = f"{target},{labels}" if labels else target
            lines.append((metric.name, f"{metric.name}{{{own}}} {number_text(value)}\n"))
        return Lot(lines, len(samples) - len(lines))


def _merged(samples: Iterable[Sample]) -> Collection[Sample]:
    """Put together what would stand on the page twice."""
    found: dict[tuple[str, str], Sample] = {}
    for sample in samples:
        key = sample.metric.name, sample.labels
        other = found.get(key)
        merged = sample if other is None else sample._replace(value=sample.metric.merge((other.value, sample.value)))
        found[key] = merged
    return found.values()


def _order(place: Place) -> tuple[int, str]:
    return place[0], place[1] or ""


def _scrapes(server: str, readings: int) -> bytes:
    return f"{SCRAPES.name}{label_set([('target', label_value(server))])} {readings}\n".encode()
