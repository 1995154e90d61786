"""What an index is there for beside being searched: what forbids that it goes, or speaks against it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.advisors.index.coverage import supports, works
from monitor.advisors.index.definitions import rest
from monitor.shape import ForeignKey, Index, Shape, Table


class Ties:
    """The ties of a database's indexes."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._from: dict[int, list[ForeignKey]] = {}
        self._to: dict[int, list[ForeignKey]] = {}
        for key in (*shape.foreign_keys, *shape.outer_keys):
            self._from.setdefault(key.table, []).append(key)
            self._to.setdefault(key.parent, []).append(key)
        self._tables = {index.oid: table for table in shape.tables.values() for index in table.indexes}

    def of_table(self, table: Table) -> str:
        """Say why no index of a table is ours to judge; "": it is."""
        if table.managed:
            return "its table is a managed service's"
        return f"its table belongs to the extension {table.owner}" if table.owner else ""

    def of(self, index: Index) -> str:
        """Say why an index must not be dropped; "": nothing forbids it."""
        if not works(index):
            return "it does not work"
        if index.parent:
            return "it is a part of a partitioned table's index"
        if index.primary or index.constraint:
            return "a constraint is kept by it"
        if index.replica_identity:
            return "replication finds rows by it"
        if index.clustered:
            return "the table is clustered by it"
        if index.owner:
            return f"it belongs to the extension {index.owner}"
        if index.unique and self._referenced(index):
            return "a foreign key relies on it"
        return "" if rest(index) else "its definition could not be read"

    def of_key(self, index: Index, table: Table) -> str:
        """Name the foreign key whose checks an index serves; "": none."""
        for key, columns in self._keys_of(table):
            if supports(index, columns):
                return f"the foreign key {key.name} is served by it"
        return ""

    def _referenced(self, index: Index) -> bool:
        """Tell whether a foreign key refers to the columns by this index, or may do so."""
        columns = {key.column for key in index.keys}
        keys = self._to.get(self._tables[index.oid].oid, ())
        return any(key.index == index.oid or (not key.index and set(key.parent_columns) == columns) for key in keys)

    def _keys_of(self, table: Table) -> Iterator[tuple[ForeignKey, Sequence[int]]]:
        """Give the foreign keys of a table, and of those that it is a part of, with its own columns' numbers."""
        above: Table | None = table
        while above is not None:
            names = {column.number: column.name for column in above.columns}
            for key in self._from.get(above.oid, ()):
                own = [table.by_name.get(names.get(number, "")) for number in key.columns]
                if None not in own:
                    yield key, [column.number for column in own if column is not None]
            above = self._shape.tables.get(above.parent)
