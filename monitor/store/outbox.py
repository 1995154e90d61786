"""Notices on their way: each written before it is sent, so that none is lost with the process."""

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from monitor.store.bulk import Values, aside, bites, read, remove
from monitor.store.documents import notice_from_text, notice_text
from monitor.store.records import OutboxEntry, OutboxState
from monitor.store.tables import outbox as table

UNREADABLE = "it cannot be read any more"


def write_outbox(connection: Connection, entries: Iterable[OutboxEntry], sent: Iterable[str]) -> None:
    """Write new and changed entries and delete those that were sent; a notice is written once only, it may be big."""
    gone = set(sent)
    remove(connection, table, ({"id": one} for one in gone))
    newest = {entry.id: entry for entry in entries if entry.id not in gone}
    known = _known(connection, newest)
    changed = [_standing(entry) for entry in newest.values() if entry.id in known]
    if changed:
        connection.execute(update(table).where(table.c.id == bindparam("old_id")), changed)
    for entry in newest.values():
        if entry.id not in known:
            connection.execute(insert(table), aside(partial(_values, entry)))


def read_outbox(connection: Connection) -> tuple[list[OutboxEntry], int]:
    """Give what waits, oldest first, and how many cannot be read; those are dead from now on."""
    waiting = select(table).where(table.c.state != OutboxState.DEAD.value).order_by(table.c.created_at, table.c.id)
    known, lost = read(connection, waiting, _entry)
    for row in lost:
        dead = update(table).where(table.c.id == row.id).values(state=OutboxState.DEAD.value, why=UNREADABLE)
        connection.execute(dead)
    return known, len(lost)


def forget_dead(connection: Connection, before: datetime) -> int:
    old = (table.c.state == OutboxState.DEAD.value) & (table.c.created_at < before)
    return connection.execute(delete(table).where(old)).rowcount


def _known(connection: Connection, ids: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for bite in bites(ids):
        found.update(connection.scalars(select(table.c.id).where(table.c.id.in_(bite))))
    return found


def _standing(entry: OutboxEntry) -> Values:
    return {
        "old_id": entry.id,
        "due_at": entry.due_at,
        "tries": entry.tries,
        "state": entry.state.value,
        "why": entry.why,
    }


def _values(entry: OutboxEntry) -> Values:
    notice = entry.notice
    return {
        "id": entry.id,
        "receiver": notice.receiver,
        "group_name": notice.group,
        "created_at": notice.created_at,
        "due_at": entry.due_at,
        "tries": entry.tries,
        "state": entry.state.value,
        "why": entry.why,
        "key": notice.key,
        "notice": notice_text(notice),
    }


def _entry(row: Row[tuple[object, ...]]) -> OutboxEntry | None:
    if row.due_at is None:
        return None
    try:
        return OutboxEntry(
            id=row.id,
            due_at=row.due_at,
            tries=int(row.tries),
            state=OutboxState(row.state),
            why=row.why,
            notice=notice_from_text(row.notice),
        )
    except ValueError:
        return None
