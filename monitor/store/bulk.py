"""Many rows at once, in bites: between two of them the event loop has its turn, and no more than one is in memory."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Delete, Insert, Row, Select, Table, bindparam, delete, insert
from sqlalchemy.util import await_only

BITE = 500
Values: TypeAlias = Mapping[str, Any]
T = TypeVar("T")


def aside(work: Callable[[], T]) -> T:
    """Do long work in a thread while the event loop goes on; inside a transaction only."""
    return await_only(asyncio.to_thread(work))


def bites(things: Iterable[T]) -> Iterator[Sequence[T]]:
    rest = iter(things)
    while bite := list(islice(rest, BITE)):
        yield bite


def read(
    connection: Connection, wanted: Select[Any], build: Callable[[Row[Any]], T | None]
) -> tuple[list[T], list[Row[Any]]]:
    """Give what `build` makes of the rows, and the rows it cannot read: it gives None for those."""
    known: list[T] = []
    lost: list[Row[Any]] = []
    for bite in connection.execute(wanted).partitions(BITE):
        built = aside(partial(_built, bite, build))
        known += [thing for thing in built if thing is not None]
        lost += [row for row, thing in zip(bite, built, strict=True) if thing is None]
    return known, lost


def _built(rows: Iterable[Row[Any]], build: Callable[[Row[Any]], T | None]) -> list[T | None]:
    return [build(row) for row in rows]


def remove(connection: Connection, table: Table, keys: Iterable[Values]) -> None:
    """Delete rows by their primary keys; what is not there is gone already."""
    names = [column.name for column in table.primary_key]
    for bite in bites(keys):
        connection.execute(_deletion(table), [{f"old_{name}": key[name] for name in names} for key in bite])


@cache
def _deletion(table: Table) -> Delete:
    """Make it once a table: to build a statement takes longer than to run it."""
    return delete(table).where(*(column == bindparam(f"old_{column.name}") for column in table.primary_key))


def replace(connection: Connection, table: Table, rows: Iterable[Values]) -> None:
    """Write rows over those of the same primary key; of two with one key the later counts.

    Deleted and inserted, not merged: upserts are dialects' own, and those cost memory.
    """
    names = [column.name for column in table.primary_key]
    for bite in bites(rows):
        newest = {tuple(row[name] for name in names): row for row in bite}.values()
        remove(connection, table, newest)
        connection.execute(_insertion(table), list(newest))


def append(connection: Connection, table: Table, rows: Iterable[Values]) -> None:
    for bite in bites(rows):
        connection.execute(_insertion(table), bite)


@cache
def _insertion(table: Table) -> Insert:
    return insert(table)
