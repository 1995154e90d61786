"""Statements that make an index again: its own definition, under this or another name, without blocking writes."""

from __future__ import annotations

from monitor.shape import Index, Table
from monitor.sql.text import identifier

PARTITIONED = "p"


def rest(index: Index) -> str:
    """Give its definition from USING on: method, keys, INCLUDE, storage parameters, WHERE; "": not known."""
    return index.definition


def created(index: Index, table: Table, name: str = "", *, alone: bool = False) -> str:
    """Write the statement that makes such an index on a table; `alone`: of a partitioned one, without its partitions.

    Of a partitioned table it cannot be made concurrently.
    """
    unique = "unique " if index.unique else ""
    how = "" if table.kind == PARTITIONED else "concurrently "
    only = "only " if alone else ""
    words = f"create {unique}index {how}if not exists {identifier(name or index.name)}"
    return f"{words} on {only}{table.full_name} {rest(index)}"


def dropped(index: Index, table: Table) -> str:
    """Write the statement that drops it; the index of a partitioned table cannot be dropped concurrently."""
    how = "" if table.kind == PARTITIONED else "concurrently "
    return f"drop index {how}if exists {index.full_name}"
