"""Types by the server's own names: what a B-tree can hold, and which casts change nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable

from monitor.shape import DefinedType
from monitor.sql.text import identifier

NAMES = {
    "integer": "int4",
    "bigint": "int8",
    "smallint": "int2",
    "boolean": "bool",
    "real": "float4",
    "double precision": "float8",
    "character varying": "varchar",
    "character": "bpchar",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "time without time zone": "time",
    "time with time zone": "timetz",
    "bit varying": "varbit",
    '"char"': "char",
}
INTEGERS = frozenset({"int2", "int4", "int8"})
NUMBERS = INTEGERS | {"numeric", "float4", "float8"}
TEXTS = frozenset({"text", "varchar"})
COMPARABLE = (
    NUMBERS
    | TEXTS
    | {
        "bpchar",
        "char",
        "name",
        "citext",
        "uuid",
        "bool",
        "bytea",
        "oid",
        "money",
        "inet",
        "cidr",
        "macaddr",
        "macaddr8",
    }
    | {"date", "time", "timetz", "timestamp", "timestamptz", "interval", "bit", "varbit", "pg_lsn", "enum"}
)
RANGES = frozenset(
    f"{name}{kind}" for name in ("int4", "int8", "num", "ts", "tstz", "date") for kind in ("range", "multirange")
)
_MODIFIER = re.compile(r"\([^)]*\)")


def base(name: str, types: Iterable[DefinedType] = ()) -> str:
    """Give a type's base by the server's own name; of an enum "enum"."""
    for _ in range(32):  # domains over domains
        bare = " ".join(_MODIFIER.sub("", name).split())
        element = bare.removesuffix("[]")
        plain = NAMES.get(element, element)
        own = None if plain in COMPARABLE else _defined(element, types)
        if own is None:
            return plain.rpartition(".")[2] + bare[len(element) :]
        if not own.base:
            return ("enum" if own.labels else own.name) + bare[len(element) :]
        name = own.base + bare[len(element) :]
    return name


def _defined(name: str, types: Iterable[DefinedType]) -> DefinedType | None:
    return next((own for own in types if name in (identifier(own.schema, own.name), identifier(own.name))), None)


def same_bytes(own: str, cast: str) -> bool:
    """Tell whether a cast only changes the label: an index on the column still serves."""
    return own == cast or {own, cast} <= TEXTS or (own, cast) == ("cidr", "inet")
