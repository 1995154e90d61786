"""The rules about a link's column: unique, indexed, a uuid, and never NULL where it is the point of its row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import Confidence, Finding, Measurement, Severity, index_names
from probes.auth_judging import users_of
from probes.auth_structure_remedy import filled, indexed, made_unique, retyped
from probes.auth_structure_rules import StructureRule
from probes.auth_structure_shape import Shape


def names_of(seen: Measurement) -> index_names.Names:
    """Give the names that new indexes may have."""
    return index_names.Names({key for key in seen.details if isinstance(key, tuple)})


def lacks_unique(shape: Shape) -> bool:
    """Tell whether a user ought to have one row, and may have two."""
    if not shape.of_person or shape.unique:
        return False
    return shape.declared is not None or not shape.shared


@dataclass(frozen=True, kw_only=True)
class NoUnique(StructureRule):
    """Nothing keeps a user from having two profiles.

    Why: two requests at sign-up make two rows; from then on every reader picks one at random.
    What to do: merge the rows of whom there are two (auth_links.duplicate), then create the unique index.
    When it is wrong: many rows a user by design. Judged are links declared with `one_per_user: true`, and undeclared
    ones whose table and column are both named like a profile's (users, profiles, app_users; id, user_id, auth_id),
    unless a unique index holds the link beside another column. Declare the link, with or without `one_per_user`, to
    settle it. An index `where deleted_at is null` is enough.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "auth_links.no_unique"
    severity: Severity = Severity.WARNING

    def judged(self, seen: Measurement, shape: Shape) -> Iterator[Finding]:
        """Accuse a profile's link that is not unique."""
        if lacks_unique(shape):
            yield self.accused(
                seen,
                shape,
                f"{shape.subject} is not unique",
                "a user may get two rows, and readers pick one of them at random",
                made_unique(shape, names_of(seen)),
                confidence=Confidence.HIGH if shape.declared else Confidence.MEDIUM,
            )


@dataclass(frozen=True, kw_only=True)
class NoIndex(StructureRule):
    """A link to auth.users has no index.

    Why: a user's rows are found by reading the whole table, with each request and each row level security policy
    `auth.uid() = user_id`; and our own search for orphans reads it whole as well.
    What to do: create the index. It must be a valid btree that begins with the link, and hold every row (or all that
    are not NULL).
    When it is wrong: a table that stays small; under `small_rows` rows it is info. One index is enough: where the link
    has a foreign key, index.missing_foreign_key asks for the same one, and where it ought to be unique, the unique
    index of auth_links.no_unique serves as well.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "auth_links.no_index"
    severity: Severity = Severity.WARNING
    small_rows: float = 2000.0

    def judged(self, seen: Measurement, shape: Shape) -> Iterator[Finding]:
        """Accuse a link without foreign key whose rows only a scan finds."""
        if shape.indexed:
            return
        small = 0 <= shape.rows < self.small_rows
        yield self.accused(
            seen,
            shape,
            f"no valid index of {shape.relation} begins with {shape.column}",
            "a user's rows are found by reading the whole table",
            indexed(shape, names_of(seen)),
            severity=Severity.INFO if small else None,
            rows=round(shape.rows) if shape.rows >= 0 else None,
            limit_small_rows=self.small_rows,
        )


@dataclass(frozen=True, kw_only=True)
class WrongType(StructureRule):
    """A link to auth.users is not a uuid.

    Why: a text takes any spelling of an id, and any text at all; it cannot have a foreign key, joins must cast, and an
    upper-case id belongs to nobody.
    What to do: mend what is no uuid (auth_links.malformed), then change the type; the printed SQL rewrites the table
    while everybody waits.
    When it is wrong: the column holds ids of other systems as well: name it in auth.not_links.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "auth_links.wrong_type"
    severity: Severity = Severity.WARNING

    def judged(self, seen: Measurement, shape: Shape) -> Iterator[Finding]:
        """Accuse a link of another type; a domain over uuid is one."""
        if shape.base == "uuid":
            return
        yield self.accused(
            seen,
            shape,
            f"{shape.subject} is {shape.type}, ids of {users_of(seen)} are uuid",
            "no foreign key can bind it, and one id has many spellings"
            if shape.base == "text"
            else "it cannot hold an id",
            retyped(shape),
        )


@dataclass(frozen=True, kw_only=True)
class Nullable(StructureRule):
    """A profile may be without its user.

    Why: where the link is the point of the row, one without it is nobody's: it cannot be signed in to, and a bug at
    sign-up that leaves it out goes unnoticed.
    What to do: fill or delete the rows without a user, then forbid NULL.
    When it is wrong: guests, or people who have not signed up yet, have a row by design: ignore it. Judged are links
    declared with `one_per_user: true` and undeclared ones named like a profile's; not where the foreign key sets NULL
    when a user is deleted.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "auth_links.nullable"
    severity: Severity = Severity.INFO

    def judged(self, seen: Measurement, shape: Shape) -> Iterator[Finding]:
        """Accuse a profile's link that allows NULL."""
        unlinks = any(key.on_delete in "nd" for key in shape.straight)
        if shape.of_person and not shape.not_null and not unlinks:
            yield self.accused(
                seen,
                shape,
                f"{shape.subject} allows NULL",
                "a row without a user is nobody's, and nothing tells of it",
                filled(shape),
                confidence=Confidence.MEDIUM,
            )
