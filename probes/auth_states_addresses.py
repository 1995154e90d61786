"""The rules about copies of e-mail addresses: that there is one, and that it is stale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import Finding, Measurement, Needs, NoVerdict, Severity, identifier, plural
from probes.auth_judging import users_of
from probes.auth_sight import advised
from probes.auth_states_advice import copy_remedy, drift_remedy
from probes.auth_states_reading import UNKNOWN, readings, unknown
from probes.auth_states_rule import StateRule
from probes.auth_states_traits import StateReading

ENOUGH = 20  # addresses; of fewer no custom can be read


@dataclass(frozen=True, kw_only=True)
class EmailCopy(StateRule):
    """A table keeps a copy of its users' e-mail address.

    Why: the address changes in auth.users, and the copy does not unless something sees to it; then mail goes to an
    address that is somebody else's by now. It is also one more table that holds personal data.
    What to do: read the address from auth.users through a view or a function, and drop the column.
    When it is wrong: people enter another address there, for invoices say: ignore it for this table.
    Cost: reads the catalogue.
    """

    id: ClassVar[str] = "auth_links.email_copy"
    severity: Severity = Severity.WARNING
    nothing: ClassVar[str] = "no table with one row a user has a column of e-mail addresses"

    def concerns(self, reading: StateReading) -> bool:
        """Where such a column is named or declared."""
        return reading.link.email is not None or bool(reading.link.wrong)

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        """Accuse each such table; no row is read for it."""
        found = [reading for reading in readings(seen.rows) if self.concerns(reading)]
        if unknown(seen.rows):
            yield NoVerdict(reason=UNKNOWN, needs=Needs.TIME)
        elif not found:
            yield NoVerdict(reason=self.nothing, needs=None)
        for reading in found:
            yield from self.judge(seen, reading)

    def judge(self, seen: Measurement, reading: StateReading) -> Iterator[Finding | NoVerdict]:
        """Accuse a table."""
        link = reading.link
        if link.wrong:
            yield NoVerdict(reason=link.wrong, needs=Needs.SETTING, subject=reading.column.subject)
            return
        yield self.accuse(
            seen,
            reading,
            summary=f"column {identifier(str(link.email))} of {reading.column.relation} repeats an address of auth",
            impact="it goes stale when the user changes the address",
            remedy=copy_remedy(link, users_of(seen)),
            sure=link.stated,
            email_column=str(link.email),
        )


@dataclass(frozen=True, kw_only=True)
class EmailDrift(StateRule):
    """The copy of an e-mail address is not the address the user signs in with.

    Why: mail and invoices go to an address that the user has left, and that somebody else may have by now.
    What to do: take over the address of auth.users, and mend or add the trigger that copies it.
    When it is wrong: people may enter another address there. Declare the column as the link's `email` where it is a
    copy; one that is only named so is not judged when most addresses differ. Case, blanks, empty addresses, changes
    under way (for a day) and softly deleted users are not counted.
    Cost: compared on the server in the pass over the rows, at most 1 % of the time; no address leaves it.
    """

    id: ClassVar[str] = "auth_links.email_drift"
    severity: Severity = Severity.CRITICAL
    hold: float = 45.0
    nothing: ClassVar[str] = "no table with one row a user has a column of e-mail addresses"

    def concerns(self, reading: StateReading) -> bool:
        """Where a column is named or declared as a copy."""
        return reading.link.email is not None or bool(reading.link.wrong)

    def judge(self, seen: Measurement, reading: StateReading) -> Iterator[Finding | NoVerdict]:
        """Accuse a table whose addresses differ; where most do, it is no copy."""
        count, compared, link, column = (
            reading.count("drifted"),
            reading.count("compared"),
            reading.link,
            reading.column,
        )
        if link.wrong:
            yield NoVerdict(reason=link.wrong, needs=Needs.SETTING, subject=column.subject)
        elif reading.unseen:
            yield NoVerdict(reason=advised(reading.unseen), needs=Needs.RIGHTS, subject=column.subject)
        elif count and not link.stated and compared >= ENOUGH and count * 2 > compared:
            reason = (
                f"{count:,} of {compared:,} addresses in {column.relation} are not the user's: if they are meant to"
            )
            yield NoVerdict(
                reason=f"{reason} be, declare the link in auth.links with email: {link.email}",
                needs=Needs.SETTING,
                subject=column.subject,
            )
        elif count:
            yield self.accuse(
                seen,
                reading,
                summary=f"{plural(count, 'row')} of {column.relation}: not the address the user signs in with",
                impact="mail goes to addresses that the users have left",
                remedy=drift_remedy(reading, users_of(seen)),
                count=count,
                sure=link.stated,
                compared=compared,
            )
