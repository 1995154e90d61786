"""Dead letters: how many, for whom and why, and some of the findings each told of. A notice may be megabytes long: only
its beginning is read.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from monitor.model import Alert
from monitor.store.bulk import aside
from monitor.store.documents import alert_from_document
from monitor.store.records import DeadLetter, OutboxState
from monitor.store.tables import outbox as table

NAMED = 5
"""Findings of a letter that are named."""
BEGINNING = 524_288
"""Characters of a notice that are read: of 10,000 findings the names of all, and some findings whole."""

_ALERTS = '"alerts": ['
_EACH = '"lower_since": '
"""Every alert of a notice has this once, and no text in it can: its quotes would be escaped there."""

_WHERE = table.c.state == OutboxState.DEAD.value
_NEWEST = (table.c.created_at.desc(), table.c.id.desc())
_ABOUT = [column for column in table.columns if column.name != "notice"]


def count_dead(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(table).where(_WHERE)) or 0


def read_dead(connection: Connection, limit: int, offset: int) -> list[DeadLetter]:
    """Give the newest first, without what they told."""
    rows = connection.execute(_newest(select(*_ABOUT), limit, offset))
    return [_letter(row) for row in rows if row.created_at is not None]


def read_letters(connection: Connection, limit: int, offset: int) -> list[DeadLetter]:
    """Give the newest first, each with some of the findings it told of."""
    ids = connection.scalars(_newest(select(table.c.id), limit, offset)).all()  # or all notices would be counted
    beginning = func.substr(table.c.notice, 1, BEGINNING).label("beginning")
    wanted: Select[Any] = select(*_ABOUT, _count().label("alerts"), beginning).where(table.c.id.in_(ids))
    rows = connection.execute(wanted.order_by(*_NEWEST))
    return [aside(partial(_whole, row)) for row in rows if row.created_at is not None]


def _newest(wanted: Select[Any], limit: int, offset: int) -> Select[Any]:
    return wanted.where(_WHERE).order_by(*_NEWEST).limit(limit).offset(offset)


def _count() -> ColumnElement[int]:
    without = func.replace(table.c.notice, _EACH, "")
    return (func.length(table.c.notice) - func.length(without)) // len(_EACH)


def _letter(row: Row[tuple[object, ...]]) -> DeadLetter:
    return DeadLetter(
        id=row.id,
        receiver=row.receiver,
        group=row.group_name,
        created_at=row.created_at,
        tries=row.tries,
        why=row.why,
        key=row.key,
    )


def _whole(row: Row[Any]) -> DeadLetter:
    head, alerts = _begun(row.beginning)
    news = set(head.get("news") or ())
    firsts = sorted(alerts, key=lambda alert: alert.finding.fingerprint not in news)[:NAMED]
    return replace(
        _letter(row),
        findings=tuple(alert.finding for alert in firsts),
        count=row.alerts,
        digest=head.get("digest") is not None,
    )


def _begun(text: str) -> tuple[dict[str, Any], list[Alert]]:
    """Give what can be read of a notice that may be cut off: all before its alerts, and the alerts that are whole."""
    begin = text.find(_ALERTS)
    try:
        head = json.loads(f'{text[:begin]}"alerts": []}}')
        return head, list(_alerts(text, begin + len(_ALERTS)))
    except (ValueError, RecursionError):
        return {}, []


def _alerts(text: str, begin: int) -> Iterator[Alert]:
    decoder = json.JSONDecoder()
    while text.startswith("{", begin):
        try:
            document, end = decoder.raw_decode(text, begin)
        except ValueError:
            return
        yield alert_from_document(document)
        begin = end + len(", ")
