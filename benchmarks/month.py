"""Thirty days in the store: one hour of everything as the recorder writes it, then copied into all hours before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from benchmarks.fleet import DATABASES, Size, statement, steps_of
from benchmarks.fleet_readings import keys, places
from monitor.history.earlier import bites, hour_of
from monitor.history.past import Key
from monitor.history.trail import EVIDENCE
from monitor.model import Alert, Server
from monitor.notice import Notice
from monitor.probe import Probe
from monitor.store.engine import Store
from monitor.store.hours import StoredHours
from monitor.store.ledger_book import StoredLedger
from monitor.store.records import AuditEntry, LedgerWrite, OutboxEntry, OutboxState, SilenceRow, Transition

AUDITED, LETTERS, SILENCES, TOLD = 10_000, 500, 50, 20
TOGETHER = 500
HOUR = (1250.0, 18.7512345, 0.331912345, 4211.0, 99_412.0, 311.0, 0.0, 88_112.0)
"""What a statement did in an hour."""
BEFORE = "update series set first_hour = first_hour - :hours"
COPIED = """
    insert into hours (hour, series, figures)
    select :hour, series, figures from hours where hour = :whole
"""


@dataclass(frozen=True, kw_only=True)
class Month:
    """What is written."""

    servers: Sequence[Server]
    probes: Sequence[Probe]
    found: Sequence[Alert]
    size: Size
    now: datetime


async def fill(store: Store, month: Month) -> int:
    """Fill an empty store; gives how many hours of how many things it holds."""
    stored, whole = StoredHours(store), hour_of(month.now) - 1
    for server in month.servers:
        await _statements(stored, server, whole, month.size)
        for probe in month.probes:
            await _trends(stored, server, probe, whole)
    await _evidence(stored, month.found, whole)
    await _past(StoredLedger(store), month)
    return await _copied(store, whole, month.size.days * 24)


async def _statements(stored: StoredHours, server: Server, hour: int, size: Size) -> None:
    if server.kind != "postgres":
        return
    names = [(DATABASES[place % 2], statement(server.name, place)) for place in range(size.statements)]
    for part in bites(names, TOGETHER):
        await stored.write(server.name, "statements", hour, dict.fromkeys(part, HOUR))


async def _trends(stored: StoredHours, server: Server, probe: Probe, hour: int) -> None:
    for trend in probe.trends:
        one = [count for place in range(len(trend.columns)) for count in (60.0, 4211.25 + place, 5311.5 + place)]
        for target in places(server, probe):
            named: list[Key] = [(target.database or "", *map(str, key.values())) for key in keys(probe, trend)]
            for part in bites(named, TOGETHER):
                await stored.write(server.name, f"{probe.name}.{trend.name}", hour, dict.fromkeys(part, one))


async def _evidence(stored: StoredHours, found: Sequence[Alert], hour: int) -> None:
    by_server: dict[str, list[Key]] = {}
    for alert in found:
        by_server.setdefault(alert.finding.target.server, []).append((alert.finding.fingerprint,))
    for server, fingerprints in by_server.items():
        for part in bites(fingerprints, TOGETHER):
            await stored.write(server, EVIDENCE, hour, dict.fromkeys(part, (1.0, 17.0, 23.0)))


async def _copied(store: Store, whole: int, hours: int) -> int:
    """Copy the whole hour into those before it, a transaction each; oldest first, as they were written."""

    def copy(hour: int) -> Callable[[Connection], object]:
        return lambda one: one.execute(text(COPIED), {"hour": hour, "whole": whole})

    for hour in range(whole - hours + 1, whole):
        await store.run(copy(hour))
    await store.run(lambda one: one.execute(text(BEFORE), {"hours": hours - 1}))
    return hours * await store.run(lambda one: one.scalar(text("select count(*) from series")) or 0)


async def _past(ledger: StoredLedger, month: Month) -> None:
    """Write the findings with what became of them, who changed what, silences, and messages that were given up."""
    for part in bites(month.found, TOGETHER):
        steps = [
            Transition(
                fingerprint=alert.finding.fingerprint,
                at=at,
                state=state,
                severity=alert.finding.severity.value,
                why="it stood for 5 min" if state == "firing" else "not seen any more",
            )
            for alert in part
            for at, state in steps_of(alert, month.size.days)
        ]
        await ledger.write(LedgerWrite(alerts=part, transitions=steps))
    await ledger.write(LedgerWrite(audit=[*_audit(month.now)], silences=[*_silences(month.now)]))
    for letters in bites(_letters(month.found, month.now), 50):
        await ledger.write(LedgerWrite(outbox=letters))


def _audit(now: datetime) -> Iterable[AuditEntry]:
    for place in range(AUDITED):
        about = {"fingerprint": f"{place:016x}", "comment": "known, mended on Monday with the next release"}
        yield AuditEntry(at=now - timedelta(minutes=4 * place), who="ann", action="ack", document=about)


def _silences(now: datetime) -> Iterable[SilenceRow]:
    for place in range(SILENCES):
        ends = now + timedelta(hours=place + 1)
        document = {
            "id": f"{place:032x}",
            "matchers": [f'target="shop-{place:03}"', 'severity="info"'],
            "starts_at": (now - timedelta(hours=1)).isoformat(),
            "ends_at": ends.isoformat(),
            "created_at": now.isoformat(),
            "author": "ann",
            "comment": "upgrade to 18.1",
        }
        yield SilenceRow(id=f"{place:032x}", ends_at=ends, document=document)


def _letters(found: Sequence[Alert], now: datetime) -> Iterable[OutboxEntry]:
    for place in range(LETTERS):
        told = tuple(found[place * TOLD % len(found) :][:TOLD])
        notice = Notice(
            receiver="chat",
            group=f"group {place}",
            labels={"target": told[0].finding.target.server},
            alerts=told,
            news=frozenset(alert.finding.fingerprint for alert in told),
            created_at=now - timedelta(minutes=place),
            key=f"chat-{place}",
        )
        yield OutboxEntry(
            id=f"{place:08}", due_at=now, tries=5, state=OutboxState.DEAD, why="HTTP 503 from the chat", notice=notice
        )
