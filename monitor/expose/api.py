"""The JSON API's documents: what lies on the shelf, in pages, every number finite."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from monitor import __version__
from monitor.errors import UsageError
from monitor.model import Ack, Alert, State, as_document
from monitor.status import (
    Glance,
    Hours,
    IgnoreStatus,
    NotEvaluated,
    Part,
    Past,
    ProbeStatus,
    ReceiverStatus,
    TargetStatus,
    Workload,
)

T = TypeVar("T")

MOST = 500
"""Entries a page may have."""
BITE = 20
"""Findings that are written before anybody else has a turn."""

MOST_HOURS, MOST_BUCKETS = 24 * 400, 7200
"""Hours that may be asked for, and hours of all statements of a page together."""

FILTERS: Mapping[str, Callable[[Alert], str]] = {
    "target": lambda alert: alert.finding.target.server,
    "database": lambda alert: alert.finding.target.database or "",
    "rule": lambda alert: alert.finding.rule,
    "severity": lambda alert: alert.finding.severity.value,
    "status": lambda alert: alert.state.value,
}
"""What findings can be asked by."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """Which part of a list is wanted."""

    page: int = 1
    per_page: int = 100
    filters: Mapping[str, str]

    def part(self, entries: Sequence[T]) -> Sequence[T]:
        """Give the entries of one page."""
        begin, most = self.span
        return entries[begin : begin + most]

    def place(self, total: int) -> dict[str, object]:
        """Say where the page stands in a whole of so many entries."""
        return {"page": self.page, "per_page": self.per_page, "total": total}

    @property
    def span(self) -> tuple[int, int]:
        """Give how many entries stand before the page, and how many it may have."""
        return (self.page - 1) * self.per_page, self.per_page

    def told(self, name: str, part: Part) -> dict[str, object]:
        """Give one page of a list that was read by its span."""
        return {name: list(part.entries), **self.place(part.total)}

    def cut(self, name: str, entries: Sequence[T], document: Callable[[T], object]) -> dict[str, object]:
        """Give one page of a list, with where it stands in the whole."""
        return {name: [document(each) for each in self.part(entries)], **self.place(len(entries))}


def query(asked: Mapping[str, str], filters: Sequence[str] = (), *, sized: bool = True) -> Query:
    """Read a request's query; `sized`: how long a page is can be asked for, too.

    Raises UsageError, whose text is for who asked.
    """
    known = ("page", *(("per_page",) if sized else ()), *filters)
    strange = sorted(set(asked) - set(known))
    if strange:
        raise UsageError(f"no such parameter; there are: {', '.join(known)}")
    return Query(
        page=_whole(asked, "page", 1, 1_000_000),
        per_page=_whole(asked, "per_page", 100, MOST),
        filters={name: asked[name] for name in filters if name in asked},
    )


async def findings(glance: Glance, asked: Mapping[str, str], *, private: bool = False) -> bytes:
    """Give findings, worst first as the shelf has them; what lean ones said is read from the store.

    `private`: who asks may see keys of rows.
    """
    wanted = query(asked, tuple(FILTERS))
    fitting = glance.shelf.alerts()
    for name, value in wanted.filters.items():
        own = FILTERS[name]
        fitting = [alert for alert in fitting if own(alert) == value]
    written: list[bytes] = []
    for alert in await glance.handling.completed(wanted.part(fitting)):
        written.append(dump(_alert(glance, alert, private=private)))
        if len(written) % BITE == 0:
            await asyncio.sleep(0)
    return b'{"findings": [' + b", ".join(written) + b"], " + dump(wanted.place(len(fitting)))[1:]


def finding(glance: Glance, alert: Alert, past: Past, *, private: bool = False) -> bytes:
    """Give one finding with its past; `private`: who asks may see keys of rows."""
    steps = None if past.steps is None else [{**vars(step), "at": _time(step.at)} for step in past.steps]
    unknown = {"history_reason": past.reason} if past.steps is None else {}
    return dump({**_alert(glance, alert, private=private), "history": steps, **unknown})


def targets(glance: Glance, asked: Mapping[str, str]) -> bytes:
    """Give targets with their probes' newest runs."""
    return dump(query(asked).cut("targets", glance.shelf.targets(), _target))


def status(glance: Glance, asked: Mapping[str, str]) -> bytes:
    """Give how things stand in numbers, what could not be evaluated, and how the daemon itself fares."""
    shelf, handling = glance.shelf, glance.handling
    alive = [alert for alert in shelf.alerts() if alert.state is not State.RESOLVED]
    unknown = query(asked).cut("not_evaluated", shelf.not_evaluated(), _unknown)
    return dump(
        {
            "tool": {"name": "pgarchitect", "version": __version__},
            "ready": shelf.ready,
            "revision": shelf.revision,
            "targets": Counter("up" if target.up else "down" for target in shelf.targets()),
            "findings": Counter(f"{alert.state}:{alert.finding.severity}" for alert in alive),
            "store": _store(handling.store()),
            "receivers": [_receiver(each) for each in handling.receivers()],
            "ignored": [_ignored(each) for each in handling.ignores(glance.now.date())],
            **unknown,
        }
    )


async def statements(workload: Workload, asked: Mapping[str, str]) -> bytes:
    """Give the busiest statements; with `hours`, what each did in so many newest hours, the present one included."""
    wanted = query(asked, ("target", "database", "hours"))
    hours = _whole(asked, "hours", 0, MOST_HOURS, least=0)
    if hours * wanted.per_page > MOST_BUCKETS:
        raise UsageError(
            f"hours times per_page must not be more than {MOST_BUCKETS}; add per_page={MOST_BUCKETS // hours or 1}"
        )
    about = {name: value for name, value in wanted.filters.items() if name != "hours"}
    known = await workload.statements(about.get("target"))
    rows = [row for row in known if all(str(row[name]) == value for name, value in about.items())]
    page = wanted.cut("statements", rows, dict)
    if not hours:
        return dump(page)
    shown = wanted.part(rows)
    return dump({**page, **_with_hours(shown, await workload.hours(shown, hours))})


def pools(workload: Workload, asked: Mapping[str, str]) -> bytes:
    """Give slots, sessions and pools."""
    wanted = query(asked, ("target",))
    name = wanted.filters.get("target")
    rows = [row for row in workload.pools() if name in {None, row["target"]}]
    return dump(wanted.cut("pools", rows, dict))


def _with_hours(rows: Sequence[Mapping[str, object]], hours: Hours) -> dict[str, object]:
    if hours.buckets is None:
        return {"statements": [{**row, "hours": None} for row in rows], "hours_reason": hours.reason}
    pairs = zip(rows, hours.buckets, strict=True)
    return {
        "statements": [
            {**row, "hours": [{"begins": _time(each.begins), **each.figures} for each in own]} for row, own in pairs
        ]
    }


def error(text: str) -> bytes:
    """Give a failure's document."""
    return dump({"error": text})


def dump(document: Mapping[str, object]) -> bytes:
    """Write JSON; what JSON has no number for becomes null."""
    try:
        text = json.dumps(document, allow_nan=False)
    except (TypeError, ValueError):  # seldom: to look at every value first takes longer than to write them
        text = json.dumps(_finite(document), allow_nan=False)
    return text.encode()


def _alert(glance: Glance, alert: Alert, *, private: bool) -> dict[str, object]:
    silence = glance.handling.silenced_by(alert, glance.now)
    source = glance.handling.inhibited_by(alert)
    return {
        **as_document(alert.finding),
        **({"keys": list(alert.finding.keys)} if private and alert.finding.keys else {}),
        "status": alert.state.value,
        "starts_at": _time(alert.starts_at),
        "fired_at": _time(alert.fired_at),
        "last_seen": _time(alert.last_seen),
        "ends_at": _time(alert.ends_at),
        "ended_by": alert.ended_by,
        "moved_from": alert.moved_from,
        "outcome": alert.outcome and alert.outcome.value,
        "remedied_at": _time(alert.cure.at) if alert.cure else None,
        "occurrences": alert.occurrences,
        "acked": _ack(alert.acked) if alert.acked else None,
        "silenced_by": silence.id if silence else None,
        "inhibited_by": source.finding.fingerprint if source else None,
        "labels": dict(glance.shelf.labelled(alert).labels),
    }


def _ack(ack: Ack) -> dict[str, object]:
    return {"author": ack.author, "comment": ack.comment, "at": _time(ack.at)}


def _store(reason: str) -> dict[str, object]:
    return {"state": "degraded" if reason else "ok", "reason": reason}


def _receiver(receiver: ReceiverStatus) -> dict[str, object]:
    return {
        "receiver": receiver.name,
        "waiting": receiver.waiting,
        "waiting_since": _time(receiver.oldest),
        "dead_letters": receiver.dead,
        "failing": receiver.failing,
    }


def _ignored(entry: IgnoreStatus) -> dict[str, object]:
    return {**vars(entry), "until": entry.until.isoformat() if entry.until else None}


def _target(target: TargetStatus) -> dict[str, object]:
    return {
        "target": target.server,
        "kind": target.kind,
        "labels": dict(target.labels),
        "replica_of": target.replica_of,
        "up": target.up,
        "reason": target.reason,
        "since": _time(target.since),
        "server_version": target.server_version,
        "databases": list(target.databases),
        "not_applicable": [{"database": name, "rules": count} for name, count in target.not_applicable.items()],
        "own_seconds": target.own_seconds,
        "probes": [_probe(run) for run in target.probes],
    }


def _probe(run: ProbeStatus) -> dict[str, object]:
    return {
        "database": run.target.database,
        "probe": run.probe,
        "result": run.result.value,
        "reason": run.reason,
        "needs": run.needs.value if run.needs else None,
        "taken_at": _time(run.taken_at),
        "last_success": _time(run.last_success),
        "duration_seconds": run.duration_seconds,
        "rows": run.rows,
    }


def _unknown(each: NotEvaluated) -> dict[str, object]:
    return {
        "target": each.target.server,
        "database": each.target.database,
        "rule": each.rule,
        "subject": each.subject,
        "reason": each.reason,
        "needs": each.needs.value,
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _finite(value: object) -> object:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {key: _finite(each) for key, each in value.items()}
        case list() | tuple():
            return [_finite(each) for each in value]
        case _:
            return value


def _whole(asked: Mapping[str, str], name: str, default: int, most: int, *, least: int = 1) -> int:
    text = asked.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
        raise UsageError(f"{name} must be a whole number from {least} to {most}")
    return int(text)
