"""What the keys of an index say beyond their columns: opclass and collation are named where they are no default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from monitor.probe import identifier, literal, shape

DESCENDING, NULLS_FIRST = 1, 2
"""Bits of pg_index.indoption."""
_OPTION = re.compile(r'"((?:[^"\\]|\\.)*)"|([^",{}]+)')


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """A table's columns by their numbers, with the oids of their collations and types."""

    columns: Mapping[int, shape.Column]
    collations: Mapping[int, int]
    types: Mapping[int, int]


NOTHING = Numbered(columns={}, collations={}, types={})


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Reads keys; collations and opclasses of the database by oid."""

    collations: Mapping[int, Mapping[str, Any]]
    opclasses: Mapping[int, Mapping[str, Any]]

    @cached_property
    def _exact(self) -> frozenset[tuple[int, int]]:
        """The methods with the types that have a default of their own."""
        return frozenset((each["method"], each["type"]) for each in self.opclasses.values() if each["by_default"])

    def of(self, row: Mapping[str, Any], own: Numbered) -> tuple[shape.IndexKey, ...]:
        """Give an index's keys; raises LookupError where a column is not known, as its table was changed meanwhile."""
        return tuple(self._key(row, place, own) for place in range(row["keys"]))

    def _key(self, row: Mapping[str, Any], place: int, own: Numbered) -> shape.IndexKey:
        number, order = row["columns"][place], row["orders"][place]
        return shape.IndexKey(
            expression=identifier(own.columns[number].name) if number else _enclosed(row["expressions"][place]),
            column=number,
            opclass=self._opclass(row, place, own),
            collation=self._collation(row, place, own),
            descending=bool(order & DESCENDING),
            nulls_first=bool(order & NULLS_FIRST),
        )

    def _opclass(self, row: Mapping[str, Any], place: int, own: Numbered) -> str:
        """Name an opclass that is not the default: that is the one of the very type, or of a more general one.

        An index by another type than its expression's does not tell that one: a default is taken for the default.
        """
        number, about, options = row["columns"][place], self.opclasses[row["opclasses"][place]], row["options"][place]
        if options:
            return f"{about['name']}({_options(options)})"
        type_ = own.types[number] if number else row["types"][place]
        general = about["for_others"] and (about["method"], type_) not in self._exact
        fits = about["type"] == type_ or general or (not number and about["keeps_another"])
        return "" if about["by_default"] and fits else about["name"]

    def _collation(self, row: Mapping[str, Any], place: int, own: Numbered) -> str:
        """Name a collation that is not the column's, or that the server names behind an expression."""
        oid, number = row["collations"][place], row["columns"][place]
        if number:
            differs = oid != own.collations[number]
        else:
            differs = f"{row['expressions'][place]} COLLATE " in row["definition"]
        return self.collations[oid]["name"] if oid and differs else ""


def _enclosed(expression: str) -> str:
    """Put an expression in parentheses; the server does so itself unless it is a call."""
    return expression if expression.startswith("(") else f"({expression})"


def _options(text: str) -> str:
    """Write an opclass' options, which stand as `{siglen=32}`, as they are declared."""
    pairs = ((quoted or plain).replace("\\", "").partition("=") for quoted, plain in _OPTION.findall(text))
    return ", ".join(f"{identifier(name)}={literal(value)}" for name, _, value in pairs)
