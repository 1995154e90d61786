"""What rules about accounts share, and those about accounts that wait: unconfirmed, invited, anonymous."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    Area,
    Finding,
    Measurement,
    Needs,
    NoVerdict,
    Object,
    Remedy,
    Rule,
    Scalar,
    Severity,
    identifier,
    plural,
    share,
    sight_accounts,
)
from probes.auth_accounts_reading import Accounts, accounts_of
from probes.auth_repair import checked

LEAST = 20
"""Sign-ups of which a share is taken."""

SIGMAS = 3.0
"""How far apart two shares must be, in standard errors of their difference."""

BATCH = 1000
"""Accounts that one statement deletes: each takes what refers to it along."""


def alive(reading: Accounts) -> str:
    """Give the condition that an account is not deleted, where this level of GoTrue deletes softly."""
    return " and deleted_at is null" if "deleted_at" in reading.columns else ""


@dataclass(frozen=True, kw_only=True)
class AccountRule(Rule):
    """Judges the counts of all accounts; where none of a kind were found, only once all were looked at."""

    area: ClassVar[Area] = Area.AUTH
    topic: ClassVar[str] = "users"
    """What it needs to have been read, beside users themselves."""
    table: ClassVar[str] = "users"
    """The table it accuses."""

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        """Accuse the table, or say why that cannot be known."""
        reading = accounts_of(seen.rows)
        if (why := reading.unable(self.topic)) is not None:
            yield NoVerdict(reason=why.reason, needs=why.needs)
            return
        found = list(self.judge(seen, reading))
        yield from found
        if not found and not reading.whole:
            yield NoVerdict(
                reason=f"{share(reading.part, 1)} of {reading.users} was looked at so far", needs=Needs.TIME
            )

    @abstractmethod
    def judge(self, seen: Measurement, reading: Accounts) -> Iterator[Finding]:
        """Accuse the table."""

    def accuse(
        self,
        seen: Measurement,
        reading: Accounts,
        *,
        count: int,
        summary: str,
        impact: str,
        remedy: Remedy,
        severity: Severity | None = None,
        **evidence: Scalar | Sequence[Scalar],
    ) -> Finding:
        """Accuse the table, saying how much of users was looked at where that is not all."""
        return self.finding(
            seen,
            subject=identifier(reading.schema, self.table),
            object=Object("table", schema=reading.schema, name=self.table),
            severity=severity,
            summary=summary if reading.whole else f"{summary}, in the {share(reading.part, 1)} looked at so far",
            impact=impact,
            remedy=remedy,
            count=count,
            **evidence,  # type: ignore[arg-type]  # none of them is a parameter's name
        )


@dataclass(frozen=True, kw_only=True)
class WaitingRule(AccountRule):
    """Counts accounts that have waited for so many days."""

    severity: Severity = Severity.INFO
    days: int = 30

    def __post_init__(self) -> None:
        """Refuse a day at which no class of ages begins."""
        if self.days not in sight_accounts.AGES:
            raise ValueError(f"days should be one of {', '.join(map(str, sight_accounts.AGES))}")


@dataclass(frozen=True, kw_only=True)
class Unconfirmed(WaitingRule):
    """People signed up and never confirmed their address.

    Why: a mail that does not arrive is a person who is gone before they came; and what a form takes from bots stays.
    It is a warning when many more of the last week's sign-ups stay unconfirmed than of the four weeks before: mails or
    messages are not delivered, or bots sign up.
    What to do: send yourself a confirmation, look at the mail provider's log and limits; purge what is old.
    When it is wrong: where unconfirmed accounts are purged after some days, the weeks before look better than they
    were; after a week we know how they were, until then raise `points`. Anonymous, invited, single-sign-on and
    soft-deleted users, and those who confirmed a phone, are not counted; the week ends a day ago, so that nobody is
    judged who had no time.
    Cost: a pass over auth.users in slices, under 1 % of the time.
    """

    id: ClassVar[str] = "auth.unconfirmed"
    severity_out_of_line: Severity = Severity.WARNING
    days: int = 7
    factor: float = 2.0
    points: float = 0.2
    """The share must be beyond the earlier one by both."""

    def judge(self, seen: Measurement, reading: Accounts) -> Iterator[Finding]:
        """Accuse when the newest stay unconfirmed; else mention how many there are."""
        stuck = reading.older("unconfirmed", self.days)
        worse = reading.whole and self._worse(reading)
        if not stuck and not worse:
            return
        new, before = _sign_ups(reading, "recent"), _sign_ups(reading, "earlier")
        summary = f"{plural(stuck, 'account')} unconfirmed for more than {plural(self.days, 'day')}"
        if worse:
            summary = (
                f"{share(new.open, new.all)} of the last week's {new.all:,} sign-ups are unconfirmed, "
                f"{share(before.open, before.all)} of those of the four weeks before"
            )
        yield self.accuse(
            seen,
            reading,
            count=stuck,
            severity=self.severity_out_of_line if worse else self.severity,
            summary=summary,
            impact="new people cannot get in" if worse else "people who never came in, and addresses kept of them",
            remedy=Remedy(
                caution=(
                    "Sign up with an address of your own: does the mail come, and in what time? See the mail "
                    f"provider's log and limits.{_purge(reading)}"
                )
            ),
            days=self.days,
            sign_ups=new.all,
            sign_ups_unconfirmed=new.open,
            earlier_sign_ups=before.all,
            earlier_unconfirmed=before.open,
        )

    def _worse(self, reading: Accounts) -> bool:
        new, before = _sign_ups(reading, "recent"), _sign_ups(reading, "earlier")
        if min(new.all, before.all) < LEAST:
            return False
        was, is_ = max(before.open / before.all, reading.usual), new.open / new.all
        of_both = (new.open + before.open) / (new.all + before.all)
        error = math.sqrt(of_both * (1 - of_both) * (1 / new.all + 1 / before.all))
        return is_ - was >= max(self.points, SIGMAS * error) and is_ >= self.factor * was


MONTHS_DAYS = 90
"""Who has not confirmed for so long never will; one of AGES."""

_PEOPLE = {
    "is_anonymous": "is_anonymous is not true",
    "is_sso_user": "is_sso_user is not true",
    "invited_at": "invited_at is null",
    "deleted_at": "deleted_at is null",
}
"""What makes an account one of a person who signed up, by the column that an older level may lack."""


def _purge(reading: Accounts) -> str:
    """Give the sentence on accounts that nobody confirmed for months, where there are any."""
    count = reading.older("unconfirmed", MONTHS_DAYS)
    people = [condition for column, condition in _PEOPLE.items() if column in reading.columns]
    old = ("confirmed_at is null", *people, f"created_at < now() - interval '{MONTHS_DAYS} days'")
    delete = checked(f"delete from {reading.users} where {' and '.join(old)}", count, on_one_line=True)
    return (
        f" Accounts that nobody confirmed for months may be deleted: {delete}; look at what refers to them first. It "
        "changes nothing when it meets more rows than were counted."
        if count
        else ""
    )


@dataclass(frozen=True, kw_only=True)
class _SignUps:
    all: int
    open: int


def _sign_ups(reading: Accounts, when: str) -> _SignUps:
    return _SignUps(all=reading.count(when), open=reading.count(f"{when}_open"))


@dataclass(frozen=True, kw_only=True)
class InviteExpired(WaitingRule):
    """People were invited and never came.

    Why: an invitation's link is good for a day; the account stays, with an address of somebody who did not agree.
    What to do: invite them again, or delete the account.
    When it is wrong: invitations that are sent long before they matter. Raise `days`.
    Cost: comes with the pass over auth.users.
    """

    id: ClassVar[str] = "auth.invite_expired"
    days: int = 14

    def judge(self, seen: Measurement, reading: Accounts) -> Iterator[Finding]:
        """Mention how many there are."""
        count = reading.older("invited", self.days)
        if count:
            yield self.accuse(
                seen,
                reading,
                count=count,
                summary=f"{plural(count, 'invitation')} not accepted for more than {plural(self.days, 'day')}",
                impact="their links are long expired; the accounts wait for nobody",
                remedy=Remedy(
                    caution="Invite them again, or delete the accounts. To count them: select count(*) from "
                    f"{reading.users} where confirmed_at is null and deleted_at is null and "
                    f"invited_at < now() - interval '{self.days} days'."
                ),
                days=self.days,
            )


@dataclass(frozen=True, kw_only=True)
class AnonymousStale(WaitingRule):
    """Anonymous accounts are kept long after anybody came back to them.

    Why: each visit makes one; they fill auth.users and every table with a row for each user. GoTrue deletes them after
    30 days, though only while anonymous sign-ins are enabled and requests come in.
    What to do: delete them in batches, with what refers to them.
    When it is wrong: where anonymous accounts are meant to last. Raise `days`.
    Cost: comes with the pass over auth.users.
    """

    id: ClassVar[str] = "auth.anonymous_stale"

    def judge(self, seen: Measurement, reading: Accounts) -> Iterator[Finding]:
        """Mention how many there are."""
        count = reading.older("anonymous", self.days)
        if count:
            yield self.accuse(
                seen,
                reading,
                count=count,
                summary=f"{plural(count, 'anonymous account')} older than {plural(self.days, 'day')}",
                impact="auth.users and the tables that refer to it grow with every visit",
                remedy=Remedy(
                    caution=(
                        "Anonymous people may have left work behind: look at the tables that refer to them first. Then "
                        f"delete in batches: {self._batch(reading, count)}. It changes nothing when it meets more rows "
                        "than were counted."
                    )
                ),
                days=self.days,
            )

    def _batch(self, reading: Accounts, count: int) -> str:
        """Give the statement that deletes some of them."""
        old = f"is_anonymous and created_at < now() - interval '{self.days} days'{alive(reading)} limit {BATCH}"
        delete = f"delete from {reading.users} where id in (select id from {reading.users} where {old})"
        return checked(delete, min(count, BATCH), on_one_line=True)
