"""The words of the exam: statement shapes, right indexes, those that must not be proposed, and those to drop."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A statement of the workload; `values` is a query whose rows are its parameters, used again when they run out."""

    name: str
    tables: tuple[str, ...]
    sql: str
    calls: int
    values: str | None = None
    role: str | None = None
    setting: tuple[str, str] | None = None
    """A setting of the session, and the query that gives its value."""

    @property
    def writes(self) -> bool:
        return self.sql.split(maxsplit=1)[0] in {"insert", "update", "delete"}


@dataclass(frozen=True, kw_only=True)
class Index:
    """An index as one would write it; `keys` in order, each with its direction and operator class."""

    keys: tuple[str, ...]
    method: str = "btree"
    where: str | None = None

    def sql(self, table: str, name: str) -> str:
        tail = f" where {self.where}" if self.where else ""
        return f"create index {name} on {table} using {self.method} ({', '.join(self.keys)}){tail}"

    def __str__(self) -> str:
        method = "" if self.method == "btree" else f"{self.method} "
        return f"{method}({', '.join(self.keys)})" + (f" where {self.where}" if self.where else "")


@dataclass(frozen=True, kw_only=True)
class Right:
    """An index that should be proposed: any one of `answers`, for `shape`."""

    table: str
    answers: tuple[Index, ...]
    shape: str
    beside: Sequence[tuple[str, Index]] = ()
    """Other right indexes without which this one does not help: the other arms of an OR, the other side of a join."""
    directed: bool = False
    """The directions of the keys matter (but for all of them turned round)."""


class Match(Enum):
    """Which proposals an example of a wrong index stands for."""

    EXACT = "these keys and no other, of all rows"
    LEADING = "beginning with these keys, of all rows"
    HOLDS = "with such a key anywhere"
    TABLE = "any on this table"


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """An index that must not be proposed."""

    table: str
    index: Index
    why: str
    match: Match = Match.EXACT
    given: Sequence[tuple[str, Index]] = ()
    """Right indexes beside which it is of no use."""


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Indexes of which exactly one should go."""

    any_of: tuple[str, ...]
    why: str
    aged: bool = False
    """Only seen with `index.unused: {min_age: 0}`: the server's statistics are minutes old."""


@dataclass(frozen=True, kw_only=True)
class Keep:
    """An index that looks as if it could go."""

    name: str
    why: str


@dataclass(frozen=True, kw_only=True)
class School:
    """One schema with its statements and what is expected of it; its tables are made by the file `name`.sql."""

    name: str
    shapes: tuple[Shape, ...]
    rights: tuple[Right, ...]
    wrongs: tuple[Wrong, ...]
    drops: tuple[Drop, ...]
    keeps: tuple[Keep, ...]
    remarks: tuple[tuple[str, Index], ...] = ()
    """What index.missing_foreign_key asks of big tables though no parent loses a row here: neither right nor wrong."""


@dataclass(frozen=True, kw_only=True)
class Exam:
    """Schools of one database of this name, which are worked at and asked about together."""

    name: str
    schools: tuple[School, ...]
    path: str = "public"
    """Where statements look for tables whose schema they do not name."""

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return tuple(shape for school in self.schools for shape in school.shapes)

    @property
    def rights(self) -> tuple[Right, ...]:
        return tuple(right for school in self.schools for right in school.rights)

    @property
    def wrongs(self) -> tuple[Wrong, ...]:
        return tuple(wrong for school in self.schools for wrong in school.wrongs)

    @property
    def drops(self) -> tuple[Drop, ...]:
        return tuple(drop for school in self.schools for drop in school.drops)

    @property
    def remarks(self) -> tuple[tuple[str, Index], ...]:
        return tuple(remark for school in self.schools for remark in school.remarks)

    @property
    def keeps(self) -> tuple[Keep, ...]:
        return tuple(keep for school in self.schools for keep in school.keeps)


def btree(*keys: str, where: str | None = None) -> Index:
    return Index(keys=keys, where=where)


def gin(key: str) -> Index:
    return Index(keys=(key,), method="gin")
