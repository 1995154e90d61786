"""Row level security as a planner needs it: which policies bind whose statements, and conditions without values."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from monitor.sql.lexemes import Lexeme, Token, lexemes

EVERYBODY = "public"
STAND_INS: Mapping[str, str] = {
    "boolean": "true",
    "uuid": "'00000000-0000-0000-0000-000000000000'",
    "json": "'{}'",
    "jsonb": "'{}'",
    "text": "''",
    "character varying": "''",
    "name": "''",
    "smallint": "0",
    "integer": "0",
    "bigint": "0",
    "numeric": "0",
    "real": "0",
    "double precision": "0",
    "date": "'2000-01-01'",
    "timestamp without time zone": "'2000-01-01'",
    "timestamp with time zone": "'2000-01-01'",
    "interval": "'1 day'",
}
"""A value of each common type, which nobody's rows hold."""
_WORDS_OF_SQL = frozenset("UTC epoch second minute hour day dow week month quarter year".split())  # noqa: SIM905
"""Constants that functions take for orders: any other would be an error."""
_CAST = re.compile(
    r"::(?P<type>(?:\"(?:[^\"]|\"\")+\"|\w+)(?:\.(?:\"(?:[^\"]|\"\")+\"|\w+))?"
    r"(?: varying| precision| with(?:out)? time zone)?)(?:\([\d,]+\))?(?P<array>\[\])?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """A policy; conditions are SQL without values, "" where there is none."""

    command: str = "*"
    """`*` all, or one of r (select), a (insert), w (update), d (delete)."""
    permissive: bool = True
    roles: tuple[str, ...] = (EVERYBODY,)
    using: str = ""
    check: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Secured:
    """A table under row level security."""

    owner: str
    forced: bool = False
    """Its owner is bound as well."""
    policies: tuple[Policy, ...] = ()
    unread: str = ""
    """Why its policies are not known; "": they are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """A role that runs statements."""

    bypass: bool = False
    """A superuser, or one with BYPASSRLS."""
    has: frozenset[str] = frozenset()
    """Roles whose rights it has, of those that policies name or that own tables under row level security."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """The planner's settings that its sessions begin with."""

    def bound(self, table: Secured) -> bool:
        """Tell whether a table's policies hold for it."""
        return not self.bypass and (table.forced or table.owner not in self.has)

    def policies(self, table: Secured) -> Iterator[Policy]:
        """Give those that hold for it."""
        for each in table.policies if self.bound(table) else ():
            if EVERYBODY in each.roles or self.has.intersection(each.roles):
                yield each


def without_values(sql: str, enums: Collection[str] = ()) -> str:
    """Put made-up constants in the place of an expression's own, as the server writes it: each with its type behind it.

    Labels of `enums` (as format_type names them) stay: they are part of the schema. So do names of relations.
    """
    parts, at = [], 0
    for token in lexemes(sql):
        instead = _instead(sql, token, enums)
        if instead is not None:
            parts += [sql[at : token.start], instead]
            at = token.end
    return "".join([*parts, sql[at:]])


def _instead(sql: str, token: Token, enums: Collection[str]) -> str | None:
    if token.kind is Lexeme.NUMBER:
        return "0" if token.text == "0" else "1"
    if token.kind is Lexeme.BITS:
        return "B'0'"
    if token.kind is not Lexeme.TEXT:
        return None
    cast = _CAST.match(sql, token.end)
    kind = cast["type"] if cast else "text"
    if cast and cast["array"]:
        return "'{}'"
    if kind in enums or kind.startswith("reg") or token.text in _WORDS_OF_SQL:
        return None
    value = STAND_INS.get(kind, "''")
    return value if value.startswith("'") else f"'{value}'"
