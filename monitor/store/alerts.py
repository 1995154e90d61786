"""The ledger's alerts at rest: saved as they change, loaded after a restart, forgotten when they are old."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from monitor.model import Alert, State
from monitor.store.documents import finding_from_text, finding_text, target_from_text, target_text
from monitor.store.engine import Store
from monitor.store.tables import alerts as table


class StoredAlerts:
    """The alerts in a store. Every method raises StoreError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def save(self, alerts: Iterable[Alert], dropped: Iterable[str] = ()) -> None:
        """Write alerts over what was there and delete the dropped fingerprints, all or nothing."""
        rows = list({alert.finding.fingerprint: _row(alert) for alert in alerts}.values())
        # Deleted and inserted, not merged: upserts are dialects' own, and those cost memory.
        gone = [{"gone": fingerprint} for fingerprint in (*dropped, *(row["fingerprint"] for row in rows))]
        if not gone:
            return

        def save(connection: Connection) -> None:
            connection.execute(delete(table).where(table.c.fingerprint == bindparam("gone")), gone)
            if rows:
                connection.execute(insert(table), rows)

        await self._store.run(save)

    async def load(self) -> list[Alert]:
        """Give all alerts, oldest first. What cannot be read is left out, and the store's notice says so."""
        wanted = select(table).order_by(table.c.starts_at, table.c.fingerprint)
        rows = await self._store.run(lambda connection: connection.execute(wanted).all())
        known = [alert for alert in map(_alert, rows) if alert is not None]
        if len(known) < len(rows):
            lost = f"{self._store.where}: {len(rows) - len(known)} stored alerts cannot be read and are left out"
            self._store.notice = "; ".join(filter(None, (self._store.notice, lost)))
        return known

    async def forget(self, before: datetime) -> int:
        """Delete what was over before that moment; give how many that were."""
        old = (table.c.state == State.RESOLVED.value) & (table.c.ends_at < before)
        return await self._store.run(lambda connection: connection.execute(delete(table).where(old)).rowcount)


def _row(alert: Alert) -> dict[str, object]:
    return {
        "fingerprint": alert.finding.fingerprint,
        "state": alert.state.value,
        "starts_at": alert.starts_at,
        "last_seen": alert.last_seen,
        "fired_at": alert.fired_at,
        "ends_at": alert.ends_at,
        "lower_since": alert.lower_since,
        "occurrences": alert.occurrences,
        "announced": alert.announced,
        "source": target_text(alert.source),
        "finding": finding_text(alert.finding),
    }


def _alert(row: Row[tuple[object, ...]]) -> Alert | None:
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
            occurrences=row.occurrences,
            announced=row.announced,
        )
    except ValueError:
        return None
