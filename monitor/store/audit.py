"""The audit log: who changed what, when. Lines are added and grow old; none is ever changed."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Row, delete, func, select

from monitor.store.bulk import append
from monitor.store.documents import document_from_text, document_text
from monitor.store.engine import Store
from monitor.store.records import AuditEntry
from monitor.store.tables import audit as table


class StoredAudit:
    """The audit log in a store. Every method raises StoreError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def newest(self, limit: int = 100, offset: int = 0) -> list[AuditEntry]:
        """Give the newest lines first, leaving out the first `offset`; of what cannot be read the document is empty."""
        wanted = select(table).order_by(table.c.id.desc()).limit(limit).offset(offset)
        rows = await self._store.run(lambda connection: connection.execute(wanted).all())
        return [_entry(row) for row in rows if row.at is not None]

    async def count(self) -> int:
        """Count the lines."""
        return await self._store.run(lambda connection: connection.scalar(select(func.count()).select_from(table)) or 0)


def write_audit(connection: Connection, entries: Iterable[AuditEntry]) -> None:
    append(connection, table, ({**vars(entry), "document": document_text(entry.document)} for entry in entries))


def forget_audit(connection: Connection, before: datetime) -> int:
    return connection.execute(delete(table).where(table.c.at < before)).rowcount


def _entry(row: Row[tuple[object, ...]]) -> AuditEntry:
    try:
        document = document_from_text(row.document)
    except ValueError:
        document = {}
    return AuditEntry(at=row.at, who=row.who, action=row.action, document=document)
