"""One reading of the states of all links of a database: what their rows showed, or why they were not read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.probe import Aside, Kind, Measurement, Memory, Metric, Needs, Row, Session, sight_states
from probes.auth_links_discovery import gotrue
from probes.auth_links_known import KnownLinks
from probes.auth_links_options import AuthOptions
from probes.auth_sight import seeing, ways
from probes.auth_states_looks import Eye, Reader, States
from probes.auth_states_traits import StateReading, links_of
from probes.auth_sweep import Sweeps

STATES = {
    "malformed": "malformed",
    "duplicate": "duplicate",
    "soft_deleted": "deleted",
    "banned": "banned",
    "email_drift": "drifted",
}
"""The label of each metric, and the count it shows."""

SWEEPS = Aside(
    name="sweeps",
    labels=("link",),
    metrics=(
        Metric("sweep_progress_ratio", Kind.GAUGE, "Share of the table that was looked at before its first full turn."),
        Metric("sweep_age_seconds", Kind.GAUGE, "Seconds since the last full turn over the table ended."),
    ),
)

UNKNOWN = "probe auth_links has not looked for links yet"


async def observe(session: Session, memory: Memory, options: object) -> Sequence[Row]:
    """Read all links that probe auth_links knows; raises ProbeSkipped where there is no GoTrue."""
    if not isinstance(options, AuthOptions):
        raise TypeError(options)
    present = await gotrue(session, options)
    known = memory.server.of(KnownLinks).of(session.facts.database)
    if known is None:
        return [_no_row(UNKNOWN)]
    links = await links_of(session, options.schema, known)
    eyes, hidden = await _eyes(session, options.schema, present)
    if hidden:
        blind = [StateReading(link=link, reason=hidden, needs=Needs.RIGHTS, common=True) for link in links]
        return [row for reading in blind for row in _rows(reading)] or [_no_row(None)]
    reader = Reader(
        session=session,
        grace=options.grace,
        seconds=options.seconds_beside,
        eyes=eyes,
        sweeps=memory.of(Sweeps),
        states=memory.of(States),
        has_deletion="deleted_at" in present,
    )
    return [row for reading in await reader.all(links) for row in _rows(reading)] or [_no_row(None)]


async def detail(_session: Session, _memory: Memory, seen: Measurement) -> Measurement:
    """Show how far the sweeps are."""
    now = seen.taken_at.timestamp()
    rows = [
        {
            "link": each.column.subject,
            "sweep_progress_ratio": each.share,
            "sweep_age_seconds": None if each.turned_at is None else max(0.0, now - each.turned_at),
        }
        for each in readings(seen.rows)
        if each.counts is not None
    ]
    return replace(seen, asides={SWEEPS.name: rows})


async def _eyes(session: Session, schema: str, present: frozenset[str]) -> tuple[list[Eye], str]:
    """Give the ways that show all users, each with what hides their addresses from it."""
    needed = sorted(present.intersection(sight_states.USERS))
    able, hidden = await seeing(await ways(session, schema, sight_states.STATES.functions), schema, "users", needed)
    addresses = sorted(present.intersection(sight_states.ADDRESSES))
    return [Eye(way=way, blind=await way.hidden(schema, "users", addresses)) for way in able], hidden


def _rows(reading: StateReading) -> list[Row]:
    """Give a row for each state; the reading itself stands in the first."""
    subject = reading.column.subject
    return [
        {
            "link": subject,
            "state": state,
            "rows": None if reading.counts is None else reading.count(name),
            "reading": reading if place == 0 else None,
        }
        for place, (state, name) in enumerate(STATES.items())
    ]


def _no_row(reason: str | None) -> Row:
    """Give a row that shows no number; the reason why no link is known."""
    return {"link": "", "state": "", "rows": None, "reading": reason}


def unknown(rows: Sequence[Row]) -> bool:
    """Tell whether nobody has looked for links yet."""
    return any(row["reading"] == UNKNOWN for row in rows)


def readings(rows: Sequence[Row]) -> list[StateReading]:
    """Give the links of a reading."""
    return [reading for row in rows if isinstance(reading := row["reading"], StateReading)]
