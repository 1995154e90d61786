"""Which columns refer to auth.users: those declared, those with a foreign key, and those named as if they did."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from monitor.probe import Needs, ProbeSkipped, Row, Session, identifier
from probes.auth_links_columns import BOUND, NAMED, NAMES
from probes.auth_links_options import AuthOptions, Link
from probes.auth_sight import as_list

USERS = """
    select c.relkind::text as kind,
           (select pg_catalog.format_type(a.atttypid, null)
              from pg_catalog.pg_attribute a
             where a.attrelid = c.oid and a.attname = 'id' and not a.attisdropped) as id_type,
           array(select a.attname::text
                   from pg_catalog.pg_attribute a
                  where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
      from pg_catalog.pg_namespace n
      join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = 'users'
     where n.nspname = $1::text
"""

# Why a declared link is not among the columns above.
DECLARED = """
    select (select c.relkind::text
              from pg_catalog.pg_class c
              join pg_catalog.pg_namespace n on n.oid = c.relnamespace
             where n.nspname = $1::text and c.relname = $2::text) as kind,
           (select pg_catalog.format_type(a.atttypid, a.atttypmod)
              from pg_catalog.pg_class c
              join pg_catalog.pg_namespace n on n.oid = c.relnamespace
              join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             where n.nspname = $1::text and c.relname = $2::text and a.attname = $3::text) as type
"""


Place: TypeAlias = tuple[str, str, str]
"""Schema, table and column."""

MOST = 1000
"""Columns that are looked at in one database; one more is read, so that a cut does not go unsaid."""

GUESS_EVERY = 295.0
"""Seconds; a little less than five minutes, so that rounds do not drift past it."""


class Origin(StrEnum):
    """Why we take a column for a link; a guess only proposes."""

    DECLARED = "declared"
    KEY = "foreign key"
    SAMPLE = "sample"
    GUESS = "name"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column that refers to auth.users, or may."""

    schema: str
    table: str
    column: str
    uuid: bool = True
    """Its type is uuid, and no text."""
    keyed: bool = False
    single: bool = False
    """A unique index says: at most one row a user."""
    profile_like: bool = False
    telling: bool = False
    """Its name says whose id it holds (`auth_user_id`)."""
    created: str | None = None
    declared: Link | None = None

    @property
    def relation(self) -> str:
        return identifier(self.schema, self.table)

    @property
    def subject(self) -> str:
        return f"{self.relation} ({identifier(self.column)})"

    @property
    def place(self) -> Place:
        return self.schema, self.table, self.column

    @property
    def origin(self) -> Origin:
        """Tell why it is taken for a link before any of its values was looked at."""
        if self.declared is not None:
            return Origin.DECLARED
        return Origin.KEY if self.keyed else Origin.GUESS

    @property
    def by_custom(self) -> bool:
        """Tell an undeclared table that looks as if every user had a row in it."""
        return self.declared is None and self.keyed and self.single and self.profile_like

    @property
    def of_everybody(self) -> bool:
        """Tell whether users without a row here may be anybody's concern."""
        return self.declared.every_user if self.declared is not None else self.by_custom

    @property
    def needed(self) -> list[str]:
        """The columns of its table that must be readable."""
        return [self.column, *([self.created] if self.created else [])]


async def gotrue(session: Session, options: AuthOptions) -> frozenset[str]:
    """Give the columns of auth.users; raises ProbeSkipped where GoTrue is not here, or is not what we know."""
    users = identifier(options.schema, "users")
    here = any(link.database == session.facts.database for link in options.links)
    rows = await session.fetch(USERS, options.schema)
    if not rows:
        reason = f"this database has no {users}"
        raise ProbeSkipped(f"{reason}, which auth.links needs" if here else reason, Needs.SETTING if here else None)
    if rows[0]["kind"] not in ("r", "p"):
        raise ProbeSkipped(f"{users} is no table; set auth.schema to where GoTrue keeps its users", Needs.SETTING)
    present = frozenset(str(name) for name in as_list(rows[0]["columns"]))
    if rows[0]["id_type"] != "uuid" or not {"created_at", "confirmed_at"} <= present:
        raise ProbeSkipped(f"{users} is not as GoTrue makes it", Needs.SETTING if here else None)
    return present


class Guessed:
    """The columns that are named like a link, as they were found last: looking through all names is dear."""

    def __init__(self) -> None:
        self.columns: list[Column] = []
        self._at = -math.inf

    async def renewed(self, session: Session, options: AuthOptions) -> list[Column]:
        """Give them, found anew every few minutes."""
        if time.monotonic() - self._at >= GUESS_EVERY:
            rows = await session.fetch(NAMED, options.schema, NAMES)
            self.columns, self._at = [_column(row, {}) for row in rows], time.monotonic()
        return self.columns


async def columns(session: Session, options: AuthOptions, guessed: Guessed, linked: Collection[Place]) -> list[Column]:
    """Give all columns that refer to auth.users or are named so, declared ones first, without the excluded.

    `linked` names guesses that proved to be links: they are looked for each time, as the declared are.
    """
    places = {link.place: link for link in options.links}
    said = [*places, *linked]
    names: list[list[str]] = [[place[part] for place in said] for part in range(3)]
    bound = [_column(row, places) for row in await session.fetch(BOUND, options.schema, *names)]
    settled = {*said, *(column.place for column in bound)}
    guesses = [column for column in await guessed.renewed(session, options) if column.place not in settled]
    found = [*sorted(bound, key=lambda column: column.declared is None), *guesses]
    return [column for column in found if column.declared or not options.excludes(*column.place)][: MOST + 1]


def too_many(found: Sequence[Column]) -> list[tuple[Column, str]]:
    """Name the first column that is not looked at, where there are more than we look at."""
    why = f"not looked at, nor those after it: more than {MOST} columns may refer to auth.users; set auth.not_links"
    return [(column, why) for column in found[MOST : MOST + 1]]


async def why_missing(session: Session, options: AuthOptions, found: Sequence[Column]) -> list[tuple[Column, str]]:
    """Name for each declared link that is not among the columns what is wrong with it."""
    known = {column.place for column in found}
    return [(_declared(link), await _why(session, link)) for link in options.links if link.place not in known] + [
        (column, why) for column in found if (why := await _why_created(session, column))
    ]


async def _why(session: Session, link: Link) -> str:
    schema, table, column = link.place
    (row,) = await session.fetch(DECLARED, schema, table, column)
    relation = identifier(schema, table)
    if row["kind"] is None:
        return f"auth.links names {relation}, which does not exist in this database"
    if row["kind"] not in ("r", "p"):
        return f"auth.links names {relation}, which is no table"
    if row["type"] is None:
        return f"auth.links names column {identifier(column)}, which {relation} does not have"
    return f"auth.links names {relation} ({identifier(column)}), a {row['type']}, which cannot hold an id of auth.users"


async def _why_created(session: Session, column: Column) -> str:
    if column.declared is None or column.declared.created_at is None:
        return ""
    (row,) = await session.fetch(DECLARED, column.schema, column.table, column.created)
    if row["type"] is None:
        return f"auth.links names created_at {column.created}, which {column.relation} does not have"
    if not str(row["type"]).startswith(("timestamp", "date")):
        return f"auth.links names created_at {column.created}, a {row['type']}, which is no time"
    return ""


def _column(row: Row, places: dict[Place, Link]) -> Column:
    schema, table, name = str(row["schema"]), str(row["table"]), str(row["column"])
    declared = places.get((schema, table, name))
    created = declared.created_at if declared and declared.created_at else row["created"]
    return Column(
        schema=schema,
        table=table,
        column=name,
        uuid=bool(row["uuid"]),
        keyed=bool(row["keyed"]),
        single=bool(row["single"]),
        profile_like=bool(row["profile_like"]),
        telling=bool(row["telling"]),
        created=str(created) if created is not None else None,
        declared=declared,
    )


def _declared(link: Link) -> Column:
    schema, table, column = link.place
    return Column(schema=schema, table=table, column=column, declared=link)
