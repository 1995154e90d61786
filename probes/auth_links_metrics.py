"""The metrics of looking at links: how far the running sweep has come, and how old the last whole look is."""

from __future__ import annotations

import time
from dataclasses import replace

from monitor.probe import Aside, Measurement, Memory, Row, Session, gauges
from probes.auth_links_reading import LinkReading, links
from probes.auth_links_ways import ASIDE, sight

SWEEP = Aside(
    name="sweep",
    labels=("link",),
    metrics=gauges(
        {
            "sweep_progress_ratio": "The share of a link's keys that the running sweep has looked at; 1: it rests.",
            "sweep_age_seconds": "Time since all keys of a link had been looked at last.",
            "new_rows_age_seconds": "Rows made longer ago than this were looked at, before the sweep came by; "
            "absent: new rows wait for the sweep, for no index leads with their time.",
            "new_users_age_seconds": "Users made longer ago than this were looked at; absent: they wait for the sweep.",
        }
    ),
)


async def asides(session: Session, memory: Memory, seen: Measurement) -> Measurement:
    """Add the sweeps' rows, from what the reading holds, and by which way each table is seen."""
    sweeps = [_row(each) for each in links(seen.rows) if each.seen is not None]
    return replace(seen, asides={SWEEP.name: sweeps, ASIDE: await sight(session, memory)})


def _row(reading: LinkReading) -> Row:
    at = reading.seen.at if reading.seen else None
    ages = reading.seen.new_ages if reading.seen else {}
    return {
        "link": reading.column.subject,
        "sweep_progress_ratio": reading.seen.progress if reading.seen else None,
        "sweep_age_seconds": None if at is None else max(0.0, time.time() - at),
        "new_rows_age_seconds": ages.get("new_keys", ages.get("new_rows")),
        "new_users_age_seconds": ages.get("new_users"),
    }
