"""Who was told what: the marks by which a restart announces nothing twice."""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, Row, delete, select

from monitor.store.bulk import Values, read, remove, replace
from monitor.store.records import ToldKey, ToldRow
from monitor.store.tables import alerts
from monitor.store.tables import told as table


def write_told(connection: Connection, told: Iterable[ToldRow], untold: Iterable[ToldKey]) -> None:
    remove(connection, table, map(_key, untold))
    replace(connection, table, map(_values, told))


def read_told(connection: Connection) -> tuple[list[ToldRow], int]:
    """Give what can be read, oldest first, and how many cannot."""
    known, lost = read(connection, select(table).order_by(table.c.at, table.c.fingerprint), _told)
    return known, len(lost)


def forget_told(connection: Connection, before: datetime) -> int:
    """Delete old marks of alerts that are gone."""
    gone = table.c.fingerprint.not_in(select(alerts.c.fingerprint)) & (table.c.at < before)
    return connection.execute(delete(table).where(gone)).rowcount


def _key(key: ToldKey) -> Values:
    receiver, group, fingerprint = key
    mark = sha256(group.encode(errors="surrogatepass")).hexdigest()[:32]
    return {"receiver": receiver, "group_mark": mark, "fingerprint": fingerprint}


def _values(told: ToldRow) -> Values:
    return {**_key(told.key), "group_name": told.group, "status": told.status, "at": told.at}


def _told(row: Row[tuple[object, ...]]) -> ToldRow | None:
    if row.at is None:
        return None
    return ToldRow(
        receiver=row.receiver, group=row.group_name, fingerprint=row.fingerprint, status=row.status, at=row.at
    )
