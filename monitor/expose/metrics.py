"""What the probes measured, as Prometheus reads it; a scrape joins lines that were written when the reading came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from monitor.expose.compat import Compat, renamed
from monitor.expose.own import RESERVED
from monitor.expose.series import Layout, Reading, family, layout
from monitor.expose.text import Family
from monitor.measurement import Measurement
from monitor.model import Result, Target
from monitor.probe import Probe

if TYPE_CHECKING:
    from monitor.expose.postgres_exporter.page import Page

Part: TypeAlias = tuple[str, str]
"""A probe and the aside of it, "" for its own metrics."""
Place: TypeAlias = tuple[str, str, str | None]
"""A part, and the database it was read of."""


class Exposition:
    """The probes' series of all targets; at most `limit` of each server, the rest is counted."""

    def __init__(self, *, limit: int = 2000, compat: Compat | None = None) -> None:
        self.revision = 0
        """Grows with every change of the page."""
        self.compat = compat or Compat()
        self._limit = limit
        self._layouts: dict[Part, Layout] = {}
        self._laid_out: dict[Part, Probe] = {}
        """Which probe a layout was made of, where no name became free since."""
        self._families: dict[str, Family] = {}
        self._servers: dict[str, dict[Place, Reading]] = {}
        self._left_away: Counter[str] = Counter()
        self._bodies: dict[bool, tuple[int, bytes]] = {}
        self._theirs = self._page()

    def turn_to(self, compat: Compat) -> None:
        """Give other names too from now on."""
        before, self.compat = self.compat, compat
        if compat.postgres != before.postgres:
            self._theirs = self._page()
        self.revision += 1

    def absorb(self, probe: Probe, seen: Measurement) -> None:
        """Take a reading over. One without an answer changes nothing: the age of the last tells."""
        if self._theirs:
            self._left_away[seen.target.server] += self._theirs.absorb(seen)
            self.revision += 1
        if seen.result is not Result.OK:
            return
        own, *asides = probe.parts
        self._take(own, "", seen)
        for aside, part in zip(probe.asides, asides, strict=True):
            self._take(part, aside.name, replace(seen, exposed=seen.asides.get(aside.name, ())))

    def _take(self, probe: Probe, aside: str, seen: Measurement) -> None:
        if not probe.metrics:
            return
        readings = self._servers.setdefault(seen.target.server, {})
        reading = self._reading(probe, aside, seen.target, readings)
        others = sum(each.series for each in readings.values() if each is not reading)
        reading.take(seen, self._limit - others)
        self._left_away[seen.target.server] += reading.left_away
        self.revision += 1

    def page(self, *, openmetrics: bool) -> bytes:
        """Give the text of all series, without OpenMetrics' last line; made once a revision."""
        revision, body = self._bodies.get(openmetrics, (-1, b""))
        if revision != self.revision:
            theirs = self._theirs.page(openmetrics=openmetrics) if self._theirs else b""
            body = self._joined(openmetrics=openmetrics) + theirs
            self._bodies[openmetrics] = (self.revision, body)
        return body

    def dropped(self, server: str) -> int:
        """Count the series of a server's newest readings that found no room."""
        theirs = self._theirs.dropped(server) if self._theirs else 0
        return sum(reading.left_away for reading in self._servers.get(server, {}).values()) + theirs

    def left_away(self) -> Mapping[str, int]:
        """Count by server what found no room since the start, summed over all readings."""
        return self._left_away

    def drop_target(self, server: str) -> None:
        """Forget a server that is watched no more."""
        if self._servers.pop(server, None) is not None:
            self.revision += 1
        if self._theirs:
            self._theirs.drop_target(server)
            self.revision += 1
        self._left_away.pop(server, None)

    def drop_database(self, target: Target) -> None:
        """Forget a database that is there no more."""
        if self._theirs:
            self._theirs.drop_database(target)
            self.revision += 1
        readings = self._servers.get(target.server, {})
        self._drop(readings, [key for key in readings if key[2] == target.database])

    def drop_probe(self, name: str) -> None:
        """Forget a probe that is asked no more."""
        if self._theirs:
            self._theirs.drop_probe(name)
            self.revision += 1
        for readings in self._servers.values():
            self._drop(readings, [key for key in readings if key[0] == name])
        self._laid_out.clear()
        for part in [part for part in self._layouts if part[0] == name]:
            for _, each in self._layouts.pop(part).columns:
                self._families.pop(each.name, None)

    def _page(self) -> Page | None:
        if not self.compat.postgres:
            return None
        from monitor.expose.postgres_exporter.page import Page  # noqa: PLC0415 - most who run us never need it

        return Page(self._limit)

    def _drop(self, readings: dict[Place, Reading], keys: Iterable[Place]) -> None:
        for key in keys:
            del readings[key]
            self.revision += 1

    def _reading(self, probe: Probe, aside: str, target: Target, readings: dict[Place, Reading]) -> Reading:
        shape = self._layout(probe, (probe.name, aside))
        key = (probe.name, aside, target.database)
        if key not in readings or readings[key].shape != shape:
            readings[key] = Reading(probe, target, shape)
        return readings[key]

    def _layout(self, probe: Probe, part: Part) -> Layout:
        """Lay a probe out anew only when its columns changed: counters outlive a reload of the configuration."""
        if self._laid_out.get(part) is not probe:
            self._lay_out(probe, part)
            self._laid_out[part] = probe
        return self._layouts[part]

    def _lay_out(self, probe: Probe, part: Part) -> None:
        known = self._layouts.get(part)
        own = {each.name for _, each in known.columns} if known else set()
        shape = layout(probe, RESERVED | (self._families.keys() - own))
        if shape != known:
            for name in own:
                del self._families[name]
            self._families.update({each.name: each for _, each in shape.columns})
            self._layouts[part] = shape
            self._laid_out.clear()

    def _joined(self, *, openmetrics: bool) -> bytes:
        chunks: dict[str, list[bytes]] = {name: [] for name in self._families}
        for readings in self._servers.values():
            for reading in readings.values():
                for name, chunk in reading.chunks.items():
                    chunks.setdefault(name, []).append(chunk)
        parts: list[bytes] = []
        for name, each in self._families.items():
            if chunks[name]:
                parts.extend((each.header(openmetrics=openmetrics).encode(), *chunks[name]))
                parts.extend(self._otherwise(each, chunks[name], openmetrics=openmetrics))
        return b"".join(parts)

    def _otherwise(self, family: Family, chunks: Iterable[bytes], *, openmetrics: bool) -> Iterator[bytes]:
        other = self.compat.other(family)
        if other is not None:
            yield other.header(openmetrics=openmetrics).encode()
            yield from (renamed(chunk, family, other) for chunk in chunks)


def clashes(probes: Iterable[Probe]) -> list[str]:
    """Name the metrics that two columns would export, or that are the monitor's own: only the first is shown."""
    parts = (part for probe in probes for part in probe.parts)
    names = Counter(family(part, metric).name for part in parts for metric in part.metrics)
    return sorted(name for name, count in names.items() if count > 1 or name in RESERVED)
