"""From a row of the catalogue to an estimate of its bloat, or to the reason why there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from monitor.probe import Row, number
from probes.bloat_layout import PAGE, Btree, Column, Heap

ALIGNS: Mapping[str, int] = {"c": 1, "s": 2, "i": 4, "d": 8}
STALE_RATIO, STALE_ROWS = 0.2, 1000.0
"""Statistics are stale when more rows than both were changed since."""
RIGHTS, STATISTICS, STALE = "rights", "statistics", "stale"
_FILLFACTOR = re.compile(r"fillfactor=(\d+)\Z")


def estimated(row: Row) -> Row:
    """Put beside a relation what it would fill anew and what is wasted, or `unsaid`."""
    size = number(row, "relpages") * PAGE
    unsaid = _unsaid(row)
    expected = size if unsaid else _pages(row) * PAGE
    return {
        "kind": "index" if row["index"] else "heap",
        **{name: row[name] for name in KEPT},
        "size_bytes": size,
        "expected_bytes": expected,
        "wasted_bytes": max(0.0, size - expected),
        "unsettled_bytes": number(row, "unsettled") * PAGE,
        "fillfactor": fillfactor(row),
        "unsaid": unsaid,
        "method": "estimate",
        "certain": not row["index"] or bool(row["is_unique"]),
    }


KEPT = ("oid", "table_oid", "schema", "table", "index", "locked", "reader")


def fillfactor(row: Row) -> int:
    """Give the relation's fillfactor, or what the server takes where none is set."""
    found = (_FILLFACTOR.match(option) for option in _texts(row["reloptions"]))
    return next((int(each.group(1)) for each in found if each), 90 if row["index"] else 100)


def _unsaid(row: Row) -> str | None:
    if not row["readable"]:
        return RIGHTS
    if number(row, "reltuples") < 0 or None in _list(row["widths"]):
        return STATISTICS
    limit = STALE_RATIO * number(row, "table_tuples") + STALE_ROWS
    return STALE if number(row, "modified") > limit else None


def _pages(row: Row) -> float:
    columns, tuples = _columns(row), number(row, "reltuples")
    attributes = round(number(row, "attributes"))
    if not row["index"]:
        holes = attributes > len(columns)
        heap = Heap(tuples=tuples, columns=columns, attributes=attributes, holes=holes, fillfactor=fillfactor(row))
        return heap.pages()
    lists = not row["includes"] and not {"deduplicate_items=off", "deduplicate_items=false"} & {
        *_texts(row["reloptions"])
    }
    index = Btree(
        tuples=tuples, columns=columns, unique=bool(row["is_unique"]), lists=lists, fillfactor=fillfactor(row)
    )
    return index.pages()


def _columns(row: Row) -> Sequence[Column]:
    lists = (_list(row[name]) for name in ("lengths", "aligns", "widths", "nulls", "distincts", "steadies", "images"))
    return [_column(*values) for values in zip(*lists, strict=True)]


def _column(*values: object) -> Column:
    length, align, width, nulls, distinct, steady, image = values
    return Column(
        length=int(str(length)),
        align=ALIGNS[str(align)],
        width=float(str(width)),
        nulls=float(str(nulls)),
        distinct=float(str(distinct)),
        steady=bool(steady),
        equal_image=bool(image),
    )


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _texts(value: object) -> Sequence[str]:
    return [str(each) for each in _list(value)]
