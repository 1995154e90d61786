"""What counters did, hour by hour: a row an hour and series, its figures as one short text.

An hour's row is replaced whole, so that writing it twice is as good as once. Hours are counted from 1970, in UTC.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from hashlib import sha256
from math import isfinite
from typing import Any, Protocol, TypeAlias, TypeVar

from sqlalchemy import Connection, Row, Select, delete, func, insert, select, update

from monitor.history.past import Key
from monitor.store.bulk import read, replace
from monitor.store.tables import hours as table
from monitor.store.tables import series

Figures: TypeAlias = tuple[float, ...]
Hour: TypeAlias = tuple[int, Figures]
T = TypeVar("T")


class Runs(Protocol):
    """A store, or whoever has the hand on one."""

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in a transaction; raises StoreError."""


class StoredHours:
    """The hours in a store. Every method raises StoreError; some hundreds of keys at once are enough."""

    def __init__(self, store: Runs) -> None:
        self._store = store

    async def write(self, server: str, probe: str, hour: int, figures: Mapping[Key, Sequence[float]]) -> None:
        """Write one hour of some keys over what is there, all or nothing."""
        marks = {_mark(server, probe, key): key for key in figures}

        def work(connection: Connection) -> None:
            ids = _ids(connection, server, probe, marks, hour)
            rows = ({"hour": hour, "series": ids[each], "figures": _text(figures[key])} for each, key in marks.items())
            replace(connection, table, rows)

        if marks:
            await self._store.run(work)

    async def read(self, server: str, probe: str, hour: int) -> dict[Key, Figures]:
        """Give one hour of all keys; what cannot be read is left out."""
        known = await self._store.run(lambda connection: _hour(connection, server, probe, hour))
        return {key: figures for key, (_, figures) in known}

    async def of(self, server: str, probe: str, keys: Iterable[Key], hours: Collection[int]) -> dict[Key, list[Hour]]:
        """Give these hours of some keys, oldest first; keys that have none of them are left out."""
        found = await self.of_many(probe, [(server, key) for key in keys], hours)
        return {key: of for (_, key), of in found.items()}

    async def of_many(
        self, probe: str, keys: Iterable[tuple[str, Key]], hours: Collection[int]
    ) -> dict[tuple[str, Key], list[Hour]]:
        """Give these hours of some keys of some servers, in one turn at the store."""
        marks = {_mark(server, probe, key): (server, key) for server, key in keys}
        found: dict[tuple[str, Key], list[Hour]] = {}
        for mark, hour in await self._store.run(lambda connection: _some(connection, marks, hours)):
            found.setdefault(marks[mark], []).append(hour)
        return found

    async def known(self, server: str, probe: str, keys: Iterable[Key], before: int) -> set[Key]:
        """Give those of some keys that have an hour before that one."""
        marks = [_mark(server, probe, key) for key in keys]
        wanted = select(series.c.key).where(series.c.mark.in_(marks) & (series.c.first_hour < before))
        return set(await self._store.run(lambda connection: _keys(connection, wanted)))

    async def begins(self, server: str, probe: str) -> int | None:
        """Give the first hour of anything that is kept of a probe on a server."""
        own = (series.c.server == server) & (series.c.probe == probe)
        return await self._store.run(lambda one: one.scalar(select(func.min(series.c.first_hour)).where(own)))

    async def keys(self, server: str, probe: str) -> list[Key]:
        """Give every key of which anything is kept, the one that grew last first."""
        own = (series.c.server == server) & (series.c.probe == probe)
        wanted = select(series.c.key).where(own).order_by(series.c.last_hour.desc(), series.c.id)
        return await self._store.run(lambda connection: _keys(connection, wanted))

    async def forget(self, before: int) -> int:
        """Delete all hours before that one, and the series that have no other; give how many hours that were."""
        return await self._store.run(lambda connection: _forget(connection, before))


def _ids(connection: Connection, server: str, probe: str, marks: Mapping[str, Key], hour: int) -> dict[str, int]:
    """Give each series its number, entering those that are new; note which hours they have."""
    known = _known(connection, marks)
    new = [mark for mark in marks if mark not in known]
    if new:
        own = {"server": server, "probe": probe, "first_hour": hour, "last_hour": hour}
        connection.execute(insert(series), [{**own, "mark": mark, "key": json.dumps(marks[mark])} for mark in new])
        known |= _known(connection, new)
    for column, other in (
        (series.c.last_hour, series.c.last_hour < hour),
        (series.c.first_hour, series.c.first_hour > hour),
    ):
        connection.execute(update(series).where(series.c.id.in_(known.values()) & other).values({column: hour}))
    return known


def _known(connection: Connection, marks: Iterable[str]) -> dict[str, int]:
    rows = connection.execute(select(series.c.mark, series.c.id).where(series.c.mark.in_(list(marks))))
    return {row.mark: row.id for row in rows}


def _keys(connection: Connection, wanted: Select[tuple[str]]) -> list[Key]:
    return read(connection, wanted, lambda row: _key(row.key))[0]


def _hour(connection: Connection, server: str, probe: str, hour: int) -> list[tuple[Key, Hour]]:
    own = (series.c.server == server) & (series.c.probe == probe) & (table.c.hour == hour)
    wanted = select(series.c.key, table.c.hour, table.c.figures).join(table, table.c.series == series.c.id).where(own)
    return read(connection, wanted, _keyed)[0]


def _keyed(row: Row[Any]) -> tuple[Key, Hour] | None:
    key, number, text = tuple(row)
    return _figured(_key(key), number, text)


def _some(connection: Connection, marks: Iterable[str], hours: Collection[int]) -> list[tuple[str, Hour]]:
    known = {number: mark for mark, number in _known(connection, marks).items()}
    own = table.c.hour.in_(hours) & table.c.series.in_(known)
    wanted = select(table.c.hour, table.c.series, table.c.figures).where(own).order_by(table.c.hour)

    def marked(row: Row[Any]) -> tuple[str, Hour] | None:
        number, of, text = tuple(row)
        return _figured(known[of], number, text)

    return read(connection, wanted, marked)[0] if known else []


def _forget(connection: Connection, before: int) -> int:
    gone = connection.execute(delete(table).where(table.c.hour < before)).rowcount
    connection.execute(delete(series).where(series.c.last_hour < before))
    return gone


def _mark(server: str, probe: str, key: Key) -> str:
    whole = json.dumps([server, probe, *key])
    return sha256(whole.encode()).hexdigest()[:32]


def _text(figures: Sequence[float]) -> str:
    """Nine digits: enough for any mean."""
    return " ".join(format(each, ".9g") for each in figures)


def _figured(of: T | None, hour: int, text: str) -> tuple[T, Hour] | None:
    """Read an hour of what is known by `of`; thousands of them make one chart."""
    try:
        figures = tuple(map(float, text.split()))
    except (ValueError, AttributeError):
        return None
    return (of, (hour, figures)) if of is not None and isfinite(sum(figures)) else None


def _key(text: str) -> Key | None:
    try:
        parts = json.loads(text)
    except ValueError:
        return None
    return tuple(map(str, parts)) if isinstance(parts, list) else None
