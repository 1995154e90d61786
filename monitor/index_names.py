"""Names for indexes that are to be created: at most 63 bytes, and none that a relation of the schema has already."""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

BYTES = 63
"""The longest identifier PostgreSQL keeps (NAMEDATALEN - 1), in bytes; in UTF-8, as no encoding of it is longer."""

TRIES = 8


@dataclass(frozen=True)
class Place:
    """Where an index is wanted: a table and its key columns in order."""

    schema: str
    table: str
    columns: tuple[str, ...]


@dataclass
class Names:
    """Gives each place a name of its own, and the same place always the same one."""

    taken: Collection[tuple[object, object]]
    given: dict[tuple[str, str], Place] = field(default_factory=dict)

    def of(self, place: Place) -> str:
        """Choose the first name that is free, `table_column_idx` if it can be."""
        names = list(candidates(place))
        for name in names:
            full = (place.schema, name)
            if full not in self.taken and self.given.setdefault(full, place) == place:
                return name
        return names[-1]


def candidates(place: Place) -> Iterator[str]:
    """Give the plain name, if it is short enough, then names told apart by a few digits of a hash."""
    stem = "_".join((place.table, *place.columns))
    plain = f"{stem}_idx"
    if len(plain.encode()) <= BYTES:
        yield plain
    for attempt in range(TRIES):
        text = "\x00".join((place.schema, place.table, *place.columns, str(attempt)))
        tail = f"_{hashlib.sha256(text.encode()).hexdigest()[:6]}_idx"
        yield cut(stem, BYTES - len(tail)) + tail


def cut(text: str, length: int) -> str:
    """Shorten to so many bytes, at the border of a character."""
    return text.encode()[:length].decode(errors="ignore")
