"""Indexes made by hand: the catalogue's words without a server."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

from monitor.advisors.index.drops import Decision, Fate, Limits, decide
from monitor.advisors.index.uses import uses_of
from monitor.shape import Column, ForeignKey, Index, IndexKey, Shape, Table

DAY = 86400.0
NOW = datetime(2026, 11, 23, tzinfo=UTC)
NAMES = ("id", "a", "b", "c", "d", "Weird, name")
COLUMNS = tuple(Column(number=number, name=name, type="integer") for number, name in enumerate(NAMES, start=1))
OIDS = count(20_000)
LIMITS = Limits(min_bytes=0.0)


def key(name: str, *, descending: bool = False, nulls_first: bool | None = None, **given: str) -> IndexKey:
    """A key as the catalogue has it: NULLs come last in ascending order, first in descending."""
    nulls = descending if nulls_first is None else nulls_first
    number = NAMES.index(name) + 1 if name in NAMES else 0
    return IndexKey(expression=name, column=number, descending=descending, nulls_first=nulls, **given)


def index(name: str, *keys: IndexKey | str, **given: Any) -> Index:
    """An index of 100 pages that is valid and was never scanned."""
    whole = tuple(key(each) if isinstance(each, str) else each for each in keys)
    columns = ", ".join(each.expression for each in whole)
    plain = Index(oid=next(OIDS), schema="public", name=name, method="btree", keys=whole, pages=100)
    made = replace(plain, **given)
    where = f" WHERE {made.where}" if made.where else ""
    text = f"USING {made.method} ({columns}){where}"
    return replace(made, definition=given.get("definition", text))


def table(*indexes: Index, oid: int = 1, **given: Any) -> Table:
    """A table with columns id, a, b, c, d and one with an odd name."""
    made = Table(oid=oid, schema="public", name="t", rows=1e6, pages=10_000, columns=COLUMNS, indexes=indexes)
    return replace(made, **given)


def shape(*tables: Table, keys: Sequence[ForeignKey] = (), counted: float | None = 30 * DAY) -> Shape:
    """A database whose counters are thirty days old."""
    by_oid = {each.oid: each for each in tables}
    return Shape(version_num=180000, tables=by_oid, foreign_keys=tuple(keys), counted_seconds=counted)


def decisions(seen: Shape, limits: Limits = LIMITS, relied: Sequence[int] = ()) -> dict[str, Decision]:
    """Decide, and give it by the index's name."""
    decided = decide(seen, uses_of(seen, NOW), relied, limits).values()
    return {each.index.name: each for each in decided}


def fates(*indexes: Index, limits: Limits = LIMITS, **given: Any) -> dict[str, Fate]:
    """Decide over the indexes of one table; give those that could go."""
    decided = decisions(shape(table(*indexes, **given)), limits)
    return {name: each.fate for name, each in decided.items() if each.fate is not Fate.KEPT}
