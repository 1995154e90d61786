"""What the catalogue says of a column that links to auth.users: its type, its keys, its indexes, and what it is for."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from monitor.probe import Row, identifier, number
from probes.auth_links_discovery import Origin, Place
from probes.auth_links_options import AuthOptions, Link
from probes.auth_sight import as_list

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_]+")

RECORDS = frozenset(
    "order invoice payment payout refund charge receipt billing bill purchase sale transaction transfer ledger journal "  # noqa: SIM905 - a wall of quotes reads worse
    "accounting audit auditlog bookkeeping donation subscription deposit withdrawal".split()
)
"""Words of tables that keep what the law, or a dispute, may ask for."""

NO_RECORDS = frozenset(
    "method setting preference option address customer provider config configuration draft template type status plan "  # noqa: SIM905 - likewise
    "notification contact detail info session token".split()
)
"""Words that, standing last, make a table one about records: payment_methods."""

OF_PEOPLE = re.compile(
    r"(app|public)?(user|profile|person|people)(s|profiles?|accounts?|details?|data|info|settings?)?"
)
OWN_ID = re.compile(r"(auth|supabase|gotrue|profile)?(user|u)?(id|uid|uuid)")


@dataclass(frozen=True, kw_only=True)
class Key:
    """A foreign key of the link's column; `reaches`: it binds the column to the id of auth.users itself."""

    name: str
    reaches: bool
    columns: int
    on_delete: str
    on_update: str
    match: str
    deferrable: bool
    deferred: bool
    valid: bool
    enforced: bool


@dataclass(frozen=True, kw_only=True)
class Index:
    """A working index with the link among its keys; `only`: "", "present" (is not null), "null" or "other"."""

    unique: bool
    method: str
    first: bool
    alone: bool
    only: str


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A link as it is built."""

    place: Place
    origin: Origin
    declared: Link | None
    partitioned: bool
    partition: bool
    rows: float
    type: str
    base: str
    """"uuid", "text" or "other"."""
    not_null: bool
    keys: Sequence[Key]
    indexes: Sequence[Index]
    bound: bool
    """A chain of foreign keys leads to auth.users."""
    leaves_keyed: bool
    leaves_indexed: bool
    constraints: Collection[str]
    major: int

    @property
    def relation(self) -> str:
        return identifier(*self.place[:2])

    @property
    def column(self) -> str:
        return identifier(self.place[2])

    @property
    def subject(self) -> str:
        return f"{self.relation} ({self.column})"

    @property
    def sampled(self) -> bool:
        """Tell a link that only its values give away."""
        return self.origin is Origin.SAMPLE

    @property
    def straight(self) -> Sequence[Key]:
        """Give the enforced foreign keys to the id of auth.users."""
        return [key for key in self.keys if key.reaches and key.enforced]

    @property
    def of_person(self) -> bool:
        """Tell whether the link is the whole point of its row: declared so, or a profile by the names of both."""
        if self.declared is not None:
            return self.declared.one_per_user
        _, table, column = (part.replace("_", "").lower() for part in self.place)
        return bool(OF_PEOPLE.fullmatch(table) and OWN_ID.fullmatch(column))

    @property
    def of_record(self) -> bool:
        """Tell whether the table's name says that it keeps orders, payments or an audit trail."""
        words = [singular(word) for word in _WORD.findall(self.place[1])]
        return bool(RECORDS.intersection(words)) and words[-1] not in NO_RECORDS

    @property
    def unique(self) -> bool:
        """Tell whether a user can have one row only; one that is not marked as deleted is enough."""
        return any(index.unique and index.alone and index.only in ("", "present", "null") for index in self.indexes)

    @property
    def shared(self) -> bool:
        """Tell whether a user has one row for each of something: a member of teams."""
        return any(index.unique and not index.alone for index in self.indexes)

    @property
    def indexed(self) -> bool:
        """Tell whether a user's rows are found without reading the table."""
        serving = [each for each in self.indexes if each.first and each.method == "btree"]
        return self.leaves_indexed or any(index.only in ("", "present") for index in serving)


def singular(word: str) -> str:
    """Give a word in lower case without the s of the plural."""
    low = word.lower().removesuffix("es") if word.lower().endswith("sses") else word.lower()
    return low[:-1] if len(low) > 3 and low.endswith("s") and not low.endswith(("ss", "us")) else low  # noqa: PLR2004 - "bus"


def shapes(rows: Sequence[Row], options: AuthOptions, sampled: Collection[Place], major: int) -> list[Shape]:
    """Read the links; undeclared ones that were excluded are left out."""
    links = {link.place: link for link in options.links}
    found = [_shape(row, links, major) for row in rows]
    return [
        shape
        for shape in found
        if shape.declared or (not options.excludes(*shape.place) and (_keyed(shape) or shape.place in sampled))
    ]


def _keyed(shape: Shape) -> bool:
    return shape.origin is Origin.KEY


def _shape(row: Row, links: dict[Place, Link], major: int) -> Shape:
    place = str(row["schema"]), str(row["table"]), str(row["column"])
    keys = [Key(**each) for each in json.loads(str(row["keys"]))]
    declared, keyed = links.get(place), any(key.reaches for key in keys)
    return Shape(
        place=place,
        origin=Origin.DECLARED if declared else Origin.KEY if keyed else Origin.SAMPLE,
        declared=declared,
        partitioned=bool(row["partitioned"]),
        partition=bool(row["partition"]),
        rows=number(row, "rows"),
        type=str(row["type"]),
        base=str(row["base"]),
        not_null=bool(row["not_null"]),
        keys=keys,
        indexes=[Index(**each) for each in json.loads(str(row["indexes"]))],
        bound=bool(row["bound"]),
        leaves_keyed=bool(row["leaves_keyed"]),
        leaves_indexed=bool(row["leaves_indexed"]),
        constraints=frozenset(map(str, as_list(row["constraints"]))),
        major=major,
    )
