"""What the daemon's store holds of a report's rows and findings over time, for `snapshot --store --format html`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitor.config.load import Config
from monitor.draw.evidence import HOURS as MONTH
from monitor.errors import StoreError
from monitor.history.earlier import LOOKED_UP, beginning, bites, hour_of
from monitor.history.past import Key
from monitor.history.strand import points_of
from monitor.history.trail import EVIDENCE, held
from monitor.history.trend import Course, Point
from monitor.report.listing import ROWS
from monitor.report.review import Review
from monitor.report.traced import HOURS, SHOWN, STATEMENTS, Line, Traced, line_of
from monitor.status import Bucket
from monitor.store.engine import Store
from monitor.store.hours import Hour, StoredHours

CHARTED = 50
"""Findings whose number is charted, the worst."""


async def traced(config: Config, review: Review) -> Traced:
    """Read what was kept of what the report shows; where the store cannot be read, nothing was."""
    try:
        store = await Store.look_into(config.store_url.reveal())
    except StoreError:
        return Traced()
    try:
        return await _read(StoredHours(store), config, review)
    except StoreError:
        return Traced()
    finally:
        await store.close()


async def _read(stored: StoredHours, config: Config, review: Review) -> Traced:
    rows = [*review.statements[:ROWS], *review.pools[:ROWS], *review.tables[:ROWS]]
    lines = [line for row in rows if (line := line_of(row)) is not None]
    present = hour_of(review.generated_at)
    hours = await _hours(stored, lines, range(present - HOURS + 1, present + 1))
    return Traced(
        statements={line: _buckets(config, of) for line, of in hours.items() if line[0] == STATEMENTS},
        gauges={line: _points(config, line[0], of) for line, of in hours.items() if line[0] in SHOWN},
        findings=await _findings(stored, review, present),
    )


async def _hours(stored: StoredHours, lines: Sequence[Line], span: range) -> Mapping[Line, Sequence[Hour]]:
    found: dict[Line, Sequence[Hour]] = {}
    for name in dict.fromkeys(name for name, _, _ in lines):
        for keys in bites([(server, key) for each, server, key in lines if each == name], LOOKED_UP):
            of = await stored.of_many(name, keys, span)
            found |= {(name, server, key): hours for (server, key), hours in of.items()}
    return found


def _buckets(config: Config, hours: Sequence[Hour]) -> list[Bucket]:
    history = config.catalog.probes[STATEMENTS].history
    columns = history.columns if history else ()
    return [
        Bucket(begins=beginning(hour), figures=dict(zip(columns, figures, strict=False))) for hour, figures in hours
    ]


def _points(config: Config, name: str, hours: Sequence[Hour]) -> Sequence[Point]:
    """Give the course of the first column that is known."""
    probe, _, short = name.partition(".")
    columns = next(trend.columns for trend in config.catalog.probes[probe].trends if trend.name == short)
    every = (points_of(dict(hours), columns.index(column)) for column in SHOWN[name])
    return next((points for points in every if points), ())


async def _findings(stored: StoredHours, review: Review, present: int) -> Mapping[str, Course]:
    """Give the main numbers of the worst findings that the ledger knows."""
    known = [finding for finding in review.findings if finding.fingerprint in review.known][:CHARTED]
    keys: list[tuple[str, Key]] = [(finding.target.server, (finding.fingerprint,)) for finding in known]
    found: dict[str, Course] = {}
    for part in bites(keys, LOOKED_UP):
        of = await stored.of_many(EVIDENCE, part, range(present - MONTH + 1, present + 1))
        found |= {fingerprint: Course(points=held(hours)) for (_, (fingerprint,)), hours in of.items()}
    return found
