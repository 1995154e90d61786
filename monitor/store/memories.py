"""What probes remember, in the store: one document a row, with the server that it is about."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, Row, delete, func, select

from monitor.lasting import UNREADABLE, Identity, Place, Remembered
from monitor.model import Target
from monitor.store.bulk import Values, read, remove, replace
from monitor.store.hours import Runs
from monitor.store.tables import memories as table

AT_ONCE = 64 * 2**20
"""So many characters are read after a restart, the newest documents first."""

TOGETHER = 50
"""Rows read at once: a document may have a megabyte."""


class StoredMemories:
    """The documents in a store. Every method raises StoreError."""

    def __init__(self, store: Runs) -> None:
        self._store = store

    async def load(self) -> Mapping[Place, Remembered]:
        """Give what can be read, of the newest AT_ONCE characters."""
        return await self._store.run(_load)

    async def write(self, kept: Mapping[Place, Remembered], dropped: Iterable[Place], at: datetime) -> None:
        """Write documents over what was there and delete those dropped, all or nothing."""

        def work(connection: Connection) -> None:
            remove(connection, table, ({"mark": _mark(place)} for place in dropped))
            replace(connection, table, (_values(place, each, at) for place, each in kept.items()))

        await self._store.run(work)

    async def forget(self, before: datetime) -> int:
        """Delete what nobody has kept since; give how many documents that were."""
        return await self._store.run(lambda one: one.execute(delete(table).where(table.c.kept_at < before)).rowcount)


def _load(connection: Connection) -> Mapping[Place, Remembered]:
    sizes = select(table.c.mark, func.length(table.c.document)).order_by(table.c.kept_at.desc(), table.c.mark)
    marks, left = [], AT_ONCE
    for mark, length in connection.execute(sizes):
        left -= length or 0
        if left < 0:
            break
        marks.append(mark)
    found: dict[Place, Remembered] = {}
    for first in range(0, len(marks), TOGETHER):
        wanted = select(table).where(table.c.mark.in_(marks[first : first + TOGETHER]))
        found |= dict(read(connection, wanted, _remembered)[0])
    return found


def _remembered(row: Row[tuple[object, ...]]) -> tuple[Place, Remembered] | None:
    try:
        who = json.loads(row.of)
        of = Identity(
            system_identifier=None if who["system_identifier"] is None else int(who["system_identifier"]),
            timeline=None if who["timeline"] is None else int(who["timeline"]),
            in_recovery=bool(who["in_recovery"]),
            started_at=float(who["started_at"]),
            read_at=float(who["read_at"]),
        )
    except UNREADABLE:
        return None
    place = Place(target=Target(row.target, row.database), probe=row.probe, kind=row.kind)
    return place, Remembered(text=str(row.document), of=of)


def _values(place: Place, kept: Remembered, at: datetime) -> Values:
    return {
        "mark": _mark(place),
        "target": place.target.server,
        "database": place.target.database,
        "probe": place.probe,
        "kind": place.kind,
        "of": json.dumps(asdict(kept.of)),
        "document": kept.text,
        "kept_at": at,
    }


def _mark(place: Place) -> str:
    whole = json.dumps([place.target.server, place.target.database, place.probe, place.kind])
    return sha256(whole.encode()).hexdigest()[:32]
