"""Rules about accounts that are wrong: doubled e-mails, identities, NULL tokens, roles that are nobody's to have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import Finding, Measurement, Remedy, Severity, identifier, literal, plural, sight_accounts
from probes.auth_accounts_reading import Accounts, role_count
from probes.auth_accounts_rules import AccountRule, alive
from probes.auth_repair import checked, printed_later


@dataclass(frozen=True, kw_only=True)
class EmailCaseDuplicate(AccountRule):
    """One e-mail address has several accounts that differ in upper and lower case.

    Why: GoTrue looks people up by lower case and finds one of them, not always the same: one person with two
    accounts, or a second person in somebody's mailbox. The unique index on e-mail minds the case and lets them be.
    What to do: choose the account that is used, move what belongs to the other, delete it, write the address in lower
    case.
    When it is wrong: single-sign-on accounts may share an address and are not counted, nor are soft-deleted ones.
    Cost: comes with the pass over auth.users; addresses with an upper-case letter are looked up by GoTrue's index.
    """

    id: ClassVar[str] = "auth.email_case_duplicate"
    topic: ClassVar[str] = "cases"
    severity: Severity = Severity.WARNING

    def judge(self, seen: Measurement, reading: Accounts) -> Iterator[Finding]:
        """Accuse, counting addresses."""
        count, accounts = reading.count("cases"), reading.count("case_accounts")
        if count:
            yield self.accuse(
                seen,
                reading,
                count=count,
                summary=(
                    f"{plural(count, 'e-mail address', 'e-mail addresses')} with several accounts ({accounts:,} in "
                    "all) that differ in case only"
                ),
                impact="whoever signs in may get the other account",
                remedy=Remedy(
                    caution="Which account stays is a person's choice. To see them: select array_agg(id) from "
                    f"{reading.users} where deleted_at is null and not is_sso_user group by lower(email) "
                    "having count(*) > 1. Move what belongs to the one to the other, delete the one, and write the "
                    "e-mail of the other in lower case."
                ),
                accounts=accounts,
            )


@dataclass(frozen=True, kw_only=True)
class UserWithoutIdentity(AccountRule):
    """Accounts have no row in auth.identities.

    Why: GoTrue makes the identity together with the account; one without can link no other provider, and where the
    e-mail is looked up among identities nobody is found.
    What to do: insert the identity of provider email (or phone) with the user's id as provider_id, or let these people
    sign up anew.
    When it is wrong: accounts that an administrator made, with old versions of GoTrue or by SQL, and that nobody has
    signed in to yet: these alone are mentioned only. Anonymous and soft-deleted ones are not counted, nor those younger
    than auth.grace.
    Cost: comes with the pass over auth.users; identities are looked up by their index.
    """

    id: ClassVar[str] = "auth.user_without_identity"
    topic: ClassVar[str] = "identities"
    severity: Severity = Severity.WARNING
    severity_unused: Severity = Severity.INFO
    """Where nobody has signed in to any of them."""

    def judge(self, seen: Measurement, reading: Accounts) -> Iterator[Finding]:
        """Accuse of those that are used; mention those that are not."""
        used, unused = reading.count("without_identity"), reading.count("unused_without")
        identities = identifier(reading.schema, "identities")
        people = plural(used, "account") if used else f"{plural(unused, 'account')} that nobody has signed in to,"
        if used or unused:
            yield self.accuse(
                seen,
                reading,
                severity=self.severity if used else self.severity_unused,
                summary=f"{people} without a row in {identities}",
                impact="they cannot link a provider, and sign-ins that go by identity do not find them",
                remedy=_identified(reading, identities),
                count=used or unused,
                never_signed_in=unused,
            )


def _identified(reading: Accounts, identities: str) -> Remedy:
    return Remedy(
        caution=(
            f"Accounts made by SQL may be meant so. To see them: select u.id from {reading.users} u where "
            f"u.deleted_at is null and not u.is_anonymous and not exists (select from {identities} i where "
            f"i.user_id = u.id). For one with an e-mail insert into {identities} (provider_id, user_id, identity_data, "
            "provider, created_at, updated_at) its id as text, its id, jsonb_build_object('sub', id, 'email', email), "
            "'email', now(), now()."
        )
    )


@dataclass(frozen=True, kw_only=True)
class IdentityEmailMismatch(AccountRule):
    """The e-mail of an account is not that of its e-mail identity.

    Why: somebody changed one of them by hand. GoTrue goes by the one here and by the other there: mails go to an old
    address, and the account may be taken over by whoever has it.
    What to do: find out which is right, and write it into both.
    When it is wrong: upper and lower case do not count, nor does an account whose change of address is under way, nor
    other providers' addresses, nor soft-deleted accounts.
    Cost: comes with the pass over auth.users; identities are looked up by their index.
    """

    id: ClassVar[str] = "auth.identity_email_mismatch"
    topic: ClassVar[str] = "emails"
    table: ClassVar[str] = "identities"
    severity: Severity = Severity.WARNING

    def judge(self, seen: Measurement, reading: Accounts) -> Iterator[Finding]:
        """Accuse."""
        count = reading.count("other_email")
        if count:
            identities = identifier(reading.schema, "identities")
            yield self.accuse(
                seen,
                reading,
                count=count,
                summary=f"{plural(count, 'account')} with another e-mail in {reading.users} than in its identity",
                impact="mails go to an address that may be somebody else's by now",
                remedy=Remedy(
                    caution=(
                        f"Which one is right only their owner knows. To see them: select u.id from {reading.users} u "
                        f"join {identities} i on i.user_id = u.id and i.provider = 'email' where u.deleted_at is null "
                        "and i.email <> lower(u.email) and coalesce(u.email_change, '') = ''. The identity's address "
                        "stands in identity_data ->> 'email'."
                    )
                ),
            )


@dataclass(frozen=True, kw_only=True)
class NullTokenColumns(AccountRule):
    """Accounts have NULL in a column that GoTrue reads as text.

    Why: GoTrue fails on the row (converting NULL to string is unsupported): every sign-in of that user is an error 500,
    and so is every list of users that it stands in. Rows inserted by SQL are like that, GoTrue writes ''.
    What to do: run the printed SQL; and have whatever inserts users write '' into these columns.
    When it is wrong: never seen.
    Cost: comes with the pass over auth.users.
    """

    id: ClassVar[str] = "auth.null_token_columns"
    topic: ClassVar[str] = "tokens"
    severity: Severity = Severity.CRITICAL

    def judge(self, seen: Measurement, reading: Accounts) -> Iterator[Finding]:
        """Accuse."""
        count = reading.count("null_tokens")
        if count:
            yield self.accuse(
                seen,
                reading,
                count=count,
                summary=f"{plural(count, 'account')} that GoTrue cannot read: NULL in a token column",
                impact="these people cannot sign in, and lists of users fail",
                remedy=_emptied(reading, count),
            )


def _emptied(reading: Accounts, count: int) -> Remedy:
    if not reading.whole:
        return printed_later(reading.users)
    names = [name for name in sight_accounts.TOKENS if name in reading.columns]
    values = ", ".join(f"{name} = coalesce({name}, '')" for name in names)
    return Remedy(
        sql=(checked(f"update {reading.users} set {values} where num_nulls({', '.join(names)}) > 0", count),),
        caution=(
            "Run it as the table's owner or a superuser (on Supabase: postgres). It changes nothing when it meets more "
            "rows than were counted. It locks the rows it changes; of very many do some thousands at a time. Then mend "
            "what inserted them."
        ),
    )


@dataclass(frozen=True, kw_only=True)
class PrivilegedRole(AccountRule):
    """Accounts have a role that goes into their tokens and is not the one of people.

    Why: GoTrue puts users.role into the token and PostgREST becomes that role: `service_role` is past row level
    security. A service needs a key, not an account with its role.
    What to do: set the role to authenticated, find out who changed it, and end the account's sessions.
    When it is wrong: roles of your own that people are meant to have: name them in `allowed`.
    Cost: comes with the pass over auth.users; roles leave the server as hashes.
    """

    id: ClassVar[str] = "auth.privileged_role"
    severity: Severity = Severity.CRITICAL
    allowed: tuple[str, ...] = ()

    def judge(self, seen: Measurement, reading: Accounts) -> Iterator[Finding]:
        """Accuse, naming roles of the database only: another text may be anything."""
        known = {role_count(role) for role in self.allowed}
        count = sum(number for name, number in reading.roles_counted.items() if name not in known)
        roles = [role for role in reading.roles if role not in self.allowed]
        if count:
            named = f": {', '.join(identifier(role) for role in roles)}" if roles else ""
            yield self.accuse(
                seen,
                reading,
                count=count,
                summary=f"{plural(count, 'account')} with a role other than authenticated{named}",
                impact="their tokens carry it: with service_role they read and change everything",
                remedy=Remedy(
                    caution=(
                        f"Find out who set it. Where nobody is meant to have it: {self._taken(reading, count)}, which "
                        "changes nothing when it meets more rows than were counted; then delete the sessions of these "
                        "users: tokens stay good until they expire. A role that people are meant to have goes into "
                        "`allowed` of this rule."
                    )
                ),
                roles=roles,
            )

    def _taken(self, reading: Accounts, count: int) -> str:
        """Give the statement that takes the role away."""
        usual = ", ".join(literal(role) for role in ("", "authenticated", "anon", *self.allowed))
        update = f"update {reading.users} set role = 'authenticated' where role not in ({usual})"
        return checked(f"{update}{alive(reading)}", count, on_one_line=True)


@dataclass(frozen=True, kw_only=True)
class SuperAdmin(AccountRule):
    """Accounts are marked as super administrators.

    Why: GoTrue sets is_super_admin for nobody. Older versions, and applications that look at it, give such accounts
    the rights of an administrator.
    What to do: clear the mark, and find out who set it.
    When it is wrong: an application of your own that uses the column.
    Cost: comes with the pass over auth.users.
    """

    id: ClassVar[str] = "auth.super_admin"
    severity: Severity = Severity.WARNING

    def judge(self, seen: Measurement, reading: Accounts) -> Iterator[Finding]:
        """Accuse."""
        count = reading.count("super_admins")
        cleared = f"update {reading.users} set is_super_admin = false where is_super_admin{alive(reading)}"
        if count:
            yield self.accuse(
                seen,
                reading,
                count=count,
                summary=f"{plural(count, 'account')} with is_super_admin",
                impact="whatever looks at the mark takes them for administrators",
                remedy=Remedy(
                    caution=(
                        "Find out who set it, and whether anything looks at it. Then: "
                        f"{checked(cleared, count, on_one_line=True)}. It changes nothing when it meets more rows than "
                        "were counted."
                    )
                ),
            )
