"""The SQL that gives a foreign key its index: on a plain table, or on every level of a partitioned one."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.probe import Remedy, Row, identifier, index_names, index_sql, number

UNEVEN = " Some partitions have such an index already, so only the others get one; new partitions need it as well."


@dataclass(frozen=True)
class Member:
    """One table of a partition tree."""

    schema: str
    table: str
    relid: int
    above: int
    partitioned: bool
    served: bool

    def place(self, columns: tuple[str, ...]) -> index_names.Place:
        """Give the place of its index."""
        return index_names.Place(self.schema, self.table, columns)

    def part(self, columns: tuple[str, ...]) -> index_sql.Part:
        """Give it as a part of the tree that gets an index."""
        place = self.place(columns)
        return index_sql.Part(oid=self.relid, above=self.above, partitioned=self.partitioned, place=place)


def members(row: Row) -> Sequence[Member]:
    """Read the partition tree, the root first; empty for a plain table or a tree too large to print."""
    return [Member(*each) for each in json.loads(str(row["tree"]))] if row["tree"] is not None else []


def columns_of(row: Row) -> tuple[str, ...]:
    """Give the key's columns in its own order."""
    columns = row["columns"]
    return tuple(map(str, columns)) if isinstance(columns, list) else ()


def by_table(rows: Iterable[Row]) -> Mapping[tuple[object, object], Sequence[Row]]:
    """Group the foreign keys among the rows by their table."""
    tables: dict[tuple[object, object], list[Row]] = {}
    for row in rows:
        if row["kind"] == "foreign_key":
            tables.setdefault((row["schema"], row["table"]), []).append(row)
    return tables


def widest(row: Row, siblings: Sequence[Row]) -> tuple[str, ...]:
    """Give the columns to index: those of the longest unserved key of the table that begins with this one's."""
    own = columns_of(row)
    return max((wide for wide in map(columns_of, siblings) if set(wide[: len(own)]) == set(own)), key=len, default=own)


def places(row: Row, siblings: Sequence[Row]) -> Iterator[index_names.Place]:
    """Give every place at which an index for this key may be created."""
    columns = widest(row, siblings)
    yield index_names.Place(str(row["schema"]), str(row["table"]), columns)
    yield from (member.place(columns) for member in members(row))


def remedy(row: Row, siblings: Sequence[Row], names: index_names.Names) -> Remedy:
    """Say how to create the index, and how to undo it."""
    columns, tree = widest(row, siblings), members(row)
    if number(row, "partitions") and not tree:
        return Remedy(caution=index_sql.TOO_MANY)
    if not tree:
        place = index_names.Place(str(row["schema"]), str(row["table"]), columns)
        return Remedy(sql=(created(place, names),), rollback=(dropped(place, names),), caution=index_sql.CONCURRENTLY)
    if lone := [member.place(columns) for member in unserved(tree)]:
        sql, rollback = [created(place, names) for place in lone], [dropped(place, names) for place in lone]
        return Remedy(sql=tuple(sql), rollback=tuple(rollback), caution=index_sql.CONCURRENTLY + UNEVEN)
    parts = [member.part(columns) for member in tree]
    return Remedy(
        sql=tuple(index_sql.made(parts, keyed(columns), names)),
        rollback=tuple(index_sql.unmade(parts, names)),
        caution=index_sql.CONCURRENTLY + index_sql.PARTITIONED,
    )


def unserved(tree: Sequence[Member]) -> Sequence[Member]:
    """Give the partitions that are without an index while others have one; none where no part of the tree has any."""
    some = any(member.served for member in tree)
    return [member for member in tree if some and not member.partitioned and not member.served]


def created(place: index_names.Place, names: index_names.Names) -> str:
    """Write the statement for a table that holds rows."""
    return index_sql.created(index_sql.Part(oid=0, place=place), keyed(place.columns), names)


def dropped(place: index_names.Place, names: index_names.Names) -> str:
    """Write its undoing."""
    (statement,) = index_sql.unmade([index_sql.Part(oid=0, place=place)], names)
    return statement


def keyed(columns: Iterable[str]) -> str:
    """Write the columns of an index."""
    return f"({', '.join(map(identifier, columns))})"


def described(place: index_names.Place) -> str:
    """Write `schema.table (column, …)`."""
    return f"{identifier(place.schema, place.table)} {keyed(place.columns)}"
