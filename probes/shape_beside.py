"""Reads what stands around tables: once, and anew when something in the catalogue changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monitor.probe import ProbeError, Session, shape
from probes.shape_around import (
    FOREIGN_KEYS,
    FUNCTIONS,
    PLACE,
    SETTINGS,
    TYPES,
    VIEWS,
    defined_type,
    foreign_key,
    placed,
)
from probes.shape_reading import excuse, rows_of

UNREAD_VIEWS = "a table that one names was locked, changed or dropped meanwhile"


MOST_VIEWS, LONGEST_VIEW = 2000, 20_000
"""Views that are read at all, and the letters that a text may have."""


class Beside:
    """Keys between tables, types, views and functions: read step by step, and kept."""

    def __init__(self) -> None:
        self.keys: Sequence[shape.ForeignKey] = ()
        self.types: tuple[shape.DefinedType, ...] = ()
        self.functions: tuple[shape.Function, ...] = ()
        self.views: list[shape.View] = []
        self.left_out: dict[str, str] = {}
        self.done = False
        self.begun = False
        """What is dear, as it is not read in parts, was read."""
        self._keyed, self._view = False, 0

    async def step(self, session: Session, tables: Mapping[int, shape.Table]) -> None:
        """Read the keys of these tables; types and functions; then views, some at a time."""
        if not self._keyed:
            self.keys, self._keyed = await _keys(session, tables), True
        elif not self.begun:
            await self._words(session)
            self.begun = True
        else:
            await self._more_views(session)

    async def _words(self, session: Session) -> None:
        """Read types and functions."""
        self.types = tuple(map(defined_type, await rows_of(session, TYPES)))
        functions = await rows_of(session, FUNCTIONS)
        self.functions = tuple(shape.Function(**each) for each in functions if None not in each.values())

    async def _more_views(self, session: Session) -> None:
        """Read the next views; none where something they name is locked, or goes, just while it is read."""
        try:
            rows = await rows_of(session, VIEWS, self._view)
        except ProbeError as error:
            if not excuse(error):
                raise
            rows, self.views = (), []
            self.left_out["views"] = UNREAD_VIEWS
        for row in rows:
            self._view = row["oid"]
            if len(row["definition"]) <= LONGEST_VIEW:
                self.views.append(shape.View(**{name: value for name, value in row.items() if name != "oid"}))
        self.done = not rows or len(self.views) >= MOST_VIEWS


async def place(session: Session) -> Mapping[str, Any]:
    """Read what is known of the database as a whole, and its planner's settings."""
    (row,) = await rows_of(session, PLACE)
    settings = {each["name"]: each["value"] for each in await rows_of(session, SETTINGS)}
    return {**placed(row), "settings": settings}


async def _keys(session: Session, tables: Mapping[int, shape.Table]) -> Sequence[shape.ForeignKey]:
    """Read foreign keys; numbers of columns that many have are kept once."""
    same: dict[tuple[int, ...], tuple[int, ...]] = {}
    oids = {oid: oid for oid in tables}
    return [
        foreign_key(
            {
                **each,
                "relid": oids.get(each["relid"], each["relid"]),
                "parent": oids.get(each["parent"], each["parent"]),
                "columns": same.setdefault(own := tuple(each["columns"]), own),
                "parent_columns": same.setdefault(other := tuple(each["parent_columns"]), other),
            }
        )
        for each in await rows_of(session, FOREIGN_KEYS, [*tables])
    ]
