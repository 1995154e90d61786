"""The rules about rows whose user is malformed, met twice, deleted or banned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import Finding, Measurement, Needs, NoVerdict, Severity, identifier, plural
from probes.auth_judging import belong, users_of
from probes.auth_states_advice import banned_remedy, deleted_remedy, duplicate_remedy, malformed_remedy
from probes.auth_states_rule import StateRule
from probes.auth_states_traits import StateReading

DAY = 86400


@dataclass(frozen=True, kw_only=True)
class Malformed(StateRule):
    """A text column that refers to auth.users holds what is no uuid.

    Why: such a row belongs to nobody, no foreign key can be added, and every cast of the column to uuid fails.
    What to do: find out what was meant, mend the rows, and give the column the type uuid.
    When it is wrong: a column that holds ids of other systems as well: name it in auth.not_links. NULL and the empty
    text are no link, and every spelling that PostgreSQL takes for a uuid is one.
    Cost: comes with the pass over the table's rows, at most 1 % of the time.
    """

    id: ClassVar[str] = "auth_links.malformed"
    severity: Severity = Severity.CRITICAL
    hold: float = 45.0
    nothing: ClassVar[str] = "no column of texts links to auth.users"

    def concerns(self, reading: StateReading) -> bool:
        """A text only."""
        return not reading.link.traits.uuid

    def judge(self, seen: Measurement, reading: StateReading) -> Iterator[Finding | NoVerdict]:
        """Accuse a column with such values."""
        if count := reading.count("malformed"):
            column = identifier(reading.column.column)
            yield self.accuse(
                seen,
                reading,
                summary=f"{plural(count, 'row')} of {reading.column.relation}: {column} is no uuid",
                impact="these rows belong to nobody, and the column cannot become a uuid with a foreign key",
                remedy=malformed_remedy(reading.link),
                count=count,
            )


@dataclass(frozen=True, kw_only=True)
class Duplicate(StateRule):
    """Users have more than one row in a table that holds one row a user.

    Why: code that reads "the" profile takes one of them by chance; a change is made in one and not in the other.
    What to do: merge the rows, then add a unique index.
    When it is wrong: a membership table has many rows a user by design: declare it with `one_per_user: false`.
    Undeclared tables are judged if they are named like profiles and nine in ten users have one row; rows that are
    marked as deleted are not counted.
    Cost: nothing where a unique index forbids it; else a look-up by index for each row, in the pass over the rows.
    """

    id: ClassVar[str] = "auth_links.duplicate"
    severity: Severity = Severity.CRITICAL
    hold: float = 45.0
    nothing: ClassVar[str] = "no link is one row a user by its declaration or its looks, or unique indexes keep them so"

    def concerns(self, reading: StateReading) -> bool:
        """Where one row a user is meant and no index sees to it."""
        return reading.link.may_double

    def judge(self, seen: Measurement, reading: StateReading) -> Iterator[Finding | NoVerdict]:
        """Accuse a table with second rows; one that was never said to have but one asks for a word."""
        count, users, relation = reading.count("duplicate"), reading.count("users"), reading.column.relation
        declared = reading.column.declared is not None
        if reading.undoubled:
            yield NoVerdict(reason=reading.undoubled, needs=Needs.SETTING, subject=reading.column.subject)
        elif count and not declared and count * 10 > users:
            reason = f"{count:,} of {users:,} users have several rows in {relation}; declare the link in auth.links"
            yield NoVerdict(
                reason=f"{reason}, with one_per_user true or false",
                needs=Needs.SETTING,
                subject=reading.column.subject,
            )
        elif count:
            people = f"{plural(count, 'user')} {'has' if count == 1 else 'have'}"
            yield self.accuse(
                seen,
                reading,
                summary=f"{people} more than one row in {relation}",
                impact="which of the rows is read is chance, and a change reaches only one of them",
                remedy=duplicate_remedy(reading.link),
                count=count,
                sure=declared,
                rows=reading.count("duplicate_rows"),
            )


@dataclass(frozen=True, kw_only=True)
class SoftDeletedUser(StateRule):
    """Rows are live though their user was deleted softly.

    Why: GoTrue keeps a softly deleted user's row without address and secrets, so no foreign key notices; what the
    application knows of the person stays, although it was to go.
    What to do: make these rows anonymous or delete them, and let the deletion of a user do so.
    When it is wrong: the law or a contract makes you keep the rows for a while: set `after_days` (whole days, UTC).
    Rows whose own column deleted_at, anonymised_at or the like is set are not counted, nor deletions younger than
    auth.grace.
    Cost: users are looked up by primary key in the pass over the rows, at most 1 % of the time.
    """

    id: ClassVar[str] = "auth_links.soft_deleted_user"
    severity: Severity = Severity.WARNING
    hold: float = 45.0
    after_days: int = 0
    nothing: ClassVar[str] = "no column links to auth.users, or users are never deleted softly here"

    def concerns(self, reading: StateReading) -> bool:
        """Every link, at a level of GoTrue that knows such users."""
        return reading.has_deletion

    def judge(self, seen: Measurement, reading: StateReading) -> Iterator[Finding | NoVerdict]:
        """Accuse a table with live rows of users deleted too long ago."""
        count = self._count(seen, reading)
        if count is None:
            reason = f"the days of deletion are known after {reading.column.relation} was read whole once more"
            yield NoVerdict(reason=reason, needs=Needs.TIME, subject=reading.column.subject)
        elif count:
            relation, link = reading.column.relation, reading.link
            yield self.accuse(
                seen,
                reading,
                summary=f"{plural(count, 'live row')} of {relation} {belong(count)} to softly deleted users",
                impact="what is known of these people stays, although they were deleted",
                remedy=deleted_remedy(link, users_of(seen)),
                count=count,
                after_days=self.after_days,
            )

    def _count(self, seen: Measurement, reading: StateReading) -> int | None:
        if not self.after_days or not reading.count("deleted"):
            return reading.count("deleted")
        if reading.days is None:
            return None
        today = int(seen.taken_at.timestamp() // DAY)
        return sum(rows for day, rows in reading.days.items() if today - day > self.after_days)


@dataclass(frozen=True, kw_only=True)
class BannedUser(StateRule):
    """Rows belong to users who are banned.

    Why: a ban ends no session by itself and hides nothing that the user published; whoever reads the table past
    GoTrue meets a user like any other.
    What to do: nothing, if the application asks for the ban where it matters.
    When it is wrong: it only counts. Bans that are over are not counted.
    Cost: users are looked up by primary key in the pass over the rows, at most 1 % of the time.
    """

    id: ClassVar[str] = "auth_links.banned_user"
    severity: Severity = Severity.INFO
    hold: float = 45.0
    nothing: ClassVar[str] = "no column links to auth.users"

    def concerns(self, reading: StateReading) -> bool:
        """Every link."""
        return reading.link is not None

    def judge(self, seen: Measurement, reading: StateReading) -> Iterator[Finding | NoVerdict]:
        """Count the rows."""
        if count := reading.count("banned"):
            yield self.accuse(
                seen,
                reading,
                summary=f"{plural(count, 'row')} of {reading.column.relation} {belong(count)} to banned users",
                impact="who reads the table without asking GoTrue takes them for users like any other",
                remedy=banned_remedy(reading.link, users_of(seen)),
                count=count,
            )
