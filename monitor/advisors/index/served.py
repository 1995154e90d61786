"""Does an index that stands serve what a candidate would?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from monitor.planning import Candidate
from monitor.shape import Index, IndexKey, Shape, Table
from monitor.sql.trees import canonical


def served(candidate: Candidate, table: Table, *, free: int = 0) -> bool:
    """Tell whether an index does what a candidate would, or will once it is built.

    The candidate's first `free` keys may come in any order.
    """
    return any(_serves(own, candidate, free) for own in table.indexes if own.valid or own.building)


def served_everywhere(candidate: Candidate, table: Table, shape: Shape, *, free: int = 0) -> bool:
    """Tell the same of a table that may have partitions: by its own index, or by one on each of them."""
    return served(candidate, table, free=free) or (
        table.kind == "p" and all(_in_part(candidate, part, table, free) for part in shape.parts(table))
    )


def _in_part(candidate: Candidate, part: Table, whole: Table, free: int) -> bool:
    """A partition may number its columns differently: keys are compared by their text."""
    return part is not whole and served(candidate, part, free=free)


def identified(columns: Iterable[str], table: Table) -> bool:
    """Tell whether a unique index finds the one row by these columns."""
    names = {*columns}
    given = {column.number for column in table.columns if column.name in names}
    return any(
        own.unique and own.valid and not own.where and all(key.column in given for key in own.keys)
        for own in table.indexes
    )


def _serves(own: Index, candidate: Candidate, free: int) -> bool:
    if canonical(own.where) != canonical(candidate.where):
        return False  # a partial candidate is small, which no index on all rows is
    if candidate.method == "btree":
        return own.method == "btree" and _leads(own, candidate, free)
    return own.method in {candidate.method, "gist"} and all(
        any(_word(mine) == _word(key) and _able(mine, key) for mine in own.keys) for key in candidate.keys
    )


def _leads(own: Index, candidate: Candidate, free: int) -> bool:
    wanted, keys = candidate.keys, own.keys[: len(candidate.keys)]
    held = {*own.include, *(_word(key).strip('"') for key in own.keys)}
    if len(keys) < len(wanted) or not {*candidate.include} <= held:
        return False
    if {_kind(key) for key in keys[:free]} != {_kind(key) for key in wanted[:free]}:
        return False
    return _ordered(keys[free:], wanted[free:])


def _ordered(keys: Sequence[IndexKey], wanted: Sequence[IndexKey]) -> bool:
    """Tell whether keys give an order, read forward or backward."""
    if [_kind(key) for key in keys] != [_kind(key) for key in wanted]:
        return False
    turns = {
        (mine.descending != key.descending, mine.nulls_first != key.nulls_first)
        for mine, key in zip(keys, wanted, strict=True)
    }
    return not turns or turns in ({(False, False)}, {(True, True)})


def _kind(key: IndexKey) -> tuple[str, str, str]:
    return _word(key), key.opclass.rpartition(".")[2], key.collation


def _word(key: IndexKey) -> str:
    return key.expression if key.column else canonical(key.expression)


def _able(mine: IndexKey, wanted: IndexKey) -> bool:
    """Tell whether an operator class answers for another: GIN's default for jsonb does more than jsonb_path_ops."""
    own, other = (key.opclass.rpartition(".")[2] for key in (mine, wanted))
    return own == other or {own, other} == {"gist_trgm_ops", "gin_trgm_ops"} or (own, other) == ("", "jsonb_path_ops")
