"""The trends of all targets, fed by the recorder: kept in memory for three hours, written to the store in rounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from monitor.collect.runner import Clock
from monitor.errors import StoreError
from monitor.history.earlier import LOOKED_UP, bites, hour_of
from monitor.history.past import Key
from monitor.history.strand import Plan, Strand
from monitor.history.trend import Course, Line
from monitor.measurement import Measurement
from monitor.model import Result, Server, Target
from monitor.probe import Probe
from monitor.store.hours import StoredHours

WRITE_SECONDS = 900.0
"""How often the present hour is written; a crash loses no more of it, an orderly end nothing."""

Place = tuple[Target, str]
"""Of whom, and the trend's whole name."""


class Keeping:
    """What is kept of all targets."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._strands: dict[Place, Strand] = {}
        self._ended: set[str] = set()
        self._written_at = clock.monotonic()

    def take(self, server: Server, probe: Probe, seen: Measurement) -> None:
        """Take a reading in, of a probe that declares trends."""
        if not probe.trends or seen.result is not Result.OK:
            return
        self._ended.discard(server.name)
        at = self._clock.monotonic()
        for trend in probe.trends:
            plan = Plan(target=seen.target, probe=probe.name, trend=trend, every=max(trend.every, probe.every))
            place = (seen.target, plan.name)
            strand = self._strands.get(place)
            if strand is None or strand.plan != plan:
                strand = self._strands[place] = Strand(plan)
            strand.take(server, seen, at)

    def end_server(self, name: str) -> None:
        """Let a server's trends go, once they are written."""
        self._ended.add(name)

    def write_all(self) -> None:
        """Count everything as unwritten."""
        for strand in self._strands.values():
            strand.write_all()

    def due(self) -> bool:
        """Tell whether there is something to write by now."""
        return bool(self._ended) or any(True for _ in self._due(hour_of(self._clock.now())))

    def _due(self, present: int) -> Iterator[Strand]:
        late = self._clock.monotonic() - self._written_at >= WRITE_SECONDS
        for strand in self._strands.values():
            if strand.unwritten(present) or (strand.changed and (late or strand.plan.target.server in self._ended)):
                yield strand

    async def round(self, stored: StoredHours) -> None:
        """Write what is due; raises StoreError, and the rest waits."""
        present = hour_of(self._clock.now())
        for strand in list(self._due(present)):
            await strand.write(stored, present)
        if self._clock.monotonic() - self._written_at >= WRITE_SECONDS:
            self._written_at = self._clock.monotonic()
        self._strands = {place: each for place, each in self._strands.items() if not self._is_over(place, each)}
        self._ended &= {target.server for target, _ in self._strands}

    def _is_over(self, place: Place, strand: Strand) -> bool:
        """Tell whether nobody will see it any more: its server was left, or its probe or database, for hours."""
        left = place[0].server in self._ended or strand.rests(self._clock.monotonic())
        return left and not strand.changed

    async def write(self, stored: StoredHours) -> None:
        """Write all there is, at the end; raises StoreError."""
        present = hour_of(self._clock.now())
        for strand in list(self._strands.values()):
            await strand.write(stored, present)

    def lines(self, trend: str, server: str | None = None) -> Sequence[Line]:
        """Give the newest of every key of a trend, of one server or of all."""
        chosen = (
            strand
            for (target, name), strand in self._strands.items()
            if name == trend and server in {None, target.server}
        )
        return [line for strand in chosen for line in strand.lines()]

    def strand(self, line: Line) -> Strand | None:
        """Give what keeps a line."""
        return self._strands.get((Target(line.server, line.database), line.trend))

    async def courses(self, stored: StoredHours, lines: Sequence[Line], hours: int) -> Mapping[tuple[int, str], Course]:
        """Give the newest hours of every figure of some lines; where the store cannot be read, what memory holds."""
        present = hour_of(self._clock.now())
        span = range(present - hours + 1, present + 1)
        found: dict[tuple[int, str], Course] = {}
        for (trend, server), places in _grouped(lines).items():
            held, reason = await _held(stored, trend, server, [_stored_key(lines[place]) for place in places], span)
            for place in places:
                line = lines[place]
                strand = self.strand(line)
                own = held.get(_stored_key(line), {})
                for column in strand.plan.trend.columns if strand else ():
                    points = strand.past(line, column, own, hours) if strand else ()
                    found[place, column] = Course(points=points, reason=reason)
        return found


def _grouped(lines: Sequence[Line]) -> Mapping[tuple[str, str], list[int]]:
    places: dict[tuple[str, str], list[int]] = {}
    for place, line in enumerate(lines):
        places.setdefault((line.trend, line.server), []).append(place)
    return places


def _stored_key(line: Line) -> Key:
    return (line.database or "", *line.key.values())


async def _held(
    stored: StoredHours, trend: str, server: str, keys: Sequence[Key], span: range
) -> tuple[Mapping[Key, Mapping[int, tuple[float, ...]]], str]:
    """Read the store's hours; if that cannot be, give why."""
    held: dict[Key, Mapping[int, tuple[float, ...]]] = {}
    try:
        for part in bites(keys, LOOKED_UP):
            of = await stored.of(server, trend, part, span)
            held |= {key: dict(hours) for key, hours in of.items()}
    except StoreError as error:
        return held, str(error)
    return held, ""
