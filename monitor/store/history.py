"""The steps every alert took, one after the other."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Row, delete, func, select

from monitor.store.bulk import append
from monitor.store.records import Transition
from monitor.store.tables import alerts
from monitor.store.tables import transitions as table

MOST = 1000
"""So many steps of one alert are kept at least; who flaps for a year has more."""


def write_transitions(connection: Connection, transitions: Iterable[Transition]) -> None:
    append(connection, table, map(vars, transitions))


def read_transitions(connection: Connection, fingerprint: str, limit: int) -> list[Transition]:
    """Give the newest that can be read, oldest first."""
    newest = select(table).where(table.c.fingerprint == fingerprint).order_by(table.c.id.desc()).limit(limit)
    rows = connection.execute(newest).all()
    return [_transition(row) for row in reversed(rows) if row.at is not None]


def forget_transitions(connection: Connection, before: datetime) -> int:
    """Delete old steps of alerts that are gone, and of the others what is more than MOST."""
    gone = table.c.fingerprint.not_in(select(alerts.c.fingerprint)) & (table.c.at < before)
    age = func.row_number().over(partition_by=table.c.fingerprint, order_by=table.c.id.desc()).label("age")
    aged = select(table.c.id, age).subquery()
    surplus = table.c.id.in_(select(aged.c.id).where(aged.c.age > MOST))
    return sum(connection.execute(delete(table).where(which)).rowcount for which in (gone, surplus))


def _transition(row: Row[tuple[object, ...]]) -> Transition:
    return Transition(fingerprint=row.fingerprint, at=row.at, state=row.state, severity=row.severity, why=row.why)
