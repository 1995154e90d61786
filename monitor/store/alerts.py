"""The ledger's alerts at rest: saved as they change, loaded after a restart, forgotten when they are old.

A lean alert is written without its finding, unless there is none: the whole one stays.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from monitor.model import Alert, Finding, State
from monitor.store.bulk import Values, bites, read, remove, replace
from monitor.store.documents import (
    ack_from_text,
    ack_text,
    cure_from_text,
    cure_text,
    finding_from_text,
    finding_text,
    labels_from_text,
    labels_text,
    target_from_text,
    target_text,
)
from monitor.store.engine import Store
from monitor.store.tables import alerts as table


class StoredAlerts:
    """The alerts in a store. Every method raises StoreError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def save(self, alerts: Collection[Alert], dropped: Collection[str] = ()) -> None:
        """Write alerts over what was there and delete the dropped fingerprints, all or nothing."""
        if alerts or dropped:
            await self._store.run(lambda connection: write_alerts(connection, alerts, dropped))

    async def load(self) -> list[Alert]:
        """Give all alerts, oldest first. What cannot be read is left out, and the store's notice says so."""
        known, lost = await self._store.run(read_alerts)
        self._store.lost(lost, "alerts")
        return known

    async def findings(self, fingerprints: Collection[str]) -> Mapping[str, Finding]:
        """Give findings by fingerprint; what is not there, or cannot be read, is left out."""
        return await self._store.run(lambda connection: read_findings(connection, fingerprints))

    async def forget(self, before: datetime) -> int:
        """Delete what was over before that moment; give how many that were."""
        return await self._store.run(lambda connection: forget_alerts(connection, before))


def _as_it_is(alert: Alert) -> Alert:
    return alert


def write_alerts(connection: Connection, alerts: Collection[Alert], dropped: Iterable[str]) -> None:
    remove(connection, table, ({"fingerprint": fingerprint} for fingerprint in dropped))
    lean = {alert.finding.fingerprint: alert for alert in alerts if alert.finding.missing}
    replace(connection, table, (_values(alert) for alert in alerts if not alert.finding.missing))
    for bite in bites(lean):
        _write_lean(connection, [lean[fingerprint] for fingerprint in bite])


def _write_lean(connection: Connection, alerts: Collection[Alert]) -> None:
    fingerprints = [alert.finding.fingerprint for alert in alerts]
    there = set(connection.scalars(select(table.c.fingerprint).where(table.c.fingerprint.in_(fingerprints))))
    rows = [_values(alert) for alert in alerts]
    own = update(table).where(table.c.fingerprint == bindparam("own"))
    known = [
        {"own": row["fingerprint"], **{name: row[name] for name in row.keys() - {"fingerprint", "finding"}}}
        for row in rows
        if row["fingerprint"] in there
    ]
    if known:
        connection.execute(own, known)
    new = [row for row in rows if row["fingerprint"] not in there]
    if new:
        connection.execute(insert(table), new)


def read_alerts(connection: Connection, held: Callable[[Alert], Alert] = _as_it_is) -> tuple[list[Alert], int]:
    """Give what can be read, oldest first, as `held` makes it, and how many cannot."""

    def build(row: Row[tuple[object, ...]]) -> Alert | None:
        alert = _alert(row)
        return None if alert is None else held(alert)

    known, lost = read(connection, select(table).order_by(table.c.starts_at, table.c.fingerprint), build)
    return known, len(lost)


def read_findings(connection: Connection, fingerprints: Iterable[str]) -> Mapping[str, Finding]:
    found: dict[str, Finding] = {}
    for bite in bites(fingerprints):
        known, _ = read(connection, select(table.c.finding).where(table.c.fingerprint.in_(bite)), _finding)
        found |= {finding.fingerprint: finding for finding in known}
    return found


def forget_alerts(connection: Connection, before: datetime) -> int:
    old = (table.c.state == State.RESOLVED.value) & (table.c.ends_at < before)
    return connection.execute(delete(table).where(old)).rowcount


def _finding(row: Row[tuple[object, ...]]) -> Finding | None:
    try:
        return finding_from_text(row.finding)
    except ValueError:
        return None


def _values(alert: Alert) -> Values:
    return {
        "fingerprint": alert.finding.fingerprint,
        "state": alert.state.value,
        "starts_at": alert.starts_at,
        "last_seen": alert.last_seen,
        "fired_at": alert.fired_at,
        "ends_at": alert.ends_at,
        "lower_since": alert.lower_since,
        "occurrences": alert.occurrences,
        "source": target_text(alert.source),
        "finding": finding_text(alert.finding),
        "ack": ack_text(alert.acked),
        "ended_by": alert.ended_by,
        "cure": cure_text(alert.cure),
        "labels": labels_text(alert.labels),
        "moved_from": alert.moved_from,
    }


def _alert(row: Row[tuple[object, ...]]) -> Alert | None:
    if row.starts_at is None or row.last_seen is None:
        return None
    try:
        return Alert(
            finding=finding_from_text(row.finding),
            source=target_from_text(row.source),
            state=State(row.state),
            starts_at=row.starts_at,
            last_seen=row.last_seen,
            fired_at=row.fired_at,
            ends_at=row.ends_at,
            lower_since=row.lower_since,
            occurrences=int(row.occurrences),
            acked=ack_from_text(row.ack),
            ended_by=row.ended_by,
            cure=cure_from_text(row.cure),
            labels=labels_from_text(row.labels),
            moved_from=row.moved_from,
        )
    except ValueError:
        return None
