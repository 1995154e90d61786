"""The SQL that gives a table an index without stopping writes: a plain table, or each level of a partitioned one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monitor.index_names import Names, Place
from monitor.sql.text import identifier

MOST_PARTS = 50
"""Partitions whose statements are printed; with more, a person needs a script."""

CONCURRENTLY = (
    "CREATE INDEX CONCURRENTLY lets reads and writes go on, waits for transactions that are open, and runs outside a "
    "transaction. If it is broken off it leaves an invalid index: run the rollback, then try again."
)
PARTITIONED = (
    " A partitioned table cannot be indexed concurrently: the first statement makes an empty index on it alone, then "
    "each partition gets its own, which is attached; the index is valid once all are."
)
TOO_MANY = (
    f"More than {MOST_PARTS} partitions: create the index on only the partitioned table, then for each partition "
    "create it concurrently and attach it with alter index ... attach partition ...; in a quiet hour a plain create "
    "index on the partitioned table does the same in one statement, while writes wait."
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One table of a tree, and where its index is wanted; a plain table is a tree of one."""

    oid: int
    above: int = 0
    """The oid of the one that it is a partition of; 0: the tree's root."""
    partitioned: bool = False
    place: Place
    ready: str = ""
    """The full name of the same index, which it has already and which only has to be attached."""

    def index(self, names: Names) -> str:
        """Give the full name of its index."""
        return self.ready or identifier(self.place.schema, names.of(self.place))


def made(tree: Sequence[Part], body: str, names: Names) -> Iterator[str]:
    """Write the statements that make an index, parents first; `body` is what follows the table: `(a, b) where …`."""
    index = {part.oid: part.index(names) for part in tree}
    for part in tree:
        if not part.ready:
            yield created(part, body, names)
        if part.above:
            yield f"alter index {index[part.above]} attach partition {index[part.oid]}"


def unmade(tree: Sequence[Part], names: Names) -> Iterator[str]:
    """Write the undoing: the root takes with it what is attached, the rest is what a broken-off run left."""
    for part in tree:
        if not part.ready:
            how = "" if part.partitioned else " concurrently"
            yield f"drop index{how} if exists {part.index(names)}"


def created(part: Part, body: str, names: Names) -> str:
    """Write the statement for one table."""
    how, only = ("", "only ") if part.partitioned else (" concurrently", "")
    table = identifier(part.place.schema, part.place.table)
    return f"create index{how} if not exists {identifier(names.of(part.place))} on {only}{table} {body}"
