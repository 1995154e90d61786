"""The ledger and all that goes with it at rest: what one round changed is written whole, or not at all."""

from collections.abc import Callable, Collection
from datetime import datetime

from sqlalchemy import Connection

from monitor.lean import Lean
from monitor.model import Alert, State
from monitor.store.alerts import forget_alerts, read_alerts, write_alerts
from monitor.store.audit import forget_audit, write_audit
from monitor.store.engine import Store
from monitor.store.history import MOST, forget_transitions, read_transitions, write_transitions
from monitor.store.letters import count_dead, read_dead, read_letters
from monitor.store.outbox import forget_dead, read_outbox, write_outbox
from monitor.store.places import forget_places
from monitor.store.records import DeadLetter, LedgerRead, LedgerWrite, Transition
from monitor.store.silences import forget_silences, read_silences, write_silences
from monitor.store.told import forget_told, read_told, write_told

MOST_DEAD = 500
"""So many dead letters are counted after a restart."""


class StoredLedger:
    """The ledger, its marks and its outbox in a store. Every method raises StoreError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def write(self, change: LedgerWrite) -> None:
        """Write all of it in one transaction."""
        if not change.empty:
            await self._store.run(lambda connection: _write(connection, change))

    async def load(self) -> LedgerRead:
        """Give what a restart goes on from; alerts whose end was told are lean.

        What cannot be read is left out, and the store's notice says so. A waiting notice that cannot be read is dead
        from then on.
        """
        read, lost = await self._store.run(_read)
        for kind, count in lost.items():
            self._store.lost(count, kind)
        return read

    async def history(self, fingerprint: str, limit: int = MOST) -> list[Transition]:
        """Give the newest `limit` steps of an alert, oldest first; what cannot be read is left out."""
        return await self._store.run(lambda connection: read_transitions(connection, fingerprint, limit))

    async def dead_letters(self, limit: int = 100, offset: int = 0) -> list[DeadLetter]:
        """Give the notices that are tried no more, newest first, each with some of what it told."""
        return await self._store.run(lambda connection: read_letters(connection, limit, offset))

    async def dead_count(self) -> int:
        """Count the notices that are tried no more."""
        return await self._store.run(count_dead)

    async def forget(self, before: datetime) -> int:
        """Delete what was over before that moment, and what belonged to alerts that are gone; give how many rows."""
        return await self._store.run(lambda connection: _forget(connection, before))


def _write(connection: Connection, change: LedgerWrite) -> None:
    write_alerts(connection, change.alerts, change.dropped)
    write_transitions(connection, change.transitions)
    write_told(connection, change.told, change.untold)
    write_outbox(connection, change.outbox, change.sent)
    write_silences(connection, change.silences)
    write_audit(connection, change.audit)


def _read(connection: Connection) -> tuple[LedgerRead, dict[str, int]]:
    told, lost_told = read_told(connection)
    alerts, lost_alerts = read_alerts(connection, _held({mark.fingerprint for mark in told if mark.fires}))
    outbox, lost_notices = read_outbox(connection)
    silences, lost_silences = read_silences(connection)
    read = LedgerRead(
        alerts=tuple(alerts),
        told=tuple(told),
        outbox=tuple(outbox),
        silences=tuple(silences),
        dead=tuple(read_dead(connection, MOST_DEAD, 0)),
    )
    return read, {"alerts": lost_alerts, "told marks": lost_told, "notices": lost_notices, "silences": lost_silences}


def _held(believed: Collection[str]) -> Callable[[Alert], Alert]:
    """Make lean what is over, and of what no receiver believes that it fires."""
    lean = Lean()

    def held(alert: Alert) -> Alert:
        over = alert.state is State.RESOLVED and alert.finding.fingerprint not in believed
        return lean(alert) if over else alert

    return held


def _forget(connection: Connection, before: datetime) -> int:
    old = (forget_alerts, forget_transitions, forget_told, forget_dead, forget_silences, forget_audit)
    return sum(forget(connection, before) for forget in old) + forget_places(connection)
