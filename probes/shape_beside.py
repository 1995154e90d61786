"""Reads what stands around tables: once, and anew when something in the catalogue changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass(frozen=True, kw_only=True)
class Beside:
    """Keys between tables, types, views and functions."""

    keys: Sequence[shape.ForeignKey] = ()
    types: tuple[shape.DefinedType, ...] = ()
    views: tuple[shape.View, ...] = ()
    functions: tuple[shape.Function, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)


async def beside(session: Session, tables: Mapping[int, shape.Table]) -> Beside:
    """Read all; keys of these tables."""
    views, left_out = await _views(session)
    return Beside(
        keys=await _keys(session, tables),
        types=tuple(map(defined_type, await rows_of(session, TYPES))),
        views=views,
        functions=tuple(
            shape.Function(**each) for each in await rows_of(session, FUNCTIONS) if None not in each.values()
        ),
        left_out=left_out,
    )


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


async def _views(session: Session) -> tuple[tuple[shape.View, ...], Mapping[str, str]]:
    """Read the views; none where something they name is locked, or goes, just while it is read."""
    try:
        return tuple(shape.View(**each) for each in await rows_of(session, VIEWS)), {}
    except ProbeError as error:
        if not excuse(error):
            raise
        return (), {"views": UNREAD_VIEWS}
