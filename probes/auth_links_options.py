"""What the configuration says of GoTrue and its links: the section `auth`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from monitor.probe import Target, identifier

MOST_KEYS = 20

_PART = r'"(?:[^"]|"")+"|[^".]+'
_NAME = re.compile(rf"(?:({_PART})\.)?({_PART})\Z")


@dataclass(frozen=True, kw_only=True)
class Link:
    """A declared link: a column whose values are ids of auth.users."""

    table: str
    column: str
    target: str | None = None
    database: str | None = None
    email: str | None = None
    created_at: str | None = None
    one_per_user: bool = False
    every_user: bool = False
    """Every confirmed user has a row here: one without is a finding."""

    def __post_init__(self) -> None:
        """Refuse a table's name that cannot be read."""
        if not _NAME.match(self.table):
            raise ValueError('table should be SCHEMA.TABLE, quoted as in SQL where needed: public."User Data"')

    @property
    def place(self) -> tuple[str, str, str]:
        """Give schema (`public` where none is named), table and column, without quotes."""
        found = _NAME.match(self.table)
        schema, table = (found[1] or "public", found[2]) if found else ("public", self.table)
        return _bare(schema), _bare(table), _bare(self.column)


@dataclass(frozen=True, kw_only=True)
class AuthOptions:
    """Where GoTrue lives and who refers to it; `grace` in seconds is given to sign-ups under way."""

    schema: str = "auth"
    grace: float = 300.0
    duty: float = 0.02
    """The share of the time that sweeping links too big to be looked at whole may take, in each database.

    Each of the other probes that go through big tables (states, accounts, sessions) may take a quarter of it.
    """
    sample_keys: int = 0
    """So many ids of the rows that a finding counts are kept with it: for who signs in to our page or API alone."""
    links: tuple[Link, ...] = ()
    not_links: tuple[str, ...] = ()
    """Globs of `schema.table` or `schema.table.column` that are no links."""

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if not 0 <= self.sample_keys <= MOST_KEYS:
            raise ValueError(f"sample_keys should be 0 (no ids are shown) to {MOST_KEYS}")
        if self.grace < 0:
            raise ValueError("grace should not be negative")
        if not 0 < self.duty <= 1:
            raise ValueError("duty should be a share of the time, more than 0 and at most 1")

    @property
    def seconds_beside(self) -> float:
        """Give the seconds a minute that each of the other probes may take."""
        return 15 * self.duty

    def for_target(self, target: Target) -> AuthOptions:
        """Keep the links of one database of one target."""
        links = [link for link in self.links if link.target in (None, target.server)]
        return replace(self, links=tuple(link for link in links if link.database in (None, target.database)))

    def excludes(self, schema: str, table: str, column: str) -> bool:
        """Tell whether somebody said that this is no link."""
        plain, quoted = f"{schema}.{table}", identifier(schema, table)
        names = (plain, quoted, f"{plain}.{column}", f"{quoted} ({identifier(column)})")
        return any(fnmatchcase(name, glob) for glob in self.not_links for name in names)


def _bare(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
