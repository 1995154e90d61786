"""Replication from both ends: a sender's standbys and slots; a standby's lag, pause and conflicts; subscriptions.

How far a standby lags in seconds is told by where the server was at earlier readings (replication_past.py); the
server's own figures freeze when a standby stops to answer.
Cost: three to five questions to views of a few rows each, together about two milliseconds.
"""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from monitor.probe import (
    Aside,
    Measurement,
    Memory,
    Probe,
    Row,
    Scope,
    Session,
    counters,
    gauges,
    number,
    of_kind,
)
from probes.replication_lost import StandbyLost
from probes.replication_past import Idle, Positions, Receiver, Standbys, known_as
from probes.replication_rules import Lag
from probes.replication_slot_rules import RecoveryMisfit, Slot
from probes.replication_sql import CONFLICTS, SERVER, SLOTS, STANDBYS, SUBSCRIPTIONS

COUNTED = ("conflicts", "spilled_bytes", "spilled_transactions", "apply_errors", "sync_errors")
KEY = ("kind", "name", "part")
NOTHING: Row = {"part": "", **dict.fromkeys(COUNTED, 0.0)}

SYNCHRONOUS = re.compile(r"\s*(?:(?:first|any)\s+)?(\d+)\s*\(", re.IGNORECASE)
NOT_WAITING = ("off", "local")
TABLE_SYNC = re.compile(r"pg_\d+_sync_\d+_\d+")
"""The slot, and the name, of a subscription's worker while it copies a table at first."""


async def observe(session: Session, memory: Memory, _options: object) -> Sequence[Row]:
    """Ask all that applies to this server; one row a thing, told apart by its `kind`."""
    (server,) = await session.fetch(SERVER)
    found = [row async for row in _parts(session, memory, server)]
    return [{**NOTHING, **row} for row in found]


async def _parts(session: Session, memory: Memory, server: Row) -> AsyncIterator[Row]:
    at, here = number(server, "at"), number(server, "position")
    own = _own(memory, server)
    senders = [
        {**row, "backup": row["backup"] or _copies(row["application"])} for row in await session.fetch(STANDBYS, here)
    ]
    standbys, sent = memory.of(Standbys), memory.of(_Sent)
    sent.note(at, here, recovering=server["in_recovery"])
    there = list(standbys.note(senders, at))
    blocked = standbys.blocked(at, now=_waits(server, there))
    yield {"kind": "server", "name": "", **own, "blocked_seconds": blocked, "standbys": len(there)}
    for row in there:
        yield {"kind": "standby", "part": row["slot"], **row, **_lags(sent, row)}
    for row in standbys.lost(at):
        yield {"kind": "lost", **row, "blocked_seconds": blocked}
    for row in await session.fetch(SLOTS, here):
        yield {"kind": "slot", "name": row["slot"], **row, "limit_bytes": server["slot_limit_bytes"]}
    if server["in_recovery"]:
        (causes,) = await session.fetch(CONFLICTS)
        for cause, count in causes.items():
            yield {"kind": "conflict", "name": cause, "cause": cause, "conflicts": count}
    if server["subscriptions"]:
        rows = await session.fetch(SUBSCRIPTIONS[14 if session.facts.major == 14 else 15])  # noqa: PLR2004
        for row in memory.of(Idle).note(rows, at):
            yield {"kind": "subscription", "name": row["subscription"], "part": row["database"], **row}


def _copies(name: object) -> bool:
    """Tell by its name who copies a table, and is gone when that is done."""
    return TABLE_SYNC.fullmatch(str(name)) is not None


class _Sent(Positions):
    """Where the WAL that is sent on was."""


class _Received(Positions):
    """Where the WAL was that a standby knew of."""


def _own(memory: Memory, server: Row) -> Row:
    """Add what a standby knows of its own lag; on a primary there is none."""
    if not server["in_recovery"]:
        return {**server, **dict.fromkeys(("lag_bytes", "lag_seconds", "deaf_seconds", "replay_paused", "known_as"))}
    at, replayed = number(server, "at"), number(server, "replayed")
    known = max(number(server, "position"), number(server, "announced") if server["announced"] is not None else 0)
    received = memory.of(_Received)
    received.note(at, known, recovering=True)
    return {
        **server,
        "lag_bytes": max(known - replayed, 0),
        "lag_seconds": received.lag(replayed, server["transaction_age"]),
        "deaf_seconds": memory.of(Receiver).deaf_seconds(server),
        "known_as": known_as(server),
        "replay_paused": int(server["pause_state"] == "paused"),
    }


def _lags(sent: Positions, row: Row) -> Row:
    """Give a standby's lags in seconds: the server's own is exact while the standby answers, and freezes later."""
    return {
        "lag_seconds": sent.lag(row["replayed"], row["measured_lag_seconds"]),
        "received_lag_seconds": sent.lag(row["flushed"]),
    }


def _waits(server: Row, there: Sequence[Row]) -> bool:
    """Tell whether commits wait for standbys that are not there."""
    names = str(server["synchronous_names"]).strip()
    if not names or server["in_recovery"] or server["synchronous_commit"] in NOT_WAITING:
        return False
    wanted = SYNCHRONOUS.match(names)
    found = sum(int(number(row, "synchronous")) for row in there)
    return found < (int(wanted.group(1)) if wanted else 1) and not any(row["hidden"] for row in there)


async def detail(_session: Session, _memory: Memory, seen: Measurement) -> Measurement:
    """Sort what is exported by its labels; counters are growth."""
    grown = {tuple(row[name] for name in KEY): row for row in seen.grown or ()}

    def of(kind: str) -> list[Row]:
        return [{**row, **_growth(grown.get(tuple(row[name] for name in KEY)))} for row in of_kind(seen.rows, kind)]

    slots = [row for row in of("slot") if not _copies(row["slot"])]
    senders = [row for row in of("standby") if not _copies(row["slot"])]
    asides: dict[str, Sequence[Row]] = {
        STANDBY.name: [_standby(row) for row in senders if not row["hidden"]],
        SLOT.name: [_slot(row) for row in slots],
        CONFLICT.name: of("conflict"),
        SUBSCRIPTION.name: [{**row, "subscription_workers": row["workers"]} for row in of("subscription")],
    }
    return replace(seen, exposed=of("server"), asides=asides)


def _growth(row: Row | None) -> Row:
    return {name: row[name] if row else 0.0 for name in COUNTED}


def _standby(row: Row) -> Row:
    """Name a standby's columns for the exporter."""
    return {
        **{name: row[name] for name in ("application", "slot", "sent_lag_bytes", "write_lag_bytes", "flush_lag_bytes")},
        **{name: row[name] for name in ("replay_lag_bytes", "write_lag_seconds", "flush_lag_seconds")},
        "standby_lag_seconds": row["lag_seconds"],
        "standby_streaming": row["streaming"],
        "standby_synchronous": row["synchronous"],
    }


def _slot(row: Row) -> Row:
    """Name a slot's columns for the exporter."""
    return {
        **row,
        "slot_active": int(bool(row["active"])),
        "slot_retained_bytes": row["retained_bytes"],
        "slot_safe_bytes": row["safe_bytes"],
        "slot_lost": int(row["wal_status"] == "lost"),
        "slot_inactive_seconds": None if row["active"] else row["inactive_seconds"],
    }


STANDBY = Aside(
    name="standby",
    labels=("application", "slot"),
    metrics=gauges(
        {
            "sent_lag_bytes": "WAL that was not sent to the standby yet.",
            "write_lag_bytes": "WAL that the standby has not written yet.",
            "flush_lag_bytes": "WAL that the standby has not flushed yet.",
            "replay_lag_bytes": "WAL that the standby has not replayed yet.",
            "write_lag_seconds": "Time until the standby wrote what was committed last, as the server measured it.",
            "flush_lag_seconds": "Time until the standby flushed what was committed last, as the server measured it.",
            "standby_lag_seconds": "How long ago the server was where the standby is now.",
            "standby_streaming": "Standbys of this name that stream.",
            "standby_synchronous": "Standbys of this name that commits wait for.",
        }
    ),
)
SLOT = Aside(
    name="slot",
    labels=("slot", "slot_type"),
    metrics=(
        *gauges(
            {
                "slot_active": "1 while somebody reads from the slot.",
                "slot_retained_bytes": "WAL that is kept for the slot.",
                "slot_safe_bytes": "WAL that may be written until the slot can be lost; absent without a limit.",
                "slot_lost": "1 when WAL that the slot needs is gone.",
                "slot_inactive_seconds": "For how long nobody has read from the slot (PostgreSQL 17 on).",
                "xmin_age_transactions": "Age of the oldest row version that the slot keeps.",
                "catalog_xmin_age_transactions": "Age of the oldest row version of the catalogue that the slot keeps.",
            }
        ),
        *counters(
            {
                "spilled_bytes": "Decoded changes that were written to disk.",
                "spilled_transactions": "Transactions whose decoded changes were written to disk.",
            }
        ),
    ),
)
CONFLICT = Aside(
    name="conflict",
    labels=("cause",),
    metrics=counters({"conflicts": "Queries on this standby that were cancelled by recovery."}),
)
SUBSCRIPTION = Aside(
    name="subscription",
    labels=("database", "subscription"),
    metrics=(
        *gauges({"subscription_workers": "Workers that apply the subscription: 0 when it is disabled or fails."}),
        *counters(
            {
                "apply_errors": "Errors while changes were applied (PostgreSQL 15 on).",
                "sync_errors": "Errors while tables were copied at first (PostgreSQL 15 on).",
            }
        ),
    ),
)

PROBE = Probe(
    name="replication",
    scope=Scope.SERVER,
    every=15,
    window=600,
    observe=observe,
    detail=detail,
    key=KEY,
    counts=COUNTED,
    metrics=gauges(
        {
            "standbys": "Names of standbys and subscribers that are connected.",
            "lag_bytes": "WAL that this standby knows of and has not replayed.",
            "lag_seconds": "How long this standby has known of WAL that it has not replayed.",
            "deaf_seconds": "How long this standby has heard nothing from its primary.",
            "replay_paused": "1 while the replay of this standby is paused.",
        }
    ),
    asides=(STANDBY, SLOT, CONFLICT, SUBSCRIPTION),
    rules=(Lag(), StandbyLost(), Slot(), RecoveryMisfit()),
)
