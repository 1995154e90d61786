"""The SQL that gives a foreign key its index: on a plain table, or on every level of a partitioned one."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.probe import Remedy, Row, identifier, index_names, number

CONCURRENTLY = (
    "create index concurrently lets reads and writes go on, waits for transactions that are open, and runs outside a "
    "transaction. If it is broken off it leaves an invalid index: run the rollback, then try again."
)
PARTITIONED = (
    " A partitioned table cannot be indexed concurrently: the first statement makes an empty index on it alone, then "
    "each partition gets its own, which is attached; the index is valid once all are."
)
UNEVEN = " Some partitions have such an index already, so only the others get one; new partitions need it as well."
TOO_MANY = (
    "More than 50 partitions: create the index on only the partitioned table, then for each partition create it "
    "concurrently and attach it with alter index ... attach partition ...; in a quiet hour a plain create index on the "
    "partitioned table does the same in one statement, while writes wait."
)


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
        return Remedy(caution=TOO_MANY)
    if not tree:
        place = index_names.Place(str(row["schema"]), str(row["table"]), columns)
        return Remedy(sql=(created(place, names),), rollback=(dropped(place, names),), caution=CONCURRENTLY)
    if lone := [member.place(columns) for member in unserved(tree)]:
        sql, rollback = [created(place, names) for place in lone], [dropped(place, names) for place in lone]
        return Remedy(sql=tuple(sql), rollback=tuple(rollback), caution=CONCURRENTLY + UNEVEN)
    return Remedy(
        sql=tuple(grown(tree, columns, names)),
        rollback=tuple(felled(tree, columns, names)),
        caution=CONCURRENTLY + PARTITIONED,
    )


def unserved(tree: Sequence[Member]) -> Sequence[Member]:
    """Give the partitions that are without an index while others have one; none where no part of the tree has any."""
    some = any(member.served for member in tree)
    return [member for member in tree if some and not member.partitioned and not member.served]


def created(place: index_names.Place, names: index_names.Names) -> str:
    """Write the statement for a table that holds rows."""
    return f"create index concurrently if not exists {identifier(names.of(place))} on {described(place)}"


def dropped(place: index_names.Place, names: index_names.Names) -> str:
    """Write its undoing."""
    return f"drop index concurrently if exists {index_name(place, names)}"


def grown(tree: Sequence[Member], columns: tuple[str, ...], names: index_names.Names) -> Iterator[str]:
    """Write the statements for a partition tree, from the root to the leaves."""
    index = {member.relid: index_name(member.place(columns), names) for member in tree}
    for member in tree:
        place = member.place(columns)
        if member.partitioned:
            yield f"create index if not exists {identifier(names.of(place))} on only {described(place)}"
        else:
            yield created(place, names)
        if member.above:
            yield f"alter index {index[member.above]} attach partition {index[member.relid]}"


def felled(tree: Sequence[Member], columns: tuple[str, ...], names: index_names.Names) -> Iterator[str]:
    """Write the undoing: the root takes with it what is attached, the rest is what a broken-off run left."""
    for member in tree:
        place = member.place(columns)
        yield f"drop index if exists {index_name(place, names)}" if member.partitioned else dropped(place, names)


def index_name(place: index_names.Place, names: index_names.Names) -> str:
    """Give an index's full name."""
    return identifier(place.schema, names.of(place))


def described(place: index_names.Place) -> str:
    """Write `schema.table (column, …)`."""
    return f"{identifier(place.schema, place.table)} ({', '.join(map(identifier, place.columns))})"
