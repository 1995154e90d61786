"""Silences at rest. They are written with the ledger, each change with its line in the audit log, or not at all."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Row, delete, select

from monitor.store.bulk import read, replace
from monitor.store.documents import document_from_text, document_text
from monitor.store.engine import Store
from monitor.store.records import SilenceRow
from monitor.store.tables import silences as table


class StoredSilences:
    """The silences in a store, to be read by themselves."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def load(self) -> list[SilenceRow]:
        """Give all by their ends, or raise StoreError. What cannot be read is left out; the store's notice says so."""
        known, lost = await self._store.run(read_silences)
        self._store.lost(lost, "silences")
        return known


def write_silences(connection: Connection, silences: Iterable[SilenceRow]) -> None:
    replace(connection, table, ({**vars(each), "document": document_text(each.document)} for each in silences))


def read_silences(connection: Connection) -> tuple[list[SilenceRow], int]:
    known, lost = read(connection, select(table).order_by(table.c.ends_at, table.c.id), _silence)
    return known, len(lost)


def forget_silences(connection: Connection, before: datetime) -> int:
    return connection.execute(delete(table).where(table.c.ends_at < before)).rowcount


def _silence(row: Row[tuple[object, ...]]) -> SilenceRow | None:
    try:
        document = document_from_text(row.document)
    except ValueError:
        return None
    return None if row.ends_at is None else SilenceRow(id=row.id, ends_at=row.ends_at, document=document)
