"""What a proposed index would make needless: decided over the indexes as they will be, by the judge of all drops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from monitor.advisors.index.choices import Choice
from monitor.advisors.index.drops import PAGE, Fate, decide
from monitor.advisors.index.uses import uses_of
from monitor.planning import Candidate
from monitor.shape import Index, Shape

PROPOSED = 2**32
"""The oid of an index that is not there yet: it is the youngest."""


def spared(choice: Choice, shape: Shape, now: datetime) -> Sequence[Index]:
    """Give the indexes whose work a proposed one would do as well."""
    table = shape.tables[choice.candidate.table]
    made = as_index(choice.candidate, int(choice.size_bytes / PAGE))
    there = replace(shape, tables={table.oid: replace(table, indexes=(*table.indexes, made))})
    decided = decide(there, uses_of(there, now)).values()
    covered = (each for each in decided if each.fate in {Fate.DUPLICATE, Fate.PREFIX})
    return [each.index for each in covered if each.cover and each.cover.oid == PROPOSED]


def as_index(candidate: Candidate, pages: int = 0) -> Index:
    """Give a candidate as if it stood."""
    definition = f"CREATE INDEX proposed ON t {candidate.body}"
    return Index(
        oid=PROPOSED,
        schema=candidate.schema,
        name="",
        method=candidate.method,
        keys=candidate.keys,
        include=candidate.include,
        where=candidate.where,
        pages=pages,
        definition=definition.replace(" using ", " USING ", 1),
    )
