"""Links between auth.users (Supabase Auth, GoTrue) and the application's tables: orphans both ways, and our own sight.

Reads keys only, both directions in one statement: whole where that takes less than a tenth of a second, else in slices
of about 10 ms within `auth.duty` (2 %) of the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    Area,
    Confidence,
    Finding,
    Kind,
    Measurement,
    Metric,
    Needs,
    NoVerdict,
    Object,
    Probe,
    Remedy,
    Rule,
    Scope,
    Severity,
    Trend,
    plural,
    share,
)
from probes.auth_judging import LOWER, belong, options_of, schema_of, users_of
from probes.auth_links_advice import Checked, missing_remedy, orphan_remedy, seems, settings, sight_remedy
from probes.auth_links_discovery import Origin
from probes.auth_links_looks import Seen
from probes.auth_links_metrics import SWEEP, asides
from probes.auth_links_options import AuthOptions
from probes.auth_links_reading import LinkReading, blinds, links, observe
from probes.auth_sight import advised


@dataclass(frozen=True, kw_only=True)
class CannotSee(Rule):
    """The monitor cannot see all rows of auth.users, or of a table linked to it.

    Why: row level security hides rows without an error; a monitor that took what it sees for all there is would call
    every profile an orphan, or nothing. So the rules about links stay silent, and this one speaks.
    What to do: run the printed SQL as a role that reads the tables past row level security (their owner, a superuser,
    Supabase's postgres): its functions lend the monitor counts and hashes, and nothing else. Or see `monitor grants
    --auth policy`.
    When it is wrong: a policy that shows every row to the role by another expression than `true` is not understood.
    Cost: reads the catalogue.
    """

    id: ClassVar[str] = "auth.cannot_see"
    area: ClassVar[Area] = Area.AUTH
    severity: Severity = Severity.CRITICAL
    severity_undeclared: Severity = Severity.WARNING
    """Where no link is configured."""

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        """Accuse each table that hides rows from us."""
        schema = schema_of(seen)
        for blind in blinds(seen.rows):
            yield self.finding(
                seen,
                subject=blind.subject,
                object=Object("table", schema=blind.schema, name=blind.table),
                severity=self.severity if blind.declared else self.severity_undeclared,
                summary=blind.reason,
                impact="orphans cannot be told from rows that are merely hidden: links are not watched",
                remedy=sight_remedy(blind, schema),
                role=blind.role,
            )


@dataclass(frozen=True, kw_only=True)
class LinkRule(Rule):
    """What the rules about rows share: who is judged, and what is said where nobody can be."""

    area: ClassVar[Area] = Area.AUTH

    def _unjudged(self, seen: Measurement, readings: Sequence[LinkReading]) -> Iterator[NoVerdict]:
        """Give why links could not be judged; blindness to auth.users in one line for all of them."""
        hidden = [blind for blind in blinds(seen.rows) if blind.subject == users_of(seen)]
        if hidden and any(reading.needs is Needs.RIGHTS for reading in readings):
            yield NoVerdict(reason=advised(hidden[0].reason), needs=Needs.RIGHTS)
        for reading in readings:
            if reading.needs is None or (hidden and reading.needs is Needs.RIGHTS):
                continue
            yield NoVerdict(
                reason=advised(reading.reason, reading.needs), needs=reading.needs, subject=reading.column.subject
            )

    def _unswept(self, reading: LinkReading) -> Iterator[NoVerdict]:
        """Say how far the first sweep of a big link has come: what it has not seen is not well."""
        if reading.seen is not None and reading.seen.looked < 1:
            reason = f"{share(reading.seen.looked, 1)} of the keys of {reading.column.subject} looked at so far"
            reason += f"; {reading.seen.new_wait}" if reading.seen.new_wait else ""
            yield NoVerdict(reason=reason, needs=Needs.TIME, subject=reading.column.subject)


@dataclass(frozen=True, kw_only=True)
class OrphanedProfile(LinkRule):
    """Rows link to a user that auth.users does not have.

    Why: their owner was deleted, or never was. Nobody can sign in to them, they are personal data that was to go, and
    code that joins them to their user breaks.
    What to do: set the link to NULL or delete the rows, then add a foreign key, NOT VALID first, VALIDATE after.
    When it is wrong: a table that keeps ids of deleted users on purpose (an audit trail): name it in auth.not_links.
    Guests (NULL), rows younger than auth.grace, malformed ids and soft-deleted users are not counted.
    Cost: one index-only pass over both keys; where they are many, slices of 10 ms, 2 % of the time (auth.duty),
    the newest rows first where an index begins with the time of their making.
    """

    id: ClassVar[str] = "auth_links.orphaned_profile"
    severity: Severity = Severity.CRITICAL
    hold: float = 45.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        """Accuse each link with orphans."""
        readings = [reading for reading in links(seen.rows) if reading.judged or reading.needs]
        if not readings:
            yield NoVerdict(reason="no column links to auth.users", needs=None)
        yield from self._unjudged(seen, readings)
        for reading in readings:
            yield from self._judge(seen, reading)
            yield from self._unswept(reading)

    def _judge(self, seen: Measurement, reading: LinkReading) -> Iterator[Finding]:
        looked = reading.seen
        unaged = looked.unaged if looked is not None and seen.snapshot else 0
        if looked is None or looked.orphans + unaged == 0:
            return
        sampled = reading.origin is Origin.SAMPLE
        count = looked.orphans + unaged
        users = users_of(seen)
        finding = self.finding(
            seen,
            subject=reading.column.subject,
            object=_object(reading),
            severity=LOWER[self.severity] if sampled else self.severity,
            confidence=Confidence.MEDIUM if sampled or not looked.orphans else Confidence.HIGH,
            summary=f"{_at_least(looked)}{plural(count, 'row')} of {reading.column.relation} {belong(count)} to no "
            f"user of {users}",
            impact="nobody can sign in to them, and personal data of deleted users may live on",
            remedy=orphan_remedy(reading, users, Checked(count, options_of(seen).grace)),
            count=count,
            origin=reading.origin.value,
            grace_seconds=options_of(seen).grace,
        )
        yield reading.rows.named(finding)


@dataclass(frozen=True, kw_only=True)
class MissingProfile(LinkRule):
    """Confirmed users have no row in the profile table.

    Why: the sign-up trigger or the code after it failed; these people sign in and meet an application that does not
    know them.
    What to do: insert the missing rows, and mend the trigger on auth.users (SECURITY DEFINER, a fixed search_path).
    When it is wrong: users made for services. Anonymous, unconfirmed, soft-deleted and single-sign-on users, and those
    younger than auth.grace, are not counted. Declare the link with `every_user: true`, or false to silence this rule.
    Cost: comes with the pass over the keys; users without a row are looked up by primary key.
    """

    id: ClassVar[str] = "auth_links.missing_profile"
    severity: Severity = Severity.WARNING
    hold: float = 45.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        """Accuse each profile table that lacks users."""
        readings = [reading for reading in links(seen.rows) if _holds_everybody(reading)]
        if not readings:
            yield NoVerdict(
                reason="no link is declared with every_user, nor looks as if every user had a row", needs=None
            )
        yield from self._unjudged(seen, readings)
        for reading in readings:
            if reading.every_user is None:
                yield NoVerdict(reason=_whether_everybody(reading), needs=Needs.SETTING, subject=reading.column.subject)
            elif reading.seen is not None and reading.seen.users_unseen:
                reason = reading.seen.users_unseen
                yield NoVerdict(reason=reason, needs=Needs.SETTING, subject=reading.column.subject)
            elif reading.seen is not None:
                yield from self._accuse(seen, reading, reading.seen)
                yield from self._unswept(reading)

    def _accuse(self, seen: Measurement, reading: LinkReading, looked: Seen) -> Iterator[Finding]:
        users, count = users_of(seen), looked.missing
        if count == 0 or (looked.looked < 1 and reading.by_custom):
            return
        people = f"{plural(count, 'confirmed user')} {'has' if count == 1 else 'have'}"
        finding = self.finding(
            seen,
            subject=reading.column.subject,
            object=_object(reading),
            confidence=Confidence.HIGH if reading.origin is Origin.DECLARED else Confidence.MEDIUM,
            summary=f"{_at_least(looked)}{people} no row in {reading.column.relation}",
            impact="they sign in to an application that does not know them",
            remedy=missing_remedy(reading, users, Checked(count, options_of(seen).grace)),
            count=count,
            origin=reading.origin.value,
            grace_seconds=options_of(seen).grace,
        )
        yield reading.users.named(finding)


@dataclass(frozen=True, kw_only=True)
class Undeclared(LinkRule):
    """A column refers to auth.users, or seems to, and the configuration does not say so.

    Why: a declared link is judged with full confidence, also for users without a row; an undeclared one by its foreign
    key or by a sample of its values, and one that is merely named like a link not at all.
    What to do: copy the printed lines into the configuration, to confirm the link or to exclude it.
    When it is wrong: a column that holds other ids and shares its name with links: exclude it.
    Cost: reads the catalogue, and a sample of at most 5,000 rows of columns without a foreign key, every five minutes.
    """

    id: ClassVar[str] = "auth_links.undeclared"
    severity: Severity = Severity.INFO

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        """Propose each link that is not declared."""
        readings = [reading for reading in links(seen.rows) if reading.column.declared is None]
        if not readings:
            yield NoVerdict(reason="every column that links to auth.users is declared, or there is none", needs=None)
        yield from self._unjudged(seen, [reading for reading in readings if reading.origin is Origin.GUESS])
        for reading in readings:
            if _worth_proposing(reading):
                yield self._propose(seen, reading)

    def _propose(self, seen: Measurement, reading: LinkReading) -> Finding:
        return self.finding(
            seen,
            subject=reading.column.subject,
            object=_object(reading),
            confidence={Origin.KEY: Confidence.HIGH, Origin.SAMPLE: Confidence.MEDIUM}.get(
                reading.origin, Confidence.LOW
            ),
            summary=f"{reading.column.subject} {seems(reading)}",
            impact="it is not judged" if reading.origin is Origin.GUESS else "it is judged on what can be guessed",
            remedy=Remedy(caution=settings(reading, seen.target)),
            origin=reading.origin.value,
            sampled=None if reading.origin is Origin.KEY else reading.distinct,
            users=None if reading.origin is Origin.KEY else reading.present,
        )


def _object(reading: LinkReading) -> Object:
    column = reading.column
    return Object("column", schema=column.schema, name=column.table, column=column.column)


def _at_least(looked: Seen) -> str:
    return "at least " if looked.looked < 1 else ""


def _holds_everybody(reading: LinkReading) -> bool:
    """Tell a link of which somebody, or custom, says that every user has a row."""
    if reading.column.declared is not None:
        return reading.column.declared.every_user
    return reading.by_custom and (reading.needs is not None or reading.every_user is not False)


def _whether_everybody(reading: LinkReading) -> str:
    seen = reading.seen
    without, users = (seen.missing_once, seen.eligible or 0) if seen else (0, 0)
    return (
        f"{without:,} of {users:,} confirmed users have no row in {reading.column.relation}; "
        "declare the link in auth.links, with every_user true or false"
    )


def _worth_proposing(reading: LinkReading) -> bool:
    """A guess is proposed when a value of it is a user, or when its name leaves little doubt and it has values."""
    column = reading.column
    return reading.origin is not Origin.GUESS or reading.present > 0 or (column.telling and reading.distinct > 0)


PROBE = Probe(
    name="auth_links",
    scope=Scope.DATABASE,
    every=60,
    timeout=5.0,
    observe=observe,
    detail=asides,
    key=("link", "direction"),
    labels=("link", "direction"),
    metrics=(Metric("orphans", Kind.GAUGE, "Rows without their user (profile), and users without their row (user)."),),
    asides=(SWEEP,),
    trends=(
        Trend(name="orphans", key=("link", "direction"), gauges=("orphans",), latest=("origin",), every=300, most=100),
        Trend(
            name="sweeps",
            aside="sweep",
            key=("link",),
            gauges=("sweep_progress_ratio",),
            latest=("sweep_age_seconds",),
            every=300,
            most=100,
        ),
        Trend(name="sight", aside="sight", key=("of", "table"), gauges=("seen",), latest=("way", "reason"), most=100),
    ),
    options=AuthOptions(),
    section="auth",
    feeds=("auth_states", "auth_structure"),
    rules=(CannotSee(), OrphanedProfile(), MissingProfile(), Undeclared()),
)

__all__ = ["PROBE", "CannotSee", "MissingProfile", "OrphanedProfile", "Undeclared"]
