"""Measuring suspects by pgstattuple, where it is installed: a few at a time, within a budget of bytes read."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.probe import Memory, ProbeTimeout, Row, Session, TargetDenied, number

EXTENSION = "pgstattuple"
SUSPECT = 0.3
"""Measured is what may be wasted to this part, and what cannot be estimated."""
RUNS = 12
"""A measured value stands for so many runs, six hours."""

# Both functions take an access share lock and no more. pgstattuple_approx reads the pages that are not all-visible and
# the free space map; pgstatindex reads the whole index.
HEAP = """
    select a.approx_free_space + a.dead_tuple_len as unused, a.table_len as size
      from pg_catalog.pg_class c
     cross join lateral pgstattuple_approx(c.oid) a
     where c.oid = $1::bigint::oid
"""
INDEX = """
    select (a.empty_pages + a.deleted_pages) * 8192
           + a.leaf_pages * 8192 * greatest(0, 1 - nullif(a.avg_leaf_density, 'NaN') / $2::float8) as unused,
           a.index_size as size
      from pg_catalog.pg_class c
     cross join lateral pgstatindex(c.oid) a
     where c.oid = $1::bigint::oid
"""


class Measured:
    """What was measured: bytes wasted and the whole size by oid, with the run it was in."""

    def __init__(self) -> None:
        self.run = 0
        self.of: dict[object, tuple[int, float, float]] = {}


async def measure(session: Session, memory: Memory, rows: Sequence[Row], budget: float) -> Sequence[Row]:
    """Give the rows, suspects with their measured values: the most wasteful first, as far as the budget goes."""
    if EXTENSION not in session.facts.extensions:
        return rows
    kept = memory.of(Measured)
    kept.run += 1
    kept.of = {oid: each for oid, each in kept.of.items() if kept.run - each[0] < RUNS}
    for row in sorted(filter(_suspect, rows), key=lambda each: -_stake(each)):
        cost = number(row, "unsettled_bytes")
        if row["oid"] in kept.of or cost > budget:
            continue
        budget -= cost
        try:
            found = await _ask(session, row)
        except ProbeTimeout:
            continue
        except TargetDenied:
            break
        if found:
            kept.of[row["oid"]] = (kept.run, *found)
    return [_exact(row, kept.of.get(row["oid"])) for row in rows]


def _suspect(row: Row) -> bool:
    return not row["locked"] and (row["unsaid"] is not None or _stake(row) >= SUSPECT * number(row, "size_bytes"))


def _stake(row: Row) -> float:
    return number(row, "size_bytes" if row["unsaid"] else "wasted_bytes")


async def _ask(session: Session, row: Row) -> tuple[float, float] | None:
    """Give the bytes wasted, less what the fillfactor keeps free, and the size; None when it was dropped meanwhile."""
    if row["kind"] == "index":
        answers = await session.fetch(INDEX, row["oid"], number(row, "fillfactor"))
        kept_free = 0.0
    else:
        answers = await session.fetch(HEAP, row["oid"])
        kept_free = 1 - number(row, "fillfactor") / 100
    for answer in answers:
        size = number(answer, "size")
        return max(0.0, number(answer, "unused") - size * kept_free), size
    return None


def _exact(row: Row, found: tuple[int, float, float] | None) -> Row:
    if found is None:
        return row
    _, wasted, size = found
    return {**row, "wasted_bytes": wasted, "size_bytes": size, "unsaid": None, "method": EXTENSION, "certain": True}
