"""How many pages a table or a btree would fill if it were written anew: arithmetic of the page layout, and no I/O.

Sources: the manual's chapters on page layout, btree and storage parameters. Widths are pg_stats' avg_width: as
stored, so with compression, and with TOAST as a pointer of 18 bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

PAGE = 8192
PAGE_HEADER, LINE_POINTER, BTREE_SPECIAL = 24, 4, 16
TUPLE_HEADER, INDEX_HEADER, INDEX_NULLS = 23, 8, 16
"""Of a heap's tuple before its null bitmap; of a btree's tuple, and the same with its null bitmap."""
ALIGNMENT = 8
MOST_TUPLES = 291
SHORT = 126
"""A longer varlena value has a header of 4 bytes and is aligned."""
TID = 6
POSTING = 812
"""A list of duplicates is no longer than that when an index is built."""
INNER_FILL = 0.7


@dataclass(frozen=True, kw_only=True)
class Column:
    """What is known of the values of one column."""

    length: int
    """As in pg_attribute: negative means that it varies."""
    align: int
    width: float = 0.0
    nulls: float = 0.0
    distinct: float = -1.0
    """As in pg_stats: negative is a part of the rows."""
    steady: bool = False
    """All values are of one length, though the type's may vary (char(n))."""
    equal_image: bool = True
    """Equal values are equal in all their bytes, so that a btree keeps duplicates as lists."""


@dataclass(frozen=True, kw_only=True)
class Heap:
    """A table by what the catalogue and the statistics say of it."""

    tuples: float
    columns: Sequence[Column]
    attributes: int
    """Dropped ones count as well."""
    holes: bool
    """Some attributes are dropped or virtual: every new tuple has a null bitmap."""
    fillfactor: int = 100

    def pages(self) -> float:
        """Give the pages that its live rows fill."""
        item = self._item() + LINE_POINTER
        usable = PAGE - PAGE_HEADER - PAGE * (100 - self.fillfactor) / 100
        fixed = all((column.length > 0 or column.steady) and not column.nulls for column in self.columns)
        fitting = math.floor(usable / item) if fixed else usable / item - 0.5
        return math.ceil(self.tuples / min(max(fitting, 1.0), MOST_TUPLES))

    def _item(self) -> float:
        bitmap = 1.0 if self.holes else some_null(self.columns)
        bare, full = aligned(TUPLE_HEADER), aligned(TUPLE_HEADER + (self.attributes + 7) // 8)
        return bare + bitmap * (full - bare) + average(self.columns)


@dataclass(frozen=True, kw_only=True)
class Btree:
    """An index by what the catalogue and the statistics say of it."""

    tuples: float
    columns: Sequence[Column]
    unique: bool
    lists: bool
    """It may keep duplicates as lists: deduplicate_items is on, and it includes no further columns."""
    fillfactor: int = 90

    def pages(self) -> float:
        """Give the pages of an index that was built just now."""
        entry = INDEX_HEADER + some_null(self.columns) * (INDEX_NULLS - INDEX_HEADER) + average(self.columns)
        usable = PAGE - PAGE_HEADER - BTREE_SPECIAL - PAGE * (100 - self.fillfactor) / 100
        leaves = self.tuples / max(math.floor(usable / (entry + LINE_POINTER)), 1)
        if self.lists and not self.unique and all(column.equal_image for column in self.columns):
            leaves = min(leaves, self._listed_bytes(entry) / usable)
        pages, level = 1.0, math.ceil(leaves)
        while level > 1:
            pages += level
            level = math.ceil(level * (entry + LINE_POINTER) / (INNER_FILL * (PAGE - PAGE_HEADER - BTREE_SPECIAL)))
        return pages + 1

    def _listed_bytes(self, entry: float) -> float:
        """Give the bytes of all lists: a TID a row; one entry a value, and one more where a list is full.

        Nulls of an only column are one value, and where the others hardly repeat, those have no lists.
        """
        nulls = self.tuples * self.columns[0].nulls if len(self.columns) == 1 else 0.0
        others, longest = self.tuples - nulls, max((POSTING - entry) / TID, 1.0)
        groups = self.groups() + others / longest
        listed = TID * others + groups * (entry + LINE_POINTER + ALIGNMENT / 2)
        return min(listed, others * (entry + LINE_POINTER)) + nulls * (TID + (entry + LINE_POINTER) / longest)

    def groups(self) -> float:
        """Give the largest number of different keys that there can be."""
        product = 1.0
        for column in self.columns:
            distinct = column.distinct if column.distinct >= 0 else -column.distinct * self.tuples
            product *= distinct + (1 if column.nulls else 0)
        return min(max(product, 1.0), self.tuples)


def aligned(count: int, to: int = ALIGNMENT) -> int:
    """Round up to the next multiple."""
    return -(-count // to) * to


def some_null(columns: Sequence[Column]) -> float:
    """Give the part of the rows that has a null, as if columns knew nothing of each other."""
    return 1.0 - math.prod(1.0 - column.nulls for column in columns)


def average(columns: Sequence[Column]) -> float:
    """Give the average length of a row's values with all padding, the last one up to the next multiple of 8.

    Where a value of varying length went before, the place of the next one is not known: so we go on with the
    probability of each remainder by 8.
    """
    total, places = 0.0, [1.0] + [0.0] * (ALIGNMENT - 1)
    for column in columns:
        align = column.align if column.length > 0 or column.width > SHORT else 1
        padded = [place + -place % align for place in range(ALIGNMENT)]
        ends = _ends(column)
        filled = 1.0 - column.nulls
        total += filled * sum(chance * (padded[place] - place) for place, chance in enumerate(places))
        total += filled * (column.length if column.length > 0 else column.width)
        after = [chance * column.nulls for chance in places]
        for place, chance in enumerate(places):
            for end, part in ends:
                after[(padded[place] + end) % ALIGNMENT] += chance * filled * part
        places = after
    return total + sum(chance * (-place % ALIGNMENT) for place, chance in enumerate(places))


def _ends(column: Column) -> Sequence[tuple[int, float]]:
    """Give the lengths that a value may have, each with its probability."""
    if column.length > 0:
        return [(column.length, 1.0)]
    if column.steady:
        return [(round(column.width), 1.0)]
    spread = 1 if column.width < ALIGNMENT else 4
    middle = round(column.width)
    lengths = range(middle - spread, middle + spread + (spread == 1))
    return [(length, 1 / len(lengths)) for length in lengths]
